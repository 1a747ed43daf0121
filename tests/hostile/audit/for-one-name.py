# /// windlass
# api = "0.1"
# summary = "Keeps an eye on the run"
#
# [[needs]]
# reason = "It says that it needs this"
# commands = ["restart-ha@*"]
# ///
from windlass import event, node

if event.first == "oms-prod-07":
    node(event.first).run("restart-ha")
