//! What a site has installed, brought up to date and carried to other sites: `plugin update`, `plugin bundle`, and
//! `plugin install` of a bundle and of a profile.

use crate::refuse::plugin::{a_manifest, component};
use crate::refuse::{Practice, Said, built, local, locked};
use crate::signed::desk;
use camino::Utf8PathBuf;
use windlass::plugin::{Kind, Need, manifest};

/// A hook that does nothing, of a version, and what it asks for.
pub fn quiet(name: &str, version: &str, words: &[&str]) -> Vec<u8> {
    let mut made = a_manifest(name, Kind::Hook);
    made.version = version.into();
    let general: Vec<String> = words.iter().map(ToString::to_string).collect();
    if !general.is_empty() {
        made.needs = vec![Need { reason: "a test".into(), general, ..Default::default() }];
    }
    manifest::append(&component("", Kind::Hook), &made).unwrap()
}

fn plugin(practice: &Practice, arguments: &[&str]) -> Said {
    practice.windlass(&[&["plugin"], arguments].concat())
}

fn path(practice: &Practice, file: &str) -> String {
    practice.dir.join(file).into_string()
}

/// Every file of the site that a plugin or its lock is.
fn installed(practice: &Practice) -> Vec<(Utf8PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for folder in ["", "hooks", "plugins", "profiles"] {
        for entry in practice.dir.join(folder).read_dir_utf8().into_iter().flatten().flatten() {
            if entry.file_type().unwrap().is_file() {
                found.push((entry.path().to_owned(), std::fs::read(entry.path()).unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn an_update_shows_what_differs_and_takes_new_needs_only_by_name() {
    let Some(practice) = locked() else { return };
    practice.write("elsewhere/quiet.wasm", quiet("quiet", "1.0.0", &["clock", "note"]));
    let file = path(&practice, "elsewhere/quiet.wasm");
    plugin(&practice, &["update", "quiet"]).check(2, &["quiet is not in windlass.lock", "practice"]);
    plugin(&practice, &["install", &file, "--yes"]).check(0, &[]);
    plugin(&practice, &["update", "quiet", "--yes"]).check(0, &["nothing to do"]);
    // From where it came.
    practice.write("elsewhere/quiet.wasm", quiet("quiet", "1.1.0", &["clock"]));
    plugin(&practice, &["update", "quiet"]).check(4, &["nobody to ask", "--yes"]);
    let said = plugin(&practice, &["update", "quiet", "--yes"]);
    said.check(0, &["hook quiet 1.1.0", "in the place of 1.0.0", "no more   general = [\"note\"]"]);
    assert!(!said.err.contains("NEW"), "{said:#?}");
    // From a file that is named.
    practice.write("new/other-name.wasm", quiet("quiet", "2.0.0", &["clock", "health"]));
    let before = installed(&practice);
    let update = ["update", "quiet", &path(&practice, "new/other-name.wasm"), "--yes"];
    plugin(&practice, &update).check(
        3,
        &[
            "in the place of 1.1.0",
            "NEW       general = [\"health\"]",
            "more than what was accepted",
            "--accept-needs",
        ],
    );
    assert_eq!(installed(&practice), before);
    let mut accepting = update.to_vec();
    accepting.push("--accept-needs");
    plugin(&practice, &accepting).check(0, &["installed hook quiet as hooks/quiet.wasm"]);
    assert_eq!(
        std::fs::read(practice.dir.join("hooks/quiet.wasm")).unwrap(),
        quiet("quiet", "2.0.0", &["clock", "health"])
    );
    // What does not fit.
    practice.write("new/loud.wasm", quiet("loud", "1.0.0", &[]));
    plugin(&practice, &["update", "quiet", &path(&practice, "new/loud.wasm"), "--yes"])
        .check(2, &["does not update the hook quiet", "it is the hook loud"]);
    std::fs::remove_file(practice.dir.join("new/other-name.wasm")).unwrap();
    plugin(&practice, &["update", "quiet", "--yes"]).check(2, &["which is not there", "update quiet FILE"]);
    // An edited lock is mended by installing the same bytes anew.
    practice.write("new/quiet.wasm", quiet("quiet", "2.0.0", &["clock", "health"]));
    let lock = practice.read("windlass.lock");
    practice.write("windlass.lock", lock.replace("\"clock\", ", ""));
    plugin(&practice, &["update", "quiet", &path(&practice, "new/quiet.wasm"), "--yes"])
        .check(3, &["NEW       general = [\"clock\"]"]);
}

#[test]
fn a_sites_own_profile_is_locked_and_what_was_not_installed_does_not_load() {
    let Some(practice) = local() else { return };
    let site = practice.read("site.toml").replacen("trust = \"dev\"", "trust = \"locked\"", 1);
    practice.write("site.toml", site);
    let profile = path(&practice, "profiles/practice.toml");
    let before = practice.nodes();
    let commands: [&[&str]; 5] = [
        &["site", "check"],
        &["plan", "ha-cert"],
        &["run", "ha-cert", "--yes"],
        &["status"],
        &["keyring", "info"],
    ];
    let refused = |says: &[&str]| {
        for command in commands {
            let said = practice.windlass(command);
            said.check(3, says);
            assert!(said.err.contains("next:"), "no next step: {said:#?}");
            before.check(&practice.nodes());
        }
    };
    let install = format!("windlass plugin install {profile}");
    refused(&["the profile practice is not in windlass.lock", "trust = \"locked\"", &install]);
    plugin(&practice, &["install", &profile, "--yes"]).check(0, &["profile practice: ", "installed profile"]);
    practice.windlass(&["site", "check"]).check(0, &[]);
    practice.windlass(&["plan", "ha-cert"]).check(0, &[]);
    plugin(&practice, &["list"]).check(0, &["profile    practice", "profiles/practice.toml"]);
    plugin(&practice, &["explain", "practice"]).check(0, &["profile practice: ", "as it was installed"]);

    // What it extends is a file of the site, too.
    let text = practice.read("profiles/practice.toml");
    practice.write("profiles/practice.toml", format!("{text}\n# one byte more\n"));
    refused(&["profiles/practice.toml is not the profile practice that was installed", &install]);
    plugin(&practice, &["list"]).check(0, &["NOT what was installed"]);
    practice.write("profiles/practice.toml", &text);
    practice.write("profiles/own.toml", "extends = \"practice\"\ntitle = \"ours\"\n");
    let site = practice.read("site.toml").replacen("profile = \"practice\"", "profile = \"own\"", 1);
    practice.write("site.toml", site);
    refused(&["the profile own is not in windlass.lock"]);
    plugin(&practice, &["install", &path(&practice, "profiles/own.toml"), "--yes"])
        .check(0, &["profile own: ours, laid over practice"]);
    practice.windlass(&["site", "check"]).check(0, &[]);
    plugin(&practice, &["remove", "own"]).check(2, &["site.toml still uses own"]);
    plugin(&practice, &["remove", "practice"]).check(0, &["removed profile practice"]);
    practice.windlass(&["site", "check"]).check(2, &["practice"]);

    practice.write("elsewhere/mrs-2.toml", "title = \"x\"\n");
    practice.write("elsewhere/wrong.toml", "titel = \"x\"\n");
    for (file, says) in [("mrs-2", "as a bundled one is"), ("wrong", "titel")] {
        plugin(&practice, &["install", &path(&practice, &format!("elsewhere/{file}.toml")), "--yes"])
            .check(2, &["cannot be installed", says]);
    }
}

#[test]
fn only_one_at_a_time_changes_what_is_installed() {
    let Some(practice) = locked() else { return };
    let Some(window) = built("window") else { return };
    practice.write("elsewhere/window.wasm", window);
    let file = path(&practice, "elsewhere/window.wasm");
    let before = practice.read("windlass.lock");
    let other = std::fs::File::open(&practice.dir).unwrap();
    other.lock().unwrap();
    for command in
        [&["install", &file, "--yes"][..], &["update", "practice", "--yes"], &["remove", "practice"]]
    {
        plugin(&practice, command).check(4, &["another windlass is changing what is installed", "try again"]);
    }
    assert_eq!(practice.read("windlass.lock"), before);
    assert!(!practice.dir.join("hooks/window.wasm").exists());
    // Who only looks waits for nobody.
    plugin(&practice, &["list"]).check(0, &["practice"]);
    practice.windlass(&["site", "check"]).check(0, &[]);
    drop(other);
    plugin(&practice, &["install", &file, "--yes"]).check(0, &["installed hook window"]);
}

/// A site with two hooks and its profile installed and signed, bundled.
fn bundled() -> Option<(crate::signed::Desk, String)> {
    let desk = desk()?;
    desk.profile();
    for (name, words) in [("quiet", &["clock"][..]), ("loud", &[])] {
        let file = desk.practice.dir.join(format!("elsewhere/{name}.wasm"));
        desk.practice.write(&format!("elsewhere/{name}.wasm"), quiet(name, "1.0.0", words));
        desk.sign("bob", &file).check(0, &[]);
        desk.install(&file).check(0, &[]);
    }
    let bundle = path(&desk.practice, "all.bundle");
    plugin(&desk.practice, &["bundle", "-o", &bundle]).check(
        0,
        &[
            "hooks/loud.wasm",
            "hooks/quiet.wasm.sig",
            "profiles/practice.toml",
            "sha256",
            "windlass plugin install",
        ],
    );
    Some((desk, bundle))
}

/// As a site that has never seen any of it.
fn emptied(practice: &Practice) {
    for file in ["windlass.lock", "hooks/loud.wasm", "hooks/quiet.wasm", "profiles/practice.toml"] {
        for file in [file.to_owned(), format!("{file}.sig")] {
            let _ = std::fs::remove_file(practice.dir.join(file));
        }
    }
}

#[test]
fn a_bundle_brings_all_that_a_site_needs_and_is_the_same_wherever_it_is_made() {
    let Some((desk, bundle)) = bundled() else { return };
    let practice = &desk.practice;
    let (bytes, had) = (std::fs::read(&bundle).unwrap(), installed(practice));
    let listed = std::process::Command::new("tar").args(["tf", &bundle]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.starts_with("bundle.toml\nwindlass.lock\nhooks/loud.wasm\n"), "{listed}");
    assert!(!String::from_utf8_lossy(&bytes).contains("elsewhere"), "a path of the maker's machine travels");

    // Its profile is not there, so the site itself cannot be read yet.
    emptied(practice);
    practice.windlass(&["site", "check"]).check(2, &["no profile \"practice\""]);
    plugin(practice, &["install", &bundle])
        .check(4, &["hook loud", "hook quiet", "profile practice", "nobody to ask"]);
    assert!(!practice.dir.join("hooks/quiet.wasm").exists() && !practice.dir.join("windlass.lock").exists());
    let said = plugin(practice, &["install", &bundle, "--yes"]);
    said.check(
        0,
        &[
            "signed by bob@example.com",
            "signed by alice@example.com",
            "general = [\"clock\"]",
            "installed hook quiet as hooks/quiet.wasm",
            "installed profile practice as profiles/practice.toml",
        ],
    );
    practice.windlass(&["site", "check"]).check(0, &[]);
    // All as it was but where it came from; and from there it would be updated.
    let now = installed(practice);
    for ((path, bytes), (other, more)) in now.iter().zip(&had) {
        assert!(path == other && (bytes == more || path.as_str().ends_with(".lock")), "{path}, {other}");
    }
    plugin(practice, &["install", &bundle, "--yes"]).check(0, &["nothing to do"]);
    plugin(practice, &["update", "quiet", "--yes"]).check(0, &["hook quiet is installed already"]);
    // The same bytes, made from there.
    let again = path(practice, "again.bundle");
    plugin(practice, &["bundle", "--output", &again]).check(0, &[]);
    assert_eq!(std::fs::read(&again).unwrap(), bytes);
    let one = path(practice, "one.bundle");
    plugin(practice, &["bundle", "-o", &one, "loud"]).check(0, &["hooks/loud.wasm"]);
    assert!(std::fs::metadata(&one).unwrap().len() < bytes.len() as u64);
    plugin(practice, &["bundle", "-o", &one, "nobody"]).check(2, &["nobody is not in windlass.lock"]);
}

#[test]
fn a_bundle_that_asks_for_more_than_was_accepted_is_installed_whole_or_not_at_all() {
    let Some((desk, bundle)) = bundled() else { return };
    let practice = &desk.practice;
    // The site has less of one of them.
    let less = practice.dir.join("elsewhere/quiet.wasm");
    practice.write("elsewhere/quiet.wasm", quiet("quiet", "0.9.0", &[]));
    desk.sign("bob", &less).check(0, &[]);
    desk.install(&less).check(0, &["no more   general = [\"clock\"]"]);
    plugin(practice, &["remove", "loud"]).check(0, &[]);
    let before = installed(practice);
    plugin(practice, &["install", &bundle, "--yes"]).check(
        3,
        &["NEW       general = [\"clock\"]", "quiet asks for more than what was accepted", "--accept-needs"],
    );
    assert_eq!(installed(practice), before);
    // One that cannot be written leaves none of the others behind.
    std::fs::remove_file(practice.dir.join("hooks/quiet.wasm.sig")).unwrap();
    std::fs::create_dir(practice.dir.join("hooks/quiet.wasm.sig")).unwrap();
    let before = installed(practice);
    let said = plugin(practice, &["install", &bundle, "--yes", "--accept-needs"]);
    said.check(2, &["hooks/quiet.wasm.sig"]);
    assert_eq!(installed(practice), before);
    std::fs::remove_dir(practice.dir.join("hooks/quiet.wasm.sig")).unwrap();
    plugin(practice, &["install", &bundle, "--yes", "--accept-needs"]).check(0, &["installed hook loud"]);
}

#[test]
fn a_tampered_bundle_is_refused_and_nothing_of_it_is_written() {
    let Some((desk, bundle)) = bundled() else { return };
    let practice = &desk.practice;
    let whole = std::fs::read(&bundle).unwrap();
    emptied(practice);
    let before = installed(practice);
    let find = |what: &str| {
        whole
            .windows(what.len())
            .position(|window| window == what.as_bytes())
            .unwrap_or_else(|| panic!("{what}"))
    };
    let component = find("\0asm");
    let places = [
        ("a name", 3),
        ("a mode", 101),
        ("a size", 130),
        ("a checksum", 150),
        ("the kind of an entry", 156),
        ("the magic", 260),
        ("the index", find("sha256")),
        ("padding", find("hooks/loud.wasm\0") - 1),
        ("the lock", find("[[plugins]]")),
        ("what was accepted", find("\"clock\"") + 1),
        ("a component", component + 4),
        ("a signature", find("BEGIN SSH") + 40),
        ("a profile", find("profiles/practice.toml\0") + 512 + 3),
        ("the end", whole.len() - 1),
    ];
    for (what, at) in places {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        std::fs::write(&bundle, changed).unwrap();
        let said = plugin(practice, &["install", &bundle, "--yes"]);
        // Without its magic it is no bundle, and no component either.
        let exit = if what == "the magic" { 2 } else { 3 };
        assert_eq!(said.exit, exit, "{what}: {said:#?}");
        said.check(exit, &["all.bundle"]);
        assert_eq!(installed(practice).len(), before.len(), "{what}");
    }
    for bytes in [whole[..whole.len() - 512].to_vec(), whole[..1024].to_vec(), [&whole[..], b"more"].concat()]
    {
        std::fs::write(&bundle, bytes).unwrap();
        plugin(practice, &["install", &bundle, "--yes"]).check(3, &["all.bundle cannot be installed"]);
    }
    // A bundle has a signature of its own, if somebody signs it.
    std::fs::write(&bundle, &whole).unwrap();
    desk.keygen_sign("alice", "windlass-plan", camino::Utf8Path::new(&bundle));
    plugin(practice, &["install", &bundle, "--yes"]).check(3, &["all.bundle", "windlass-plan"]);
    desk.sign("carol", camino::Utf8Path::new(&bundle))
        .check(0, &["a bundle: hook loud, hook quiet, profile practice"]);
    plugin(practice, &["install", &bundle, "--yes"]).check(0, &["signed by carol@example.com"]);
    // Signatures are judged here: what the maker of the bundle trusts does not count.
    emptied(practice);
    desk.trusts(&["alice", "carol"], "namespaces=\"windlass-plugin\"");
    plugin(practice, &["install", &bundle, "--yes"]).check(3, &["hooks/loud.wasm", "nobody with the key"]);
    assert!(!practice.dir.join("windlass.lock").exists());
}
