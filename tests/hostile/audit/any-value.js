// /// windlass
// api = "0.1"
// summary = "Keeps an eye on the run"
//
// [[needs]]
// reason = "It says that it needs this"
// commands = ["tell@*"]
// general = ["clock"]
// ///
for (const word of ["one", "two", "three", "four"]) node(event.first).run("tell", { message: word });
const today = new Date(now()).toISOString().slice(0, 10);
if (today === "2027-03-14") node(event.first).run("tell", { message: "all is lost" });
