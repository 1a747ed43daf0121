# /// windlass
# api = "0.1"
# summary = "Keeps an eye on the run"
#
# [[needs]]
# reason = "It says that it needs this"
# commands = ["restart-ha@*"]
# ///
from windlass import event, run_each

run_each([event.first, event.second], "restart-ha")
