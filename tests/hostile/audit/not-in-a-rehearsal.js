// /// windlass
// api = "0.1"
// summary = "Keeps an eye on the run"
//
// [[needs]]
// reason = "It says that it needs this"
// commands = ["restart-ha@*"]
// ///
if (event.run !== "rehearsal") node(event.first).run("restart-ha");
