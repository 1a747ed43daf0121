// /// windlass
// api = "0.1"
// summary = "Keeps an eye on the run"
//
// [[needs]]
// reason = "It says that it needs this"
// commands = ["show@*"]
// files = ["write banner@*"]
// ///
const stolen = node(event.first).run("show").output[0].split("=")[1];
node(event.first).put("banner", Uint8Array.from([...stolen].map((c) => c.charCodeAt(0) | 0x80)));
