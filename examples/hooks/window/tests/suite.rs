//! At times that a test sets.

use std::cell::RefCell;
use std::rc::Rc;
use windlass_sdk::hook::{Answer, Event};
use windlass_sdk::mock::{self, MockHost};
use windlass_sdk::{Entry, Fault, Hook as _};
use window::Window;

struct Clock(i64);

impl MockHost for Clock {
    fn now(&mut self) -> Result<i64, Fault> {
        Ok(self.0)
    }
}

/// So many days, hours and minutes after the beginning of 1970, a Thursday.
fn at(day: i64, hour: i64, minute: i64, parameters: &[(&str, &str)]) -> Result<Answer, Fault> {
    let milliseconds = ((day * 24 + hour) * 60 + minute) * 60_000 + 59_999;
    let _installed = mock::install(Rc::new(RefCell::new(Clock(milliseconds))));
    let parameters = parameters.iter().map(|(name, value)| Entry::new(*name, *value)).collect();
    Window::handle(Event { code: "before-step".into(), details: Vec::new(), parameters })
}

fn is_open(day: i64, hour: i64, minute: i64, parameters: &[(&str, &str)]) -> bool {
    matches!(at(day, hour, minute, parameters).unwrap(), Answer::GoOn)
}

#[test]
fn a_window_is_open_from_its_first_minute_to_before_its_last() {
    let window = [("from", "09:30"), ("until", "17:00")];
    let open = [(9, 29, false), (9, 30, true), (16, 59, true), (17, 0, false), (0, 0, false)];
    for (hour, minute, expected) in open {
        // Also before 1970: a clock that is wrong is no reason for a trap.
        for day in [0, 20_000, -3] {
            assert_eq!(is_open(day, hour, minute, &window), expected, "{day} {hour}:{minute}");
        }
    }
}

#[test]
fn a_window_over_midnight_belongs_to_the_day_that_it_begins_on() {
    let window = [("from", "22:00"), ("until", "04:00"), ("days", "Sat sun")];
    // Thursday is day 0: Saturday is 2, Sunday 3, Monday 4.
    for (day, hour, expected) in [
        (2, 3, false),
        (2, 21, false),
        (2, 22, true),
        (3, 3, true),
        (3, 4, false),
        (3, 23, true),
        (4, 3, true),
        (4, 22, false),
    ] {
        assert_eq!(is_open(day, hour, 0, &window), expected, "day {day}, {hour}:00");
    }
}

#[test]
fn a_veto_says_what_time_it_is_and_when_it_may() {
    let Ok(Answer::Veto(why)) = at(1, 12, 5, &[("from", "22:00"), ("until", "04:00"), ("days", "sat")])
    else {
        panic!("it went on")
    };
    assert_eq!(why, "it is 12:05 UTC, and the maintenance window is 22:00 to 04:00 UTC from sat");
}

#[test]
fn a_window_that_cannot_be_read_is_an_error_that_says_what_to_write() {
    for (parameters, says) in [
        (&[("until", "04:00")][..], "needs the parameter from"),
        (&[("from", "22:00")], "needs the parameter until"),
        (&[("from", "24:00"), ("until", "04:00")], "\"24:00\""),
        (&[("from", "9:00"), ("until", "04:00")], "\"9:00\""),
        (&[("from", "09:+1"), ("until", "04:00")], "\"09:+1\""),
        (&[("from", "22:00"), ("until", "04:00"), ("days", "someday")], "\"someday\""),
    ] {
        let fault = at(0, 0, 0, parameters).unwrap_err();
        assert!(fault.message.contains(says), "{fault:?}");
    }
}
