//! Values laid out in a guest's memory as the canonical ABI wants them.

use wit_parser::{Resolve, SizeAlign, Type, TypeDefKind};

/// A value of any WIT type, untyped until it is laid out.
#[derive(Clone)]
pub(crate) enum Val {
    Bool(bool),
    U8(u8),
    U16(u16),
    S32(i32),
    Str(String),
    List(Vec<Val>),
    /// Records and tuples, in order.
    Rec(Vec<Val>),
    /// Variants and enums by name; options are `none` and `some`, results `ok` and `err`.
    Case(String, Option<Box<Val>>),
}

impl Val {
    pub(crate) fn s(text: &str) -> Self {
        Self::Str(text.to_owned())
    }

    pub(crate) fn list(values: impl IntoIterator<Item = Self>) -> Self {
        Self::List(values.into_iter().collect())
    }

    pub(crate) fn rec(values: impl IntoIterator<Item = Self>) -> Self {
        Self::Rec(values.into_iter().collect())
    }

    pub(crate) const fn s32(number: i32) -> Self {
        Self::S32(number)
    }

    pub(crate) fn case(name: &str) -> Self {
        Self::Case(name.to_owned(), None)
    }

    pub(crate) fn with(name: &str, value: Self) -> Self {
        Self::Case(name.to_owned(), Some(Box::new(value)))
    }

    pub(crate) fn none() -> Self {
        Self::case("none")
    }

    pub(crate) fn some(value: Self) -> Self {
        Self::with("some", value)
    }

    pub(crate) fn ok(value: Self) -> Self {
        Self::with("ok", value)
    }

    pub(crate) fn err(value: Self) -> Self {
        Self::with("err", value)
    }
}

/// Static memory from `start` on.
pub(super) struct Memory {
    start: usize,
    bytes: Vec<u8>,
}

impl Memory {
    pub(super) const fn new(start: usize) -> Self {
        Self {
            start,
            bytes: Vec::new(),
        }
    }

    pub(super) fn start(&self) -> i32 {
        i32::try_from(self.start).unwrap()
    }

    pub(super) fn end(&self) -> i32 {
        i32::try_from(self.start + self.bytes.len()).unwrap()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn text(&mut self, text: &str) -> i32 {
        let at = self.room(text.len(), 1);
        self.put(at, text.as_bytes());
        i32::try_from(at).unwrap()
    }

    /// Lays a value out and answers where.
    pub(super) fn value(&mut self, resolve: &Resolve, ty: &Type, value: &Val) -> i32 {
        let mut sizes = SizeAlign::default();
        sizes.fill(resolve);
        let at = self.room(sizes.size(ty).size_wasm32(), sizes.align(ty).align_wasm32());
        Lay {
            resolve,
            sizes: &sizes,
            memory: self,
        }
        .at(at, ty, value);
        i32::try_from(at).unwrap()
    }

    fn room(&mut self, size: usize, align: usize) -> usize {
        let at = (self.start + self.bytes.len()).next_multiple_of(align.max(1));
        self.bytes.resize(at + size - self.start, 0);
        at
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        let from = at - self.start;
        self.bytes[from..from + bytes.len()].copy_from_slice(bytes);
    }
}

struct Lay<'a> {
    resolve: &'a Resolve,
    sizes: &'a SizeAlign,
    memory: &'a mut Memory,
}

impl Lay<'_> {
    fn at(&mut self, at: usize, ty: &Type, value: &Val) {
        match (ty, value) {
            (Type::Bool, Val::Bool(flag)) => self.memory.put(at, &[u8::from(*flag)]),
            (Type::U8, Val::U8(number)) => self.memory.put(at, &[*number]),
            (Type::U16, Val::U16(number)) => self.memory.put(at, &number.to_le_bytes()),
            (Type::S32 | Type::U32, Val::S32(number)) => self.memory.put(at, &number.to_le_bytes()),
            (Type::String, Val::Str(text)) => {
                let start = self.memory.text(text);
                self.pair(at, start, text.len());
            }
            (Type::Id(id), value) => {
                let kind = self.resolve.types[*id].kind.clone();
                self.kind(at, &kind, value);
            }
            (ty, _) => panic!("the value does not fit {ty:?}"),
        }
    }

    fn kind(&mut self, at: usize, kind: &TypeDefKind, value: &Val) {
        match (kind, value) {
            (TypeDefKind::Type(inner), value) => self.at(at, inner, value),
            (TypeDefKind::Record(record), Val::Rec(values)) => {
                let types: Vec<_> = record.fields.iter().map(|field| field.ty).collect();
                self.fields(at, &types, values);
            }
            (TypeDefKind::Tuple(tuple), Val::Rec(values)) => self.fields(at, &tuple.types, values),
            (TypeDefKind::List(element), Val::List(values)) => {
                let size = self.sizes.size(element).size_wasm32();
                let start = self.memory.room(
                    size * values.len(),
                    self.sizes.align(element).align_wasm32(),
                );
                for (number, value) in values.iter().enumerate() {
                    self.at(start + number * size, element, value);
                }
                self.pair(at, i32::try_from(start).unwrap(), values.len());
            }
            (TypeDefKind::Variant(variant), Val::Case(name, payload)) => {
                let cases: Vec<_> = variant
                    .cases
                    .iter()
                    .map(|case| (case.name.as_str(), case.ty))
                    .collect();
                self.case(at, &cases, name, payload.as_deref());
            }
            (TypeDefKind::Enum(all), Val::Case(name, payload)) => {
                let cases: Vec<_> = all
                    .cases
                    .iter()
                    .map(|case| (case.name.as_str(), None))
                    .collect();
                self.case(at, &cases, name, payload.as_deref());
            }
            (TypeDefKind::Option(inner), Val::Case(name, payload)) => {
                self.case(
                    at,
                    &[("none", None), ("some", Some(*inner))],
                    name,
                    payload.as_deref(),
                );
            }
            (TypeDefKind::Result(result), Val::Case(name, payload)) => {
                self.case(
                    at,
                    &[("ok", result.ok), ("err", result.err)],
                    name,
                    payload.as_deref(),
                );
            }
            (kind, _) => panic!("the value does not fit {kind:?}"),
        }
    }

    fn fields(&mut self, at: usize, types: &[Type], values: &[Val]) {
        assert_eq!(types.len(), values.len(), "fields");
        let offsets: Vec<_> = self
            .sizes
            .field_offsets(types.iter())
            .into_iter()
            .map(|(offset, ty)| (offset.size_wasm32(), *ty))
            .collect();
        for ((offset, ty), value) in offsets.into_iter().zip(values) {
            self.at(at + offset, &ty, value);
        }
    }

    /// No type of the contract has more than 256 cases, so the tag is one byte.
    fn case(
        &mut self,
        at: usize,
        cases: &[(&str, Option<Type>)],
        name: &str,
        payload: Option<&Val>,
    ) {
        let tag = cases
            .iter()
            .position(|(known, _)| *known == name)
            .unwrap_or_else(|| panic!("no case {name}"));
        self.memory.put(at, &[u8::try_from(tag).unwrap()]);
        let offset = self
            .sizes
            .payload_offset(wit_parser::Int::U8, cases.iter().map(|(_, ty)| ty.as_ref()))
            .size_wasm32();
        match (cases[tag].1, payload) {
            (Some(ty), Some(value)) => self.at(at + offset, &ty, value),
            (None, None) => {}
            _ => panic!("the payload of {name}"),
        }
    }

    fn pair(&mut self, at: usize, start: i32, len: usize) {
        self.memory.put(at, &start.to_le_bytes());
        self.memory
            .put(at + 4, &u32::try_from(len).unwrap().to_le_bytes());
    }
}
