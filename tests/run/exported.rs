//! A run that was, as a scenario: rehearsed again it ends as it did.

use super::e2e::{PLAIN, up};
use windlass::lab::Transport;

#[test]
fn a_run_that_was_exported_goes_through_again_in_a_rehearsal() {
    let Some(pair) = up(Transport::Local, PLAIN) else { return };
    pair.windlass(&["run", "ha-cert", "--yes"]).expect(0);
    let scenario = pair.windlass(&["--format", "scenario", "runs", "export"]).expect(0).out;
    assert!(scenario.contains("[nodes.master1]") && scenario.contains("common_name"), "{scenario}");
    // Where it was is nobody's business, and what it was given is in no journal.
    for private in [pair.dir.as_str(), "127.0.0.1", &String::from_utf8(pair.password()).unwrap()] {
        assert!(!scenario.contains(private.trim()), "{private}: {scenario}");
    }
    let project = pair.dir.join("night");
    for folder in ["scenarios", "profiles"] {
        std::fs::create_dir_all(project.join(folder)).unwrap();
    }
    let file = project.join("scenarios/night.toml");
    std::fs::write(&file, &scenario).unwrap();
    let repeat = ["audit", "ha-cert", "--scenario", file.as_str(), "--only", "night"];
    let lacks = pair.windlass(&repeat).expect(2);
    assert!(lacks.err.contains("no profile"), "{lacks:?}");
    let profile = "profiles/practice.toml";
    std::fs::copy(pair.dir.join(profile), project.join(profile)).unwrap();
    let repeated = pair.windlass(&repeat).expect(0);
    assert!(repeated.out.trim_end().ends_with("ended: done and verified"), "{}", repeated.out);
    assert!(repeated.out.contains("* run restart-ha on master2: succeeded"), "{}", repeated.out);
    let other = pair.windlass(&["--format", "scenario", "runs", "list"]).expect(2);
    assert!(other.err.contains("only a run that is exported"), "{other:?}");
}
