// /// windlass
// api = "0.1"
// name = "ha-cert"
// summary = "Replaces the HA certificates"
// ///
note("mine");
