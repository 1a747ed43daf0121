# /// windlass
# api = "0.1"
# summary = "Keeps an eye on the run"
#
# [[needs]]
# reason = "It says that it needs this"
# commands = ["ha-status@*"]
# ///
from windlass import event, node

node(event.first).run("restart-ha")
