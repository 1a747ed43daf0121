//! What differs between two texts, line by line.

/// Lines that are compared; of longer texts only that they differ is told.
const MOST: usize = 5_000;
/// Lines that are shown around one that differs.
const AROUND: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Both,
    Before,
    Now,
}

/// Returns the lines that differ, `-` before what was and `+` before what is, with some around them; none where
/// nothing differs.
pub fn difference(before: &[String], now: &[String]) -> Vec<String> {
    if before == now {
        return Vec::new();
    }
    if before.len().max(now.len()) > MOST {
        return vec![format!("  {} lines were recorded, and there are {} now", before.len(), now.len())];
    }
    let all = aligned(before, now);
    let mut lines = Vec::new();
    let mut skipped = false;
    for (at, (side, line)) in all.iter().enumerate() {
        let near = all.iter().skip(at.saturating_sub(AROUND)).take(2 * AROUND + 1);
        if near.clone().all(|(side, _)| *side == Side::Both) {
            skipped = true;
            continue;
        }
        if std::mem::take(&mut skipped) {
            lines.push("  …".to_owned());
        }
        let mark = match side {
            Side::Both => ' ',
            Side::Before => '-',
            Side::Now => '+',
        };
        lines.push(format!("{mark} {line}"));
    }
    lines
}

/// Both texts as one: the longest that they have in common, with what only one has in its place.
fn aligned<'a>(before: &'a [String], now: &'a [String]) -> Vec<(Side, &'a str)> {
    // How many lines the rests from here on have in common.
    let width = now.len() + 1;
    let mut common = vec![0u32; (before.len() + 1) * width];
    for (i, one) in before.iter().enumerate().rev() {
        for (j, other) in now.iter().enumerate().rev() {
            common[i * width + j] = match one == other {
                true => common[(i + 1) * width + j + 1] + 1,
                false => common[(i + 1) * width + j].max(common[i * width + j + 1]),
            };
        }
    }
    let mut all = Vec::with_capacity(before.len().max(now.len()));
    let (mut i, mut j) = (0, 0);
    loop {
        match (before.get(i), now.get(j)) {
            (None, None) => return all,
            (Some(one), Some(other)) if one == other => {
                all.push((Side::Both, one.as_str()));
                (i, j) = (i + 1, j + 1);
            }
            (Some(one), _) if j == now.len() || common[(i + 1) * width + j] >= common[i * width + j + 1] => {
                all.push((Side::Before, one.as_str()));
                i += 1;
            }
            (_, Some(other)) => {
                all.push((Side::Now, other.as_str()));
                j += 1;
            }
            // Where the second text has ended the first is taken above.
            (Some(_), None) => return all,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn check(before: &str, now: &str, expected: &[&str]) {
        assert_eq!(difference(&lines(before), &lines(now)), expected, "{before} / {now}");
    }

    #[test]
    fn what_differs_is_shown_with_what_is_around_it() {
        check("a b c", "a b c", &[]);
        check("", "a", &["+ a"]);
        check("a", "", &["- a"]);
        check("a b c d e f", "a b X d e f", &["  a", "  b", "- c", "+ X", "  d", "  e"]);
        check("1 2 3 4 5 6", "1 2 3 4 5 6 7", &["  …", "  5", "  6", "+ 7"]);
        check("a b c d", "b c d e", &["- a", "  b", "  c", "  d", "+ e"]);
    }

    #[test]
    fn texts_that_are_too_long_are_only_counted() {
        let long = vec![String::new(); MOST + 1];
        assert_eq!(
            difference(&long, &[]),
            [format!("  {} lines were recorded, and there are 0 now", MOST + 1)]
        );
    }
}
