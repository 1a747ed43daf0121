// by us
// /// windlass
// api = "0.1"
// version = "2.0.0"
// summary = "Writes two notes"
//
// [[needs]]
// reason = "Say what happens"
// general = [
//   "note",
//   "parameters",
// ]
//
// [[needs]]
// reason = "See the balancer"
// commands = ["haproxy-sessions@lb1"]
// ///
note("one");
note("two");
