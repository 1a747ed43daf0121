//! The table of `status-oms.sh`, as the documentation's samples print it.

use super::{Config, MemberName, Role};
use crate::lab::product::Product;
use std::fmt::Write as _;

pub(super) const VERSION: &str = "V100R001C01";

/// What is known of one member; None of everything is printed as NULL.
pub(super) struct Row<'a> {
    pub name: &'a MemberName,
    pub known: Option<Known<'a>>,
}

pub(super) struct Known<'a> {
    pub start_time: &'a str,
    pub role: Role,
    pub all_normal: bool,
}

/// Returns the table; with the resources of `own` where the node has a role.
pub(super) fn render(product: Product, own: &Row<'_>, peer: &Row<'_>) -> String {
    let mut text = format!("{}\ndouble\n", product.mode_header());
    // Writing to a String cannot fail, here and below.
    let mut line = |cells: [&str; 7]| {
        let [node, host, version, start, active, all, phase] = cells;
        let row = format!("{node:<16} {host:<12} {version:<12} {start:<20} {active:<9} {all:<11} {phase}");
        let _ = writeln!(text, "{}", row.trim_end());
    };
    line(["NodeName", "HostName", "HAVersion", "StartTime", "HAActive", "HAAllResOK", "HARunPhase"]);
    for row in [own, peer] {
        let (node, host) = (row.name.node.as_str(), row.name.host.as_str());
        match &row.known {
            None => line([node, host, "NULL", "NULL", "NULL", "NULL", "NULL"]),
            Some(known) => line([
                node,
                host,
                VERSION,
                known.start_time,
                known.role.as_str(),
                product.all_normal(known.all_normal),
                match known.role {
                    Role::Active => "Actived",
                    Role::Standby => "Deactived",
                },
            ]),
        }
    }
    if let Some(known) = &own.known {
        let (float, database) = match known.role {
            Role::Active => ("Normal", "Active_normal"),
            Role::Standby => ("Stopped", "Standby_normal"),
        };
        let node = &own.name.node;
        text.push('\n');
        for [name, resource, status, health, kind] in [
            ["NodeName", "ResName", "ResStatus", "ResHAStatus", "ResType"],
            [node, "floatip", float, "Normal", "Single_active"],
            [node, "gaussDB", database, "Normal", "Active_standby"],
        ] {
            let _ = writeln!(text, "{name:<16} {resource:<9} {status:<15} {health:<12} {kind}");
        }
    }
    text
}

/// Returns the table of a node whose service does not run.
pub(in crate::lab) fn stopped_table(config: &Config) -> String {
    let [own, peer] = [&config.node, &config.peer].map(|name| Row { name, known: None });
    render(config.product, &own, &peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(product: Product, all_normal: bool) -> String {
        let name = |node: &str, host: &str| MemberName { node: node.into(), host: host.into() };
        let (one, two) = (name("10-77-1-1", "master1"), name("10-77-1-2", "master2"));
        let known = Known { start_time: "2021-09-01 07:12:05", role: Role::Active, all_normal };
        render(product, &Row { name: &one, known: Some(known) }, &Row { name: &two, known: None })
    }

    #[test]
    fn a_table_of_3_x_differs_in_its_header_and_its_case() {
        insta::assert_snapshot!(table(Product::Mrs3, true), @r"
        HAMode
        double
        NodeName         HostName     HAVersion    StartTime            HAActive  HAAllResOK  HARunPhase
        10-77-1-1        master1      V100R001C01  2021-09-01 07:12:05  active    Normal      Actived
        10-77-1-2        master2      NULL         NULL                 NULL      NULL        NULL

        NodeName         ResName   ResStatus       ResHAStatus  ResType
        10-77-1-1        floatip   Normal          Normal       Single_active
        10-77-1-1        gaussDB   Active_normal   Normal       Active_standby
        ");
    }

    #[test]
    fn the_table_reads_as_the_documented_sample() {
        let text = table(Product::Mrs2, false);
        insta::assert_snapshot!(text, @r"
        Ha mode
        double
        NodeName         HostName     HAVersion    StartTime            HAActive  HAAllResOK  HARunPhase
        10-77-1-1        master1      V100R001C01  2021-09-01 07:12:05  active    abnormal    Actived
        10-77-1-2        master2      NULL         NULL                 NULL      NULL        NULL

        NodeName         ResName   ResStatus       ResHAStatus  ResType
        10-77-1-1        floatip   Normal          Normal       Single_active
        10-77-1-1        gaussDB   Active_normal   Normal       Active_standby
        ");
    }
}
