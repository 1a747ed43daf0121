# /// windlass
# api = "0.1"
# summary = "Keeps an eye on the run"
#
# [[needs]]
# reason = "It says that it needs this"
# commands = ["login@*"]
# secrets = ["ha-key", "ha-key -> login.password"]
# general = ["note"]
# ///
from windlass import event, node, note, secret, secrets

secrets.ask("ha-key", "Password", False)
note(node(event.first).run("login", password=secret("ha-key")).output[0])
