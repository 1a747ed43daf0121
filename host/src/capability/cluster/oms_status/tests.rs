//! Tables of every kind that the documentation shows, and of none.

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

/// A table as one version prints it on one day, and what must be read from it.
struct Variant {
    text: String,
    expected: OmsStatus,
}

/// How each member is known; `NULL` in every column where it is not.
const KNOWN: [[bool; 2]; 4] = [[true, true], [true, false], [false, true], [false, false]];
/// The header of the mode, in both spellings, with the mode beside it or below.
const HEADERS: [&str; 7] = [
    "Ha mode\ndouble\n",
    "Ha mode: double\n",
    "HAMode\ndouble\n",
    "HAMode\n\nDouble\n",
    "HAMode: Double\n",
    "HAMODE DOUBLE\n",
    "ha MODE\ndouble\n",
];
/// Every state of a resource, and of its HA, that the documentation lists.
const STATUSES: [&str; 13] = [
    "Normal",
    "Abnormal",
    "Stopped",
    "Unknown",
    "Starting",
    "Stopping",
    "Active_normal",
    "Standby_normal",
    "Raising_active",
    "Lowing_standby",
    "No_action",
    "Repairing",
    "NULL",
];
const HA_STATUSES: [&str; 5] = ["Normal", "Exception", "Non_steady", "Unknown", "NULL"];

/// Every header × case of the values × members known × states × resources × line ending × width of a column.
fn variants() -> Vec<Variant> {
    let cases: [fn(&str) -> String; 3] =
        [|word| word.to_owned(), |word| word[..1].to_uppercase() + &word[1..], |word| word.to_uppercase()];
    let mut variants = Vec::new();
    for header in HEADERS {
        for cased in cases {
            for known in KNOWN {
                for states in [["normal", "normal"], ["abnormal", "normal"], ["abnormal", "abnormal"]] {
                    for (resources, newline, gap) in
                        [(0, "\n", "  "), (1, "\r\n", " "), (13, "\n", "\t"), (13, "\r\n", "     ")]
                    {
                        variants.push(variant(header, cased, known, states, resources, newline, gap));
                    }
                }
            }
        }
    }
    variants
}

fn variant(
    header: &str,
    cased: fn(&str) -> String,
    known: [bool; 2],
    states: [&str; 2],
    resources: usize,
    newline: &str,
    gap: &str,
) -> Variant {
    let mut lines: Vec<String> = header.lines().map(str::to_owned).collect();
    let mut line = |cells: &[&str]| lines.push(cells.join(gap));
    line(&["NodeName", "HostName", "HAVersion", "StartTime", "HAActive", "HAAllResOK", "HARunPhase"]);
    let mut expected = OmsStatus { mode: Some("double".into()), members: Vec::new(), resources: Vec::new() };
    for (at, (role, phase)) in [("active", "Actived"), ("standby", "Deactived")].into_iter().enumerate() {
        let (ip, host) = (format!("192-168-0-{at}"), format!("Master{at}"));
        if known[at] {
            let (role_cased, state_cased) = (cased(role), cased(states[at]));
            line(&[&ip, &host, "V100R001C01", "2021-09-01", "07:12:05", &role_cased, &state_cased, phase]);
            expected.members.push(row(&ip, &host, role, states[at], phase));
        } else {
            line(&[&ip, &host, "NULL", "NULL", "NULL", "NULL", "NULL"]);
            expected.members.push(row(&ip, &host, "null", "null", "NULL"));
        }
    }
    if resources > 0 {
        line(&[]);
        line(&["NodeName", "ResName", "ResStatus", "ResHAStatus", "ResType"]);
    }
    for at in 0..resources {
        let cells =
            ["10_10_10_231", "gaussDB", STATUSES[at], HA_STATUSES[at % HA_STATUSES.len()], "Active_standby"];
        line(&cells);
        let [node_name_ip, name, status, ha_status, kind] = cells.map(String::from);
        expected.resources.push(ResourceRow { node_name_ip, name, status, ha_status, kind });
    }
    Variant { text: lines.join(newline) + newline, expected }
}

#[test]
fn every_documented_variant_is_read_as_what_it_says() {
    let variants = variants();
    assert!(variants.len() > 1000, "{}", variants.len());
    for Variant { text, expected } in variants {
        assert_eq!(parse(text.as_bytes()).as_ref().ok(), Some(&expected), "{text}");
    }
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
