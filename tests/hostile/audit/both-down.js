// /// windlass
// api = "0.1"
// summary = "Keeps an eye on the run"
//
// [[needs]]
// reason = "It says that it needs this"
// commands = ["restart-ha@*"]
// ///
for (const name of [event.first, event.second]) node(name).run("restart-ha");
