//! Hostile input: what a vendor, or whoever answers in its place, may send is read or refused with a word, and never a panic. `fuzz-corpus/` keeps
//! inputs, one a file; the rooms of the two vendors feed them to what reads there.

use std::path::{Path, PathBuf};

use cosell_fuzz::{bounded, survives};

use crate::json;

/// Words of answers.
pub(crate) const WORDS: [&str; 18] = [
    "\"value\":[",
    "\"@odata.nextLink\":",
    "\"@odata.deltaLink\":",
    "\"@odata.etag\":\"W/\\\"1\\\"\"",
    "\"reason\":\"deleted\"",
    "@OData.Community.Display.V1.FormattedValue",
    "\"error\":{",
    "\"innererror\":{",
    "\"dealValue\":",
    "\"solutions\":",
    "\"team\":",
    "\"id\":",
    "1E+28",
    "0.00000000000000000000000000001",
    "9999-12-31T23:59:59.9999999Z",
    "-009999-01-01T00:00:00Z",
    "\\ud800",
    "\\u0000",
];

pub(crate) fn folder(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz-corpus")
        .join(kind)
}

/// An input as text: a genuine answer, which is read.
pub(crate) fn genuine(kind: &str, name: &str) -> String {
    std::fs::read_to_string(folder(kind).join(name)).unwrap()
}

/// A number as sign, digits without zeros at either end, and how many tens they are to be multiplied with.
fn plain(text: &str) -> (bool, String, i64) {
    let is_negative = text.starts_with('-');
    let text = text.trim_start_matches(['-', '+']);
    let (base, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = base.split_once('.').unwrap_or((base, ""));
    let digits = format!("{whole}{fraction}");
    let short = digits.trim_end_matches('0');
    if short.trim_start_matches('0').is_empty() {
        return (false, String::new(), 0);
    }
    let exponent: i64 = exponent.parse().unwrap();
    let tens = exponent - fraction.len() as i64 + (digits.len() - short.len()) as i64;
    (is_negative, short.trim_start_matches('0').to_owned(), tens)
}

#[test]
fn no_digit_of_a_number_is_lost() {
    let words = ["0", "00000000", "9999999", "e", "E-", ".", "-", "+", "e+28"];
    survives(&folder("number"), &words, 4_000, |input| {
        let Ok(text) = std::str::from_utf8(input) else {
            return Ok(());
        };
        let Some(number) = json::decimal_of_text(text) else {
            return Ok(());
        };
        let written = number.to_string();
        if plain(text) != plain(&written) {
            return Err(format!("it is read as {written}"));
        }
        if json::decimal_of_text(&written) != Some(number) {
            return Err(format!(
                "it is written as {written}, which is another number"
            ));
        }
        bounded(input, written.len())
    });
}

#[test]
fn a_moment_is_read_again_as_it_is_written() {
    let words = [
        "2026-11-25",
        "T",
        "24:00:00",
        ":60",
        "+14:00",
        "[Europe/Budapest]",
        "-271821-04-20",
    ];
    survives(&folder("moment"), &words, 2_000, |input| {
        let Ok(text) = std::str::from_utf8(input) else {
            return Ok(());
        };
        match json::moment(text) {
            Some(moment) if json::moment(&moment.to_string()) != Some(moment) => {
                Err(format!("it is read as {moment}"))
            }
            _ => Ok(()),
        }
    });
}
