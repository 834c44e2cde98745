//! One version of the contract, and how its parts are spelt.

use std::path::Path;

use anyhow::{Context, Result};
use wit_parser::{
    Function, Interface, InterfaceId, PackageId, Resolve, Type, TypeDefKind, TypeId, World,
    WorldItem,
};

/// A version of the contract.
pub(super) struct Contract {
    pub(super) resolve: Resolve,
    package: PackageId,
}

impl Contract {
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let mut resolve = Resolve::default();
        let (package, _) = resolve
            .push_dir(folder)
            .with_context(|| format!("{} is no contract", folder.display()))?;
        Ok(Self { resolve, package })
    }

    pub(super) fn version(&self) -> String {
        let name = &self.resolve.packages[self.package].name;
        let version = name.version.as_ref().map(ToString::to_string);
        version.unwrap_or_else(|| "without a version".to_owned())
    }

    pub(super) fn interfaces(&self) -> impl Iterator<Item = (&str, &Interface)> {
        let interfaces = self.resolve.packages[self.package].interfaces.iter();
        interfaces.map(|(name, id)| (name.as_str(), &self.resolve.interfaces[*id]))
    }

    pub(super) fn interface(&self, name: &str) -> Option<&Interface> {
        let id: InterfaceId = *self.resolve.packages[self.package].interfaces.get(name)?;
        Some(&self.resolve.interfaces[id])
    }

    pub(super) fn worlds(&self) -> impl Iterator<Item = (&str, &World)> {
        let worlds = self.resolve.packages[self.package].worlds.iter();
        worlds.map(|(name, id)| (name.as_str(), &self.resolve.worlds[*id]))
    }

    pub(super) fn world(&self, name: &str) -> Option<&World> {
        let id = *self.resolve.packages[self.package].worlds.get(name)?;
        Some(&self.resolve.worlds[id])
    }

    /// A type as its parts: fields, cases, or what it stands for.
    pub(super) fn parts(&self, id: TypeId) -> Vec<String> {
        match &self.resolve.types[id].kind {
            TypeDefKind::Record(record) => record
                .fields
                .iter()
                .map(|field| format!("{}: {}", field.name, self.spelt(&field.ty)))
                .collect(),
            TypeDefKind::Variant(variant) => variant
                .cases
                .iter()
                .map(|case| match &case.ty {
                    Some(ty) => format!("{}({})", case.name, self.spelt(ty)),
                    None => case.name.clone(),
                })
                .collect(),
            TypeDefKind::Enum(cases) => cases.cases.iter().map(|case| case.name.clone()).collect(),
            TypeDefKind::Flags(flags) => flags.flags.iter().map(|flag| flag.name.clone()).collect(),
            _ => vec![self.kind(id)],
        }
    }

    fn spelt(&self, ty: &Type) -> String {
        match ty {
            Type::Id(id) => match &self.resolve.types[*id].name {
                Some(name) => name.clone(),
                None => self.kind(*id),
            },
            plain => format!("{plain:?}").to_lowercase(),
        }
    }

    fn kind(&self, id: TypeId) -> String {
        match &self.resolve.types[id].kind {
            TypeDefKind::Type(ty) => self.spelt(ty),
            TypeDefKind::List(ty) => format!("list<{}>", self.spelt(ty)),
            TypeDefKind::Option(ty) => format!("option<{}>", self.spelt(ty)),
            TypeDefKind::Tuple(tuple) => {
                let types: Vec<_> = tuple.types.iter().map(|ty| self.spelt(ty)).collect();
                format!("tuple<{}>", types.join(", "))
            }
            TypeDefKind::Result(both) => {
                let side = |ty: &Option<Type>| {
                    ty.as_ref()
                        .map_or_else(|| "_".to_owned(), |ty| self.spelt(ty))
                };
                format!("result<{}, {}>", side(&both.ok), side(&both.err))
            }
            other => other.as_str().to_owned(),
        }
    }

    pub(super) fn function(&self, function: &Function) -> String {
        let parameters: Vec<_> = function
            .params
            .iter()
            .map(|one| format!("{}: {}", one.name, self.spelt(&one.ty)))
            .collect();
        let answer = function
            .result
            .as_ref()
            .map(|ty| format!(" -> {}", self.spelt(ty)));
        format!(
            "func({}){}",
            parameters.join(", "),
            answer.unwrap_or_default()
        )
    }

    /// Names of what a world imports or exports.
    pub(super) fn names<'a>(
        &self,
        items: impl Iterator<Item = (&'a wit_parser::WorldKey, &'a WorldItem)>,
    ) -> Vec<String> {
        let mut names: Vec<String> = items
            .map(|(key, _)| {
                let name = self.resolve.name_world_key(key);
                name.split('@').next().unwrap_or_default().to_owned()
            })
            .collect();
        names.sort();
        names
    }
}
