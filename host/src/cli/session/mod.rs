//! Puts a run together: site, plugin, journal, connections; drives it; says how it ended.
//!
//! `start`, `again`, `adopt` and `close` are how a run begins, goes on, goes on elsewhere and ends; `drive` opens what all of them need
//! and hands it to the machine of `run`; `plan` does the same
//! with a ground that only looks; `ending` says how that came out.
//! `approve` signs a plan, `authority` says whether a run may begin, and `follow` holds it to its plan. `plugins` finds the plugin and its
//! gate, `hooks` those of the site, `engines` what runs scripts, `known` tells of all of them, `admit` says which may be loaded, `certified` which somebody has audited, `certify` writes that down; `install` names what is to come into a site, `incoming` reads it, `bring` puts it there, `carry` takes it along, `sign` signs it; `network` reaches nodes, `profile` finds a site's profile, `keyring` reads
//! the key set of nodes, `status` looks at all of them, `rehearse` has a plugin act on a simulated cluster, `project` finds an author's plugin and scenarios, `build` makes the plugin, `standing` says what earlier runs have left, `runs` finds runs by the beginning of their ids.

mod admit;
mod adopt;
mod again;
mod approve;
mod ask;
mod audit;
mod audited;
mod authority;
mod bring;
mod build;
mod carry;
mod certified;
mod certify;
mod close;
mod controller;
mod differences;
mod drive;
mod ending;
mod engines;
mod follow;
mod hooks;
mod incoming;
mod install;
mod keyring;
mod known;
mod network;
mod parameters;
mod plan;
mod plugins;
mod prepare;
mod profile;
mod project;
mod rehearse;
mod runs;
mod show;
mod sign;
mod standing;
mod start;
mod status;
mod verify;

pub use adopt::{Adopt, adopt};
pub use again::{Again, again};
pub use approve::{Approve, approve};
pub use audit::{Auditing, audit, repeat};
pub use build::build;
pub use carry::{Carry, carry};
pub use certify::{Certify, certify, read_report};
pub use close::close;
pub use differences::Difference;
pub use drive::LeaseArgs;
pub use ending::journal_error;
pub use hooks::check_bindings;
pub use install::{Install, Update, install, remove, update};
pub use keyring::{OnNode, keyring_of, on_managers, on_nodes};
pub use known::{Known, Origin, Reviewed, Signed, Standing, known};
pub use network::{one_thread, site};
pub use plan::{Make, plan};
pub use profile::{Found, candidates, load, site_facts};
pub use project::{is_stale, load_tested, scenario_at, scenarios_of, sources_of};
pub use rehearse::rehearse;
pub use runs::{find_run, newest_or, runs_dir};
pub use sign::{Sign, sign_files};
pub use standing::Journals;
pub use start::{Start, start};
pub use status::status;
pub use verify::{Verdict, beside};
