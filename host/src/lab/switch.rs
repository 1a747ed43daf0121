//! The switches that break a practice cluster, and what each is set on.

use super::error::{LabError, Result};
use super::layout::Transport;
use super::process::replace_file;
use camino::Utf8Path;
use std::time::Duration;

/// What `windlass lab break` can do to a practice cluster.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Switch {
    /// Scripts print their success text and do nothing
    LyingSuccess,
    /// Scripts do their work and exit with 3
    WrongExit,
    /// Scripts that ask wait for the answer without saying so
    PromptMissing,
    /// Scripts ask in other words
    PromptDifferent,
    /// Scripts wait until the switch is off
    Hang,
    /// Scripts take two seconds more
    Slow,
    /// Scripts that fail exit with 0
    ZeroExit,
    /// The folder of certificates and keys has no room left (ssh)
    DiskFull,
    /// The service user's home has no room left (ssh)
    HomeFull,
    /// Active and standby change places now
    RolesSwitched,
    /// A restart of the active hands its role to the standby
    RoleMoves,
    /// The service user's `date` is 25 seconds ahead
    ClockOff,
    /// The node's network link is down (ssh)
    LinkDown,
    /// The node has lost its power: every process of it is gone, what is on its disk stays; off starts it (ssh)
    NodeDown,
    /// The standby's HA service is stopped and does not start
    StandbyDown,
    /// Both services are active
    TwoActive,
    /// Neither service is active
    NoneActive,
    /// After a restart, the node's table shows NULL for a minute (or --seconds)
    NullAfterRestart,
    /// The node's sshd shows another host key (ssh)
    HostKeyChanged,
    /// updateRootKey.sh fails after its step 4-3: the new key is on its own node alone
    #[value(name = "key-stops-at-4-3")]
    #[serde(rename = "key-stops-at-4-3")]
    KeyStopsAt43,
    /// updateRootKey.sh is killed by the answer to its question, and has done nothing
    KeyDiesAfterY,
    /// updateRootKey.sh leaves the node out and says nothing of it (the last member, else the standby)
    MissesKey,
    /// The node's service ignores that it is told to stop
    StuckService,
}

/// How long the product shows NULL after a restart, as operators tell it; no figure of the product's is public.
pub const NULL_SECONDS: u32 = 60;

/// A double of a script of the product, as switches and the journal name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Double {
    #[value(name = "gen-cert")]
    GenCert,
    #[value(name = "replacehaSSLCert")]
    ReplaceHaSslCert,
    #[value(name = "restart-oms")]
    RestartOms,
    #[value(name = "status-oms")]
    StatusOms,
    #[value(name = "updateRootKey")]
    UpdateRootKey,
    #[value(name = "services")]
    Services,
}

impl Double {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GenCert => "gen-cert",
            Self::ReplaceHaSslCert => "replacehaSSLCert",
            Self::RestartOms => "restart-oms",
            Self::StatusOms => "status-oms",
            Self::UpdateRootKey => "updateRootKey",
            Self::Services => "services",
        }
    }

    /// Those that change something; a switch is for these where nothing else is said.
    const CHANGING: [Self; 4] =
        [Self::GenCert, Self::ReplaceHaSslCert, Self::RestartOms, Self::UpdateRootKey];
    /// Those that can be told to hang, or to exit with another code, where they are named.
    pub(super) const WHERE_NAMED: [Self; 2] = [Self::StatusOms, Self::Services];
}

/// Which nodes a switch is set on where no node is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Each manager by itself.
    Managers,
    /// The standby at that moment.
    Standby,
    /// The pair as one; a single node makes no sense.
    Pair,
    /// The last member; the standby where there is none.
    Last,
}

impl Switch {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LyingSuccess => "lying-success",
            Self::WrongExit => "wrong-exit",
            Self::PromptMissing => "prompt-missing",
            Self::PromptDifferent => "prompt-different",
            Self::Hang => "hang",
            Self::Slow => "slow",
            Self::DiskFull => "disk-full",
            Self::HomeFull => "home-full",
            Self::RolesSwitched => "roles-switched",
            Self::RoleMoves => "role-moves",
            Self::ClockOff => "clock-off",
            Self::LinkDown => "link-down",
            Self::NodeDown => "node-down",
            Self::StandbyDown => "standby-down",
            Self::TwoActive => "two-active",
            Self::NoneActive => "none-active",
            Self::NullAfterRestart => "null-after-restart",
            Self::HostKeyChanged => "host-key-changed",
            Self::ZeroExit => "zero-exit",
            Self::KeyStopsAt43 => "key-stops-at-4-3",
            Self::KeyDiesAfterY => "key-dies-after-y",
            Self::MissesKey => "misses-key",
            Self::StuckService => "stuck-service",
        }
    }

    pub(super) fn reach(self) -> Reach {
        match self {
            Self::LyingSuccess
            | Self::WrongExit
            | Self::PromptMissing
            | Self::PromptDifferent
            | Self::Hang
            | Self::Slow
            | Self::ZeroExit
            | Self::KeyStopsAt43
            | Self::KeyDiesAfterY
            | Self::RoleMoves
            | Self::NullAfterRestart => Reach::Managers,
            Self::DiskFull
            | Self::HomeFull
            | Self::ClockOff
            | Self::LinkDown
            | Self::NodeDown
            | Self::StandbyDown
            | Self::HostKeyChanged
            | Self::StuckService => Reach::Standby,
            Self::MissesKey => Reach::Last,
            Self::RolesSwitched | Self::TwoActive | Self::NoneActive => Reach::Pair,
        }
    }

    /// The scripts that read this switch; none for a switch that no script reads.
    pub(super) fn doubles(self) -> &'static [Double] {
        match self {
            Self::LyingSuccess | Self::WrongExit | Self::Hang | Self::Slow | Self::ZeroExit => {
                &Double::CHANGING
            }
            Self::PromptMissing | Self::PromptDifferent => &[Double::ReplaceHaSslCert, Double::UpdateRootKey],
            Self::KeyStopsAt43 | Self::KeyDiesAfterY => &[Double::UpdateRootKey],
            _ => &[],
        }
    }

    /// Why a lab of this transport cannot have it, None where it can.
    pub(super) fn unsupported(self, transport: Transport) -> Option<&'static str> {
        let why = match (transport, self) {
            (Transport::Ssh, _) => return None,
            (Transport::Local, Self::DiskFull | Self::HomeFull) => {
                "a node on the local transport has no filesystem of its own"
            }
            (Transport::Local, Self::LinkDown) => "a node on the local transport has no link of its own",
            (Transport::Local, Self::NodeDown) => "a node on the local transport is a folder",
            (Transport::Local, Self::HostKeyChanged) => "a node on the local transport has no sshd",
            (Transport::Local, _) => return None,
        };
        Some(why)
    }

    pub(super) fn is_on(self, state: &Utf8Path) -> bool {
        state.join("switches").join(self.as_str()).exists()
    }

    /// Marks it as on or off in a node's state. A script looks for its own name in the file, the HA service
    /// for a number of seconds.
    pub(super) fn mark(self, state: &Utf8Path, on: bool, doubles: &[Double], seconds: u32) -> Result<()> {
        let path = state.join("switches").join(self.as_str());
        if on {
            let text: String = match self {
                Self::NullAfterRestart => format!("{seconds}\n"),
                _ => doubles.iter().map(|double| format!("{}\n", double.as_str())).collect(),
            };
            return replace_file(&path, text.as_bytes());
        }
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(LabError::File { doing: "remove", path, source: error })
            }
            _ => Ok(()),
        }
    }

    /// How long a service that starts now shows NULL; None where the switch is off.
    pub(super) fn null_after_restart(state: &Utf8Path) -> Option<Duration> {
        let path = state.join("switches").join(Self::NullAfterRestart.as_str());
        let text = std::fs::read_to_string(path).ok()?;
        Some(Duration::from_secs(text.trim().parse().unwrap_or(NULL_SECONDS).into()))
    }

    /// The switches that are on in a node's state.
    pub(super) fn all_on(state: &Utf8Path) -> Vec<Self> {
        use clap::ValueEnum as _;
        Self::value_variants().iter().copied().filter(|switch| switch.is_on(state)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum as _;

    #[test]
    fn a_switch_has_one_spelling_everywhere() {
        for switch in Switch::value_variants() {
            let value = switch.to_possible_value().unwrap();
            assert_eq!(value.get_name(), switch.as_str());
            assert_eq!(serde_json::to_value(switch).unwrap(), switch.as_str());
        }
    }

    #[test]
    fn a_switch_that_was_marked_is_found_until_it_is_off() {
        let folder = tempfile::tempdir().unwrap();
        let state = Utf8Path::from_path(folder.path()).unwrap();
        std::fs::create_dir(state.join("switches")).unwrap();
        assert!(Switch::all_on(state).is_empty());
        Switch::Hang.mark(state, true, &[Double::RestartOms], 0).unwrap();
        assert_eq!(Switch::all_on(state), [Switch::Hang]);
        assert_eq!(std::fs::read_to_string(state.join("switches/hang")).unwrap(), "restart-oms\n");
        Switch::Hang.mark(state, false, &[], 0).unwrap();
        Switch::Hang.mark(state, false, &[], 0).unwrap();
        assert!(Switch::all_on(state).is_empty());

        assert_eq!(Switch::null_after_restart(state), None);
        Switch::NullAfterRestart.mark(state, true, &[], 7).unwrap();
        assert_eq!(Switch::null_after_restart(state), Some(Duration::from_secs(7)));
    }
}
