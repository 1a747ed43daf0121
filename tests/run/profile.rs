//! A site that names no profile: which one fits is told by the managers, once for a run.

use super::e2e::{NODES, PLAIN, Pair, up_as};
use super::proof;
use windlass::lab::{Double, Product, Switch, Transport};

/// The algorithm is not the subject here, and this one takes no time.
const RUN: [&str; 5] = ["run", "ha-cert", "--yes", "-p", "algorithm=ecdsa-p256"];
const BOTH: [Product; 2] = [Product::Mrs2, Product::Mrs3];

/// A pair whose site leaves its profile to its nodes.
fn undecided(product: Product, transport: Transport) -> Option<Pair> {
    let pair = up_as(product, transport, PLAIN)?;
    let path = pair.dir.join("site.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let named = |line: &&str| line.starts_with("profile = \"practice\"");
    assert_eq!(text.lines().filter(named).count(), 1);
    let rest: String = text.lines().filter(|line| !named(line)).map(|line| format!("{line}\n")).collect();
    std::fs::write(path, rest).unwrap();
    Some(pair)
}

/// Makes on a node what another product is known by.
fn add(pair: &Pair, node: &str, product: Product) {
    let om = product.cert_ha().replace("/security/certHA", "");
    std::fs::create_dir_all(pair.product_home(node).join(om)).unwrap();
}

#[test]
fn each_product_is_found_and_worked_on_under_its_own_profile() {
    for transport in [Transport::Local, Transport::Ssh] {
        for product in BOTH {
            let Some(pair) = undecided(product, transport) else { continue };
            let (name, before) = (product.as_str(), pair.content());
            // Nobody asks the nodes unless told to.
            let unasked = pair.windlass(&["site", "check"]).expect(0);
            assert!(unasked.out.contains("right under mrs-2, mrs-3"), "{unasked:?}");
            let asked = pair.windlass(&["site", "check", "--connect"]).expect(0);
            assert!(asked.out.contains(&format!("profile      {name} (")), "{asked:?}");
            for says in [format!("master2: {name} is known by "), format!("{}/om", product.bigdata_home())] {
                assert!(asked.out.contains(&says), "{says}: {asked:?}");
            }
            for word in [name, "auto"] {
                let explained = pair.windlass(&["site", "explain", word]).expect(0);
                assert!(
                    explained.out.contains("told by") && explained.out.contains("(there)"),
                    "{explained:?}"
                );
            }
            let command = pair.windlass(&["--json", "site", "explain", "restart-ha"]).expect(0);
            assert!(command.out.contains("restart-oms.sh"), "{command:?}");

            let ran = pair.windlass(&RUN).expect(0);
            assert!(ran.err.contains(&format!("profile {name}: master1: ")), "{ran:?}");
            proof::rotated(&pair, &before);
            let shown = pair.windlass(&["runs", "show"]).expect(0);
            assert!(shown.out.contains(&format!("profile {name}: master1: ")), "{shown:?}");
            pair.windlass(&["runs", "close"]).expect(0);
            proof::nothing_saved(&pair);
        }
    }
}

#[test]
fn nodes_that_fit_none_or_both_or_differ_are_named_with_what_was_looked_for() {
    for product in BOTH {
        let other = BOTH[usize::from(product == BOTH[0])];
        let Some(pair) = undecided(product, Transport::Local) else { return };
        let before = pair.content();
        let refused = |says: &[&str]| {
            for command in [&RUN[..], &["site", "check", "--connect"]] {
                let ended = pair.windlass(command).expect(4);
                for says in says.iter().chain(&["profile = \"mrs-3\" under [site]"]) {
                    assert!(ended.err.contains(says), "{says}: {ended:?}");
                }
            }
        };
        add(&pair, "master2", other);
        refused(&["master2 fits mrs-2 and mrs-3", "/om-0.0.1 (there)", "/om-server/om (there)"]);

        let om = |node: &str, product: Product| {
            pair.product_home(node).join(product.cert_ha().replace("/security/certHA", ""))
        };
        let away = pair.product_home("master2").join("away");
        std::fs::rename(om("master2", product), &away).unwrap();
        let differ = format!("master1 fits {}, and master2 fits {}", product.as_str(), other.as_str());
        refused(&[&differ]);

        std::fs::remove_dir_all(om("master2", other)).unwrap();
        refused(&["master2 fits no bundled profile", "/om-0.0.1 (not there)", "/om-server/om (not there)"]);

        std::fs::rename(&away, om("master2", product)).unwrap();
        assert_eq!(pair.content(), before);
        assert_eq!(pair.executions(), [[0; 3]; 2]);
        assert_eq!(pair.windlass(&["runs", "list"]).expect(0).out, "", "no run began");
        pair.windlass(&RUN).expect(0);
    }
}

#[test]
fn a_run_keeps_the_profile_that_it_began_with_whatever_the_nodes_look_like_by_then() {
    let Some(pair) = undecided(Product::Mrs2, Transport::Local) else { return };
    let before = pair.content();
    let lie = [Double::ReplaceHaSslCert];
    pair.lab.break_with(Switch::LyingSuccess, None, false, &lie).unwrap();
    pair.windlass(&RUN).expect(5);
    pair.lab.break_with(Switch::LyingSuccess, None, true, &lie).unwrap();
    for node in NODES {
        add(&pair, node, Product::Mrs3);
    }
    // A new run could not tell any more; this one need not.
    let unclear = pair.windlass(&["site", "check", "--connect"]).expect(4);
    assert!(unclear.err.contains("master1 fits mrs-2 and mrs-3"), "{unclear:?}");

    // Named meanwhile, it is another site than the run began with.
    let path = pair.dir.join("site.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("[site]\n", "[site]\nprofile = \"mrs-3\"\n")).unwrap();
    let refused = pair.windlass(&["resume"]).expect(3);
    assert!(refused.err.contains("--accept site --accept profile"), "{refused:?}");
    std::fs::write(&path, text).unwrap();

    pair.windlass(&["resume"]).expect(0);
    for node in NODES {
        std::fs::remove_dir_all(pair.product_home(node).join("om-server")).unwrap();
    }
    proof::rotated(&pair, &before);
}

#[test]
fn mistakes_of_an_undecided_site_are_those_that_no_profile_would_mend() {
    let Some(pair) = undecided(Product::Mrs3, Transport::Local) else { return };
    let grant = |command: &str| {
        let text = format!("[grants.ha-cert]\ncommands = [\"{command}@*\"]\n");
        std::fs::write(pair.dir.join("grants.toml"), text).unwrap();
    };
    grant("restart-hb");
    let wrong = pair.windlass(&["site", "check"]).expect(2);
    assert!(wrong.err.contains("has 1 mistake") && wrong.err.contains("restart-hb"), "{wrong:?}");
    let wrong = pair.windlass(&["site", "check", "--connect"]).expect(2);
    assert!(wrong.err.contains("did you mean \"restart-ha\"?"), "{wrong:?}");
}
