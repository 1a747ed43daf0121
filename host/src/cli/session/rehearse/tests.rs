use super::{rehearse, setting};
use crate::audit::{Played, Stage, Way};
use crate::backend::rehearsal::{Interference, Meddling};
use crate::cli::session::{scenario_at, scenarios_of};
use crate::model::audit::Coverage;
use crate::model::{Fault, code};
use crate::plugin::{Plugin, Profile, engine};
use camino::{Utf8Path, Utf8PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// The folder of the built components.
struct Components(std::path::PathBuf);

impl Components {
    fn find() -> Option<Self> {
        let found = std::env::var_os("WINDLASS_COMPONENTS");
        if found.is_none() {
            println!("skipped: WINDLASS_COMPONENTS is not set; run `cargo xtask test`");
        }
        found.map(|folder| Self(folder.into()))
    }

    /// The file of a project's component, and its bytes.
    fn of(&self, project: &Utf8Path) -> (String, Vec<u8>) {
        let file = format!("{}.wasm", project.file_name().unwrap());
        let component = std::fs::read(self.0.join(&file)).unwrap();
        (file, component)
    }
}

fn root() -> Utf8PathBuf {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What is measured of a plugin is what it does anyway: with marks in its code its transcripts are the same.
#[test]
fn a_plugin_that_is_measured_does_on_every_scenario_what_it_does_else() {
    let Some(components) = Components::find() else { return };
    let (root, engine) = (root(), engine(Profile::Rehearse).unwrap());
    for project in
        ["plugins/ha-cert", "plugins/root-key", "examples/hooks/cmdb", "examples/hooks/health-gate"]
    {
        let project = root.join(project);
        let (file, component) = components.of(&project);
        let began = Instant::now();
        let plain = Arc::new(Plugin::compile(&engine, &file, &component).unwrap());
        let plain_compiled = began.elapsed();
        let began = Instant::now();
        let measured = Arc::new(Plugin::compile_measured(&engine, &file, &component).unwrap());
        println!("{file}: compiled in {plain_compiled:.1?}, with marks in {:.1?}", began.elapsed());
        for scenario in scenarios_of(&project).unwrap() {
            let scenario_of = |name: &Utf8Path| scenario_at(name).unwrap();
            let began = Instant::now();
            let one = rehearse(&plain, &scenario_of(&scenario)).unwrap();
            let plain_took = began.elapsed();
            let began = Instant::now();
            let other = rehearse(&measured, &scenario_of(&scenario)).unwrap();
            println!(
                "  {}: {plain_took:.1?}, with marks {:.1?}",
                scenario.file_stem().unwrap(),
                began.elapsed()
            );
            assert_eq!(one, other, "{scenario}");
        }
        let (usage, marked) = (plain.usage(), measured.usage());
        println!("  fuel: {}, with marks {}", usage.fuel, marked.fuel);
        let Coverage::Functions { functions, reached, instructions_permille, unreached } =
            measured.coverage()
        else {
            panic!("{file} is not measured")
        };
        println!("  {reached} of {functions} functions, {instructions_permille} ‰");
        for one in unreached.iter().take(3) {
            println!(
                "  not reached: {} ({} instructions, {:?})",
                one.function, one.instructions, one.effects
            );
        }
        assert!(reached * 3 > functions, "{file}: {reached} of {functions}");
    }
}

/// A rehearsal that begins with the call of the effect to which something is done is the one from its beginning: its rows,
/// its cluster, and how it goes on from there.
#[test]
fn what_begins_with_a_call_is_as_if_it_were_played_from_its_beginning() {
    let Some(components) = Components::find() else { return };
    let (root, engine) = (root(), engine(Profile::Rehearse).unwrap());
    const MOMENTS: &str = "host/src/cli/templates/audit-hook.toml";
    let (mut begun, mut from_a_call) = (0, 0);
    for (project, scenario, every, twice) in [
        ("plugins/ha-cert", "plugins/ha-cert/scenarios/no-password.toml", 5, false),
        ("plugins/root-key", "plugins/root-key/scenarios/product.toml", 5, false),
        ("examples/hooks/health-gate", MOMENTS, 1, false),
        ("examples/hooks/health-gate", MOMENTS, 1, true),
        ("examples/hooks/health-gate", "examples/hooks/health-gate/scenarios/unwell.toml", 1, false),
    ] {
        let (file, component) = components.of(Utf8Path::new(project));
        let plugin = Arc::new(Plugin::compile(&engine, &file, &component).unwrap());
        let mut scenario = scenario_at(&root.join(scenario)).unwrap();
        if twice {
            scenario.events.push(scenario.events[0].clone());
        }
        let runtime = crate::cli::session::network::one_thread().unwrap();
        runtime.block_on(async {
            let mut stage = Stage::set(setting(&plugin, &scenario).await.unwrap()).unwrap();
            let effects = stage.play_plain().await.unwrap().life.acted();
            for at in (0..effects).step_by(every) {
                let failed = Fault::new(code::FAILED, "on purpose");
                for what in [
                    Meddling::Answers(Err(failed.clone())),
                    Meddling::HappensAndAnswers(failed),
                    Meddling::DiesBefore,
                    Meddling::DiesAfter,
                ] {
                    let interference = Interference { at, what };
                    let whole = stage.play(Some(interference.clone())).await.unwrap();
                    let part = stage.injure(interference.clone()).await.unwrap();
                    begun += 1;
                    from_a_call += u32::from(part.plain > 0);
                    assert!(!twice || part.plain == 0, "{file} {interference:?}");
                    alike(&whole, &part, &format!("{file} {interference:?}"));
                    for way in [Way::On, Way::Back] {
                        let whole = stage.go_on(&whole, way, None).await.unwrap();
                        let part = stage.go_on(&part, way, None).await.unwrap();
                        alike(&whole, &part, &format!("{file} {interference:?} {way:?}"));
                    }
                }
            }
        });
    }
    println!("{from_a_call} of {begun} began with a call");
    assert!(from_a_call * 2 > begun, "{from_a_call} of {begun}");
}

#[track_caller]
fn alike(whole: &Played, part: &Played, about: &str) {
    assert_eq!(whole.rows, part.rows, "{about}");
    assert_eq!((&whole.end, &whole.broke), (&part.end, &part.broke), "{about}");
    assert_eq!(whole.life.standing(), part.life.standing(), "{about}");
    let (all, seen) = (whole.life.seen(), part.life.seen());
    assert_eq!(all[all.len() - seen.len()..], seen, "{about}");
    assert_eq!(whole.life.printed(), part.life.printed(), "{about}");
    assert_eq!(whole.life.acted(), part.life.acted(), "{about}");
}
