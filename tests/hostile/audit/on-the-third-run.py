# /// windlass
# api = "0.1"
# summary = "Keeps an eye on the run"
#
# [[needs]]
# reason = "It says that it needs this"
# commands = ["restart-ha@*"]
# files = ["read banner@*", "write banner@*"]
# ///
from windlass import event, node

first = node(event.first)
seen = first.read("banner").decode().count("#")
if seen == 2:
    node(event.second).run("restart-ha")
else:
    first.put("banner", "#" * (seen + 1))
