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
for at in range(0, len(secret), 3):
    note(f"step {secret[at:at + 3]}")
