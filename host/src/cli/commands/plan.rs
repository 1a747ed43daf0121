//! `windlass plan`: what a run would do.

use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::cli::session::{self, Make};
use camino::Utf8PathBuf;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The procedure, as `ha-cert`
    procedure: String,
    /// A parameter of the procedure; overrides the site's
    #[arg(short = 'p', long = "param", value_name = "K=V")]
    params: Vec<String>,
    /// Write the plan to a file, to be approved and run
    #[arg(short = 'o', long = "out", value_name = "FILE")]
    out: Option<Utf8PathBuf>,
    /// Sign the plan as its requester; with -o, and a key that the operators' allowed_signers names
    #[arg(long, value_name = "FILE", requires = "out")]
    key: Option<Utf8PathBuf>,
    /// How long the plan can be run, as 90m, 24h or 3d
    #[arg(long, value_name = "TIME", default_value = "24h")]
    valid_for: String,
}

pub fn run(args: Args, context: &Context) -> Result {
    let valid_for = duration(&args.valid_for)?;
    session::plan(
        context,
        Make { procedure: args.procedure, params: args.params, out: args.out, valid_for, key: args.key },
    )
}

fn duration(text: &str) -> std::result::Result<Duration, Error> {
    let seconds = text
        .char_indices()
        .last()
        .and_then(|(at, unit)| {
            let number: u64 = text.get(..at)?.parse().ok()?;
            number.checked_mul(match unit {
                'm' => 60,
                'h' => 3_600,
                'd' => 86_400,
                _ => return None,
            })
        })
        .filter(|seconds| (1..=31 * 86_400).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| {
        Error::new(
            Exit::Usage,
            format!("--valid-for {text:?} is not a time of up to 31 days, as 90m, 24h or 3d"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_a_plan_holds_is_read_and_bounded() {
        let hours = |text: &str| duration(text).map(|time| time.as_secs() / 3_600).ok();
        assert_eq!([hours("24h"), hours("3d"), hours("120m")], [Some(24), Some(72), Some(2)]);
        for wrong in ["", "h", "24", "0h", "-1h", "32d", "24x", "1h30m", "99999999999999999999d", "é"] {
            assert_eq!(hours(wrong), None, "{wrong:?}");
        }
    }
}
