use super::super::resolve::tests::{declared, site};
use super::super::{ArgumentValue, NodeContext};
use super::*;
use crate::model::NodeName;
use crate::site::CommandDeclaration;
use proptest::prelude::*;

fn resolved(change: impl FnOnce(&mut CommandDeclaration)) -> ResolvedCommand {
    let site = site();
    let mut command = declared();
    change(&mut command);
    let context = NodeContext::new(&site, &NodeName::new("master1").unwrap(), &Default::default());
    let arguments = vec![("password".into(), ArgumentValue::Secret(Zeroizing::new(b"Ab1@\"x".to_vec())))];
    context.resolve_command(&command, arguments, false).unwrap()
}

fn ended(exit: i32, output: &[u8]) -> Ended {
    let output = Zeroizing::new(output.to_vec());
    Ended { exit, output, truncated: false, answered: 1, timed_out: false }
}

#[test]
fn success_needs_the_exit_and_every_text_in_order() {
    let command = resolved(|command| {
        command.success = Success { contains: vec!["one".into(), "two".into()], exit: vec![0, 3] };
    });
    for (exit, output, expected) in [
        (0, "one two", ""),
        (3, "xonetwox", ""),
        (0, "two one", "did not print \"two\""),
        (0, "", "did not print \"one\""),
        (1, "one two", "ended with status 1, and success is 0 or 3"),
        (137, "one two", "ended by signal 9"),
    ] {
        let outcome = outcome(&command, &ended(exit, output.as_bytes()));
        assert_eq!(outcome.succeeded, expected.is_empty(), "{exit} {output}");
        assert!(outcome.reason.contains(expected), "{}", outcome.reason);
        assert_eq!(outcome.exit, if exit == 137 { -1 } else { exit });
    }
}

#[test]
fn a_prompt_that_never_came_is_named() {
    let command = resolved(|_| {});
    let never = Ended { answered: 0, ..ended(0, b"done") };
    let outcome = outcome(&command, &never);
    assert!(!outcome.succeeded);
    assert!(outcome.reason.contains("\"Enter the password:\""), "{}", outcome.reason);
}

#[test]
fn a_secret_that_is_printed_reaches_nobody() {
    let command = resolved(|command| command.output = Parser::Lines);
    let outcome = outcome(&command, &ended(0, b"the password is Ab1@\"x.\nAb1@\"xAb1@\"x"));
    assert_eq!(outcome.output, ["the password is <secret>.", "<secret><secret>"]);
    let command = resolved(|command| command.output = Parser::Json);
    let outcome = super::outcome(&command, &ended(0, br#"{"given":"Ab1@\"x"}"#));
    assert_eq!(outcome.output, [r#"{"given":"<secret>"}"#]);
}

#[test]
fn json_is_one_line_or_no_success() {
    let command = resolved(|command| command.output = Parser::Json);
    let good = outcome(&command, &ended(0, "{ \"a\": \"\\u001b[2J\u{202e}\" }\n".as_bytes()));
    assert_eq!(good.output, [r#"{"a":"\u001b[2J\u202e"}"#]);
    for bad in [&b"{"[..], b"", b"{} {}", b"\xff", &b"[".repeat(100_000)] {
        let outcome = outcome(&command, &ended(0, bad));
        assert!(!outcome.succeeded && outcome.output.is_empty(), "{outcome:?}");
    }
    let cut = Ended { truncated: true, ..ended(0, b"{}") };
    assert!(!outcome(&command, &cut).succeeded);
}

#[test]
fn lines_are_bounded_and_a_last_newline_is_not_one() {
    assert_eq!(lines(b""), Vec::<String>::new());
    assert_eq!(lines(b"a\r\n\nb\n"), ["a", "", "b"]);
    assert_eq!(lines(&b"\n".repeat(5000)).len(), MOST_LINES);
    assert_eq!(lines(&b"x".repeat(9000))[0].len(), LONGEST_LINE);
    assert_eq!(lines("a\tb\u{1b}[31m\u{202e}\u{85}".as_bytes()), ["a b\u{fffd}[31m\u{fffd}\u{fffd}"]);
}

proptest! {
    #[test]
    fn whatever_a_node_prints_comes_out_tame(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(0x1b), Just(b'\n'), Just(0xc2), Just(0x9b)], 0..600),
        json in any::<bool>(),
    ) {
        let command = resolved(|command| command.output = if json { Parser::Json } else { Parser::Lines });
        let outcome = outcome(&command, &ended(0, &bytes));
        prop_assert!(outcome.output.len() <= MOST_LINES);
        for line in outcome.output.iter().chain([&outcome.reason]) {
            prop_assert!(!line.chars().any(is_unprintable), "{line:?}");
            prop_assert!(line.chars().count() <= LONGEST_LINE);
        }
    }

    #[test]
    fn any_string_survives_json_as_itself(text in any::<String>()) {
        let parsed = json(serde_json::to_string(&text).unwrap().as_bytes()).unwrap();
        prop_assert!(!parsed.chars().any(is_unprintable));
        prop_assert_eq!(serde_json::from_str::<String>(&parsed).unwrap(), text);
    }
}
