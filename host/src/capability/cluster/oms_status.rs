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
mod tests;
