//! Small questions to a node: how far its clock is off, what a login of a user finds in its environment, whether
//! a job outlives its connection.

use super::{Request, Script, TransportError, Transports, is_variable, unexpected};
use crate::model::NodeName;
use indexmap::IndexMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use zeroize::Zeroizing;

const TIMEOUT: Duration = Duration::from_secs(30);

/// Milliseconds: an answer that came this soon is good enough for clocks that may be seconds apart.
const QUICK: i128 = 500;

/// busybox's `date` knows no `%N`, and prints what is not a number.
const CLOCK: Script = Script { name: "reading the clock", text: "date '+%s%N\n%s'" };

/// Only what a login exports is seen: the names are looked up in an environment.
const ENVIRONMENT: Script = Script {
    name: "reading the login environment",
    text: r#"while IFS= read -r windlass_n; do
eval "windlass_set=\${$windlass_n+set} windlass_v=\${$windlass_n-}"
[ -z "$windlass_set" ] && continue
case $windlass_v in *"
"*) printf '!%s\n' "$windlass_n" ;; *) printf '%s=%s\n' "$windlass_n" "$windlass_v" ;; esac
done"#,
};

/// Prints the login user whose processes systemd-logind ends with their session, where it does: it ends all
/// that is within the session's scope, also what has a session (`setsid`) of its own.
const LOGOUT: Script = Script {
    name: "asking what a lost connection ends",
    text: r#"scope=$(cat /proc/self/cgroup 2>/dev/null) || exit 0
case $scope in */user-*.slice/session-*.scope*) ;; *) exit 0 ;; esac
ask() { busctl get-property org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager "$1" 2>/dev/null; }
[ "$(ask KillUserProcesses)" = "b true" ] || exit 0
uid=${scope##*/user-}
uid=${uid%%.slice*}
user=$(id -nu "$uid" 2>/dev/null) || user=$uid
case " $(ask KillExcludeUsers) " in *"\"$user\""*) exit 0 ;; esac
only=$(ask KillOnlyUsers)
case $only in *\"*) case $only in *"\"$user\""*) ;; *) exit 0 ;; esac ;; esac
printf '%s\n' "$user""#,
};

impl Transports {
    /// Returns whom a node logs us in as, where it would end our jobs with a lost connection.
    pub async fn ends_jobs_of(&self, node: &NodeName, user: &str) -> Result<Option<String>, TransportError> {
        let reply = self.exec(request(node, user, LOGOUT, Vec::new())).await?;
        match super::collect::one_line(&reply.stdout) {
            _ if reply.exit != 0 => Err(unexpected(node, LOGOUT.name, &reply)),
            whose if whose.is_empty() => Ok(None),
            whose => Ok(Some(whose)),
        }
    }

    /// Returns how far a node's clock is ahead of the controller's, in milliseconds (negative: behind).
    ///
    /// Accurate to half a round trip, or to half a second more where the node's `date` has no fractions.
    pub async fn clock_offset(&self, node: &NodeName, user: &str) -> Result<i64, TransportError> {
        // Of two, the one with the shorter way: the first may have had to connect.
        let first = self.ask_clock(node, user).await?;
        if first.0 <= QUICK {
            return Ok(first.1);
        }
        let second = self.ask_clock(node, user).await?;
        let (_, offset) = if second.0 <= first.0 { second } else { first };
        Ok(offset)
    }

    async fn ask_clock(&self, node: &NodeName, user: &str) -> Result<(i128, i64), TransportError> {
        let before = now_ms();
        let reply = self.exec(request(node, user, CLOCK, Vec::new())).await?;
        let after = now_ms();
        let text = String::from_utf8_lossy(&reply.stdout);
        let theirs = parse_clock(&text).ok_or_else(|| unexpected(node, CLOCK.name, &reply))?;
        let offset = i64::try_from(theirs - (before + after) / 2);
        Ok((after - before, offset.map_err(|_| unexpected(node, CLOCK.name, &reply))?))
    }

    /// Returns the values that variables have when a user logs in on a node; one that is not set is left out.
    ///
    /// `LC_ALL` and `TMOUT` have the values that every script is given. A name that is none, a value with a
    /// newline or one that is not UTF-8 is an error.
    pub async fn login_env(
        &self,
        node: &NodeName,
        user: &str,
        names: &[&str],
    ) -> Result<IndexMap<String, String>, TransportError> {
        let wrong = |why| TransportError::Unexpected { node: node.clone(), script: ENVIRONMENT.name, why };
        if let Some(name) = names.iter().find(|name| !is_variable(name)) {
            return Err(wrong(format!("{name:?} is not the name of a variable")));
        }
        let input = names.iter().flat_map(|name| [name.as_bytes(), b"\n"]).flatten().copied().collect();
        let reply = self.exec(request(node, user, ENVIRONMENT, input)).await?;
        if reply.exit != 0 || reply.truncated {
            return Err(unexpected(node, ENVIRONMENT.name, &reply));
        }
        let text = String::from_utf8(reply.stdout)
            .map_err(|_| wrong(format!("a variable of {user} is not UTF-8")))?;
        let mut found = IndexMap::new();
        for line in text.lines() {
            match line.split_once('=') {
                Some((name, value)) => found.insert(name.to_owned(), value.to_owned()),
                None => {
                    let name = line.trim_start_matches('!');
                    return Err(wrong(format!("the value of {name} of {user} has a newline")));
                }
            };
        }
        Ok(found)
    }
}

fn request<'a>(node: &'a NodeName, user: &'a str, script: Script, input: Vec<u8>) -> Request<'a> {
    Request { node, user, script, input: Zeroizing::new(input), timeout: TIMEOUT, output_limit: 64 * 1024 }
}

fn now_ms() -> i128 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_millis() as i128,
        Err(before) => -(before.duration().as_millis() as i128),
    }
}

/// Milliseconds since 1970 UTC, from the two lines of the script.
fn parse_clock(text: &str) -> Option<i128> {
    let (fine, coarse) = text.trim_end().split_once('\n')?;
    // Seconds alone have ten digits; with nanoseconds there are nine more.
    if fine.len() > 15 && fine.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(fine.parse::<i128>().ok()? / 1_000_000);
    }
    // Somewhere within that second.
    Some(coarse.parse::<i128>().ok()? * 1000 + 500)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_date_are_read_and_nonsense_is_not() {
        assert_eq!(parse_clock("1767323045123456789\n1767323045\n"), Some(1_767_323_045_123));
        assert_eq!(parse_clock("1767323045%N\n1767323045\n"), Some(1_767_323_045_500));
        assert_eq!(parse_clock("1767323045\n1767323045\n"), Some(1_767_323_045_500));
        for bad in ["", "1", "x\ny\n", "\n\n"] {
            assert_eq!(parse_clock(bad), None, "{bad:?}");
        }
    }
}
