//! root-key with an operator at a terminal: the documentation's own question, and clicks that are done by hand.

use super::{NODES, all_run, as_before, held, services, up, updated};
use crate::run::e2e::Pair;
use nix::pty::openpty;
use std::fs::File;
use std::io::{Read as _, Write as _};
use windlass::lab::Transport;

/// Runs a command at a terminal; each time the text ends in one of the prompts, does what belongs to it and types the
/// answer. Returns the exit status and all that was shown.
fn typed(
    pair: &Pair,
    arguments: &[&str],
    prompts: &mut [(&str, &mut dyn FnMut() -> &'static str)],
) -> (i32, String) {
    let pty = openpty(None, None).unwrap();
    let (mut screen, keyboard) = (File::from(pty.master), pty.slave);
    let end = || keyboard.try_clone().unwrap();
    let mut command = pair.command(arguments);
    command.stdin(end()).stdout(end()).stderr(end());
    let mut child = command.spawn().unwrap();
    // Where nobody else has it, the terminal is at its end when the program is.
    drop((command, keyboard));
    let (mut shown, mut seen) = (Vec::new(), 0);
    let mut piece = [0; 4096];
    while let Ok(length @ 1..) = screen.read(&mut piece) {
        shown.extend_from_slice(&piece[..length]);
        let text = String::from_utf8_lossy(&shown[seen..]).into_owned();
        for (prompt, answer) in prompts.iter_mut() {
            if text.contains(*prompt) {
                seen = shown.len();
                screen.write_all(format!("{}\n", answer()).as_bytes()).unwrap();
                break;
            }
        }
    }
    (child.wait().unwrap().code().unwrap(), String::from_utf8_lossy(&shown).into_owned())
}

const QUESTION: &str = "The root key update is a critical operation. Do you want to continue?";

#[test]
fn an_operator_who_says_no_leaves_the_cluster_as_it_was() {
    let Some(pair) = up(Transport::Local) else { return };
    let before = held(&pair);
    let (code, shown) = typed(&pair, &["run", "root-key", "--yes"], &mut [(QUESTION, &mut || "n")]);
    assert_eq!(code, 1, "{shown}");
    assert!(shown.contains("the cluster must be stopped and cannot be accessed"), "{shown}");
    as_before(&pair, &before);
    let (code, shown) = typed(&pair, &["run", "root-key"], &mut [("[y/n]", &mut || "y")]);
    assert_eq!(code, 0, "{shown}");
    updated(&pair, &before, &NODES);
}

/// The profile of the product itself: the manager's page is clicked, and the nodes are asked whether it was.
#[test]
fn a_cluster_is_stopped_and_started_by_hand_and_the_nodes_are_asked() {
    let Some(pair) = up(Transport::Local) else { return };
    let path = pair.dir.join("site.toml");
    let site = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, site.replacen("profile = \"practice\"", "profile = \"mrs-2\"", 1)).unwrap();
    let before = held(&pair);
    let nobody = pair.windlass(&["run", "root-key", "--yes"]);
    assert_eq!(nobody.code, Some(1), "{nobody:?}");

    // Said to be done, and not: nobody is believed, and what was to be stopped is to be started again.
    let mut lies = || "y";
    let (code, shown) = typed(
        &pair,
        &["run", "root-key", "--yes", "-p", "patience=2"],
        &mut [(QUESTION, &mut || "y"), ("Is it done?", &mut lies)],
    );
    assert_eq!(code, 1, "{shown}");
    assert!(shown.contains("choose Service > More > Stop Cluster"), "{shown}");
    as_before(&pair, &before);

    let mut done = 0;
    let mut click = || {
        done += 1;
        let verb = if done == 1 { "stop" } else { "start" };
        for node in NODES {
            services(&pair, node, verb).expect(0);
        }
        "y"
    };
    let (code, shown) = typed(
        &pair,
        &["run", "root-key", "--yes"],
        &mut [(QUESTION, &mut || "y"), ("Is it done?", &mut click)],
    );
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("choose Service > More > Start Cluster"), "{shown}");
    all_run(&pair, &NODES);
    updated(&pair, &before, &NODES);
}
