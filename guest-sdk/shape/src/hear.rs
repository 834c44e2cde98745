//! What a script answered → values of the contract. The shapes are those of [`crate::speak`]; a mistake is told with its place in the answer,
//! `[0].val[1].tag`, and with what may stand there.
//!
//! A little more is understood than is spoken: a missing list is an empty one, `null` is as good as `undefined`, and a variant that carries
//! nothing may be its tag alone.

use std::fmt;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor, value::StrDeserializer,
};
use serde_json::Value;

use crate::spelling::{camel, camel_letters, kebab, kebab_letters};

/// Reads an answer. None is `undefined`.
///
/// # Errors
/// Where it is not what the contract wants, and what may stand there.
pub fn read<T: DeserializeOwned>(answer: Option<&Value>) -> Result<T, Mistake> {
    T::deserialize(Heard(answer.filter(|value| !value.is_null())))
}

/// Where an answer is wrong, and how.
#[derive(Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Innermost first.
    path: Vec<String>,
    message: String,
}

impl Mistake {
    fn new(message: impl Into<String>) -> Self {
        Self {
            path: Vec::new(),
            message: message.into(),
        }
    }

    fn under(mut self, step: String) -> Self {
        self.path.push(step);
        self
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in self.path.iter().rev() {
            f.write_str(step)?;
        }
        if !self.path.is_empty() {
            f.write_str(": ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Mistake {}

impl serde::de::Error for Mistake {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }
}

/// A value somewhere in an answer; None is `undefined` or `null`.
#[derive(Clone, Copy)]
struct Heard<'a>(Option<&'a Value>);

impl Heard<'_> {
    fn is_not(self, wanted: &str) -> Mistake {
        let there = match self.0 {
            None => "nothing".to_owned(),
            Some(Value::Bool(flag)) => flag.to_string(),
            Some(Value::Number(number)) => format!("the number {number}"),
            Some(Value::String(text)) => format!("the text {text:?}"),
            Some(Value::Array(_)) => "a list".to_owned(),
            Some(Value::Object(_) | Value::Null) => "an object".to_owned(),
        };
        Mistake::new(format!("{wanted} is wanted here, and there is {there}"))
    }

    fn integer(self) -> Result<i64, Mistake> {
        let number = self.0.and_then(Value::as_i64);
        number.ok_or_else(|| self.is_not("a whole number"))
    }
}

macro_rules! integers {
    ($($method:ident $visit:ident $kind:ty,)*) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
            let number = <$kind>::try_from(self.integer()?)
                .map_err(|_| self.is_not(&format!("a number from {} to {}", <$kind>::MIN, <$kind>::MAX)))?;
            visitor.$visit(number)
        }
    )* };
}

macro_rules! unknown {
    ($($method:ident)*) => { $(
        fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Mistake> {
            Err(Mistake::new("the contract has no such type"))
        }
    )* };
}

impl<'de> Deserializer<'de> for Heard<'_> {
    type Error = Mistake;

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        let flag = self.0.and_then(Value::as_bool);
        visitor.visit_bool(flag.ok_or_else(|| self.is_not("true or false"))?)
    }

    integers! {
        deserialize_i8 visit_i8 i8,
        deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64,
        deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32,
    }

    unknown! {
        deserialize_any deserialize_u64 deserialize_f32 deserialize_f64 deserialize_char deserialize_bytes deserialize_byte_buf deserialize_unit
        deserialize_map deserialize_identifier deserialize_ignored_any
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        let text = self.0.and_then(Value::as_str);
        visitor.visit_str(text.ok_or_else(|| self.is_not("a text"))?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            None => visitor.visit_none(),
            Some(_) => visitor.visit_some(self),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: V,
    ) -> Result<V::Value, Mistake> {
        Err(Mistake::new("the contract has no such type"))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        let list = match self.0 {
            None => &[][..],
            Some(Value::Array(list)) => list,
            Some(_) => return Err(self.is_not("a list")),
        };
        visitor.visit_seq(List { list, at: 0 })
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        match self.0 {
            Some(Value::Array(list)) if list.len() == len => {
                visitor.visit_seq(List { list, at: 0 })
            }
            _ => Err(self.is_not(&format!("a list of exactly {len}"))),
        }
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        let Some(Value::Object(object)) = self.0 else {
            return Err(self.is_not(&format!("an object with {}", names(fields))));
        };
        if let Some(unknown) = object.keys().find(|key| {
            !fields
                .iter()
                .any(|field| camel_letters(field).eq(key.chars()))
        }) {
            return Err(Mistake::new(format!(
                "`{unknown}` is unknown here; there are {}",
                names(fields)
            )));
        }
        visitor.visit_map(Record {
            object,
            fields,
            at: 0,
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        let (tag, value) = match self.0 {
            Some(Value::String(tag)) => (tag.as_str(), None),
            Some(Value::Object(object)) => {
                if let Some(unknown) = object.keys().find(|key| *key != "tag" && *key != "val") {
                    return Err(Mistake::new(format!(
                        "`{unknown}` is unknown here; there are tag, val"
                    )));
                }
                let tag = object.get("tag").and_then(Value::as_str);
                let tag = tag.ok_or_else(|| self.is_not("an object with tag and val"))?;
                (tag, object.get("val").filter(|value| !value.is_null()))
            }
            _ => return Err(self.is_not("an object with tag and val")),
        };
        let variant = variants
            .iter()
            .find(|variant| kebab_letters(variant).eq(tag.chars()));
        let variant = variant.ok_or_else(|| {
            let known: Vec<_> = variants.iter().map(|variant| kebab(variant)).collect();
            Mistake::new(format!(
                "{tag:?} is unknown here; there are {}",
                known.join(", ")
            ))
        })?;
        visitor.visit_enum(Variant {
            name: variant,
            value: Heard(value),
        })
    }
}

fn names(fields: &[&str]) -> String {
    let names: Vec<_> = fields.iter().map(|field| camel(field)).collect();
    names.join(", ")
}

struct List<'a> {
    list: &'a [Value],
    at: usize,
}

impl<'de> SeqAccess<'de> for List<'_> {
    type Error = Mistake;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Mistake> {
        let Some(value) = self.list.get(self.at) else {
            return Ok(None);
        };
        let at = self.at;
        self.at += 1;
        seed.deserialize(Heard(Some(value).filter(|value| !value.is_null())))
            .map(Some)
            .map_err(|mistake| mistake.under(format!("[{at}]")))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.list.len() - self.at)
    }
}

struct Record<'a> {
    object: &'a serde_json::Map<String, Value>,
    fields: &'static [&'static str],
    at: usize,
}

impl<'de> MapAccess<'de> for Record<'_> {
    type Error = Mistake;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Mistake> {
        let Some(field) = self.fields.get(self.at) else {
            return Ok(None);
        };
        let key: StrDeserializer<'_, Mistake> = field.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mistake> {
        let name = camel(self.fields[self.at]);
        self.at += 1;
        let value = self.object.get(&name).filter(|value| !value.is_null());
        seed.deserialize(Heard(value))
            .map_err(|mistake| mistake.under(format!(".{name}")))
    }
}

struct Variant<'a> {
    name: &'static str,
    value: Heard<'a>,
}

impl<'de, 'a> EnumAccess<'de> for Variant<'a> {
    type Error = Mistake;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Mistake> {
        let name: StrDeserializer<'_, Mistake> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Mistake;

    fn unit_variant(self) -> Result<(), Mistake> {
        match self.value.0 {
            None => Ok(()),
            Some(_) => Err(Mistake::new(format!(
                "{:?} carries no val",
                kebab(self.name)
            ))),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Mistake> {
        seed.deserialize(self.value)
            .map_err(|mistake| mistake.under(".val".to_owned()))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Mistake> {
        self.value.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        self.value.deserialize_struct("", fields, visitor)
    }
}
