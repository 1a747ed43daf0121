//! Refuses to begin anything outside a maintenance window:
//!
//! ```toml
//! [[hooks]]
//! plugin = "window"
//! before = "ha-cert/*"
//! params = { from = "22:00", until = "04:00", days = "sat sun" }
//! ```
//!
//! `from` and `until` are times of day, in UTC; a window may go over midnight, and belongs to the day that it begins
//! on. `days`: those that it begins on; default every day.

use windlass_sdk::hook::{Answer, Description, Event};
use windlass_sdk::{Fault, Hook, host};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60;
/// 1970 began on a Thursday.
const DAYS: [&str; 7] = ["thu", "fri", "sat", "sun", "mon", "tue", "wed"];

/// The hook `window`.
pub struct Window;

impl Hook for Window {
    fn describe() -> Description {
        Description { title: "Refuse what is outside a maintenance window".into() }
    }

    fn handle(event: Event) -> Result<Answer, Fault> {
        if !event.code.starts_with("before-") {
            return Ok(Answer::GoOn);
        }
        let (from, until) = (minute_of(&event, "from")?, minute_of(&event, "until")?);
        let days = days(&event)?;
        let minutes = host::clock::now()?.div_euclid(MINUTE);
        let (day, minute) = (minutes.div_euclid(DAY), minutes.rem_euclid(DAY));
        // After midnight the window is yesterday's.
        let (inside, began) = match from <= until {
            true => ((from..until).contains(&minute), day),
            false => (minute >= from || minute < until, if minute < until { day - 1 } else { day }),
        };
        let name = usize::try_from(began.rem_euclid(7)).ok().and_then(|day| DAYS.get(day).copied());
        let is_day = days.is_empty() || name.is_some_and(|name| days.iter().any(|day| day == name));
        if inside && is_day {
            return Ok(Answer::GoOn);
        }
        let mut window = format!("{} to {} UTC", clock(from), clock(until));
        if !days.is_empty() {
            window += &format!(" from {}", days.join(", "));
        }
        Ok(Answer::Veto(format!("it is {} UTC, and the maintenance window is {window}", clock(minute))))
    }
}

fn clock(minute: i64) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// A time of day, in minutes.
fn minute_of(event: &Event, name: &str) -> Result<i64, Fault> {
    let text = event.required(name)?;
    let two = |text: &str, below: i64| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<i64>().ok()).flatten().filter(|number| *number < below)
    };
    let minutes =
        text.split_once(':').and_then(|(hour, minute)| Some(two(hour, 24)? * 60 + two(minute, 60)?));
    minutes.ok_or_else(|| {
        Fault::new("invalid", format!("the parameter {name} is {text:?}, not a time of day as \"22:00\""))
    })
}

fn days(event: &Event) -> Result<Vec<String>, Fault> {
    let given: Vec<String> =
        event.parameter("days").unwrap_or_default().split_whitespace().map(str::to_lowercase).collect();
    match given.iter().find(|day| !DAYS.contains(&day.as_str())) {
        None => Ok(given),
        Some(wrong) => Err(Fault::new(
            "invalid",
            format!("the parameter days has {wrong:?}; days are mon tue wed thu fri sat sun"),
        )),
    }
}

windlass_sdk::export_hook!(Window);
