//! Many names in few words.

/// A few of many names, and how many more there are.
pub fn list(names: &[String]) -> String {
    const SHOWN: usize = 5;
    match names {
        [] => "none".into(),
        [one] => one.clone(),
        few if few.len() <= SHOWN => {
            let (last, others) = few.split_last().map_or(("", few), |(last, others)| (last.as_str(), others));
            format!("{} and {last}", others.join(", "))
        }
        many => format!("{} and {} more", many[..SHOWN].join(", "), many.len() - SHOWN),
    }
}

/// `1 node`, `3 nodes`.
pub fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        several => format!("{several} {what}s"),
    }
}

/// `member1 is`, `member1 and member2 are`.
pub fn are(names: &[String]) -> String {
    format!("{} {}", list(names), if names.len() == 1 { "is" } else { "are" })
}
