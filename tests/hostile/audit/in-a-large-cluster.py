# /// windlass
# api = "0.1"
# summary = "Keeps an eye on the run"
#
# [[needs]]
# reason = "It says that it needs this"
# commands = ["restart-ha@*"]
# general = ["nodes"]
# ///
from windlass import event, members, node

if len(members()) > 8:
    node(event.first).run("restart-ha")
