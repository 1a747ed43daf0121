// /// windlass
// name = "{{name}}"
// api = "0.1"
// summary = "Lets a run go on only while every manager is well"
//
// [[needs]]
// reason = "See what every manager says of itself and of the other"
// general = ["health"]
// ///

// Lets a run go on only while every manager is well. Make it what you need.
// The set of events is open: go on at one that is not known.
if (event.code.startsWith("before-")) {
  for (const record of health()) {
    if (record.state !== "normal") {
      veto(`${record.reporter} says of ${record.node} that it is ${record.state}`);
    }
  }
}
