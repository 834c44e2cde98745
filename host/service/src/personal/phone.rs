//! A phone number in somebody's text, however it is written.

use std::ops::Range;

/// Digits that are compared, from the end: what stands before them is a country's or a trunk's prefix.
const DIGITS: usize = 8;
/// Fewer digits are a year or a house, and no phone.
const DIGITS_MIN: usize = 6;
/// Most digits that stand before those that are compared: `00`, a country, the beginning of a network.
const PREFIX_MAX: usize = 7;

/// Whether it says enough to be looked for.
pub(super) fn is_whole(phone: &str) -> bool {
    digits(phone).len() >= DIGITS_MIN
}

/// Whether the text has the number.
pub(super) fn is_in(text: &str, phone: &str) -> bool {
    place(text, phone).is_some()
}

/// Puts `instead` in its place, wherever it stands.
pub(super) fn take_out(text: &mut String, phone: &str, instead: &str) {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(found) = place(rest, phone) {
        out.push_str(&rest[..found.start]);
        out.push_str(instead);
        rest = &rest[found.end..];
    }
    out.push_str(rest);
    *text = out;
}

/// A character that a phone number is written with.
pub(super) const fn is_of_a_phone(letter: char) -> bool {
    letter.is_ascii_digit()
        || matches!(
            letter,
            '+' | ' ' | '-' | '(' | ')' | '/' | '.' | '\u{a0}' | '\u{202f}' | '\u{2011}' | '–'
        )
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// Where a phone number stands in the text first, prefix included.
fn place(text: &str, phone: &str) -> Option<Range<usize>> {
    let phone = digits(phone);
    let end = &phone[phone.len().saturating_sub(DIGITS)..];
    if end.len() < DIGITS_MIN {
        return None;
    }
    let mut start = 0;
    for run in text.split_inclusive(|letter| !is_of_a_phone(letter)) {
        if let Some(found) = number_in(run, end) {
            return Some(start + found.start..start + found.end);
        }
        start += run.len();
    }
    None
}

/// The number that ends with these digits, in a text of phones alone: one may hold several, `+36 1 555 0100 / +36 30 555 0199`.
fn number_in(run: &str, end: &str) -> Option<Range<usize>> {
    let all: Vec<(usize, u8)> = run
        .bytes()
        .enumerate()
        .filter(|(_, byte)| byte.is_ascii_digit())
        .collect();
    let is_digit = |place: Option<usize>| {
        let byte = place.and_then(|place| run.as_bytes().get(place));
        byte.is_some_and(u8::is_ascii_digit)
    };
    let found = all.windows(end.len()).find(|window| {
        let (first, last) = (window[0].0, window[end.len() - 1].0);
        // So few digits are found in many a number: there they have to stand alone.
        let is_alone = end.len() == DIGITS || !is_digit(first.checked_sub(1));
        window.iter().map(|(_, byte)| byte).eq(end.as_bytes())
            && is_alone
            && !is_digit(Some(last + 1))
    })?;
    let (first, last) = (found[0].0, found[end.len() - 1].0);
    Some(prefix_of(&run[..first])..last + 1)
}

/// Where the prefix begins at the end of this: with its `+`, or with the first of few digits. More of them are another number, and stay.
fn prefix_of(before: &str) -> usize {
    let is_prefix = |text: &str| digits(text).len() <= PREFIX_MAX;
    match before.rfind('+') {
        Some(plus) if is_prefix(&before[plus..]) => plus,
        _ if is_prefix(before) => before
            .find(|letter: char| letter.is_ascii_digit())
            .unwrap_or(before.len()),
        _ => before.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(phone: &str, text: &str, without: &str) {
        let mut left = text.to_owned();
        take_out(&mut left, phone, "#");
        assert_eq!(left, without, "{phone} in {text}");
        assert_eq!(is_in(text, phone), text != without, "{phone} in {text}");
    }

    #[test]
    fn a_number_is_found_among_others_and_they_stay() {
        let check = |text: &str, without: &str| check("+36 1 555 0100", text, without);
        check("+36 1 555 0100 / +36 30 555 0199", "# / +36 30 555 0199");
        check("+36 30 555 0199 / +36 1 555 0100", "+36 30 555 0199 / #");
        check("0615550100 06305550199", "# 06305550199");
        check("06305550199 - 3615550100", "06305550199 - 36#");
        check("+3615550100/+3615550100 (home)", "#/# (home)");
        check("+36\u{a0}1\u{a0}555\u{a0}0100 12", "# 12");
        check(
            "+36 30 555 0199 / +36 70 555 0100",
            "+36 30 555 0199 / +36 70 555 0100",
        );
        check("order 155501009", "order 155501009");
    }

    #[test]
    fn a_short_number_is_found_where_it_stands_alone() {
        check("261215", "by 2026-12-15", "by 2026-12-15");
        check("261215", "call 26 12-15 or 12", "call # or 12");
        check("12", "12", "12");
    }
}
