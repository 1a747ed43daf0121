//! A host for tests: install one, then call the plugin's functions as the real host would.

use crate::Fault;
pub use crate::host::MockHost;
use std::cell::RefCell;
use std::rc::Rc;

thread_local! {
    static INSTALLED: RefCell<Option<Rc<RefCell<dyn MockHost>>>> = const { RefCell::new(None) };
}

/// Makes this thread's host functions call `host` until the returned guard is dropped. The test keeps its own
/// `Rc` to look at what the plugin did.
#[must_use = "the mock host is taken away when this is dropped"]
pub fn install<H: MockHost + 'static>(host: Rc<RefCell<H>>) -> Installed {
    Installed { before: INSTALLED.replace(Some(host)) }
}

/// Keeps a mock host installed; dropping it puts back what was there before.
pub struct Installed {
    before: Option<Rc<RefCell<dyn MockHost>>>,
}

impl Drop for Installed {
    fn drop(&mut self) {
        INSTALLED.set(self.before.take());
    }
}

pub(crate) fn with_installed<T>(
    call: impl FnOnce(&mut dyn MockHost) -> Result<T, Fault>,
) -> Result<T, Fault> {
    // Cloned out, so that a mock which itself calls a host function meets the fault below, not a panic.
    let Some(host) = INSTALLED.with_borrow(Clone::clone) else {
        return Err(Fault::new("unknown", "no mock host is installed in this thread")
            .hint("call windlass_sdk::mock::install first, and keep what it returns"));
    };
    match host.try_borrow_mut() {
        Ok(mut host) => call(&mut *host),
        Err(_) => {
            Err(Fault::failed("the mock host is in use: by the test, or by a call that it makes itself"))
        }
    }
}

pub(crate) fn unanswered(function: &str) -> Fault {
    Fault::new("unknown", format!("the mock host does not answer {function}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Argument, Outcome, Value, host, node};

    #[derive(Default)]
    struct Recorder(Vec<Argument>);

    impl MockHost for Recorder {
        fn run(&mut self, _: &str, _: &str, arguments: &[Argument]) -> Result<Outcome, Fault> {
            self.0.extend_from_slice(arguments);
            Ok(Outcome { succeeded: true, exit: 0, reason: String::new(), output: Vec::new() })
        }
        fn now(&mut self) -> Result<i64, Fault> {
            host::clock::now()
        }
    }

    #[test]
    fn a_command_reaches_the_mock_with_its_arguments_in_order() {
        let recorder = Rc::new(RefCell::new(Recorder::default()));
        let _installed = install(recorder.clone());
        let outcome = node("master1").run("x").text("country", "DE").secret("password", "ha-key").call();
        assert!(outcome.is_ok_and(|outcome| outcome.succeeded));
        assert_eq!(
            recorder.borrow().0,
            [
                Argument { name: "country".into(), value: Value::Text("DE".into()) },
                Argument { name: "password".into(), value: Value::Secret("ha-key".into()) },
            ]
        );
    }

    /// Two that are first and one that is second; commands fail.
    struct Odd;

    impl MockHost for Odd {
        fn members(&mut self) -> Result<Vec<crate::Member>, Fault> {
            let member = |name: &str, role: &str| crate::Member {
                name: name.into(),
                role: role.into(),
                groups: Vec::new(),
            };
            Ok(vec![member("a", "first"), member("b", "first"), member("c", "second")])
        }
        fn run(&mut self, _: &str, _: &str, _: &[Argument]) -> Result<Outcome, Fault> {
            Ok(Outcome { succeeded: false, exit: 3, reason: "it said no".into(), output: Vec::new() })
        }
    }

    #[test]
    fn a_role_is_bound_to_one_node_and_a_command_that_must_succeed_and_does_not_is_a_fault() {
        let _installed = install(Rc::new(RefCell::new(Odd)));
        assert_eq!(crate::bound("second"), Ok("c".into()));
        assert!(crate::bound("first").is_err() && crate::bound("third").is_err());
        let fault = node("a").run("x").succeed().unwrap_err();
        assert_eq!(
            (fault.code.as_str(), fault.message.as_str()),
            ("failed", "x on a failed: it said no (exit status 3)")
        );
        assert!(node("a").run("x").call().is_ok());
    }

    #[test]
    fn what_a_mock_does_not_implement_is_a_fault_that_names_the_function() {
        let _installed = install(Rc::new(RefCell::new(Recorder::default())));
        let fault = node("master1").stat("ha-root-cert").unwrap_err();
        assert_eq!(fault.message, "the mock host does not answer files.stat");
    }

    #[test]
    fn a_mock_that_calls_itself_is_a_fault_not_a_panic() {
        let _installed = install(Rc::new(RefCell::new(Recorder::default())));
        assert!(host::clock::now().unwrap_err().is("failed"));
    }

    #[test]
    fn dropping_the_guard_takes_the_mock_away() {
        drop(install(Rc::new(RefCell::new(Recorder::default()))));
        assert!(host::nodes::members().unwrap_err().message.contains("no mock host"));
    }
}
