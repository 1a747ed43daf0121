use super::*;

struct Pair {
    files: Vec<ResolvedFile>,
    staged: Vec<Staged>,
}

/// Three files with old content, the last of them secret and guessable and the second one not there
/// before; all staged.
async fn staged(files: &NodeFiles<'_, Shell>) -> Pair {
    let shell = files.remote;
    let password = ResolvedFile { guessable: true, ..secret(shell, "c") };
    let password = ResolvedFile { path: format!("{} word ", password.path), ..password };
    let list = vec![file(shell, "a"), file(shell, "b"), password];
    fs::write(&list[0].path, "old a").unwrap();
    fs::write(&list[2].path, "old c").unwrap();
    let mut staged = Vec::new();
    for (number, target) in list.iter().enumerate() {
        staged.push(files.stage(&set(), target, format!("new {number}").as_bytes()).await.unwrap());
    }
    assert_eq!(staged[2].sha256, None);
    Pair { files: list, staged }
}

fn note(shell: &Shell) -> std::path::PathBuf {
    shell.home().join(".windlass/runs/ha-cert-1/swaps/new")
}

fn contents(pair: &Pair) -> Vec<String> {
    pair.files.iter().map(|f| fs::read_to_string(&f.path).unwrap_or_else(|_| "none".into())).collect()
}

const NEW: [&str; 3] = ["new 0", "new 1", "new 2"];

#[tokio::test]
async fn a_swap_moves_the_set_as_one_and_doing_it_again_changes_nothing() {
    for shell in Shell::each() {
        let names = names();
        let files = names.files(&shell);
        let pair = staged(&files).await;
        assert_eq!(contents(&pair), ["old a", "none", "old c"]);
        assert_eq!(mode(format!("{}.windlass-ha-cert-1-new", pair.files[1].path)), 0o644);
        assert_eq!(files.swap_state(&set(), &pair.staged).await.unwrap(), SwapState::Staged);
        for _ in 0..2 {
            files.swap(&set(), &pair.staged).await.unwrap();
            assert_eq!(contents(&pair), NEW);
            assert_eq!(files.swap_state(&set(), &pair.staged).await.unwrap(), SwapState::Swapped);
        }
        assert_eq!(left(&shell).len(), 3);
        assert_eq!(mode(note(&shell)), 0o600);
    }
}

#[tokio::test]
async fn a_swap_killed_after_any_rename_is_seen_as_half_and_finished() {
    for shell in Shell::each() {
        for renamed in 0..=3 {
            let names = names();
            let files = names.files(&shell);
            let pair = staged(&files).await;
            // What the script leaves when it is killed there: the note prepared, and that many renames.
            interrupt_after(&files, &pair, renamed).await;

            let state = files.swap_state(&set(), &pair.staged).await.unwrap();
            let expected = [SwapState::Staged, SwapState::Half, SwapState::Half, SwapState::Swapped];
            assert_eq!(state, expected[renamed], "after {renamed} renames");
            if state == SwapState::Half {
                let error = files.discard(&set(), &pair.staged).await.unwrap_err();
                assert!(matches!(error.problem, Problem::Half(_)), "{error}");
            }
            files.swap(&set(), &pair.staged).await.unwrap();
            assert_eq!(contents(&pair), NEW);
            assert_eq!(files.swap_state(&set(), &pair.staged).await.unwrap(), SwapState::Swapped);
            assert!(fs::read_to_string(note(&shell)).unwrap().starts_with("windlass-swap 1 committed\n"));
            for target in &pair.files {
                fs::remove_file(&target.path).unwrap();
            }
            fs::remove_file(note(&shell)).unwrap();
        }
    }
}

/// Runs the real script with an `mv` that stops working after the note and `renamed` renames.
async fn interrupt_after(files: &NodeFiles<'_, Shell>, pair: &Pair, renamed: usize) {
    let shell = files.remote;
    let fuse = shell.root().join("fuse");
    // The first `mv` puts the note in place; the next ones are the renames.
    fs::write(&fuse, "x".repeat(renamed + 1)).unwrap();
    shell.replace_tool(
        "mv",
        &format!("#!/bin/sh\nleft=$(cat {0}); [ -n \"$left\" ] || exit 1\nprintf %s \"${{left#x}}\" >{0}\nexec {1} \"$@\"\n",
            fuse.display(), shell.real("mv")),
    );
    let result = files.swap(&set(), &pair.staged).await;
    shell.restore_tool("mv");
    fs::remove_file(fuse).unwrap();
    // With every rename done, only the note's last word is missing.
    assert!(result.is_err());
    assert!(fs::read_to_string(note(shell)).unwrap().starts_with("windlass-swap 1 prepared\n"));
}

#[tokio::test]
async fn a_set_that_is_not_complete_is_not_swapped() {
    for shell in Shell::each() {
        let names = names();
        let files = names.files(&shell);
        let pair = staged(&files).await;
        fs::remove_file(format!("{}.windlass-ha-cert-1-new", pair.files[2].path)).unwrap();
        assert_eq!(files.swap_state(&set(), &pair.staged).await.unwrap(), SwapState::NotStaged);
        let error = files.swap(&set(), &pair.staged).await.unwrap_err();
        assert!(matches!(&error.problem, Problem::NotStaged(path) if *path == pair.files[2].path), "{error}");
        assert_eq!(contents(&pair), ["old a", "none", "old c"]);
    }
}

#[tokio::test]
async fn staged_bytes_that_changed_since_are_not_swapped_in() {
    for shell in Shell::each() {
        let names = names();
        let files = names.files(&shell);
        let pair = staged(&files).await;
        fs::write(format!("{}.windlass-ha-cert-1-new", pair.files[1].path), "else").unwrap();
        let error = files.swap(&set(), &pair.staged).await.unwrap_err();
        assert!(matches!(error.problem, Problem::Damaged), "{error}");
        assert_eq!(contents(&pair), ["old a", "none", "old c"]);
    }
}

#[tokio::test]
async fn a_file_overwritten_after_half_a_swap_stops_it() {
    for shell in Shell::each() {
        let names = names();
        let files = names.files(&shell);
        let pair = staged(&files).await;
        interrupt_after(&files, &pair, 2).await;
        fs::write(&pair.files[1].path, "by the product's own synchronisation").unwrap();
        let state = files.swap_state(&set(), &pair.staged).await.unwrap();
        assert_eq!(state, SwapState::Disturbed(vec![pair.files[1].name.clone()]));
        let error = files.swap(&set(), &pair.staged).await.unwrap_err();
        assert!(matches!(&error.problem, Problem::Disturbed(path) if *path == pair.files[1].path), "{error}");
    }
}

#[tokio::test]
async fn discarding_leaves_the_files_and_nothing_else() {
    for shell in Shell::each() {
        let names = names();
        let files = names.files(&shell);
        let pair = staged(&files).await;
        for _ in 0..2 {
            files.discard(&set(), &pair.staged).await.unwrap();
            assert_eq!(left(&shell).len(), 2);
            assert_eq!(files.swap_state(&set(), &pair.staged).await.unwrap(), SwapState::NotStaged);
        }
        assert_eq!(contents(&pair), ["old a", "none", "old c"]);
    }
}

#[tokio::test]
async fn a_second_generation_under_the_same_name_is_swapped_too() {
    for shell in Shell::each() {
        let names = names();
        let files = names.files(&shell);
        let pair = staged(&files).await;
        files.swap(&set(), &pair.staged).await.unwrap();
        let again = staged(&files).await;
        files.swap(&set(), &again.staged).await.unwrap();
        assert_eq!(contents(&pair), NEW);
        // Another list under that name, with nothing staged, is a mistake of the caller.
        let error = files.swap(&set(), &again.staged[..1]).await.unwrap_err();
        assert!(matches!(error.problem, Problem::OtherSwap(_)), "{error}");
    }
}
