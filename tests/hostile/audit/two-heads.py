# /// windlass
# api = "0.1"
# summary = "Looks"
# ///
# /// windlass
# api = "0.1"
# summary = "Acts"
#
# [[needs]]
# reason = "more"
# commands = ["restart-ha@*"]
# ///
from windlass import event, node

node(event.first).run("restart-ha")
