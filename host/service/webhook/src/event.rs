//! The small pieces that both sources read: names, ids, and the key by which two events are one.

use sha2::{Digest as _, Sha256};

/// Longest name of an event or kind. Dataverse's logical names end at 128.
const NAME_CHARS_MAX: usize = 128;
const NIL: &str = "00000000-0000-0000-0000-000000000000";

/// A name fit for logs and stores.
pub(crate) fn name(text: &str) -> Option<&str> {
    let fits = !text.is_empty()
        && text.len() <= NAME_CHARS_MAX
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then_some(text)
}

/// A GUID in its plain form, lower case.
pub(crate) fn guid(text: &str) -> Option<String> {
    let dashes = [8, 13, 18, 23];
    let fits = text.len() == NIL.len()
        && text.bytes().enumerate().all(|(at, byte)| {
            if dashes.contains(&at) {
                byte == b'-'
            } else {
                byte.is_ascii_hexdigit()
            }
        });
    fits.then(|| text.to_ascii_lowercase())
}

/// The id that says "no record".
pub(crate) fn is_nil(guid: &str) -> bool {
    guid == NIL
}

/// Hex SHA-256 over the parts, each preceded by its length, so that no two lists of parts look alike.
pub(crate) fn dedupe_key(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_guids_are_ids() {
        assert_eq!(
            guid("7F3C1A2B-0000-4000-8000-00000000000A").as_deref(),
            Some("7f3c1a2b-0000-4000-8000-00000000000a")
        );
        for text in [
            "",
            "x",
            "{7f3c1a2b-0000-4000-8000-00000000000a}",
            "7f3c1a2b00004000800000000000000a",
            "7f3c1a2b-0000-4000-8000-00000000000g",
            "7f3c1a2b-0000-4000-8000-00000000000a/",
            "7f3c1a2b-0000-4000-8000-0000000000é",
        ] {
            assert_eq!(guid(text), None, "{text}");
        }
    }

    #[test]
    fn moving_a_letter_between_parts_is_another_event() {
        assert_ne!(dedupe_key(&["ab", "c"]), dedupe_key(&["a", "bc"]));
        assert_eq!(dedupe_key(&["ab", "c"]), dedupe_key(&["ab", "c"]));
    }
}
