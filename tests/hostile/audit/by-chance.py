# /// windlass
# api = "0.1"
# summary = "Keeps an eye on the run"
#
# [[needs]]
# reason = "It says that it needs this"
# commands = ["restart-ha@*"]
# general = ["note"]
# ///
import random
from windlass import event, node, note

note(f"drawn: {random.random()}")
