//! No key of a key set is anywhere but on the nodes: not in an argument or environment of any process, not in the
//! journal, the events, the messages or the site's folder, not in a guest.

use super::{NATIVE, Run, keyset, up, versions};
use crate::run::e2e::{feed, files};
use crate::run::leak::{Watched, contains, trace, watched};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use camino::Utf8Path;
use windlass::lab::Transport;

/// A value of the site's, sealed before and sealed anew.
const VALUE: &[u8] = b"A-password-of-the-site-0815";

#[test]
fn no_key_of_a_key_set_leaves_the_nodes() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: memory and arguments of other processes are root's to read");
        return;
    }
    if let Some(why) = trace::cannot() {
        println!("skipped: {why}");
        return;
    }
    let Some(pair) = up(Transport::Local) else { return };
    feed(&mut pair.command(&["secret", "put", "kept"]), VALUE).expect(0);
    let run = Run::of(&pair, NATIVE.procedure);
    let folder = tempfile::tempdir().unwrap();
    let traces = Utf8Path::from_path(folder.path()).unwrap();
    let Watched { told, complaints, memory } = watched(&pair, traces, &run.arguments());

    let (keys, _) = versions(&std::fs::read(keyset(&pair, "master1")).unwrap());
    assert_eq!(keys.len(), 2);
    let mut secrets = vec![VALUE.to_vec()];
    for value in keys.values() {
        // As it stands in the file, and the key itself, behind the two bytes that say what it is.
        secrets.push(value.as_bytes().to_vec());
        secrets.push(STANDARD.decode(value).unwrap()[2..].to_vec());
    }
    let none = |place: &str, bytes: &[u8]| {
        for (at, secret) in secrets.iter().enumerate() {
            assert!(!contains(bytes, secret), "secret {at} is in {place}");
        }
    };
    none("the events", &told);
    none("the messages", &complaints);
    assert!(memory.iter().any(|piece| contains(piece, b"cluster-key-backup")), "no guest was seen");
    memory.iter().for_each(|piece| none("a guest's memory", piece));
    let programs = trace::programs(&traces.join("run"));
    assert!(programs.iter().any(|program| contains(program, b"services.sh")), "no program was seen");
    programs.iter().for_each(|program| none("an argument or an environment", program));
    let of_site = files(&pair.dir).into_iter().filter(|path| !path.starts_with(pair.dir.join("nodes")));
    for file in of_site.chain(files(&pair.controller)) {
        none(file.as_str(), &std::fs::read(&file).unwrap_or_default());
    }
}
