//! What is sealed in the store, opened for an export: whoever leaves, or asks what is held of a person, is not helped by ciphers.

use serde_json::Value;

use crate::raw;
use crate::recording;
use crate::seal::Seal;

/// What a line of an export held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsealed {
    /// Nothing that is sealed.
    Plain,
    /// It was sealed, and stands there opened.
    Opened,
    /// It is sealed with a key that is not given, or damaged, and stays as it is.
    Shut,
}

/// Opens what is sealed in a line of an export: raw records and recordings, each bound to the place where it lies.
pub fn unseal(seal: &Seal, line: &mut Value) -> Unsealed {
    let table = line["table"].as_str().unwrap_or_default().to_owned();
    let row = &line["row"];
    let text = |column: &str| row[column].as_str().unwrap_or_default().to_owned();
    let (connection, body) = (text("connection"), text("body"));
    let (place_name, sealed) = match table.as_str() {
        "raw" => (format!("{}/{}", row["lane"], text("hash")), body),
        "recording" => {
            let bytes = body.strip_prefix("hex:").map(hex::decode);
            let sealed = bytes.and_then(Result::ok).map(String::from_utf8);
            (
                text("content"),
                sealed.and_then(Result::ok).unwrap_or_default(),
            )
        }
        _ => return Unsealed::Plain,
    };
    if !Seal::is_sealed(&sealed) {
        return Unsealed::Plain;
    }
    let place = match table.as_str() {
        "raw" => raw::place(&connection, &place_name),
        _ => recording::place(&connection, &place_name),
    };
    let opened = seal.open(place, &sealed).ok().map(String::from_utf8);
    match opened.and_then(Result::ok) {
        Some(opened) => {
            line["row"]["body"] = opened.into();
            Unsealed::Opened
        }
        None => Unsealed::Shut,
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;
    use serde_json::json;

    use super::*;

    fn seal(digit: &str) -> Seal {
        Seal::new(&[SecretString::from(digit.repeat(64))]).unwrap()
    }

    #[test]
    fn what_is_sealed_in_its_place_is_opened_and_nothing_else() {
        let ours = seal("1");
        let body = ours.seal(raw::place("contoso", "17/abc"), b"{\"name\":\"Anna\"}");
        let row = json!({ "connection": "contoso", "lane": 17, "hash": "abc", "body": body });
        let line = json!({ "table": "raw", "row": row });
        let mut opened = line.clone();
        assert_eq!(unseal(&ours, &mut opened), Unsealed::Opened);
        assert_eq!(opened["row"]["body"], "{\"name\":\"Anna\"}");
        let mut shut = line.clone();
        assert_eq!(unseal(&seal("2"), &mut shut), Unsealed::Shut, "another key");
        assert_eq!(shut, line);
        let mut moved = line.clone();
        moved["row"]["lane"] = 18.into();
        assert_eq!(unseal(&ours, &mut moved), Unsealed::Shut, "another place");
        let mut plain = line;
        plain["row"]["body"] = "{}".into();
        assert_eq!(unseal(&ours, &mut plain), Unsealed::Plain);

        let body = ours
            .seal(recording::place("contoso", "beef"), b"{}")
            .unwrap();
        let body = format!("hex:{}", hex::encode(body));
        let row = json!({ "connection": "contoso", "lane": 17, "content": "beef", "body": body });
        let mut line = json!({ "table": "recording", "row": row });
        assert_eq!(unseal(&ours, &mut line), Unsealed::Opened);
        assert_eq!(line["row"]["body"], "{}");
    }
}
