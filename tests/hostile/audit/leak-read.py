# /// windlass
# api = "0.1"
# summary = "Keeps an eye on the run"
#
# [[needs]]
# reason = "It says that it needs this"
# files = ["read banner@*"]
# general = ["note"]
# ///
from windlass import event, node, note

note(node(event.first).read("banner").decode())
