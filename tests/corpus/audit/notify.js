// /// windlass
// api = "0.1"
// version = "1.0.0"
// summary = "Tells the on-call channel how a run goes, through a command of the site's"
//
// [[needs]]
// reason = "Send the message; the site's profile says what the command is, and where it goes"
// commands = ["notify@*"]
//
// [[needs]]
// reason = "Say in the report who was told"
// general = ["note"]
// ///

// Tells the on-call channel how a run goes.
//
//     [[hooks]]
//     plugin = "notify"
//     after = "ha-cert/run"
//     on_error = "warn"
//     params = { from = "ops1", channel = "oncall" }
//
// `from` is the node that sends it. Nobody's run waits for a message: bind it with on_error = "warn".

const words = {
  "before-run": () => "begins",
  "before-step": () => `is about to do ${event.step}: ${event.title}`,
  "after-step": () => `has done ${event.step}`,
  "after-run": () => "is done and verified",
  "on-failure": () => `stands (${event.reason}): ${event.message}`,
  "on-rollback": () => "was taken back; everything is as it was",
};

const say = words[event.code];
if (say !== undefined) {
  const channel = event.parameter("channel", "oncall");
  // One line, of the characters that the command's placeholder takes: the message of a failure may hold anything.
  const message = `${event.procedure} on ${event.site} ${say()}`.replace(/[^A-Za-z0-9\-_.,:;()/@]+/g, " ").slice(0, 400);
  node(event.parameter("from")).run("notify", { channel, message });
  note(`told ${channel}: ${message}`);
}
