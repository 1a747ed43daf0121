//! `cargo xtask test`: every group of tests, its time, and what was skipped and why.
//!
//! A test that cannot run here prints a line `skipped: REASON` and returns; the lines are collected from
//! its output, so that a machine without a tool never passes in silence.

use crate::bundle;
use crate::engines;
use crate::error::{Error, at};
use crate::forgotten;
use crate::guests;
use crate::process;
use crate::reproducible;
use crate::setup;
use crate::tink;
use crate::tree::Tree;
use std::io::{BufRead, Write};
use std::process::{Command, Stdio};

/// What `cargo xtask test` was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Sets `WINDLASS_MATRIX=1`, which the long fault matrices look at.
    matrix: bool,
    /// Only tests whose name contains this.
    filter: Option<String>,
}

impl Options {
    pub fn parse(arguments: &[&str]) -> Result<Options, Error> {
        let mut options = Options::default();
        for argument in arguments {
            match *argument {
                "--matrix" => options.matrix = true,
                other if other.starts_with('-') || options.filter.is_some() => {
                    return Err(Error::Usage(format!("test takes [--matrix] [FILTER], not {other:?}")));
                }
                filter => options.filter = Some(filter.into()),
            }
        }
        Ok(options)
    }
}

/// Builds, runs every group, and fails if any failed.
pub fn run(tree: &Tree, options: &Options) -> Result<(), Error> {
    let prepared = setup::prepare(tree, setup::For { tests: true, ..setup::For::default() })?;
    let mut skipped = prepared.skipped.clone();
    // Without them scripts do not run, and everything else does.
    let engines = match engines::lacking() {
        Some(lack) => Err(lack.to_owned()),
        None => engines::build(tree).map_err(|error| error.to_string()),
    };
    if let Err(why) = &engines {
        skipped.push(format!("scripts: {why}"));
    }
    let binary = bundle::build(tree, &prepared.wasm, false)?;
    let mut tally = Tally { skipped, ..Tally::new(Box::new(std::io::stdout())) };

    let tink = tink::is_installed(tree).then(|| tink::python(tree));
    let cargo_test = |selection: &[&str]| {
        let mut cargo = tree.cargo();
        // Always the whole workspace, narrowed by target: another selection of packages could mean other
        // features of dependencies, and so another compilation of them.
        cargo
            .args(["test", "--quiet", "--locked", "--workspace"])
            .args(selection)
            .env("WINDLASS_BIN", &binary)
            .env("WINDLASS_COMPONENTS", tree.components());
        if let Some(python) = &tink {
            cargo.env("WINDLASS_TINK", python);
        }
        if let Ok(engines) = &engines {
            cargo.env("WINDLASS_ENGINES", &engines.folder);
        }
        if options.matrix {
            cargo.env("WINDLASS_MATRIX", "1");
        }
        cargo
    };
    let filter = options.filter.as_deref();
    tally.note("no test file forgotten", forgotten::check(&tree.root));
    let compiled = process::timed("compile the tests", || process::run(&mut cargo_test(&["--no-run"])));
    if tally.note("compile the tests", compiled) {
        tally.group("rooms", cargo_test(&["--lib"]), filter);
        tally.group("xtask", cargo_test(&["--bins"]), filter);
        let suite = ["--test", "suite"];
        match filter {
            Some(_) => tally.group("suite", cargo_test(&suite), filter),
            None => {
                for group in forgotten::groups(&tree.root)? {
                    tally.group(&format!("suite {group}"), cargo_test(&suite), Some(&format!("{group}::")));
                }
            }
        }
    }
    // The guests' own tests run natively, against a host that is a double.
    for workspace in guests::workspaces(&tree.root) {
        let mut cargo = cargo_test(&["--manifest-path"]);
        cargo.arg(workspace.join("Cargo.toml")).arg("--target-dir").arg(tree.target.join("guests"));
        let name = workspace.strip_prefix(&tree.root).unwrap_or(&workspace).display().to_string();
        tally.group(&name, cargo, filter);
    }
    if filter.is_none() {
        tally.note("reproducible", reproducible::check(tree, &prepared.wasm));
    }
    tally.finish()
}

/// What all groups came to.
struct Tally {
    /// Where the lines of the tests go on to.
    output: Box<dyn Write>,
    counts: Counts,
    skipped: Vec<String>,
    failed: Vec<String>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Tally {
    fn new(output: Box<dyn Write>) -> Tally {
        Tally { output, counts: Counts::default(), skipped: Vec::new(), failed: Vec::new() }
    }

    /// Notes whether a stage succeeded, and returns it.
    fn note(&mut self, title: &str, result: Result<(), Error>) -> bool {
        match result {
            Ok(()) => true,
            Err(error) => {
                eprintln!("xtask: {error}");
                self.failed.push(title.into());
                false
            }
        }
    }

    /// Runs one `cargo test`; later groups run even where this one fails.
    fn group(&mut self, title: &str, mut cargo: Command, filter: Option<&str>) {
        cargo.args(["--no-fail-fast", "--", "--show-output"]).args(filter);
        let result = process::timed(title, || self.read(&mut cargo));
        self.note(title, result);
    }

    /// Runs a `cargo test`, passing its lines on and counting them.
    fn read(&mut self, cargo: &mut Command) -> Result<(), Error> {
        let what = process::shown(cargo);
        let broken = |source| Error::Start { what: what.clone(), source };
        let mut child = cargo.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(broken)?;
        let mut reader = Reader::default();
        if let Some(output) = child.stdout.take() {
            let mut lines = std::io::BufReader::new(output);
            let mut line = Vec::new();
            // Bytes, not text: a test may print anything, and must not end the reading.
            while lines.read_until(b'\n', &mut line).map_err(broken)? > 0 {
                let text = String::from_utf8_lossy(&line);
                if reader.line(text.trim_end_matches('\n'), self) {
                    self.output.write_all(&line).map_err(broken)?;
                }
                line.clear();
            }
        }
        let status = child.wait().map_err(broken)?;
        if status.success() { Ok(()) } else { Err(Error::Failed { what, status }) }
    }

    /// Prints what was skipped and the sums, and fails if a group did.
    fn finish(mut self) -> Result<(), Error> {
        self.print_sums().map_err(at("write to", "stdout"))?;
        if self.failed.is_empty() {
            return Ok(());
        }
        Err(Error::Check { title: "groups that failed".into(), details: self.failed.join("\n") })
    }

    fn print_sums(&mut self) -> std::io::Result<()> {
        if !self.skipped.is_empty() {
            writeln!(self.output, "\nskipped on this machine:")?;
        }
        for reason in &self.skipped {
            writeln!(self.output, "  {reason}")?;
        }
        let Counts { passed, failed, ignored } = self.counts;
        let word = if self.failed.is_empty() { "ok" } else { "FAILED" };
        let skipped = self.skipped.len();
        writeln!(
            self.output,
            "\ntest result: {word}. {passed} passed; {failed} failed; {ignored} ignored; {skipped} skipped"
        )
    }
}

/// Reads the lines of one `cargo test --show-output`.
#[derive(Debug, Default)]
struct Reader {
    /// Whether the lines are the output of tests that passed: read for skips, and not shown.
    within_successes: bool,
    test: String,
}

impl Reader {
    /// Takes one line into the tally and returns whether to show it.
    fn line(&mut self, line: &str, tally: &mut Tally) -> bool {
        if let Some(counts) = counts(line) {
            self.within_successes = false;
            tally.counts.passed += counts.passed;
            tally.counts.failed += counts.failed;
            tally.counts.ignored += counts.ignored;
            return true;
        }
        match line {
            "successes:" => self.within_successes = true,
            "failures:" => self.within_successes = false,
            _ => {}
        }
        if let Some(name) = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----")) {
            self.test = name.into();
        } else if let Some(reason) = line.strip_prefix("skipped: ") {
            tally.skipped.push(format!("{}: {reason}", self.test));
        }
        !self.within_successes
    }
}

/// Reads a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
fn counts(line: &str) -> Option<Counts> {
    let rest = line.strip_prefix("test result: ")?;
    let number = |word: &str| {
        let before = rest.split(word).next()?;
        before.trim_end().rsplit(' ').next()?.parse().ok()
    };
    Some(Counts { passed: number(" passed")?, failed: number(" failed")?, ignored: number(" ignored")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skips_and_counts_are_read_and_the_output_of_passed_tests_is_not_shown() {
        let output = "running 2 tests
..
successes:

---- keytool::opens_the_key stdout ----
chatter
skipped: keytool is not installed

successes:
    keytool::opens_the_key

failures:

---- lab::starts stdout ----
why it failed

test result: FAILED. 3 passed; 1 failed; 2 ignored; 0 measured; 5 filtered out; finished in 0.00s";
        let (mut tally, mut reader) = (Tally::new(Box::new(std::io::sink())), Reader::default());
        let shown: Vec<&str> = output.lines().filter(|line| reader.line(line, &mut tally)).collect();
        assert_eq!(tally.skipped, ["keytool::opens_the_key: keytool is not installed"]);
        assert_eq!(tally.counts, Counts { passed: 3, failed: 1, ignored: 2 });
        assert!(shown.contains(&"why it failed") && !shown.contains(&"chatter"), "{shown:?}");
    }

    #[test]
    fn a_group_that_fails_fails_the_whole_and_the_others_still_count() {
        let mut tally = Tally::new(Box::new(std::io::sink()));
        let mut failing = Command::new("sh");
        failing.args(["-c", "echo 'test result: FAILED. 1 passed; 1 failed; 0 ignored'; exit 101", "sh"]);
        tally.group("first", failing, None);
        let mut passing = Command::new("sh");
        passing.args(["-c", "printf '\\377\\ntest result: ok. 2 passed; 0 failed; 0 ignored\\n'", "sh"]);
        tally.group("second", passing, None);
        assert_eq!(tally.counts, Counts { passed: 3, failed: 1, ignored: 0 });
        let error = tally.finish().unwrap_err().to_string();
        assert_eq!(error, "groups that failed:\nfirst");
    }

    #[test]
    fn arguments_are_a_switch_and_one_filter() {
        assert_eq!(
            Options::parse(&["--matrix", "lease"]).unwrap(),
            Options { matrix: true, filter: Some("lease".into()) }
        );
        assert!(Options::parse(&["a", "b"]).is_err());
        assert!(Options::parse(&["--matrx"]).is_err());
    }
}
