//! What an answer tells that is no success.

use cosell_fuzz::{bounded, survives};
use http::header::{HeaderMap, HeaderValue, RETRY_AFTER};

use super::told::{Told, retry_after, template};
use crate::hostile::{WORDS, folder};

#[test]
fn words_of_an_error_are_one_short_line() {
    survives(&folder("error"), &WORDS, 2_000, |input| {
        let body = String::from_utf8_lossy(input);
        let told = Told::read(&body);
        if told.message.chars().count() > 1_024 || told.message.chars().any(char::is_control) {
            return Err(format!("it is told as {:?}", told.message));
        }
        bounded(
            input,
            told.message.len() + told.code.unwrap_or_default().len(),
        )
    });
}

#[test]
fn a_wait_ends_and_a_path_is_told_whatever_they_say() {
    let words = [
        "Fri, 27 Nov 2026 17:00:00 GMT",
        "-1",
        "18446744073709551616",
        "'",
        "00000000-0000-0000-0000-000000000000",
    ];
    survives(&folder("moment"), &words, 1_000, |input| {
        if let Ok(value) = HeaderValue::from_bytes(input)
            && let Some(wait) = retry_after(&HeaderMap::from_iter([(RETRY_AFTER, value)]))
            && wait.as_secs() > 3_600
        {
            return Err(format!("somebody would wait for {wait:?}"));
        }
        bounded(input, template(&String::from_utf8_lossy(input)).len())
    });
}
