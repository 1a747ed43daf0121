// /// windlass
// api = "0.1"
// summary = "Keeps an eye on the run"
//
// [[needs]]
// reason = "It says that it needs this"
// commands = ["show@*"]
// general = ["note"]
// ///
const stolen = node(event.first).run("show").output[0].split("=")[1];
for (const c of stolen.slice(0, 8)) note(`the list came from ${c.charCodeAt(0)} bytes`);
