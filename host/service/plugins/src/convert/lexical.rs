//! How numbers, days, moments and ids are spelled in the contract, strictly.

use cosell_sync::deal::{Date, Decimal, Timestamp};

/// Longest logical name in Dataverse, with room.
const NAME_CHARS: usize = 128;
/// Longest label, id or setting name of a plugin.
const LABEL_CHARS: usize = 64;

/// `estimatedvalue`: a logical name of a table or column. `_parentaccountid_value` is OData's spelling and no logical name.
pub(crate) fn is_logical_name(text: &str) -> bool {
    let mut letters = text.bytes();
    text.len() <= NAME_CHARS
        && letters
            .next()
            .is_some_and(|first| first.is_ascii_lowercase())
        && letters
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'_')
}

/// `[a-z0-9-]{1,64}`: plugin ids, setting names.
pub(crate) fn is_label(text: &str) -> bool {
    (1..=LABEL_CHARS).contains(&text.len())
        && text
            .bytes()
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'-')
}

/// ISO 3166-1 alpha-2, `HU`.
pub(crate) fn is_alpha2(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|letter| letter.is_ascii_uppercase())
}

/// ISO 4217, `EUR`.
pub(super) fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|letter| letter.is_ascii_uppercase())
}

/// `-?[0-9]+(\.[0-9]+)?`
pub(super) fn decimal(text: &str) -> Option<Decimal> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits
        .split_once('.')
        .map_or((digits, None), |(whole, fraction)| (whole, Some(fraction)));
    let all_digits =
        |part: &str| !part.is_empty() && part.bytes().all(|digit| digit.is_ascii_digit());
    if !all_digits(whole) || !fraction.is_none_or(all_digits) {
        return None;
    }
    Decimal::from_str_exact(text).ok()
}

/// `2026-09-30`
pub(super) fn date(text: &str) -> Option<Date> {
    is_shaped(text, "dddd-dd-dd")
        .then(|| text.parse().ok())
        .flatten()
}

/// `2026-09-30T14:05:00Z`, with up to seven fractional digits.
pub(super) fn timestamp(text: &str) -> Option<Timestamp> {
    let (seconds, rest) = text.split_at_checked(19)?;
    let fraction = rest.strip_suffix('Z')?;
    let fraction_is_fine = fraction.is_empty()
        || fraction.strip_prefix('.').is_some_and(|digits| {
            (1..=7).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit())
        });
    (fraction_is_fine && is_shaped(seconds, "dddd-dd-ddTdd:dd:dd"))
        .then(|| text.parse().ok())
        .flatten()
}

/// As the contract spells it: no more than seven fractional digits.
pub(crate) fn timestamp_text(moment: Timestamp) -> String {
    as_told(moment).to_string()
}

/// The moment that a plugin reads there.
pub(crate) fn as_told(moment: Timestamp) -> Timestamp {
    let hundreds = i64::from(moment.subsec_nanosecond() % 100);
    // A moment at the very end of time keeps its digits: it has no earlier neighbour to round to.
    moment
        .checked_sub(jiff::SignedDuration::from_nanos(hundreds))
        .unwrap_or(moment)
}

/// A GUID in any case and with or without braces; lower case without them.
pub(super) fn guid(text: &str) -> Option<String> {
    let bare = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'))
        .unwrap_or(text);
    let groups: Vec<_> = bare.split('-').collect();
    let is_guid = groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && bare.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit());
    is_guid.then(|| bare.to_ascii_lowercase())
}

/// `d` stands for a digit, everything else for itself.
fn is_shaped(text: &str, shape: &str) -> bool {
    text.len() == shape.len()
        && text.bytes().zip(shape.bytes()).all(|(letter, wanted)| {
            if wanted == b'd' {
                letter.is_ascii_digit()
            } else {
                letter == wanted
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact_or_refused() {
        for good in ["0", "-1", "125000.00", "0.0000001"] {
            assert_eq!(decimal(good).unwrap().to_string(), good);
        }
        for bad in [
            "",
            "-",
            "1.",
            ".5",
            "+1",
            "1e3",
            "1,5",
            "1 000",
            "١",
            "NaN",
            "79228162514264337593543950336",
        ] {
            assert_eq!(decimal(bad), None, "{bad}");
        }
    }

    #[test]
    fn days_and_moments_have_one_spelling() {
        assert_eq!(date("2026-09-30").unwrap().to_string(), "2026-09-30");
        for bad in [
            "2026-9-30",
            "2026-02-30",
            "20260930",
            "2026-09-30T00:00:00Z",
        ] {
            assert_eq!(date(bad), None, "{bad}");
        }
        for good in ["2026-09-30T14:05:00Z", "2026-09-30T14:05:00.1234567Z"] {
            assert_eq!(timestamp_text(timestamp(good).unwrap()), good);
        }
        for bad in [
            "2026-09-30T14:05:00",
            "2026-09-30T14:05:00+02:00",
            "2026-09-30T14:05:00.12345678Z",
            "2026-09-30 14:05:00Z",
            "é",
        ] {
            assert_eq!(timestamp(bad), None, "{bad}");
        }
        let fine: Timestamp = "2026-09-30T14:05:00.123456789Z".parse().unwrap();
        assert_eq!(timestamp_text(fine), "2026-09-30T14:05:00.1234567Z");
    }

    #[test]
    fn ids_are_lower_case_and_whole() {
        assert_eq!(
            guid("{7F3C0A00-0000-4000-8000-00000000ABCD}").unwrap(),
            "7f3c0a00-0000-4000-8000-00000000abcd"
        );
        for bad in [
            "7f3c",
            "7f3c0a00-0000-4000-8000-00000000abcg",
            "7f3c0a0000004000800000000000abcd",
            "",
        ] {
            assert_eq!(guid(bad), None, "{bad}");
        }
    }
}
