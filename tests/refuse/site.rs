//! Mistakes in the site, in its parameters and on the command line.

use super::*;

#[test]
fn a_mistake_in_the_sites_files_is_named_with_the_nearest_word_before_any_node_is_asked() {
    let Some(practice) = local() else { return };
    for (file, from, to, says) in [
        ("site.toml", "strategy =", "stategy =", &["site.toml:", "stategy", "strategy"][..]),
        ("site.toml", "expect = [", "expects = [", &["site.toml:", "\"expects\"", "[manager]", "\"expect\""]),
        ("site.toml", "profile = \"practice\"", "profile = \"mrs-20\"", &["site.toml:", "mrs-20", "mrs-2"]),
        ("site.toml", "trust = \"dev\"", "trust = \"deb\"", &["site.toml:", "\"deb\"", "dev"]),
        ("site.toml", "[site]", "[site", &["site.toml:"]),
        (
            "grants.toml",
            "# [grants.ha-cert]",
            "[grants.ha-cert]\ncommads = []\n#",
            &["grants.toml:", "commads", "did you mean \"commands\"?"],
        ),
        (
            "grants.toml",
            "# [grants.ha-cert]",
            "[grants.ha-cert]\ncommands = [\"ha-status@master3\"]\n#",
            &["grants.toml:", "master3", "master1"],
        ),
    ] {
        let before = practice.nodes();
        practice.with(file, from, to, || drop(practice.refuses(&[], 2, says)));
        assert_eq!(before.ran, practice.nodes().ran, "a node was asked about a site that is wrong");
    }
    practice.is_free();
}

#[test]
fn a_parameter_that_is_not_right_is_named_and_nothing_is_asked_of_a_node() {
    let Some(practice) = local() else { return };
    let before = practice.nodes();
    for (arguments, says) in [
        (&["-p", "countri=DE"][..], &["no parameter \"countri\"", "did you mean country?"][..]),
        (&["-p", "country"], &["\"country\"", "NAME=VALUE"]),
        (&["-p", "strategy=parallel"], &["strategy = \"parallel\"", "sequential"]),
        (&["-p", "ca=own", "-p", "leaf=own"], &["ca = \"own\"", "supplied", "leaf = \"own\"", "product"]),
    ] {
        practice.run(arguments).check(2, says);
    }
    let said = practice.windlass(&["run", "ha-crt", "--yes"]);
    said.check(2, &["no procedure ha-crt", "next:", "ha-cert"]);
    practice.windlass(&["run", "-x/../", "--yes"]).check(2, &[]);
    assert_eq!(before.ran, practice.nodes().ran, "a node was asked");
    before.check(&practice.nodes());
    practice.is_free();
}

#[test]
fn a_secret_typed_on_the_command_line_is_refused_and_never_repeated() {
    let Some(practice) = local() else { return };
    let before = practice.nodes();
    for argument in ["ha-key=Sup3r-Secret", "Sup3r-Secret", "ha-key=prompt:Sup3r-Secret"] {
        let said = practice.run(&["--secret", argument]);
        said.check(2, &["file:PATH", "fd:N", "prompt"]);
        assert!(!format!("{}{}", said.out, said.err).contains("Sup3r"), "{said:#?}");
    }
    before.check(&practice.nodes());
    practice.is_free();
}

#[test]
fn a_secret_file_named_on_the_command_line_lies_where_the_operator_is() {
    let Some(practice) = local() else { return };
    let said = practice.refuses(&["--secret", "ha-key=file:nosuch.secret"], 4, &["ha-key", "nosuch.secret"]);
    assert!(!said.err.contains(practice.dir.join("nosuch.secret").as_str()), "{said:#?}");
    let folder = practice.state.parent().unwrap();
    std::fs::rename(practice.dir.join("ha-key.secret"), folder.join("here.secret")).unwrap();
    let mut command =
        practice.command(&["run", "ha-cert", "--no-input", "--secret", "ha-key=file:here.secret"]);
    Said::of(&command.current_dir(folder).output().unwrap()).check(4, &["nobody to ask"]);
}

#[test]
fn a_variable_that_a_node_does_not_set_is_an_error_and_never_an_empty_path() {
    let Some(practice) = local() else { return };
    for (node, variable, to) in [
        ("master1", "BIGDATA_HOME", ""),
        ("master2", "BIGDATA_HOME", ""),
        ("master2", "OMS_RUN_PATH", ""),
        ("master2", "BIGDATA_HOME", "BIGDATA_HOME=\n"),
    ] {
        let file = format!("nodes/{node}/login-env");
        let text = practice.read(&file);
        let line = text.lines().find(|line| line.starts_with(variable)).unwrap();
        practice.with(&file, &format!("{line}\n"), to, || {
            let said = practice.refuses(&[], 4, &[node, variable]);
            assert!(!said.err.contains(" /om-0.0.1"), "{said:#?}");
            practice.windlass(&["site", "check", "--connect"]).check(4, &[node, variable]);
        });
    }
    practice.is_free();
}

#[test]
fn a_run_that_does_not_exist_or_has_nothing_left_is_said_so() {
    let Some(practice) = local() else { return };
    for arguments in [&["resume"][..], &["rollback"]] {
        practice.windlass(arguments).check(2, &["no unfinished run", "windlass runs list"]);
    }
    for arguments in [
        &["resume", "nosuch"][..],
        &["rollback", "nosuch"],
        &["runs", "show", "nosuch"],
        &["runs", "close", "nosuch"],
    ] {
        practice.windlass(arguments).check(2, &["\"nosuch\"", "windlass runs list"]);
    }
    practice.is_free();
    practice.windlass(&["resume"]).check(2, &["no unfinished run"]);
    practice.windlass(&["resume", "ha-cert"]).check(2, &["is over", "windlass runs show"]);
}

#[test]
fn a_run_is_not_resumed_on_a_changed_site_unless_the_change_is_accepted() {
    let Some(practice) = local() else { return };
    practice.set(Switch::WrongExit);
    practice.run(&[]).check(5, &["windlass resume"]);
    let before = practice.nodes();
    practice.write("site.toml", practice.read("site.toml") + "# another word\n");
    let refusal = ["site site.toml: ", " then, ", "--accept site"];
    for named in [vec![], vec!["--accept", "profile", "--accept", "plugin", "--accept", "api"]] {
        practice.windlass(&[&["resume", "--yes"], named.as_slice()].concat()).check(3, &refusal);
    }
    before.check(&practice.nodes());
    practice.windlass(&["resume", "--yes", "--accept", "site"]).check(5, &["windlass resume"]);

    // What was accepted is in the journal, with both sides, and is not asked again.
    practice.heal(Switch::WrongExit);
    practice.windlass(&["resume", "--yes"]).check(0, &["done and verified"]);
    practice.windlass(&["runs", "show"]).check(0, &["ACCEPTED: site site.toml: ", " then, "]);
}
