//! The page in a real browser: it draws, runs nothing, reaches for nothing, and its policy forbids nothing that it has.

use super::*;
use std::process::{Command, Output, Stdio};

/// Whether there is one that runs; having said why, if not.
fn is_there() -> bool {
    let ran = chromium(&["--dump-dom"], "about:blank");
    if ran.status.success() {
        return true;
    }
    let said = String::from_utf8_lossy(&ran.stderr);
    let why = said.lines().last().unwrap_or("it says nothing");
    println!("skipped: chromium does not run here, to look at the page of an audit: {why}");
    false
}

fn look(arguments: &[&str], page: &Path) -> Output {
    chromium(arguments, &format!("file://{}", page.display()))
}

fn chromium(arguments: &[&str], address: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    Command::new("timeout")
        .args(["--kill-after=5", "60", "chromium", "--headless", "--no-sandbox", "--disable-gpu"])
        .args(["--disable-dev-shm-usage", "--no-first-run", "--disable-extensions"])
        .args(["--disable-background-networking", "--enable-logging=stderr", "--v=0"])
        .arg(format!("--user-data-dir={}", folder.path().display()))
        .args(arguments)
        .arg(address)
        .env("HOME", folder.path())
        .env("XDG_RUNTIME_DIR", folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// What the browser has to say of the page; its own troubles on a machine without a desktop are not the page's.
fn complaints(output: &Output) -> Vec<String> {
    let log = String::from_utf8_lossy(&output.stderr);
    log.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect()
}

#[test]
fn a_browser_shows_the_page_and_runs_nothing_of_it() {
    if !is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (name, audit) in samples() {
        for (kind, audit) in [("plain", audit.clone()), ("hostile", hostile(&audit))] {
            let page = folder.path().join(format!("{name}-{kind}.html"));
            std::fs::write(&page, html(&audit)).unwrap();
            let picture = folder.path().join(format!("{name}-{kind}.png"));
            let screenshot = format!("--screenshot={}", picture.display());
            let looks = ["--dump-dom", &screenshot, "--window-size=1000,900"];
            let output = look(&looks, &page);
            assert!(output.status.success(), "{name} {kind}: {output:?}");
            assert_eq!(complaints(&output), [] as [&str; 0], "{name} {kind}");
            let shown = String::from_utf8_lossy(&output.stdout);
            for text in ["Content-Security-Policy", "Audit of ", "Can do", "Least grants", "Made of"] {
                assert!(shown.contains(text), "{name} {kind}: no {text:?}");
            }
            // A script would have changed the title; an image, or what broke out of the style, would be an element.
            assert!(
                !shown.contains("<title>owned") && !shown.contains("<script") && !shown.contains("<img"),
                "{name} {kind}"
            );
            assert_eq!(shown.matches("<style>").count(), 1, "{name} {kind}");
            assert!(
                std::fs::metadata(&picture).is_ok_and(|picture| picture.len() > 10_000),
                "{name} {kind}: {output:?}"
            );
        }
    }
}

#[test]
fn a_page_that_is_not_ours_is_complained_of() {
    if !is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    for (from, to) in [
        ("</body>", "<script>1</script></body>"),
        ("<body>", "<body style=\"color:red\">"),
        ("<main>", "<main><img src=\"x.png\">"),
    ] {
        let text = html(&bare()).replacen(from, to, 1);
        assert!(text.contains(to));
        std::fs::write(&page, text).unwrap();
        let output = look(&["--dump-dom"], &page);
        assert_ne!(complaints(&output), [] as [&str; 0], "{to}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
