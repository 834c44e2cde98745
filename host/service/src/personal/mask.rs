//! What a log may say of a sentence that a plugin or a vendor made: no mail, no phone, and nothing that it quotes. No table knows what stands in a
//! sentence, so this goes by the form. What is hidden in the log stands whole in the store, and `cosell deal` shows it.

use std::net::Ipv4Addr;
use std::ops::Range;

use cosell_sync::row::Needs;

use super::phone::is_of_a_phone;

/// What stands for what is not said.
const HIDDEN: &str = "…";
/// Opening quotes, each with what closes it: a German quote ends as an English one begins.
const QUOTES: [(char, &[char]); 3] = [('"', &['"']), ('“', &['”']), ('„', &['“', '”'])];
/// Less digits are a house or a year.
const PHONE_DIGITS_MIN: usize = 7;
/// More digits in one are an id. (E.164, and `00` before it)
const PHONE_DIGITS_MAX: usize = 17;

/// For logs: the text without mails, phones and what it quotes.
pub(crate) fn mask(text: &str) -> String {
    mask_beside(text, &Needs::default())
}

/// The same where these are the columns of the deal: how the CRM calls a column is nobody's data.
pub(crate) fn mask_beside(text: &str, needs: &Needs) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let opening = QUOTES.map(|(open, _)| open);
    while let Some(start) = rest.find(opening) {
        let (before, from) = rest.split_at(start);
        out.push_str(&in_the_open(before));
        let Some((open, closing)) = QUOTES.into_iter().find(|(open, _)| from.starts_with(*open))
        else {
            break;
        };
        out.push(open);
        let inside = &from[open.len_utf8()..];
        let Some((end, close)) = end_of(inside, closing) else {
            // Cut, or never closed: nobody knows how far it quotes.
            out.push_str(HIDDEN);
            return out;
        };
        let said = &inside[..end];
        out.push_str(if is_kept(said, needs) { said } else { HIDDEN });
        out.push(close);
        rest = &inside[end + close.len_utf8()..];
    }
    out.push_str(&in_the_open(rest));
    out
}

/// Where a quote ends, and with what. A quote that is quoted itself, `\"`, ends nothing.
fn end_of(inside: &str, closing: &[char]) -> Option<(usize, char)> {
    let mut is_escaped = false;
    for (place, letter) in inside.char_indices() {
        if closing.contains(&letter) && !is_escaped {
            return Some((place, letter));
        }
        is_escaped = letter == '\\' && !is_escaped;
    }
    None
}

/// Names of plugins, columns and connections, and the labels of columns.
fn is_kept(said: &str, needs: &Needs) -> bool {
    let is_identifier = said
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-/:".contains(&byte));
    (is_identifier && !is_phone(said)) || needs.brings.iter().any(|own| own.label == said)
}

/// What nobody quotes: without mails and phones.
fn in_the_open(text: &str) -> String {
    let mut said: Vec<String> = Vec::new();
    // Words that could be one phone number together.
    let mut number: Vec<&str> = Vec::new();
    for word in text.split(' ') {
        let part = of_a_number(word).filter(|_| !is_mail(word));
        if part.as_ref().is_none_or(|part| part.start > 0) {
            said.append(&mut spoken(&number));
            number.clear();
        }
        match part {
            Some(part) => {
                number.push(word);
                // What ends a part of the sentence ends a number, too.
                if part.end < word.len() {
                    said.append(&mut spoken(&number));
                    number.clear();
                }
            }
            None => said.push(if is_mail(word) { "…@…" } else { word }.to_owned()),
        }
    }
    said.append(&mut spoken(&number));
    said.join(" ")
}

fn is_mail(word: &str) -> bool {
    word.split_once('@')
        .is_some_and(|(name, at)| !name.is_empty() && at.contains('.'))
}

/// What of a word could be of a phone number: without what stands before it (`tel:`) and ends the sentence after it.
fn of_a_number(word: &str) -> Option<Range<usize>> {
    let ended = word.trim_end_matches([',', ';', ':', '!', '?']);
    let letters = ended.char_indices().rev();
    let mut strange = letters.filter(|(_, letter)| !is_of_a_phone(*letter));
    let start = strange
        .next()
        .map_or(0, |(place, letter)| place + letter.len_utf8());
    let (before, part) = ended.split_at(start);
    // What stands close to a letter is a part of an id, a version or an address: `7f3c-1111`, `v9.2`.
    let is_apart = !before.ends_with(char::is_alphanumeric) || part.starts_with(['.', '+', '(']);
    let is_number = part.bytes().any(|byte| byte.is_ascii_digit());
    let is_between = before.is_empty() && !part.is_empty();
    (is_apart && (is_number || is_between)).then_some(start..ended.len())
}

/// Words of digits as they are told: hidden where they are a phone number together. Beside a date or an id they are another thing.
fn spoken(words: &[&str]) -> Vec<String> {
    if let Some(place) = words.iter().position(|word| is_date_or_id(bare(word))) {
        let mut said = spoken(&words[..place]);
        said.push(words[place].to_owned());
        said.append(&mut spoken(&words[place + 1..]));
        return said;
    }
    let whole = words.join(" ");
    let number = of_a_number(&whole).map(|part| &whole[part]);
    match number.map(bare).filter(|number| is_phone(number)) {
        Some(number) => vec![whole.replace(number, HIDDEN)],
        None => words.iter().map(|word| (*word).to_owned()).collect(),
    }
}

/// Without brackets and what else stands around a number.
fn bare(number: &str) -> &str {
    let is_around = |letter: char| !letter.is_ascii_digit() && letter != '+';
    number.trim_matches(is_around)
}

/// `2026-12-15`, a GUID of digits alone, an address of a machine.
fn is_date_or_id(word: &str) -> bool {
    let has_digits_alone = word
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'-');
    let is_of = |lengths: &[usize]| {
        let parts = word.split('-').map(str::len);
        has_digits_alone && parts.eq(lengths.iter().copied())
    };
    is_of(&[4, 2, 2]) || is_of(&[8, 4, 4, 4, 12]) || word.parse::<Ipv4Addr>().is_ok()
}

/// Whether it is written as phone numbers are: with a `+` or a `0` before it, or in groups. A bare number is an amount, a code or a moment, and one
/// with a point is a fraction.
fn is_phone(number: &str) -> bool {
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    if digits < PHONE_DIGITS_MIN || !number.chars().all(is_of_a_phone) || is_date_or_id(number) {
        return false;
    }
    let has_prefix = number.starts_with(['+', '0']) && !number.starts_with("0.");
    let groups = number.split(|letter: char| !letter.is_ascii_digit());
    match groups.filter(|group| !group.is_empty()).count() {
        1 => has_prefix && digits <= PHONE_DIGITS_MAX,
        2 => has_prefix || number.contains(['-', '/']),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use cosell_sync::row::{ColumnKind, OwnColumn};

    use super::*;

    fn check(said: &str, logged: &str) {
        assert_eq!(mask(said), logged, "{said}");
    }

    #[test]
    fn a_log_quotes_nobody_and_names_no_mail() {
        check(
            r#"contact "Zsófia Kereszturi" (zsofia@kereszturi.hu) has no phone: "opportunity.name" is too long"#,
            r#"contact "…" …@… has no phone: "opportunity.name" is too long"#,
        );
        check(
            "ask anna@kovacs.hu:25 or b.nagy@kovacs.hu.2",
            "ask …@… or …@…",
        );
    }

    #[test]
    fn a_log_keeps_what_the_crm_calls_a_column() {
        let mut needs = Needs::default();
        needs.brings.push(OwnColumn {
            table: "opportunity".into(),
            column: "new_sync".into(),
            kind: ColumnKind::Bool,
            label: "Sync With Partner Center".into(),
            role: None,
        });
        let said = r#""Sync With Partner Center" is not switched on for "Kereszturi Kft.""#;
        let logged = r#""Sync With Partner Center" is not switched on for "…""#;
        assert_eq!(mask_beside(said, &needs), logged);
        // Who does not know the columns says less, and never more.
        check(said, r#""…" is not switched on for "…""#);
    }

    #[test]
    fn a_log_tells_no_phone() {
        for phone in [
            "+36 1 555 0147",
            "+3615550147",
            "(+36)1/5550147",
            "06 1 555-0147",
            "0615550147",
            "0036 1 5550147",
            "(06-1) 555 01 47",
            "555-0147",
            "555 123 4567",
            "+36\u{a0}1\u{a0}555\u{a0}0147",
            "06 1 555 0100 / 06 30 555 0199",
        ] {
            for (before, after) in [
                ("call ", " or not"),
                ("", ""),
                ("2026-12-15 ", ", 3 times"),
                ("phone:", ". It rang"),
            ] {
                let logged = mask(&format!("{before}{phone}{after}"));
                assert!(!logged.contains("55"), "{logged}");
                assert!(logged.contains(HIDDEN), "{logged}");
                assert!(
                    logged.starts_with(before.trim_end()) && logged.ends_with(after),
                    "{logged}"
                );
            }
        }
        check("tel.+36 1 555 0147, fax 12", "tel.…, fax 12");
        check("0615550147 2026-12-15 0615550147", "… 2026-12-15 …");
        check(
            "the phone \"0615550147\" is taken",
            "the phone \"…\" is taken",
        );
    }

    #[test]
    fn a_log_keeps_ids_moments_codes_and_amounts() {
        for said in [
            "by 2026-12-15 for 125000 EUR",
            "waits until 2026-12-15 10:00 and 2026-12-15T10:00:00Z",
            "opportunity 00000000-0000-4000-8000-000000000012 with referral 8b1c3f0e-1111-4222-8333-444455556666",
            "Dataverse refused it (0x80072002, -2147220891): status 192350001 is unknown",
            "estimatedvalue 12500000.00 is more than 922337203685477.58",
            "\"8b1c3f0e-1111-4222-8333-444455556666\" and \"00000000-0000-4000-8000-000000000012\" are no GUID",
            "127.0.0.1:43210 and 192.168.100.200 do not answer in 20000 ms",
            "429 from /api/data/v9.2/opportunities, 8 of 10, 2 more",
        ] {
            check(said, said);
        }
    }

    #[test]
    fn a_german_quote_ends_as_an_english_one_begins() {
        check(
            "„Kereszturi Zsófia“ has no mail, and “Anna Kovács” and „Béla Nagy” have none",
            "„…“ has no mail, and “…” and „…” have none",
        );
        check("„acme-7“ is unknown", "„acme-7“ is unknown");
    }

    #[test]
    fn what_is_quoted_and_never_ends_is_hidden_to_the_end() {
        check(
            r#"field "name", text "Kereszturi Zsófia, zsofia@kereszturi.hu"#,
            r#"field "name", text "…"#,
        );
        check("„Anna Kovács\" asks for \"Béla Nagy\"", "„…");
    }

    #[test]
    fn a_quote_in_a_quote_ends_nothing() {
        check(
            r#"text "say \"Anna Kovács\" to \"Béla\"" is too long"#,
            r#"text "…" is too long"#,
        );
        check(r#"path "c:\\" and "Anna""#, r#"path "…" and "…""#);
    }
}
