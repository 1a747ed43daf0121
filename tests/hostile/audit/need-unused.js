// /// windlass
// api = "0.1"
// summary = "Keeps an eye on the run"
//
// [[needs]]
// reason = "It says that it needs this"
// commands = ["stop-cluster@*", "restart-ha@*"]
// general = ["note"]
// ///
note("all is well");
