use super::*;
use camino::Utf8PathBuf;

struct Project {
    dir: Utf8PathBuf,
    _folder: tempfile::TempDir,
}

fn project(scenario: &str) -> Project {
    let folder = tempfile::tempdir().unwrap();
    let dir = Utf8Path::from_path(folder.path()).unwrap().to_owned();
    std::fs::create_dir(dir.join("scenarios")).unwrap();
    std::fs::write(dir.join("scenarios/s.toml"), scenario).unwrap();
    Project { dir, _folder: folder }
}

impl Project {
    fn load(&self) -> Result<Scenario, ScenarioErrors> {
        Scenario::load(&self.dir, &self.dir.join("scenarios/s.toml"))
    }
}

fn mistakes(scenario: &str) -> String {
    match project(scenario).load() {
        Ok(_) => "none\n".into(),
        Err(errors) => errors.mistakes.iter().map(|mistake| format!("{mistake}\n")).collect(),
    }
}

#[test]
fn an_empty_file_is_a_pair_of_managers_of_the_usual_product() {
    let scenario = project("").load().unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!((scenario.site.name.as_str(), scenario.site.profile.name.as_str()), ("s", "mrs-2"));
    let roles: Vec<_> =
        scenario.cluster.nodes.iter().map(|(name, node)| (name.as_str(), node.role.as_str())).collect();
    assert_eq!(roles, [("master1", "active"), ("master2", "standby")]);
    assert_eq!(scenario.cluster.manager, Some(200));
    assert_eq!(scenario.cluster.operator, SimulatedOperator::default());
    assert!(scenario.grants.is_none() && scenario.events.is_empty());
}

const WHOLE: &str = r#"
profile = "own"
start = "2026-03-01T22:30:00Z"
seed = 7
happened = ["start-cluster"]
manager = 503
roles_move = true
allow_secret_in_argv = true

[nodes.a]
role = "standby"
[nodes.b]
state = "abnormal"
settles = "12s"
clock = -300
[nodes.c]
groups = ["members"]

[vars]
home = "/home"
[params]
wait = 20
[secrets]
ha-key = "short"
[files.ha-root-cert]
text = "no certificate"
[files.notes]
absent = true
[operator]
confirm = "no"
by_hand = "nobody"
[grants]
general = ["clock"]
commands = ["ha-status@a"]

[[answers]]
command = "ha-status"
node = "a"
exit = 3
output = ["one", "two"]
times = 2

[[events]]
before = "ha-cert/restart@first"
[events.details]
title = "Restart"
[events.params]
wait = 30
[[events]]
on = "ha-cert/failure"
"#;

#[test]
fn everything_that_can_be_said_is_read() {
    let project = project(WHOLE);
    std::fs::create_dir(project.dir.join("profiles")).unwrap();
    let profile = "extends = \"mrs-2\"\n[files.notes]\npath = \"${home}/notes\"\n";
    std::fs::write(project.dir.join("profiles/own.toml"), profile).unwrap();
    let scenario = project.load().unwrap_or_else(|errors| panic!("{errors}"));
    let cluster = &scenario.cluster;
    let roles: Vec<_> = cluster.nodes.values().map(|node| node.role.as_str()).collect();
    assert_eq!(roles, ["standby", "active", "null"], "what is left over goes to who says nothing");
    assert_eq!((cluster.start, cluster.seed), (1_772_404_200_000, 7));
    assert_eq!(cluster.files["notes"], SimulatedFile::Absent);
    assert_eq!(cluster.nodes["b"].settles, Some(Duration::from_secs(12)));
    assert_eq!((cluster.nodes["b"].clock, cluster.manager, cluster.roles_move), (-300, Some(503), true));
    let answer = &cluster.answers[0];
    assert_eq!((answer.exit, answer.times, answer.output.len()), (3, Some(2), 2));
    let operator = SimulatedOperator { confirm: Some(false), acknowledge: Some(true), by_hand: None };
    assert_eq!(cluster.operator, operator);
    assert_eq!(scenario.params["wait"], "20");
    assert_eq!(scenario.events.len(), 2);
    assert_eq!(scenario.events[0].details["title"], "Restart");
    assert_eq!(scenario.events[0].params["wait"], "30");
    assert_eq!(scenario.grants.unwrap().commands, ["ha-status@a"]);
}

#[test]
fn every_mistake_is_found_at_its_place_and_all_at_once() {
    let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/cases/scenario");
    let said = mistakes(
        r#"
start = "yesterday"
seed = -1
happened = ["start-clutser"]
mangaer = 200
[nodes.first]
role = "activ"
group = ["managers"]
[nodes.b]
clock = "late"
[files.ha-root-crt]
text = "x"
absent = true
[vars]
bigdata_hom = "/x"
[operator]
confirm = "maybe"
[grants]
commands = ["restart-hb@b"]
generl = ["note"]
[[answers]]
exit = 0
[[answers]]
command = "restart-hb"
[[events]]
[[events]]
before = "ha-cert/*"
[[events]]
after = "ha-cert/restart@frist"
[[events]]
before = "ha-cert/restrat@first"
[[events]]
after = "root-key/stage"
[[events]]
after = "root-key/udpate"
[[events]]
before = "ha-cert/leaf@first"
[[events]]
before = "own/restrat@first"
"#,
    );
    insta::with_settings!({ snapshot_path => cases, prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("mistakes", said);
    });
}

/// Of the procedures' own words.
#[test]
fn the_steps_that_are_known_are_those_of_the_bundled_procedures() {
    let plugins = Utf8Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins"));
    let files = |folder: Utf8PathBuf| {
        let entries = folder.read_dir_utf8().into_iter().flatten().flatten();
        entries.filter_map(|entry| std::fs::read_to_string(entry.path()).ok()).collect::<String>()
    };
    for (procedure, steps) in super::read::STEPS {
        let source = files(plugins.join(procedure).join("src"));
        for step in steps {
            let is_written =
                ["\"", "@", "@{role}\""].iter().any(|end| source.contains(&format!("\"{step}{end}")));
            assert!(is_written, "{procedure} has no step {step}");
        }
        let transcripts = files(plugins.join(procedure).join("scenarios"));
        let plans = transcripts.lines().filter_map(|line| line.trim().strip_prefix("= plans "));
        for planned in plans.filter(|planned| *planned != "nothing: there is nothing to do") {
            let word = planned.split(['@', ':']).next().unwrap();
            assert!(steps.contains(&word), "{procedure} plans {planned}");
        }
    }
}

#[test]
fn what_cannot_be_read_at_all_is_said() {
    for (text, says) in [
        ("profile = \"mrs-4\"\n", "s.toml:1:11: there is no profile \"mrs-4\""),
        ("profile = \n", "s.toml:1:11: not TOML"),
        ("[nodes.a]\ngroups = [\"members\"]\n", "no node is in the group \"managers\""),
        (
            &format!("[secrets]\nkey = \"{}\"\n", "s".repeat(1025)),
            "s.toml:2:7: secrets.key has 1025 bytes, and may have 1024",
        ),
        (
            &(0..33).map(|n| format!("secrets.k{n} = \"s\"\n")).collect::<String>(),
            "33 secrets are given, and 32 may be",
        ),
    ] {
        assert!(mistakes(text).contains(says), "{}", mistakes(text));
    }
    let project = project("");
    let absent = Scenario::load(&project.dir, &project.dir.join("scenarios/t.toml")).unwrap_err();
    assert!(absent.to_string().ends_with("scenarios/t.toml: there is no such file"), "{absent}");
}

#[test]
fn every_key_that_is_read_stands_in_the_documentation() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/testing-a-plugin.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut documented = std::collections::BTreeSet::new();
    for part in page.split("\n### `").skip(1) {
        let section = part.split('`').next().unwrap();
        let rows = part.lines().filter_map(|line| line.strip_prefix("| `"));
        documented.extend(rows.map(|row| (section.to_owned(), row.split('`').next().unwrap().to_owned())));
    }
    let project = project(WHOLE);
    std::fs::create_dir(project.dir.join("profiles")).unwrap();
    let profile = "extends = \"mrs-2\"\n[files.notes]\npath = \"${home}/notes\"\n";
    std::fs::write(project.dir.join("profiles/own.toml"), profile).unwrap();
    let mut loading = super::super::load::Loading::of_scenario(&project.dir);
    super::read::scenario(&mut loading, &project.dir.join("scenarios/s.toml")).unwrap();
    let read: std::collections::BTreeSet<_> = loading
        .reading
        .keys
        .borrow()
        .iter()
        .filter(|(section, _)| documented.iter().any(|(known, _)| known == section))
        .map(|(section, key)| ((*section).to_owned(), (*key).to_owned()))
        .collect();
    // A profile has files too, whose keys stand elsewhere.
    let of_scenario = |(section, key): &&(String, String)| {
        section != "[files.NAME]" || ["text", "absent"].contains(&key.as_str())
    };
    assert_eq!(read.iter().filter(of_scenario).collect::<Vec<_>>(), documented.iter().collect::<Vec<_>>());
}
