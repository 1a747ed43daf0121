//! Reads the table that the product's `status-oms.sh` prints.
//!
//! ```text
//! Ha mode
//! double
//! NodeName      HostName   HAVersion    StartTime            HAActive  HAAllResOK  HARunPhase
//! 192-168-0-30  Master1    V100R001C01  2021-09-01 07:12:05  active    normal      Actived
//! ```
//!
//! 3.x writes `HAMode`; some versions add a second table, of resources. Values differ in case between
//! versions, a start time has a blank in it, and anything may be NULL while a node restarts.

use super::{ClusterError, shown};
use crate::model::{Health, NodeName};

/// Most bytes that are read.
pub const LIMIT: usize = 64 << 10;

/// What one node reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OmsStatus {
    /// `double` or `single`, lower case; None where it is not printed.
    pub mode: Option<String>,
    /// At least one.
    pub members: Vec<MemberRow>,
    /// Empty where the version prints none.
    pub resources: Vec<ResourceRow>,
}

/// A row of the first table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberRow {
    pub host_name: String,
    /// As printed: an address with `-` or `_` for its dots.
    pub node_name_ip: String,
    /// `active`, `standby` or `null`.
    pub role: String,
    /// `normal`, `abnormal` or `null`.
    pub state: String,
    /// The product's own word, as `Actived`.
    pub phase: String,
}

/// A row of the second table; values as printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceRow {
    pub node_name_ip: String,
    pub name: String,
    pub status: String,
    pub ha_status: String,
    pub kind: String,
}

impl OmsStatus {
    /// Returns the members as health records. `node_of` names the site's node that a row is about, or gives
    /// an empty string.
    pub fn health(&self, reporter: &NodeName, node_of: impl Fn(&MemberRow) -> String) -> Vec<Health> {
        let record = |row: &MemberRow| Health {
            reporter: reporter.clone(),
            node: node_of(row),
            role: row.role.clone(),
            state: row.state.clone(),
            phase: row.phase.clone(),
        };
        self.members.iter().map(record).collect()
    }
}

/// Which table a line belongs to.
#[derive(Clone, Copy)]
enum Place {
    Outside,
    /// The next line that is not blank is the mode.
    Mode,
    Members(Columns),
    Resources,
}

/// Where the columns are; those behind the start time are counted from the end of a row.
#[derive(Clone, Copy)]
struct Columns {
    count: usize,
    node_name: usize,
    host_name: usize,
    role_from_end: usize,
    state_from_end: usize,
    phase_from_end: usize,
}

/// Reads at most [`LIMIT`] bytes. A row that does not fit its header, or a role or state that is none of the
/// documented ones, is an error: what decides over a restart is not guessed.
pub fn parse(output: &[u8]) -> Result<OmsStatus, ClusterError> {
    if output.len() > LIMIT {
        return Err(ClusterError::TableTooLong { limit: LIMIT });
    }
    let text = String::from_utf8_lossy(output);
    let mut status = OmsStatus { mode: None, members: Vec::new(), resources: Vec::new() };
    let mut place = Place::Outside;
    for (index, line) in text.lines().enumerate() {
        let wrong = |why: String| ClusterError::Table { line: index + 1, why };
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.is_empty() {
            // A blank line ends a table, not the wait for the mode.
            if !matches!(place, Place::Mode) {
                place = Place::Outside;
            }
            continue;
        }
        if has(&words, "NodeName") && has(&words, "HAActive") {
            place = Place::Members(columns(&words).ok_or_else(|| wrong("its header lacks a column".into()))?);
            continue;
        }
        if has(&words, "NodeName") && has(&words, "ResName") {
            place = Place::Resources;
            continue;
        }
        if let Some(mode) = mode(&words) {
            place = if mode.is_empty() { Place::Mode } else { Place::Outside };
            status.mode = Some(mode).filter(|mode| !mode.is_empty());
            continue;
        }
        match place {
            // Prose around the tables: banners, warnings of a login shell.
            Place::Outside => {}
            Place::Mode => {
                status.mode = Some(shown(words[0]).to_lowercase());
                place = Place::Outside;
            }
            Place::Members(columns) => status.members.push(member(columns, &words).map_err(wrong)?),
            Place::Resources => status.resources.push(resource(&words).map_err(wrong)?),
        }
    }
    if status.members.is_empty() {
        return Err(ClusterError::NoTable);
    }
    Ok(status)
}

fn has(words: &[&str], wanted: &str) -> bool {
    words.iter().any(|word| word.eq_ignore_ascii_case(wanted))
}

/// Returns what follows the words `Ha mode` or `HAMode` on their line; None where they do not begin it.
fn mode(words: &[&str]) -> Option<String> {
    let (first, rest) = words.split_first()?;
    let title = |word: &str, wanted: &str| word.trim_end_matches(':').eq_ignore_ascii_case(wanted);
    let rest = match rest.split_first() {
        _ if title(first, "HAMode") => rest,
        Some((second, rest)) if title(first, "Ha") && title(second, "mode") => rest,
        _ => return None,
    };
    Some(rest.first().map(|word| shown(word).to_lowercase()).unwrap_or_default())
}

fn columns(header: &[&str]) -> Option<Columns> {
    let at = |name: &str| header.iter().position(|word| word.eq_ignore_ascii_case(name));
    let from_end = |name: &str| Some(header.len() - at(name)?);
    let columns = Columns {
        count: header.len(),
        node_name: at("NodeName")?,
        host_name: at("HostName")?,
        role_from_end: from_end("HAActive")?,
        state_from_end: from_end("HAAllResOK")?,
        phase_from_end: from_end("HARunPhase")?,
    };
    let start = at("StartTime")?;
    let before = columns.node_name.max(columns.host_name) < start;
    let behind = [columns.role_from_end, columns.state_from_end, columns.phase_from_end];
    (before && behind.iter().all(|from_end| columns.count - from_end > start)).then_some(columns)
}

fn member(columns: Columns, words: &[&str]) -> Result<MemberRow, String> {
    // A start time is a date and a time, or the one word NULL.
    if words.len() != columns.count && words.len() != columns.count + 1 {
        return Err(format!("it has {} words for {} columns", words.len(), columns.count));
    }
    let from_end = |count: usize| words[words.len() - count];
    let one_of = |column: &str, value: &str, allowed: &[&str]| {
        let lower = value.to_ascii_lowercase();
        match allowed.contains(&lower.as_str()) {
            true => Ok(lower),
            false => Err(format!("{column} is {:?}, none of {}", shown(value), allowed.join(", "))),
        }
    };
    Ok(MemberRow {
        host_name: shown(words[columns.host_name]),
        node_name_ip: shown(words[columns.node_name]),
        role: one_of("HAActive", from_end(columns.role_from_end), &["active", "standby", "null"])?,
        state: one_of("HAAllResOK", from_end(columns.state_from_end), &["normal", "abnormal", "null"])?,
        phase: shown(from_end(columns.phase_from_end)),
    })
}

fn resource(words: &[&str]) -> Result<ResourceRow, String> {
    let [node_name_ip, name, status, ha_status, kind] = words[..] else {
        return Err(format!("it has {} words for 5 columns", words.len()));
    };
    Ok(ResourceRow {
        node_name_ip: shown(node_name_ip),
        name: shown(name),
        status: shown(status),
        ha_status: shown(ha_status),
        kind: shown(kind),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TWO: &str = "\
Ha mode
double
NodeName      HostName   HAVersion    StartTime            HAActive  HAAllResOK  HARunPhase
192-168-0-30  Master1    V100R001C01  2021-09-01 07:12:05  active    normal      Actived
192-168-0-24  Master2    V100R001C01  2021-09-01 07:14:02  standby   normal      Deactived

NodeName      ResName   ResStatus       ResHAStatus  ResType
10-10-10-160  floatip   Normal          Normal       Single_active
10_10_10_231  gaussDB   Standby_normal  Normal       Active_standby
";

    fn row(ip: &str, host: &str, role: &str, state: &str, phase: &str) -> MemberRow {
        let [node_name_ip, host_name, role, state, phase] = [ip, host, role, state, phase].map(String::from);
        MemberRow { host_name, node_name_ip, role, state, phase }
    }

    #[test]
    fn the_documented_output_is_read_whole() {
        let status = parse(TWO.as_bytes()).unwrap();
        assert_eq!(status.mode.as_deref(), Some("double"));
        assert_eq!(
            status.members,
            [
                row("192-168-0-30", "Master1", "active", "normal", "Actived"),
                row("192-168-0-24", "Master2", "standby", "normal", "Deactived"),
            ]
        );
        assert_eq!(status.resources.len(), 2);
        assert_eq!(status.resources[1].status, "Standby_normal");

        let reporter = NodeName::new("m1").unwrap();
        let health = status.health(&reporter, |row| row.host_name.to_lowercase());
        assert_eq!((health[1].node.as_str(), health[1].role.as_str()), ("master2", "standby"));
    }

    #[test]
    fn other_versions_spell_and_case_it_otherwise() {
        let other = TWO
            .replace("Ha mode\ndouble", "HAMode: Double")
            .replace("active    normal", "Active    Normal")
            .replace('\n', "\r\n")
            .replace("NodeName", "Nodename");
        assert_eq!(parse(other.as_bytes()).unwrap(), parse(TWO.as_bytes()).unwrap());
    }

    #[test]
    fn null_stands_in_every_column_while_a_node_restarts() {
        let table = TWO.replace(
            "2021-09-01 07:14:02  standby   normal      Deactived",
            "NULL                 NULL      NULL        NULL",
        );
        let status = parse(table.as_bytes()).unwrap();
        assert_eq!(status.members[1], row("192-168-0-24", "Master2", "null", "null", "NULL"));
    }

    #[test]
    fn the_table_is_found_among_other_words_and_without_a_mode() {
        let table = TWO.replace("Ha mode\ndouble\n", "Last login: today\nauthorised use only\n");
        let status = parse(table.as_bytes()).unwrap();
        assert_eq!((status.mode, status.members.len()), (None, 2));
    }

    #[test]
    fn what_cannot_be_read_is_named_by_line_and_harmless() {
        let check = |from: &str, to: &str, part: &str| {
            let error = parse(TWO.replace(from, to).as_bytes()).unwrap_err().to_string();
            assert!(error.contains(part) && !error.contains('\u{1b}'), "{error}");
        };
        check("standby   normal", "master    normal", "line 5 of the health table");
        check("standby   normal", "master    normal", "HAActive is \"master\", none of active, standby");
        check("standby   normal", "standby   fine\u{1b}[2J", "HAAllResOK is \"fine\u{fffd}[2J\"");
        check("Master2    V100R001C01  2021-09-01 07:14:02", "Master2", "it has 5 words for 7 columns");
        check("  HAAllResOK", "", "lacks a column");
        check("  floatip   Normal  ", "  floatip   ", "it has 4 words for 5 columns");
        assert!(matches!(parse(b"bash: status-oms.sh: not found"), Err(ClusterError::NoTable)));
        assert!(matches!(parse(b""), Err(ClusterError::NoTable)));
        assert!(matches!(parse(&vec![b' '; LIMIT + 1]), Err(ClusterError::TableTooLong { .. })));
    }

    #[test]
    fn two_active_rows_are_reported_as_they_are() {
        let status = parse(TWO.replace("standby", "active").as_bytes()).unwrap();
        assert!(status.members.iter().all(|row| row.role == "active"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let _ = parse(&bytes);
        }

        /// Words of the table in any order and number: parsed or refused, and never with a control character.
        #[test]
        fn no_arrangement_of_its_own_words_makes_it_panic(
            words in prop::collection::vec(
                prop::sample::select(vec![
                    "NodeName", "HostName", "HAVersion", "StartTime", "HAActive", "HAAllResOK", "HARunPhase",
                    "ResName", "active", "standby", "NULL", "normal", "Ha", "mode", "HAMode", "\n", "\n", "\n\n",
                    "\u{1b}[31m", "\u{0}", "2021-09-01",
                ]),
                0..60,
            ),
        ) {
            if let Ok(status) = parse(words.join(" ").as_bytes()) {
                prop_assert!(!status.members.is_empty());
                for row in &status.members {
                    let all = [&row.host_name, &row.node_name_ip, &row.role, &row.state, &row.phase];
                    prop_assert!(all.iter().all(|text| !text.chars().any(char::is_control)));
                }
            }
        }
    }
}
