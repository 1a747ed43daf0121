use super::rehearse;
use crate::cli::session::{scenario_at, scenarios_of};
use crate::model::audit::Coverage;
use crate::plugin::{Plugin, Profile, engine};
use camino::Utf8Path;
use std::sync::Arc;
use std::time::Instant;

/// What is measured of a plugin is what it does anyway: with marks in its code its transcripts are the same.
#[test]
fn a_plugin_that_is_measured_does_on_every_scenario_what_it_does_else() {
    let Some(folder) = std::env::var_os("WINDLASS_COMPONENTS") else {
        println!("skipped: WINDLASS_COMPONENTS is not set; run `cargo xtask test`");
        return;
    };
    let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let engine = engine(Profile::Rehearse).unwrap();
    for project in
        ["plugins/ha-cert", "plugins/root-key", "examples/hooks/cmdb", "examples/hooks/health-gate"]
    {
        let project = root.join(project);
        let file = format!("{}.wasm", project.file_name().unwrap());
        let component = std::fs::read(std::path::Path::new(&folder).join(&file)).unwrap();
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
