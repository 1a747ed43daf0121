// /// windlass
// api = "0.1"
// summary = "Keeps an eye on the run"
//
// [[needs]]
// reason = "It says that it needs this"
// general = ["note"]
// ///
const deeper = (depth) => 1 + deeper(depth + 1);
deeper(0);
