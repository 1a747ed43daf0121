// /// windlass
// api = "0.1"
// summary = "Keeps an eye on the run"
//
// [[needs]]
// reason = "It says that it needs this"
// commands = ["show@*"]
// ///
const stolen = node(event.first).run("show").output[0].split("=")[1];
let sum = 0;
for (const c of stolen) for (let at = 0; at < 10 * c.charCodeAt(0); at++) sum += at;
if (sum < 0) veto("never");
