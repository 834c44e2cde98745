//! S28: the mark before a name. The host puts it on and takes it off; no plugin ever sees it.

use alloc::format;
use alloc::string::{String, ToString};

/// Marks that Microsoft's connector, or an earlier setting of ours, may have left.
const HISTORIC: [&str; 8] = ["✔", "✖", "✓", "✗", "✘", "✅", "❌", "☑"];

/// The name without `mark` and without any historic one.
#[must_use]
pub fn strip<'a>(name: &'a str, mark: Option<&str>) -> &'a str {
    let mut rest = name;
    if let Some(mark) = mark.filter(|mark| !mark.is_empty()) {
        rest = without(rest, mark).unwrap_or(rest);
    }
    while let Some(shorter) = HISTORIC.iter().find_map(|mark| without(rest, mark)) {
        rest = shorter;
    }
    rest
}

fn without<'a>(name: &'a str, mark: &str) -> Option<&'a str> {
    // Emoji presentation (U+FE0F) is what some clients add to a plain mark on saving.
    let rest = name
        .trim_start()
        .strip_prefix(mark)?
        .trim_start_matches('\u{fe0f}');
    // A mark is followed by a space, or is the whole name; a name that merely begins with such a sign stays.
    if rest.is_empty() {
        Some(rest)
    } else {
        rest.strip_prefix([' ', '\u{a0}']).map(str::trim_start)
    }
}

/// The name with the mark and a space before it; the empty mark is none.
#[must_use]
pub fn put(name: &str, mark: &str) -> String {
    if mark.is_empty() {
        name.to_string()
    } else {
        format!("{mark} {name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s28_a_mark_comes_off_exactly() {
        assert_eq!(strip("✔ Data platform", Some("✔")), "Data platform");
        assert_eq!(strip("✓ ✖ Data platform", None), "Data platform");
        assert_eq!(strip("✔\u{fe0f} Data platform", None), "Data platform");
        assert_eq!(strip("[ok] Data", Some("[ok]")), "Data");
        assert_eq!(strip("✔mark Ltd", None), "✔mark Ltd");
        assert_eq!(strip(&put("Data", "✔"), Some("✔")), "Data");
        assert_eq!(put("Data", ""), "Data");
    }
}
