//! The secrets of a run are nowhere but where they belong: not in an argument or environment of any process,
//! not in the journal, its events or its logs, not in a file that is not marked secret, not in a guest.

mod scanner;
pub mod trace;
mod watch;

use super::e2e::{NODES, PLAIN, Pair, Taste, binary, files, up_by};
use camino::{Utf8Path, Utf8PathBuf};
use scanner::Scanner;
pub use scanner::contains;
use std::os::unix::process::CommandExt as _;
use std::process::Stdio;
use watch::Watch;
use windlass::lab::{Product, Transport};

/// Where the product's doubles keep the key's password, as their service reads it: the profile's
/// `ha-key-password`, and what was saved of it. Key files are no exception: they are encrypted.
const DECLARED: &str = ".ha_pass";

fn check(transport: Transport, taste: Taste) {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: memory and arguments of other processes are root's to read");
        return;
    }
    if let Some(why) = trace::cannot() {
        println!("skipped: {why}");
        return;
    }
    // What is traced on nodes is started by its path, and they have a /tmp of their own.
    if transport == Transport::Ssh && binary().is_some_and(|binary| binary.starts_with("/tmp")) {
        println!("skipped: nodes cannot see a windlass that was built below /tmp");
        return;
    }
    let traces = tempfile::tempdir().unwrap();
    let traces = Utf8Path::from_path(traces.path()).unwrap();
    let (of_nodes, of_run) = (traces.join("nodes"), traces.join("run"));
    let supervised = |binary: Utf8PathBuf, folder: &Utf8Path| match transport {
        // Everything that runs on a local node is a child of the run.
        Transport::Local => binary,
        Transport::Ssh => trace::supervisor(&binary, folder, &of_nodes),
    };
    let Some(pair) = up_by(Product::Mrs2, transport, taste, supervised) else { return };
    let before = keys(&pair);
    let journal = pair.controller.join("state");
    let Watched { told, complaints, memory } = watched(&pair, traces, &["run", "ha-cert", "--yes"]);

    let mut scanner = Scanner::new(&pair.password());
    for (name, pem) in keys(&pair) {
        assert!(!before.contains(&(name.clone(), pem.clone())), "{name} is the old one");
        scanner.add_key(&name, &pem, &pair.password());
    }
    let mut found = Vec::new();
    let mut look =
        |place: &str, bytes: &[u8]| found.extend(scanner.find(bytes).map(|what| format!("{place}: {what}")));
    look("events", &told);
    look("messages", &complaints);
    for file in files(&journal) {
        look(file.as_str(), &std::fs::read(&file).unwrap());
    }
    for file in files_of_nodes(&pair) {
        look(file.as_str(), &std::fs::read(&file).unwrap_or_default());
    }
    // That guests were looked into shows in what they were told.
    for told in [&b"-----BEGIN CERTIFICATE-----"[..], b"ha-root-cert", b"HADOOP.COM"] {
        assert!(memory.iter().any(|piece| contains(piece, told)), "no guest was seen");
    }
    for piece in &memory {
        look("a guest's memory", piece);
    }
    assert_eq!(found, Vec::<String>::new());
    let mut programs = trace::programs(&of_run);
    if transport == Transport::Ssh {
        programs.extend(trace::programs(&of_nodes));
    }
    in_arguments(&scanner, &programs, taste);
}

/// What a run said, and what was in its guests' memory.
pub struct Watched {
    pub told: Vec<u8>,
    pub complaints: Vec<u8>,
    pub memory: Vec<Vec<u8>>,
}

/// Runs a command of a site, which must succeed, traced into the file `run` of a folder: every program that it starts
/// on this machine, with arguments and environment.
pub fn watched(pair: &Pair, traces: &Utf8Path, arguments: &[&str]) -> Watched {
    // The shell waits, so that nothing of the run is before the watch.
    let mut command = std::process::Command::new("sh");
    let windlass = pair.command(&[&["--json", "--verbose"], arguments].concat());
    command
        .args(["-c", r#"read -r go; exec "$@""#, "sh"])
        .args(trace::words(&traces.join("run")))
        .arg(windlass.get_program())
        .args(windlass.get_args());
    pair.surround(&mut command);
    // Files, not pipes: the tracer holds them too, and stays with what the run restarted.
    let [told, complaints] = ["told", "complaints"].map(|name| traces.join(name));
    let file = |path: &Utf8Path| std::fs::File::create(path).unwrap();
    command.stdin(Stdio::piped()).stdout(file(&told)).stderr(file(&complaints)).process_group(0);
    let mut child = command.spawn().unwrap();
    let watch = Watch::begin(child.id());
    drop(child.stdin.take().map(|mut go| std::io::Write::write_all(&mut go, b"\n")));
    let ended = child.wait().unwrap();
    let seen = watch.end();
    let [told, complaints] = [told, complaints].map(|path| std::fs::read(path).unwrap());
    assert_eq!(ended.code(), Some(0), "{}", String::from_utf8_lossy(&complaints));
    Watched { told, complaints, memory: seen.memory }
}

/// Only the product's own generator is given the password as an argument, and only where the site allows it.
fn in_arguments(scanner: &Scanner, programs: &[Vec<u8>], taste: Taste) {
    // That the nodes' programs were traced shows in the product's own.
    for script in [&b"replacehaSSLCert.sh"[..], b"restart-oms.sh", b"status-oms.sh"] {
        let wanted = taste.leaf == "product" || script != b"replacehaSSLCert.sh";
        assert_eq!(programs.iter().any(|program| contains(program, script)), wanted);
    }
    let mut hits = 0;
    for program in programs {
        let Some(what) = scanner.find(program) else { continue };
        let documented = contains(program, b"gen-cert.sh") && contains(program, b"--password=");
        assert!(taste.ca == "product" && documented, "{what}: {}", String::from_utf8_lossy(program));
        hits += 1;
    }
    assert_eq!(hits > 0, taste.ca == "product", "{hits} of {} programs", programs.len());
}

/// The root's key and both leaves' keys, by node.
fn keys(pair: &Pair) -> Vec<(String, Vec<u8>)> {
    let named = [("master1", "root-ca.pem"), ("master1", "server.pem"), ("master2", "server.pem")];
    let read =
        |(node, file)| (format!("{file} on {node}"), std::fs::read(pair.cert_ha(node).join(file)).unwrap());
    named.map(read).into()
}

/// What a node keeps in files, but those that hold the password by declaration.
fn files_of_nodes(pair: &Pair) -> Vec<Utf8PathBuf> {
    let mut all = files(&pair.dir.join("lab"));
    for node in NODES {
        let root = pair.lab.node_root(node).unwrap();
        let folders: &[&str] = match pair.lab.transport() {
            Transport::Local => &[""],
            Transport::Ssh => &["opt", "home", "tmp", "run", "var/log", "var/tmp", "dev/shm"],
        };
        all.extend(folders.iter().flat_map(|folder| files(&root.join(folder))));
    }
    assert!(all.iter().any(|file| file.file_name() == Some(DECLARED)), "{all:?}");
    all.retain(|file| file.file_name() != Some(DECLARED));
    all
}

#[test]
fn no_secret_of_a_run_on_local_nodes_is_anywhere() {
    check(Transport::Local, PLAIN);
}

#[test]
fn no_secret_of_a_run_that_issues_the_leaves_itself_is_anywhere() {
    check(Transport::Local, Taste { leaf: "host", ..PLAIN });
}

#[test]
fn no_secret_of_a_run_over_ssh_is_anywhere() {
    check(Transport::Ssh, PLAIN);
}

#[test]
fn the_products_generator_is_the_one_place_where_a_password_is_an_argument() {
    check(Transport::Local, Taste { ca: "product", ..PLAIN });
}
