//! Values of the contract → JSON text in the shape that JavaScript toolchains for components agree on.
//!
//! | contract | JavaScript |
//! |---|---|
//! | record | object, names in camelCase; an empty option is left out and so reads as `undefined` |
//! | variant | `{ tag: "close-date", val: … }`, without `val` where there is none |
//! | enum | `"co-sell"` |
//! | tuple, list | array; an empty option inside a list is `null` |
//!
//! JSON because the engine parses it faster than a guest could build the same objects one property at a time.

use std::fmt;

use serde::ser::{
    Impossible, Serialize, SerializeSeq, SerializeStruct, SerializeTuple, Serializer,
};

use crate::spelling::{camel_letters, kebab_letters};

/// Enums of the contract: a plain text in JavaScript. To serde they look like variants that carry nothing.
const ENUMS: [&str; 8] = [
    "Category",
    "Direction",
    "IfMissing",
    "Level",
    "RecordKind",
    "Side",
    "Strength",
    "Surplus",
];

/// The JSON text of a value, or None for an empty option.
#[must_use]
pub fn json(value: &impl Serialize) -> Option<String> {
    let mut text = String::with_capacity(1024);
    // Writing to memory does not fail, and the contract has no shape that is not covered below.
    let is_there = value.serialize(Writer { text: &mut text }).ok()?;
    is_there.then_some(text)
}

/// A shape that the contract does not have.
#[derive(Debug)]
pub struct Unknown(String);

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unknown {}

impl serde::ser::Error for Unknown {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// Answers whether something was written: an empty option writes nothing, and whoever asked decides what stands for it.
struct Writer<'a> {
    text: &'a mut String,
}

impl Writer<'_> {
    fn number(self, number: impl fmt::Display) -> Result<bool, Unknown> {
        self.text.push_str(&number.to_string());
        Ok(true)
    }

    fn quoted(self, text: &str) -> Result<bool, Unknown> {
        quote(self.text, text);
        Ok(true)
    }
}

fn quote(json: &mut String, text: &str) {
    json.push('"');
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        json.push_str(&text[from..at]);
        match byte {
            b'"' => json.push_str("\\\""),
            b'\\' => json.push_str("\\\\"),
            b'\n' => json.push_str("\\n"),
            control => json.push_str(&format!("\\u{control:04x}")),
        }
        from = at + 1;
    }
    json.push_str(&text[from..]);
    json.push('"');
}

fn no(what: &str) -> Unknown {
    Unknown(format!("the contract has no {what}"))
}

impl<'a> Serializer for Writer<'a> {
    type Ok = bool;
    type Error = Unknown;
    type SerializeSeq = List<'a>;
    type SerializeTuple = List<'a>;
    type SerializeTupleStruct = Impossible<bool, Unknown>;
    type SerializeTupleVariant = Impossible<bool, Unknown>;
    type SerializeMap = Impossible<bool, Unknown>;
    type SerializeStruct = Record<'a>;
    type SerializeStructVariant = Impossible<bool, Unknown>;

    fn serialize_bool(self, value: bool) -> Result<bool, Unknown> {
        self.number(value)
    }
    fn serialize_i32(self, value: i32) -> Result<bool, Unknown> {
        self.number(value)
    }
    fn serialize_u8(self, value: u8) -> Result<bool, Unknown> {
        self.number(value)
    }
    fn serialize_u16(self, value: u16) -> Result<bool, Unknown> {
        self.number(value)
    }
    fn serialize_u32(self, value: u32) -> Result<bool, Unknown> {
        self.number(value)
    }
    fn serialize_i8(self, value: i8) -> Result<bool, Unknown> {
        self.number(value)
    }
    fn serialize_i16(self, value: i16) -> Result<bool, Unknown> {
        self.number(value)
    }
    fn serialize_i64(self, _: i64) -> Result<bool, Unknown> {
        Err(no("64-bit number"))
    }
    fn serialize_u64(self, _: u64) -> Result<bool, Unknown> {
        Err(no("64-bit number"))
    }
    fn serialize_f32(self, _: f32) -> Result<bool, Unknown> {
        Err(no("floating point number"))
    }
    fn serialize_f64(self, _: f64) -> Result<bool, Unknown> {
        Err(no("floating point number"))
    }
    fn serialize_char(self, value: char) -> Result<bool, Unknown> {
        self.quoted(value.encode_utf8(&mut [0; 4]))
    }
    fn serialize_str(self, value: &str) -> Result<bool, Unknown> {
        self.quoted(value)
    }
    fn serialize_bytes(self, _: &[u8]) -> Result<bool, Unknown> {
        Err(no("bytes"))
    }
    fn serialize_none(self) -> Result<bool, Unknown> {
        Ok(false)
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<bool, Unknown> {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Result<bool, Unknown> {
        Ok(false)
    }
    fn serialize_unit_struct(self, _: &'static str) -> Result<bool, Unknown> {
        Ok(false)
    }
    fn serialize_unit_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<bool, Unknown> {
        let is_enum = ENUMS.contains(&name);
        self.text
            .push_str(if is_enum { "\"" } else { "{\"tag\":\"" });
        self.text.extend(kebab_letters(variant));
        self.text.push_str(if is_enum { "\"" } else { "\"}" });
        Ok(true)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<bool, Unknown> {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<bool, Unknown> {
        self.text.push_str("{\"tag\":\"");
        self.text.extend(kebab_letters(variant));
        self.text.push('"');
        let before = self.text.len();
        self.text.push_str(",\"val\":");
        if !value.serialize(Writer { text: self.text })? {
            self.text.truncate(before);
        }
        self.text.push('}');
        Ok(true)
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<List<'a>, Unknown> {
        self.text.push('[');
        Ok(List {
            text: self.text,
            is_first: true,
        })
    }
    fn serialize_tuple(self, _: usize) -> Result<List<'a>, Unknown> {
        self.serialize_seq(None)
    }
    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Unknown> {
        Err(no("tuple with a name"))
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Unknown> {
        Err(no("variant with several values"))
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Unknown> {
        Err(no("map"))
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Record<'a>, Unknown> {
        self.text.push('{');
        Ok(Record {
            text: self.text,
            is_first: true,
        })
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Unknown> {
        Err(no("variant with named values"))
    }
}

/// A list or a tuple that is being written.
struct List<'a> {
    text: &'a mut String,
    is_first: bool,
}

impl List<'_> {
    fn add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unknown> {
        if !std::mem::take(&mut self.is_first) {
            self.text.push(',');
        }
        if !value.serialize(Writer { text: self.text })? {
            self.text.push_str("null");
        }
        Ok(())
    }
}

impl SerializeSeq for List<'_> {
    type Ok = bool;
    type Error = Unknown;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unknown> {
        self.add(value)
    }
    fn end(self) -> Result<bool, Unknown> {
        self.text.push(']');
        Ok(true)
    }
}

impl SerializeTuple for List<'_> {
    type Ok = bool;
    type Error = Unknown;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unknown> {
        self.add(value)
    }
    fn end(self) -> Result<bool, Unknown> {
        self.text.push(']');
        Ok(true)
    }
}

/// A record that is being written.
struct Record<'a> {
    text: &'a mut String,
    is_first: bool,
}

impl SerializeStruct for Record<'_> {
    type Ok = bool;
    type Error = Unknown;
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Unknown> {
        let before = self.text.len();
        if !self.is_first {
            self.text.push(',');
        }
        self.text.push('"');
        self.text.extend(camel_letters(name));
        self.text.push_str("\":");
        if value.serialize(Writer { text: self.text })? {
            self.is_first = false;
        } else {
            self.text.truncate(before);
        }
        Ok(())
    }
    fn end(self) -> Result<bool, Unknown> {
        self.text.push('}');
        Ok(true)
    }
}
