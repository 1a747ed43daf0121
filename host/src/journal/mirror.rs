//! The mirror: a run's journal as the managers hold it, so that another controller can go on with the run.
//!
//! It grows by pieces: some rows as lines of JSON, deflated, sealed with age to the site's operators. In the clear
//! stand only the numbers of a piece's first and last row and the last one's hash, the head. Nobody signs: that a
//! mirror is the run's shows in that its chain holds from the first row on and all managers hold the same head.

use super::chain::{Hash, hex, link, unhex};
use super::read::RawRow;
use super::sealed::{self, Identity, Recipients, SealError};
use super::store::FORMAT;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// What a piece begins with, before the format of its rows.
const HEADER: &str = "windlass-journal ";
/// Text of rows in one piece, about, in bytes.
const PIECE: usize = 256 * 1024;
/// Text of rows in one piece at most: what a damaged length may not exceed.
const LONGEST: usize = 64 << 20;

/// The last row that somebody holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub sequence: i64,
    pub hash: Hash,
}

/// Some rows in a row, sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub from: i64,
    pub head: Head,
    /// Base64.
    pub sealed: String,
}

/// Why what a manager holds is not a run's journal.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    #[error("rows {from} to {to} cannot be opened")]
    Sealed {
        from: i64,
        to: i64,
        #[source]
        source: SealError,
    },
    #[error("rows {from} to {to} cannot be read: {why}")]
    Garbled { from: i64, to: i64, why: String },
    #[error("rows {from} to {to} have format {found}, of a newer windlass than this")]
    Newer { from: i64, to: i64, found: i64 },
    #[error("the chain breaks at row {row}: it was edited or is another's")]
    Chain { row: i64 },
    #[error("it ends at row {found}, and its head says {expected}: it was cut short")]
    Short { found: i64, expected: i64 },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    at: i64,
    #[serde(borrow)]
    body: std::borrow::Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sealed: Vec<String>,
}

impl std::fmt::Display for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.sequence, hex(&self.hash))
    }
}

impl std::str::FromStr for Head {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (sequence, hash) = text.split_once(' ').ok_or(())?;
        let sequence = sequence.parse().ok().filter(|sequence| *sequence > 0).ok_or(())?;
        Ok(Self { sequence, hash: unhex(hash).ok_or(())? })
    }
}

/// One line of a mirror: `FROM TO HASH SEALED`.
impl std::fmt::Display for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.from, self.head, self.sealed)
    }
}

impl std::str::FromStr for Piece {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (from, rest) = text.split_once(' ').ok_or(())?;
        let (head, sealed) = rest.rsplit_once(' ').ok_or(())?;
        let (from, head): (i64, Head) = (from.parse().map_err(|_| ())?, head.parse()?);
        if !(1..=head.sequence).contains(&from) {
            return Err(());
        }
        Ok(Self { from, head, sealed: sealed.to_owned() })
    }
}

/// Seals rows for the managers, a piece or more; nothing where there are none.
pub fn pack(rows: &[RawRow], to: &Recipients) -> Result<Vec<Piece>, SealError> {
    let mut pieces = Vec::new();
    let mut rest = rows;
    while let Some(first) = rest.first() {
        let mut text = format!("{HEADER}{FORMAT}\n");
        let mut taken = 0;
        for row in rest {
            if taken > 0 && text.len() + row.body.len() > PIECE {
                break;
            }
            // Numbers and hashes follow from the rows before, and a hash does not deflate.
            let line = Line {
                at: row.at,
                body: row.body.as_str().into(),
                sealed: row.sealed.iter().map(|bytes| STANDARD.encode(bytes)).collect(),
            };
            // Plain fields of text and numbers: there is nothing that JSON cannot hold.
            text += &serde_json::to_string(&line).unwrap_or_default();
            text.push('\n');
            taken += 1;
        }
        let (now, later) = rest.split_at(taken);
        let last = now.last().unwrap_or(first);
        let deflated = miniz_oxide::deflate::compress_to_vec(text.as_bytes(), 6);
        pieces.push(Piece {
            from: first.sequence,
            head: Head { sequence: last.sequence, hash: last.hash },
            sealed: STANDARD.encode(sealed::seal_piece(&deflated, to)?),
        });
        rest = later;
    }
    Ok(pieces)
}

/// Reads a mirror: the lines of its pieces, and the head that the manager says it has.
///
/// A piece whose sending was cut short is there twice, the whole one behind it.
pub fn unpack(mirror: &[u8], head: Head, identity: &Identity) -> Result<Vec<RawRow>, MirrorError> {
    let mut rows: Vec<RawRow> = Vec::new();
    let mut wrong = None;
    for line in mirror.split(|byte| *byte == b'\n') {
        let piece = std::str::from_utf8(line).ok().and_then(|line| line.parse::<Piece>().ok());
        let Some(piece) = piece else { continue };
        if piece.from != rows.len() as i64 + 1 {
            continue;
        }
        match open(&piece, rows.last(), identity) {
            Ok(more) => rows.extend(more),
            Err(error) => wrong = Some(error),
        }
    }
    match rows.get(usize::try_from(head.sequence.saturating_sub(1)).unwrap_or(usize::MAX)) {
        Some(row) if row.hash == head.hash => {
            // What lies behind its head never was confirmed.
            rows.truncate(head.sequence as usize);
            Ok(rows)
        }
        Some(_) => Err(MirrorError::Chain { row: head.sequence }),
        None => {
            Err(wrong.unwrap_or(MirrorError::Short { found: rows.len() as i64, expected: head.sequence }))
        }
    }
}

/// Opens a piece that stands behind a row; its last row must have the hash that it says.
fn open(piece: &Piece, before: Option<&RawRow>, identity: &Identity) -> Result<Vec<RawRow>, MirrorError> {
    let (from, to) = (piece.from, piece.head.sequence);
    let garbled = |why: &str| MirrorError::Garbled { from, to, why: why.into() };
    let bytes = STANDARD.decode(&piece.sealed).map_err(|_| garbled("it is cut short"))?;
    let deflated =
        sealed::open_piece(&bytes, identity).map_err(|source| MirrorError::Sealed { from, to, source })?;
    let text = miniz_oxide::inflate::decompress_to_vec_with_limit(&deflated, LONGEST)
        .map(Zeroizing::new)
        .map_err(|_| garbled("it cannot be inflated"))?;
    let mut rows = Vec::new();
    let mut lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let header = lines.next().and_then(|line| std::str::from_utf8(line).ok()?.strip_prefix(HEADER));
    match header.and_then(|format| format.parse::<i64>().ok()) {
        Some(FORMAT) => {}
        Some(found) => return Err(MirrorError::Newer { from, to, found }),
        None => return Err(garbled("it does not say its format")),
    }
    let (mut sequence, mut hash) = before.map_or((0, [0; 32]), |row| (row.sequence, row.hash));
    for line in lines {
        let line: Line<'_> = serde_json::from_slice(line).map_err(|error| garbled(&error.to_string()))?;
        let sealed: Result<_, _> = line.sealed.iter().map(|value| STANDARD.decode(value)).collect();
        let body = line.body.into_owned();
        sequence += 1;
        hash = link(&hash, sequence, line.at, &body);
        rows.push(RawRow {
            sequence,
            at: line.at,
            body,
            hash,
            sealed: sealed.map_err(|_| garbled("a sealed value is not base64"))?,
        });
    }
    match sequence == to && hash == piece.head.hash {
        true => Ok(rows),
        false => Err(MirrorError::Chain { row: to }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows(count: i64, length: usize) -> Vec<RawRow> {
        let mut head = [0; 32];
        (1..=count)
            .map(|sequence| {
                let body = format!("{{\"n\":{sequence},\"text\":\"{}\"}}", "x\\n\"é".repeat(length));
                head = link(&head, sequence, sequence * 7, &body);
                let sealed = if sequence % 3 == 0 { vec![vec![7; 300], vec![]] } else { vec![] };
                RawRow { sequence, at: sequence * 7, body, hash: head, sealed }
            })
            .collect()
    }

    fn head_of(rows: &[RawRow]) -> Head {
        let last = rows.last().unwrap();
        Head { sequence: last.sequence, hash: last.hash }
    }

    fn identity() -> (tempfile::TempDir, Identity) {
        let folder = tempfile::tempdir().unwrap();
        let path = camino::Utf8Path::from_path(folder.path()).unwrap().join("identity");
        (folder, Identity::load_or_create(&path).unwrap())
    }

    #[test]
    fn what_is_packed_in_pieces_is_unpacked_whole() {
        let (_keep, me) = identity();
        for (count, length) in [(1, 1), (40, 20), (30, 20_000)] {
            let rows = rows(count, length);
            let (some, more) = rows.split_at(rows.len() / 2);
            let mut pieces = pack(some, &me.recipients()).unwrap();
            pieces.extend(pack(more, &me.recipients()).unwrap());
            let mirror: String = pieces.iter().map(|piece| format!("\n{piece}")).collect();
            assert!(!mirror.contains("text"));
            assert_eq!(unpack(mirror.as_bytes(), head_of(&rows), &me).unwrap(), rows);
            // Sent twice, once cut short: the disk was full, or the connection was lost.
            let cut = &mirror[..mirror.len() - 9];
            let twice = format!("{cut}\n{}", pieces.last().unwrap());
            assert_eq!(unpack(twice.as_bytes(), head_of(&rows), &me).unwrap(), rows);
            let error = unpack(cut.as_bytes(), head_of(&rows), &me).unwrap_err();
            assert!(matches!(error, MirrorError::Garbled { .. } | MirrorError::Sealed { .. }), "{error}");
        }
        assert!(pack(&[], &me.recipients()).unwrap().is_empty());
    }

    #[test]
    fn another_operator_cannot_open_it_and_a_shorter_one_is_noticed() {
        let ((_a, me), (_b, other)) = (identity(), identity());
        let rows = rows(9, 3);
        let mirror: String =
            pack(&rows[..6], &me.recipients()).unwrap().iter().map(|piece| format!("{piece}\n")).collect();
        let error = unpack(mirror.as_bytes(), head_of(&rows[..6]), &other).unwrap_err();
        assert!(
            matches!(error, MirrorError::Sealed { source: SealError::WrongIdentity { .. }, .. }),
            "{error}"
        );
        let error = unpack(mirror.as_bytes(), head_of(&rows), &me).unwrap_err();
        assert!(matches!(error, MirrorError::Short { found: 6, expected: 9 }), "{error}");
        let head = Head { sequence: 5, hash: [1; 32] };
        assert!(matches!(unpack(mirror.as_bytes(), head, &me), Err(MirrorError::Chain { row: 5 })));
        // Rows behind the head were being sent when the controller died.
        assert_eq!(unpack(mirror.as_bytes(), head_of(&rows[..4]), &me).unwrap(), rows[..4]);
    }

    proptest! {
        #[test]
        fn whatever_a_node_answers_is_rows_or_an_error(bytes: Vec<u8>, number: i64) {
            let (_keep, me) = identity();
            let _ = unpack(&bytes, Head { sequence: number, hash: [0; 32] }, &me);
            let text = String::from_utf8_lossy(&bytes);
            let _ = (text.parse::<Piece>(), text.parse::<Head>());
        }
    }
}
