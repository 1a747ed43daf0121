//! Both rooms of a node through the real transport, on a node that is a folder.

use super::resolve::tests::{declared, site, template};
use super::*;
use crate::capability::files::{NodeFiles, Problem, ResolvedFile, SAVE_LIMIT, Target};
use crate::model::{FileName, NodeName, ObjectName, Outcome, RunId};
use crate::site::{Address, CommandDeclaration, Node, Parser, Site, Success};
use crate::transport::Transports;
use camino::Utf8PathBuf;
use std::fs;
use zeroize::Zeroizing;

struct Place {
    _folder: tempfile::TempDir,
    path: Utf8PathBuf,
    site: Site,
    transports: Transports,
    node: NodeName,
    run: RunId,
}

/// A node whose product lies in `PATH/opt`.
fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
    let node = NodeName::new("master1").unwrap();
    for name in ["home", "opt", "opt/cert", "run"] {
        fs::create_dir(path.join(name)).unwrap();
    }
    let environment = format!("HOME={path}/home\nPATH=/usr/bin:/bin\nPRODUCT_HOME={path}/opt\n");
    fs::write(path.join("login-env"), environment).unwrap();
    let mut site = site();
    let member = Node {
        name: node.clone(),
        address: Address::Local(path.clone()),
        groups: vec!["managers".into()],
        host: None,
        alias: Vec::new(),
    };
    site.nodes.insert(node.clone(), member);
    let transports = Transports::new(&site, &path.join("run")).unwrap();
    Place { _folder: folder, path, site, transports, node, run: RunId::new("run-1").unwrap() }
}

impl Place {
    fn change(&self, change: impl FnOnce(&mut CommandDeclaration)) -> ResolvedCommand {
        let mut command = declared();
        change(&mut command);
        let context = NodeContext::new(&self.site, &self.node, &Default::default());
        let arguments = match command.args.is_empty() {
            true => Vec::new(),
            false => {
                let password = Zeroizing::new(b"pa'ss\"$`\\ %s1@".to_vec());
                vec![("password".to_owned(), ArgumentValue::Secret(password))]
            }
        };
        context.resolve_command(&command, arguments, false).unwrap()
    }

    async fn run(&self, command: &ResolvedCommand, id: &str, lines: &mut Vec<String>) -> Outcome {
        let key = JobKey { id, run: &self.run, token: None };
        let ended = run_change(&self.transports, command, key, &mut |line| lines.push(line)).await.unwrap();
        outcome(command, &ended)
    }
}

fn script(text: &str) -> Vec<crate::site::Template> {
    vec![
        template("sh"),
        template("-c"),
        crate::site::Template { parts: vec![crate::site::TemplatePart::Text(text.into())] },
    ]
}

#[tokio::test]
async fn a_change_answers_its_prompt_and_keeps_the_answer_to_itself() {
    let place = place();
    let answered = "printf 'Enter the password:'; read -r p; printf '%s' \"$p\" >got; echo; echo \"you said $p\"; echo done";
    let command = place.change(|command| {
        command.argv = script(answered);
        command.output = Parser::Lines;
        command.success = Success { contains: vec!["done".into()], exit: vec![0] };
    });
    let mut lines = Vec::new();
    let outcome = place.run(&command, "effect-1", &mut lines).await;
    assert!(outcome.succeeded, "{outcome:?}");
    assert_eq!(fs::read(place.path.join("home/got")).unwrap(), b"pa'ss\"$`\\ %s1@");
    assert_eq!(outcome.output, ["Enter the password:", "you said <secret>", "done"]);
    assert!(lines.is_empty(), "raw output of a command that was given a secret: {lines:?}");
}

#[tokio::test]
async fn a_change_whose_prompt_never_comes_has_not_succeeded() {
    let place = place();
    let command = place.change(|command| command.argv = script("echo another prompt:"));
    let outcome = place.run(&command, "effect-1", &mut Vec::new()).await;
    assert!(!outcome.succeeded && outcome.reason.contains("Enter the password:"), "{outcome:?}");
}

#[tokio::test]
async fn a_change_under_the_same_key_runs_once_and_its_lines_are_shown() {
    let place = place();
    let command = place.change(|command| {
        command.prompts.clear();
        command.args.clear();
        command.argv = script("echo x >>count; printf 'a\\033[2J\\nb'; exit 3");
    });
    for _ in 0..2 {
        let mut lines = Vec::new();
        let outcome = place.run(&command, "effect-1", &mut lines).await;
        assert_eq!((outcome.exit, outcome.succeeded), (3, false));
        assert_eq!(lines, ["a\u{fffd}[2J", "b"]);
    }
    assert_eq!(fs::read(place.path.join("home/count")).unwrap(), b"x\n");
}

#[tokio::test]
async fn a_change_that_is_fenced_does_not_run() {
    let place = place();
    fs::create_dir_all(place.path.join("home/.windlass/lease")).unwrap();
    fs::write(place.path.join("home/.windlass/lease/token"), "9\n").unwrap();
    let command = place.change(|command| command.argv = script("touch ran"));
    let key = JobKey { id: "effect-1", run: &place.run, token: Some(8) };
    let error = run_change(&place.transports, &command, key, &mut drop).await.err().unwrap();
    assert_eq!(error.to_fault().code, "refused", "{error}");
    assert!(!place.path.join("home/ran").exists());
}

#[tokio::test]
async fn files_are_written_saved_and_restored_where_the_nodes_own_environment_says() {
    let place = place();
    let contexts = NodeContexts::default();
    let context = contexts.of(&place.transports, &place.site, &place.node).await.unwrap();
    // Kept for the run: what the environment becomes later changes no path.
    fs::write(place.path.join("login-env"), format!("HOME={}/home\nPATH=/usr/bin:/bin\n", place.path))
        .unwrap();
    let context_again = contexts.of(&place.transports, &place.site, &place.node).await.unwrap();
    assert!(std::sync::Arc::ptr_eq(&context, &context_again));
    let folder = context.resolve_folder("cert").unwrap();
    assert_eq!(folder, place.path.join("opt/cert").as_str());
    let file = ResolvedFile {
        name: FileName::new("key").unwrap(),
        path: format!("{folder}/key"),
        mode: None,
        owner: None,
        secret: true,
        guessable: false,
        read_only: false,
    };
    let files =
        NodeFiles { remote: &place.transports, node: &place.node, user: "omm", run: &place.run, token: None };
    let (set, target) = (ObjectName::new("new").unwrap(), Target::from(&file));
    let content: Vec<u8> = (0..=255).cycle().take(200_000).collect();
    files.save(&set, std::slice::from_ref(&target), SAVE_LIMIT).await.unwrap();
    let staged = [files.stage(&set, &file, &content).await.unwrap()];
    files.swap(&set, &staged).await.unwrap();
    assert_eq!(files.fingerprint(&file).await.unwrap(), staged[0].sha256);
    assert_eq!(files.read_secret(&file).await.unwrap().unwrap().as_slice(), content);
    assert_eq!(files.stat(&file).await.unwrap().unwrap().mode, "0600");
    files.restore(&[(target, None)]).await.unwrap();
    assert_eq!(files.stat(&file).await.unwrap(), None);
    // Refused early, with much still to be sent: the fault arrives all the same.
    let nowhere = ResolvedFile { path: format!("{folder}/no/key"), ..file };
    let error = files.put(&nowhere, &content).await.unwrap_err();
    assert!(matches!(error.problem, Problem::NoParent(_)), "{error}");
}
