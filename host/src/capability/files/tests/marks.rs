//! What tells that a file was changed.

use super::*;

#[tokio::test]
async fn a_mark_differs_for_every_way_to_change_a_file_and_for_none_else() {
    let names = names();
    for shell in Shell::each() {
        let files = [file(&shell, "plain"), secret(&shell, "key"), file(&shell, "absent")];
        let guessable = ResolvedFile { guessable: true, ..secret(&shell, "word") };
        let all = [&files[..], &[guessable]].concat();
        let path = |name: &str| shell.root().join(name);
        for name in ["plain", "key", "word"] {
            fs::write(path(name), name).unwrap();
            chmod(path(name), 0o600);
        }
        let files = names.files(&shell);
        let kept = shell.home().join(format!(".windlass/runs/{}/marks/e1", files.run));
        let changed = async || -> Vec<usize> {
            let changed = files.changed_since(&all, "e1").await.unwrap();
            changed.iter().map(|file| all.iter().position(|one| one.path == file.path).unwrap()).collect()
        };
        // What was never kept is not said to have changed.
        assert!(changed().await.is_empty());
        files.keep_marks(&all, "e1").await.unwrap();
        assert!(changed().await.is_empty());
        // What could be guessed is not in a mark, and neither is its digest.
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"word");
        assert!(!fs::read_to_string(&kept).unwrap().contains(&crate::model::hex(digest.as_ref())));
        type Change<'a> = (&'a str, &'a dyn Fn(), usize);
        let changes: [Change; 6] = [
            ("bytes", &|| fs::write(path("plain"), "other").unwrap(), 0),
            ("mode", &|| chmod(path("key"), 0o640), 1),
            ("appearing", &|| fs::write(path("absent"), "").unwrap(), 2),
            ("vanishing", &|| fs::remove_file(path("plain")).unwrap(), 0),
            ("bytes of what could be guessed", &|| fs::write(path("word"), "longer").unwrap(), 3),
            (
                "another file in its place",
                &|| {
                    fs::write(path("new"), "longer").unwrap();
                    fs::rename(path("new"), path("word")).unwrap();
                },
                3,
            ),
        ];
        for (what, change, at) in changes {
            files.keep_marks(&all, "e1").await.unwrap();
            change();
            assert_eq!(changed().await, [at], "{what}");
        }
        // Cut short as it was written down: what is missing is not said to have changed.
        fs::write(&kept, "").unwrap();
        assert!(changed().await.is_empty());
        assert!(files.changed_since(&[], "e1").await.unwrap().is_empty());
    }
}
