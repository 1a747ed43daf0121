//! Looking at a file: nothing here changes a node.

use super::error::{Attempt, FilesError, Problem};
use super::script::{self, ANSWER_LIMIT, fail, garbled};
use super::{NodeFiles, READ_LIMIT, Remote, ResolvedFile, SHORT};
use crate::model::FileStat;
use zeroize::Zeroizing;

/// Room for the line that precedes a file's bytes.
const HEADER: usize = 64;

impl<R: Remote> NodeFiles<'_, R> {
    /// Returns size, mode, owner and time, or none where there is no such file. A link is followed.
    pub async fn stat(&self, file: &ResolvedFile) -> Result<Option<FileStat>, FilesError> {
        let attempt = self.attempt("look at", file.name.as_str(), &file.path);
        let Some(answer) = self.look(&attempt, "stat", file, ANSWER_LIMIT).await? else { return Ok(None) };
        parse_stat(&answer).map(Some).ok_or_else(|| garbled(&attempt, script::LOOK))
    }

    /// Returns the SHA-256 of a file's bytes in lower-case hex, or none where there is no such file.
    /// Refused for a guessable file.
    pub async fn fingerprint(&self, file: &ResolvedFile) -> Result<Option<String>, FilesError> {
        let attempt = self.attempt("fingerprint", file.name.as_str(), &file.path);
        if file.guessable {
            return Err(fail(
                &attempt,
                Problem::Refused("what it holds could be guessed from its fingerprint"),
            ));
        }
        let Some(answer) = self.look(&attempt, "fingerprint", file, ANSWER_LIMIT).await? else {
            return Ok(None);
        };
        let digest = answer.strip_prefix(b"ok\n").map(|rest| rest.trim_ascii_end());
        digest.and_then(hex_digest).map(Some).ok_or_else(|| garbled(&attempt, script::LOOK))
    }

    /// Has the node write down what files look like now, under the name of a job.
    pub async fn keep_marks(&self, files: &[ResolvedFile], job: &str) -> Result<(), FilesError> {
        self.marks("keep", files, job).await.map(drop)
    }

    /// Returns which of the files do not look as they did when that was kept; none of them where it never was.
    pub async fn changed_since<'f>(
        &self,
        files: &'f [ResolvedFile],
        job: &str,
    ) -> Result<Vec<&'f ResolvedFile>, FilesError> {
        let answers = self.marks("compare", files, job).await?;
        if answers.len() != files.len() {
            return Err(garbled(&self.attempt("look at", "the profile's files", ""), script::MARKS));
        }
        let changed = files.iter().zip(answers).filter(|(_, answer)| answer == "changed");
        Ok(changed.map(|(file, _)| file).collect())
    }

    async fn marks(&self, verb: &str, files: &[ResolvedFile], job: &str) -> Result<Vec<String>, FilesError> {
        if files.is_empty() {
            return Ok(Vec::new());
        }
        let attempt = self.attempt("look at", "the profile's files", "");
        let (token, count) = (self.token(), files.len().to_string());
        let mut lines = vec![verb, token.as_str(), self.run.as_str(), job, count.as_str()];
        for file in files {
            lines.extend([if file.guessable { "facts" } else { "digest" }, file.path.as_str()]);
        }
        let input = script::input(&lines, b"");
        let answer = self.call(&attempt, script::MARKS, input, SHORT, ANSWER_LIMIT).await?;
        let text = String::from_utf8_lossy(&answer);
        let mut answers: Vec<String> = text.lines().map(str::to_owned).collect();
        match answers.pop().as_deref() {
            Some("ok") => Ok(answers),
            _ => Err(garbled(&attempt, script::MARKS)),
        }
    }

    /// Returns the bytes of a file, at most [`READ_LIMIT`]. Refused for a secret file.
    pub async fn read(&self, file: &ResolvedFile) -> Result<Option<Vec<u8>>, FilesError> {
        if file.secret {
            let attempt = self.attempt("read", file.name.as_str(), &file.path);
            return Err(fail(&attempt, Problem::Refused("the profile marks it secret")));
        }
        Ok(self.read_secret(file).await?.map(|bytes| bytes.to_vec()))
    }

    /// Returns the bytes of any file, at most [`READ_LIMIT`]: for the host, to copy between nodes.
    pub async fn read_secret(&self, file: &ResolvedFile) -> Result<Option<Zeroizing<Vec<u8>>>, FilesError> {
        let attempt = self.attempt("read", file.name.as_str(), &file.path);
        let room = READ_LIMIT as usize + HEADER;
        let Some(answer) = self.look(&attempt, "read", file, room).await? else { return Ok(None) };
        // The size stands first, so that an answer cut short is noticed.
        let bytes = answer.iter().position(|byte| *byte == b'\n').and_then(|end| {
            let size =
                std::str::from_utf8(answer[..end].strip_prefix(b"ok ")?).ok()?.parse::<usize>().ok()?;
            let bytes = &answer[end + 1..];
            (bytes.len() == size).then(|| Zeroizing::new(bytes.to_vec()))
        });
        bytes.map(Some).ok_or_else(|| fail(&attempt, Problem::Moving))
    }

    /// Returns the bytes free for the service user where the file lies.
    pub async fn space(&self, file: &ResolvedFile) -> Result<u64, FilesError> {
        let attempt = self.attempt("ask the room for", file.name.as_str(), &file.path);
        let answer = self.look(&attempt, "space", file, ANSWER_LIMIT).await?;
        answer.as_deref().and_then(|answer| parse_df(answer)).ok_or_else(|| garbled(&attempt, script::LOOK))
    }

    async fn look(
        &self,
        attempt: &Attempt,
        what: &str,
        file: &ResolvedFile,
        output_limit: usize,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, FilesError> {
        let input = script::input(&[what, &file.path, &READ_LIMIT.to_string()], b"");
        let answer = self.call(attempt, script::LOOK, input, SHORT, output_limit).await?;
        Ok(if answer.as_slice() == b"none\n" { None } else { Some(answer) })
    }
}

fn parse_stat(answer: &[u8]) -> Option<FileStat> {
    let text = std::str::from_utf8(answer).ok()?.strip_prefix("ok\n")?;
    let mut words = text.split_whitespace();
    let mut next = || words.next();
    let (size, mode, owner, group, modified) = (next()?, next()?, next()?, next()?, next()?);
    let mode = u32::from_str_radix(mode, 8).ok()?;
    Some(FileStat {
        size: size.parse().ok()?,
        mode: format!("{mode:04o}"),
        owner: owner.into(),
        group: group.into(),
        modified: modified.parse().ok()?,
    })
}

/// The word before the percentage of `df -P`: a device's name may hold spaces, so counting from the left
/// would not do.
fn parse_df(answer: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(answer);
    let line = text.strip_prefix("ok\n")?.lines().nth(1)?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let percentage = words.iter().position(|word| word.ends_with('%') && word.len() > 1)?;
    // Negative where root has dipped into the reserve: nothing is free then.
    let kib = words.get(percentage.checked_sub(1)?)?.parse::<i64>().ok()?;
    u64::try_from(kib).unwrap_or(0).checked_mul(1024)
}

pub(super) fn hex_digest(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    (text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
        .then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_free_space_is_read_whatever_the_device_is_called() {
        let df = |line: &str| parse_df(format!("ok\nFilesystem …\n{line}\n").as_bytes());
        assert_eq!(df("/dev/sda1 100 50 40 56% /opt"), Some(40 * 1024));
        assert_eq!(df("my share 100 50 40 56% /opt/a b"), Some(40 * 1024));
        assert_eq!(df("/dev/sda1 100 105 -5 105% /opt"), Some(0));
        assert_eq!(df("nonsense"), None);
    }

    #[test]
    fn a_stat_that_is_not_one_is_refused() {
        assert_eq!(parse_stat(b"ok\n12 600 omm wheel 1700000000\n").map(|s| s.mode), Some("0600".into()));
        for bad in ["", "ok\n", "ok\n12 9z omm wheel 1", "ok\n-1 600 omm wheel 1", "12 600 omm wheel 1"] {
            assert_eq!(parse_stat(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
