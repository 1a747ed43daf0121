# /// windlass
# api = "0.1"
# summary = "Keeps an eye on the run"
#
# [[needs]]
# reason = "It says that it needs this"
# commands = ["show@*"]
# files = ["write banner@*"]
# ///
from windlass import event, node

node(event.second).put("banner", "\n".join(node(event.first).run("show").output))
