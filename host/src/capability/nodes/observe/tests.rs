use super::super::resolve::tests::{declared, site};
use super::super::{ArgumentValue, NodeContext};
use super::*;
use crate::capability::testing::Shell;
use crate::model::NodeName;
use crate::site::{CommandDeclaration, Template, TemplatePart};

fn text(text: &str) -> Template {
    Template { parts: vec![TemplatePart::Text(text.into())] }
}

fn command(argv: &[&str], change: impl FnOnce(&mut CommandDeclaration)) -> ResolvedCommand {
    let mut command = declared();
    command.prompts.clear();
    command.args.clear();
    command.argv = argv.iter().map(|word| text(word)).collect();
    change(&mut command);
    let context = NodeContext::new(&site(), &NodeName::new("master1").unwrap(), &Default::default());
    context.resolve_command(&command, Vec::<(String, ArgumentValue)>::new(), false).unwrap()
}

#[tokio::test]
async fn words_arrive_as_they_are_whatever_is_in_them() {
    let awkward = ["", " ", "a b", "'\"`$(id)\\", "*", "%s", "-n", "line\nline\n", "ä"];
    for shell in Shell::each() {
        let mut argv = vec!["printf", "[%s]"];
        argv.extend(awkward);
        let ended = observe(&shell, &command(&argv, |_| {})).await.unwrap();
        let expected: String = awkward.iter().map(|word| format!("[{word}]")).collect();
        assert_eq!(std::str::from_utf8(&ended.output).unwrap(), expected);
        assert_eq!(ended.exit, 0);
    }
}

#[tokio::test]
async fn a_command_runs_in_its_folder_with_its_environment_and_no_input() {
    for shell in Shell::each() {
        let script = "printf '%s %s %s ' \"$PWD\" \"$A_1\" \"$TMOUT\"; cat; echo x >&2; exit 7";
        let folder = shell.home().to_str().unwrap().to_owned();
        let observed = command(&["sh", "-c", script], |command| {
            command.cwd = Some(text(&folder));
            command.env.insert("A_1".into(), text("it's $HOME"));
        });
        let ended = observe(&shell, &observed).await.unwrap();
        assert_eq!(std::str::from_utf8(&ended.output).unwrap(), format!("{folder} it's $HOME 0 x\n"));
        assert_eq!(ended.exit, 7);
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_entered_is_named_and_nothing_runs() {
    for shell in Shell::each() {
        let observed = command(&["touch", "ran"], |command| command.cwd = Some(text("/no/such")));
        let error = observe(&shell, &observed).await.err().unwrap();
        assert!(error.to_string().contains("/no/such"), "{error}");
    }
}

#[tokio::test]
async fn a_command_that_does_not_exist_ends_with_127() {
    for shell in Shell::each() {
        let ended = observe(&shell, &command(&["no-such-program"], |_| {})).await.unwrap();
        assert_eq!(ended.exit, 127);
    }
}

#[tokio::test]
async fn a_command_that_a_signal_ends_is_a_status_and_not_a_lost_connection() {
    for shell in Shell::each() {
        let ended = observe(&shell, &command(&["sh", "-c", "kill -9 $$"], |_| {})).await.unwrap();
        assert_eq!(ended.exit, 137);
    }
}

#[tokio::test]
async fn output_without_end_is_cut_and_said_to_be() {
    for shell in Shell::each() {
        let observed = command(&["head", "-c", "300000", "/dev/zero"], |_| {});
        let ended = observe(&shell, &observed).await.unwrap();
        assert_eq!((ended.output.len(), ended.truncated), (OUTPUT_LIMIT, true));
    }
}
