//! Whole sites, good and bad. A case is one file of `tests/cases/site`: `### NAME` begins a file of the
//! site. A case without a `site.toml` of its own is about the other files of `good.toml`.

use super::mistake::MADE_AT;
use super::*;
use camino::{Utf8Path, Utf8PathBuf};
use indexmap::IndexMap;
use proptest::prelude::*;

const HERE: &str = env!("CARGO_MANIFEST_DIR");

fn cases() -> Utf8PathBuf {
    Utf8Path::new(HERE).join("../tests/cases/site")
}

fn files_of(case: &str) -> IndexMap<String, String> {
    let text = std::fs::read_to_string(cases().join(case)).unwrap();
    let mut files = IndexMap::new();
    for part in text.split("### ").skip(1) {
        let (name, text) = part.split_once('\n').unwrap();
        files.insert(name.to_owned(), text.to_owned());
    }
    files
}

fn good() -> IndexMap<String, String> {
    files_of("good.toml")
}

/// A site in a folder of its own, with what its paths name.
struct Folder {
    _temporary: tempfile::TempDir,
    dir: Utf8PathBuf,
}

impl Folder {
    fn new(files: &IndexMap<String, String>) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(temporary.path()).unwrap().to_owned();
        std::fs::create_dir(dir.join("profiles")).unwrap();
        for name in ["manager-ca.pem", "ssh_config"] {
            std::fs::write(dir.join(name), "").unwrap();
        }
        for (name, text) in files {
            std::fs::write(dir.join(name), text).unwrap();
        }
        Self { _temporary: temporary, dir }
    }

    fn load(&self) -> Result<Site, SiteErrors> {
        Site::load(&self.dir)
    }

    /// Every mistake as a line, the folder's own name taken out.
    fn mistakes(&self) -> String {
        match self.load() {
            Ok(_) => String::from("no mistake\n"),
            Err(errors) => errors
                .mistakes
                .iter()
                .map(|mistake| format!("{mistake}\n").replace(self.dir.as_str(), "SITE"))
                .collect(),
        }
    }
}

/// Loads the good site with some of its text changed, which must be in it.
fn changed(file: &str, from: &str, to: &str) -> Folder {
    let mut files = good();
    let text = &files[file];
    assert!(text.contains(from), "{from:?} is not in {file}");
    let text = text.replacen(from, to, 1);
    files.insert(file.to_owned(), text);
    Folder::new(&files)
}

fn case_names() -> Vec<String> {
    let mut names: Vec<String> = cases()
        .read_dir_utf8()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_owned())
        .filter(|name| name.ends_with(".toml") && name != "good.toml")
        .collect();
    names.sort();
    names
}

#[test]
fn every_mistake_is_found_at_its_place_and_all_at_once() {
    let names = case_names();
    assert!(names.len() > 15, "{names:?}");
    insta::with_settings!({ snapshot_path => cases(), prepend_module_to_snapshot => false, omit_expression => true }, {
        for name in &names {
            let case = files_of(name);
            let mut files = if case.contains_key("site.toml") { IndexMap::new() } else { good() };
            files.extend(case);
            insta::assert_snapshot!(name.trim_end_matches(".toml"), Folder::new(&files).mistakes());
        }
    });
    let not_covered = lines_that_find_mistakes()
        .into_iter()
        .filter(|(file, line)| {
            !MADE_AT.with_borrow(|made| {
                made.iter().any(|at| at.file().ends_with(&format!("site/{file}")) && at.line() == *line)
            })
        })
        .map(|(file, line)| format!("{file}:{line}"))
        .collect::<Vec<_>>();
    assert_eq!(not_covered, [] as [&str; 0], "no case of tests/cases/site gets there");
}

/// The lines of this room that record a mistake. Those of files that are no TOML have tests below.
fn lines_that_find_mistakes() -> Vec<(String, u32)> {
    let mut lines = Vec::new();
    for entry in Utf8Path::new(HERE).join("src/site").read_dir_utf8().unwrap() {
        let entry = entry.unwrap();
        let file = entry.file_name();
        if !file.ends_with(".rs") || ["tests.rs", "mistake.rs"].contains(&file) {
            continue;
        }
        let text = std::fs::read_to_string(entry.path()).unwrap();
        for (index, line) in text.lines().enumerate() {
            let finds =
                [".mistake(", ".mistake_near(", ".wrong_kind("].iter().any(|call| line.contains(call));
            // The cursor's own wrappers hand their caller's place on.
            let wrapper = line.contains("self.source.reading.mistake(&self.place, what)")
                || line.contains("self.mistake(format!(\"{} is {}; it must be {wanted}\"")
                || line.contains("self.wrong_kind(wanted)")
                || line.contains("mistake(&Place::file(&file.into()), why)");
            if finds && !wrapper {
                lines.push((file.to_owned(), u32::try_from(index + 1).unwrap()));
            }
        }
    }
    assert!(lines.len() > 70, "{}", lines.len());
    lines
}

#[test]
fn the_good_site_loads_as_it_is_written() {
    let folder = Folder::new(&good());
    let site = folder.load().unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!((site.name.as_str(), site.profile.name.as_str()), ("prod-eu", "prod"));
    assert_eq!((site.trust, site.outside_envelope), (Trust::Locked, OutsideEnvelope::Pause));
    let nodes: Vec<&str> = site.nodes.keys().map(|name| name.as_str()).collect();
    assert_eq!(nodes, ["master1", "master2", "lb1", "bench"]);
    assert_eq!(site.nodes["master1"].address, Address::Ssh("admin@10.0.0.11".into()));
    assert_eq!(site.nodes["master2"].alias, ["Master2", "192-168-0-24"]);
    assert_eq!(site.nodes["bench"].address, Address::Local(folder.dir.join("nodes/bench")));
    assert_eq!(site.become_users["omm"].argv, ["sudo", "-n", "su", "-", "omm"]);
    let manager = site.manager.as_ref().unwrap();
    assert_eq!(
        (manager.ca.as_ref(), &manager.expect[..]),
        (Some(&folder.dir.join("manager-ca.pem")), &[200, 302][..])
    );
    assert_eq!(site.secrets["ha-key"], SecretSource::Prompt);
    assert_eq!(site.secrets["from-file"], SecretSource::File(folder.dir.join("secrets/ha-key")));
    assert_eq!(site.secrets["from-fd"], SecretSource::Descriptor(3));
    assert_eq!(
        site.secrets["from-command"],
        SecretSource::Command(vec!["pass".into(), "show".into(), "ha-key".into()])
    );
    assert_eq!((site.ssh.keepalive, site.ssh.connect_timeout.as_secs(), site.ssh.concurrency), (7, 60, 20));
    assert_eq!(site.lab, Some(folder.dir.join("lab/pid")));

    let settings = &site.procedures["ha-cert"];
    assert_eq!((settings.approvals, settings.on_failure), (Some(1), OnFailure::Rollback));
    let params: Vec<(&str, &str)> =
        settings.params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        params,
        [
            ("country", "DE"),
            ("common_name", "HADOOP.COM"),
            ("leaf_days", "90"),
            ("strategy", "sequential"),
            ("ca", "host"),
        ]
    );
    let supplied = settings.supplied.as_ref().unwrap();
    assert_eq!(supplied.certificate, folder.dir.join("root-ca.crt"));
    assert_eq!(supplied.key, "/etc/pki/root-ca.pem");
    let hooks: Vec<_> = site
        .hooks
        .iter()
        .map(|h| {
            (format!("{} {}", h.when(), h.event()), h.order, h.stop_on_error, h.optional, h.timeout.as_secs())
        })
        .collect();
    assert_eq!(
        hooks,
        [
            ("before ha-cert/restart@first".into(), 10, true, false, 600),
            ("after ha-cert/run".into(), 0, false, false, 600),
            ("before ha-cert/*".into(), 0, true, true, 90),
            ("on ha-cert/failure".into(), 0, false, false, 600),
        ]
    );
    assert_eq!(site.grants["drain"].commands, ["haproxy-drain@lb1", "ha-status@*"]);
    assert_eq!(site.grants["drain"].digest.as_ref().map(String::len), Some(64));
}

#[test]
fn a_profile_is_laid_over_the_one_it_extends() {
    let site = Folder::new(&good()).load().unwrap();
    let profile = &site.profile;
    // Kept from below.
    assert_eq!(profile.commands["restart-ha"].consequences.settle, Some(Settle::Served(name("ha"))));
    // Replaced.
    assert_eq!(profile.paths["cert_ha"].to_string(), "${om}/security/cert-ha");
    assert_eq!(site.vars["oms_run_path"], Var::Literal("/opt/Bigdata/OMS".into()));
    assert_eq!(profile.files["ha-key-password"].path.to_string(), "${cert_ha}/.password");
    assert_eq!(profile.defaults["ha-cert"]["leaf_days"], "365");
    // Added.
    let drain = &profile.commands["haproxy-drain"];
    assert_eq!(drain.argv[2].to_string(), "${backend}/{server}");
    assert_eq!(drain.argv[3].parts, [TemplatePart::Text("--price={5$}".into())]);
    assert_eq!((drain.user.as_str(), drain.timeout.as_secs()), ("root", 5400));
    assert_eq!(drain.success, Success { contains: vec!["drained".into()], exit: vec![0, 3] });
    assert_eq!(drain.consequences.undo, Some(name("haproxy-undrain")));
    assert_eq!(drain.consequences.rerun, Rerun::IfSettleSaysNo);
    assert_eq!(
        profile.commands["haproxy-undrain"].consequences.writes,
        [Written::File(name("haproxy-conf")), Written::Folder("haproxy".into())]
    );
    let request = profile.commands["start-cluster"].request.as_ref().unwrap();
    assert_eq!(request.body.as_ref().unwrap().placeholders().collect::<Vec<_>>(), ["password"]);
    assert_eq!(profile.files["haproxy-conf"].mode, Some(0o640));
    assert!(profile.files["haproxy-conf"].read_only);
}

fn name<T: std::str::FromStr<Err = crate::model::NameError>>(text: &str) -> T {
    text.parse().unwrap()
}

/// A site of one node under a bundled profile.
fn bundled(profile: &str) -> Site {
    let text = "[site]\nname = \"x\"\n[nodes.a]\nlocal = \"a\"\ngroups = [\"managers\"]\n";
    // No grants.toml: nothing is granted, and that is no mistake.
    let folder = Folder::new(&IndexMap::from([("site.toml".to_owned(), text.to_owned())]));
    Site::load_as(&folder.dir, profile).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn every_bundled_profile_declares_what_other_rooms_rely_on() {
    for name in profile_names() {
        declares_what_other_rooms_rely_on(&bundled(name));
    }
}

fn declares_what_other_rooms_rely_on(site: &Site) {
    let profile = &site.profile;
    assert!(!profile.known_by.is_empty(), "{} cannot be found", profile.name);
    let policy = profile.defaults["ha-cert"]["password_policy"].as_str();
    assert!(policy.parse::<crate::capability::secrets::PasswordPolicy>().is_ok(), "{policy}");
    assert_eq!(policy, profile.name);
    for command in profile.commands.values().filter(|command| command.kind == CommandKind::Change) {
        let Consequences { writes, restarts, serves, settle, rerun, .. } = &command.consequences;
        assert!(!writes.is_empty() || !restarts.is_empty() || !serves.is_empty(), "{}", command.name);
        assert!(settle.is_some() || *rerun == Rerun::Always, "{} cannot be settled", command.name);
    }
    let files: Vec<(&str, bool, bool)> =
        profile.files.values().map(|file| (file.name.as_str(), file.secret, file.guessable)).collect();
    assert_eq!(
        files,
        [
            ("ha-root-cert", false, false),
            ("ha-root-key", true, false),
            ("ha-new-root-cert", false, false),
            ("ha-new-root-key", true, false),
            ("ha-leaf-cert", false, false),
            ("ha-leaf-key", true, false),
            ("ha-key-password", true, true),
            ("cluster-key", true, false),
            ("cluster-key-backup", true, false),
        ]
    );
    assert_eq!(profile.health, Some(name("ha-status")));
    assert_eq!(profile.keyring, Some(name("cluster-key")));
    assert_eq!(profile.endpoints["ha"].port, 20012);
    let root = &profile.commands["generate-ha-root"];
    assert!(root.args["password"].secret);
    assert_eq!(
        root.args.keys().collect::<Vec<_>>(),
        ["country", "state", "city", "company", "organize", "common_name", "email", "password"]
    );
    assert_eq!(vars_needed(&site.vars), IndexMap::from([("omm", vec!["BIGDATA_HOME", "OMS_RUN_PATH"])]));
}

#[test]
fn only_2_x_has_the_password_among_the_arguments_and_no_two_profiles_have_one_om_folder() {
    let [two, three] = ["mrs-2", "mrs-3"].map(|name| bundled(name).profile);
    let (old, new) = (&two.commands["generate-ha-root"], &three.commands["generate-ha-root"]);
    assert!(old.secret_in_argv && old.prompts.is_empty());
    assert!(!new.secret_in_argv && new.prompts.len() == 1);
    let names = |command: &CommandDeclaration| -> Vec<String> {
        command.argv.iter().flat_map(|part| part.placeholders()).map(str::to_owned).collect()
    };
    assert!(names(old).contains(&"password".to_owned()) && !names(new).contains(&"password".to_owned()));
    assert_eq!(new.args.keys().collect::<Vec<_>>(), old.args.keys().collect::<Vec<_>>());
    let om = |profile: &Profile| profile.paths["om"].to_string();
    assert_eq!(
        (om(&two), om(&three)),
        ("${bigdata_home}/om-0.0.1".into(), "${bigdata_home}/om-server/om".into())
    );
    // What hangs on it moves with it.
    assert_eq!(two.paths["cert_ha"], three.paths["cert_ha"]);
    assert!(three.paths["cert_ha"].variables().any(|name| name == "om"));
}

#[test]
fn the_digest_follows_every_file_and_nothing_else() {
    let digest = |folder: Folder| folder.load().unwrap().digest;
    let original = digest(Folder::new(&good()));
    assert_eq!(original.len(), 64);
    assert_eq!(original, digest(Folder::new(&good())));
    let mut extra = good();
    extra.insert("notes.txt".into(), "x".into());
    assert_eq!(original, digest(Folder::new(&extra)));
    for (file, from, to) in [
        ("site.toml", "approvals = 1", "approvals = 2"),
        ("grants.toml", "\"note\"", "\"state\""),
        ("profiles/prod.toml", "leaf_days = 365", "leaf_days = 366"),
    ] {
        assert_ne!(original, digest(changed(file, from, to)), "{file}");
    }
    let mut moved = good();
    let grants = moved["grants.toml"].clone();
    moved["site.toml"].push_str("# x\n");
    moved.insert("grants.toml".into(), format!("# x\n{grants}"));
    let mut other = good();
    other["site.toml"].push_str("# x\n# x\n");
    assert_ne!(digest(Folder::new(&moved)), digest(Folder::new(&other)));
}

#[test]
fn a_file_that_cannot_be_text_is_a_mistake_and_never_read_for_ever() {
    let folder = Folder::new(&good());
    let path = folder.dir.join("grants.toml");
    std::fs::write(&path, format!("#{}", "x".repeat(1024 * 1024))).unwrap();
    assert!(folder.mistakes().starts_with("grants.toml: it is longer than 1 MiB\n"), "{}", folder.mistakes());
    std::fs::write(&path, b"# a\n# \xff\n").unwrap();
    assert!(folder.mistakes().starts_with("grants.toml: line 2 is not UTF-8 text\n"));
    std::fs::remove_file(&path).unwrap();
    nix::unistd::mkfifo(path.as_std_path(), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(folder.mistakes().starts_with("grants.toml: it is not a file\n"));
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("nowhere", &path).unwrap();
    assert!(folder.mistakes().starts_with("grants.toml: there is no such file\n"));
    std::fs::remove_file(&path).unwrap();
    std::fs::remove_file(folder.dir.join("site.toml")).unwrap();
    assert_eq!(folder.mistakes(), "site.toml: there is no site here; `windlass init DIR` makes one\n");
}

#[test]
fn explaining_says_what_runs_as_whom_and_how_it_settles() {
    let site = Folder::new(&good()).load().unwrap();
    let mut said = String::new();
    for name in [
        "restart-ha",
        "generate-ha-root",
        "start-cluster",
        "ha-root-key",
        "ha",
        "master1",
        "drain",
        "ha-cert",
        "bigdata_home",
        "cert_ha",
        "ha-key",
        "prod",
    ] {
        for explanation in explain(&site, name).unwrap() {
            said.push_str(&format!("{explanation}\n\n"));
        }
    }
    insta::with_settings!({ snapshot_path => cases(), prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("explain", said.replace(site.dir.as_str(), "SITE"));
    });
    let unknown = explain(&site, "restart-hb").unwrap_err();
    assert_eq!(unknown.nearest.as_deref(), Some("restart-ha"));
    for name in super::explain::names(&site) {
        assert!(explain(&site, name).is_ok(), "{name}");
    }
}

#[test]
fn every_key_that_is_read_stands_in_the_documentation() {
    let page = std::fs::read_to_string(Utf8Path::new(HERE).join("../docs/site-files.md")).unwrap();
    // A section of the page is a heading that names it in backquotes, up to the next heading.
    let mut sections: IndexMap<&str, &str> = IndexMap::new();
    for part in page.split("\n## ").flat_map(|part| part.split("\n### ")).skip(1) {
        let (heading, text) = part.split_once('\n').unwrap();
        let title = heading.split('`').nth(1).unwrap_or(heading);
        sections.insert(title, text);
    }
    let files = good();
    let asked = load::keys_asked(&files["site.toml"], &files["grants.toml"], &files["profiles/prod.toml"]);
    assert!(asked.len() > 90, "{}", asked.len());
    let mut missing = Vec::new();
    for (section, key) in &asked {
        if !sections.get(section).is_some_and(|text| text.contains(&format!("\n| `{key}` |"))) {
            missing.push(format!("{section}: {key}"));
        }
    }
    assert_eq!(missing, [] as [&str; 0]);
    // And nothing is documented that is not read.
    for (section, text) in &sections {
        for line in text.lines().filter_map(|line| line.strip_prefix("| `")) {
            let key = line.split('`').next().unwrap();
            assert!(
                asked.contains(&(section, key)) || key.chars().all(|c| !c.is_lowercase()),
                "{section}: {key}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Cuts, doubles and replaces pieces of a good site: whatever comes of it, loading ends in a site or in
    /// mistakes.
    #[test]
    fn loading_never_panics(
        file in 0_usize..3,
        edits in proptest::collection::vec((any::<prop::sample::Index>(), 0_usize..40, "\\PC{0,6}|[\\[\\]{}\"'$=.,#\n\u{0}]{0,6}"), 1..6),
    ) {
        let mut files = good();
        let name = ["site.toml", "grants.toml", "profiles/prod.toml"][file];
        let mut text: Vec<char> = files[name].chars().collect();
        for (at, cut, insert) in edits {
            let at = at.index(text.len() + 1).min(text.len());
            let end = (at + cut).min(text.len());
            text.splice(at..end, insert.chars());
            if text.is_empty() {
                text.push('x');
            }
        }
        files.insert(name.to_owned(), text.into_iter().collect());
        let folder = Folder::new(&files);
        if let Err(errors) = folder.load() {
            prop_assert!(!errors.mistakes.is_empty());
        }
    }
}
