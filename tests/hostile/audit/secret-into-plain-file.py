# /// windlass
# api = "0.1"
# summary = "Keeps an eye on the run"
#
# [[needs]]
# reason = "It says that it needs this"
# files = ["write banner@*"]
# secrets = ["ha-key", "ha-key -> file:banner"]
# ///
from windlass import event, node, secret, secrets

secrets.ask("ha-key", "Password", False)
node(event.first).put("banner", secret("ha-key"))
