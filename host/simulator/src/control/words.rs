//! What is wrong with a body, as a person would say it.

/// A reading error in words: which field, and what belongs there.
pub(super) fn words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if error.is_syntax() || error.is_eof() {
        return format!("the body is no JSON ({text})");
    }
    // The parser counts lines of a body that it was never shown.
    let text = text.split(" at line ").next().unwrap_or_default();
    if let Some(name) = text.strip_prefix("missing field ") {
        return format!("{name} is missing");
    }
    for (begins, verb) in [
        ("unknown field ", "no field that is known here"),
        ("unknown variant ", "no word that is known here"),
    ] {
        if let Some((name, rest)) = text
            .strip_prefix(begins)
            .and_then(|rest| rest.split_once(", expected "))
        {
            let known = rest.strip_prefix("one of ").unwrap_or(rest);
            return format!("{name} is {verb}; known: {known}");
        }
    }
    if let Some((found, wanted)) = text
        .strip_prefix("invalid type: ")
        .or_else(|| text.strip_prefix("invalid value: "))
        .and_then(|rest| rest.split_once(", expected "))
    {
        let found = if found == "null" { "nothing" } else { found };
        return format!("{found} stands where {} belongs", plain(wanted));
    }
    text.to_owned()
}

/// The names that Rust has for things.
fn plain(wanted: &str) -> &str {
    match wanted {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "a string" => "a text",
        "a boolean" => "true or false",
        other => other.strip_prefix("struct ").map_or(other, |_| "an object"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::faults::Fault;

    #[track_caller]
    fn says(body: Value, expected: &str) {
        let error = serde_json::from_value::<Fault>(body).unwrap_err();
        assert_eq!(words(&error), expected);
    }

    #[test]
    fn a_fault_that_is_not_understood_is_told_by_its_field() {
        says(json!({ "service": "dataverse" }), "`kind` is missing");
        says(
            json!({ "service": "dataverse", "knd": 1 }),
            "`knd` is no field that is known here; known: `service`, `method`, `path_prefix`, `skip`, `count`, `kind`",
        );
        says(
            json!({ "service": "salesforce", "kind": { "do": "drop-before" } }),
            "`salesforce` is no word that is known here; known: `entra`, `referrals`, `partner-center`, `dataverse`, `certificates`, `metadata`, `control`",
        );
        says(
            json!({ "service": "dataverse", "count": "two", "kind": { "do": "drop-before" } }),
            "string \"two\" stands where a whole number from 0 belongs",
        );
    }

    #[test]
    fn a_body_that_is_no_json_is_said_to_be_none() {
        let error = serde_json::from_str::<Value>("{oops").unwrap_err();
        assert!(
            words(&error).starts_with("the body is no JSON ("),
            "{error}"
        );
    }
}
