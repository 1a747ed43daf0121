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
        let marks = async || names.files(&shell).marks(&all).await.unwrap();
        let before = marks().await;
        assert_eq!(marks().await, before);
        // What could be guessed is not in a mark, and neither is its digest.
        assert!(!before[3].contains(&crate::model::hex(
            aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"word").as_ref()
        )));
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
            let before = marks().await;
            change();
            let after = marks().await;
            let changed: Vec<usize> = (0..all.len()).filter(|at| before[*at] != after[*at]).collect();
            assert_eq!(changed, [at], "{what}: {before:?} {after:?}");
        }
        assert_eq!(names.files(&shell).marks(&[]).await.unwrap(), Vec::<String>::new());
    }
}
