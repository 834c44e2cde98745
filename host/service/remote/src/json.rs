//! JSON as the vendors write it: numbers by their text, null and missing alike, member names in any case.
//!
//! Money must cross without a binary float. `serde_json::Value` would hold it as one, and the feature that prevents it is global to
//! every crate of a build. So documents are read member by member as raw text, and a number is parsed from its own digits.

use std::collections::BTreeMap;
use std::str::FromStr;

use cosell_sync::deal::{Decimal, Timestamp};
use serde::de::{DeserializeOwned, Error as _};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// One JSON value, by its text.
pub(crate) type Raw = Box<RawValue>;

/// One JSON object, its members by their text.
pub(crate) type Object = BTreeMap<String, Raw>;

/// A JSON document that is ready to be sent. Its numbers have every digit that they were given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body(String);

impl Body {
    /// The document.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn of(value: &(impl Serialize + ?Sized)) -> Self {
        Self(raw(value).get().to_owned())
    }
}

/// A decimal number that is read and written digit by digit. A numeric string is read too: Partner Center's own samples send one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exact(pub(crate) Decimal);

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.0.to_string())
            .map_err(S::Error::custom)?
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Raw::deserialize(deserializer)?;
        decimal(&raw).map(Self).ok_or_else(|| {
            D::Error::custom(format!(
                "{} is not a number of at most 28 digits",
                raw.get()
            ))
        })
    }
}

/// A JSON value for something that always has one: text, flags, exact numbers, lists and objects of these.
pub(crate) fn raw(value: &(impl Serialize + ?Sized)) -> Raw {
    serde_json::value::to_raw_value(value)
        .expect("text, flags, exact numbers and their lists always have a JSON form")
}

/// The number in a JSON number or numeric string. None when it is neither, or cannot be held exactly.
pub(crate) fn decimal(raw: &RawValue) -> Option<Decimal> {
    let text = text(raw)?;
    decimal_of_text(text.trim())
}

/// The number that a text spells, exactly. Trailing zeros of the fraction may be lost, digits never.
pub(crate) fn decimal_of_text(text: &str) -> Option<Decimal> {
    if !text.starts_with(|first: char| first.is_ascii_digit() || first == '-')
        || !text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E'))
    {
        return None;
    }
    if let Some((base, exponent)) = text.split_once(['e', 'E']) {
        let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        // The library rounds what stands before the exponent; read alone it is exact, or nothing.
        let base = decimal_of_text(base)?;
        return Decimal::from_scientific(&format!("{base}e{exponent}")).ok();
    }
    if text.matches('.').count() > 1 {
        return None;
    }
    // 28 digits are all that a decimal holds; zeros at the end of a fraction need not be among them.
    let short = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
    };
    Decimal::from_str_exact(text)
        .or_else(|_| Decimal::from_str_exact(short))
        .ok()
}

/// The text of a string, number or flag. None for null, objects and lists.
pub(crate) fn text(raw: &RawValue) -> Option<String> {
    match raw.get().as_bytes().first() {
        Some(b'"') => serde_json::from_str(raw.get()).ok(),
        Some(b'n' | b'{' | b'[') | None => None,
        Some(_) => Some(raw.get().to_owned()),
    }
}

/// Same, and blank text is no text.
pub(crate) fn filled(raw: &RawValue) -> Option<String> {
    text(raw).filter(|text| !text.trim().is_empty())
}

pub(crate) fn is_null(raw: &RawValue) -> bool {
    raw.get() == "null"
}

/// A moment. Without an offset it is UTC, which is all that either vendor stores.
pub(crate) fn moment(text: &str) -> Option<Timestamp> {
    Timestamp::from_str(text)
        .or_else(|_| Timestamp::from_str(&format!("{text}Z")))
        .ok()
}

/// The members of an object.
pub(crate) fn object(text: &str) -> Option<Object> {
    serde_json::from_str(text).ok()
}

/// The members of an object whose writer spells names as it likes: all lower case here.
pub(crate) fn object_any_case(text: &str) -> Option<Object> {
    Some(
        object(text)?
            .into_iter()
            .map(|(name, value)| (name.to_lowercase(), value))
            .collect(),
    )
}

/// Reads one value.
pub(crate) fn parse<T: DeserializeOwned>(raw: &RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}

/// For serde: null, a list or an object where a text belongs is no text; numbers and flags are taken by their text; blank is none.
pub(crate) fn lenient_text<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    Ok(filled(&Raw::deserialize(deserializer)?))
}

/// For serde: anything but a number is none.
pub(crate) fn lenient_exact<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Exact>, D::Error> {
    Ok(decimal(&Raw::deserialize(deserializer)?).map(Exact))
}

/// For serde: anything but `true` is false.
pub(crate) fn lenient_flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(
        text(&Raw::deserialize(deserializer)?)
            .is_some_and(|text| text.eq_ignore_ascii_case("true")),
    )
}

/// For serde: anything but a moment is none.
pub(crate) fn lenient_moment<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Timestamp>, D::Error> {
    Ok(text(&Raw::deserialize(deserializer)?)
        .as_deref()
        .and_then(moment))
}

/// For serde: anything but a list is an empty list. Old documents show `{}` where a list belongs.
pub(crate) fn lenient_list<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let raw = Raw::deserialize(deserializer)?;
    if raw.get().starts_with('[') {
        serde_json::from_str(raw.get()).map_err(D::Error::custom)
    } else {
        Ok(Vec::new())
    }
}

/// For serde: null is the default.
pub(crate) fn null_is_default<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nineteen_digits_of_money_cross_both_ways() {
        for text in [
            "922337203685477.5807",
            "-0.0001",
            "0.1",
            "125000.0000",
            "100000000000000000000000001",
        ] {
            let read: Exact = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), text);
        }
    }

    #[test]
    fn numbers_come_as_text_and_with_exponents_too() {
        for (text, number) in [
            ("\"10000\"", "10000"),
            ("1E+3", "1000"),
            ("1.5e-2", "0.015"),
            ("5.00000000000000000000000000000000", "5"),
        ] {
            let read: Exact = serde_json::from_str(text).unwrap();
            assert_eq!(read.0, Decimal::from_str(number).unwrap());
        }
        for text in [
            "\"12k\"",
            "\"1_000\"",
            "\"\"",
            "true",
            "1.00000000000000000000000000000000001",
            "1.00000000000000000000000000000000001e0",
            "\"1.5.0\"",
            "\"1.000000000000000001.0000000000000\"",
            "\"1e-+3\"",
            "\"1e\"",
        ] {
            assert!(serde_json::from_str::<Exact>(text).is_err(), "{text}");
        }
    }
}
