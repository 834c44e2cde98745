//! The contract in TypeScript, for whoever writes a script: `examples/script/cosell.d.ts`, so that an editor completes and checks it.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail};
use wit_parser::{Function, Interface, Resolve, Type, TypeDefKind, TypeId};

use crate::steps::Workspace;

const FILE: &str = "examples/script/cosell.d.ts";
const HEAD: &str = "\
// Written by `cargo xtask typings` from wit/. The contract in TypeScript, as scripts of the plugin folder and components in JavaScript see it.
// Errors are thrown: `throw { tag: \"refuse\", val: [{ code, message }] }`, any `Stop`.
";

/// Writes it anew.
///
/// # Errors
/// The contract cannot be read, or the file not be written.
pub(crate) fn write(workspace: &Workspace) -> Result<()> {
    let file = workspace.root().join(FILE);
    std::fs::write(&file, typings(workspace)?)
        .with_context(|| format!("cannot write {}", file.display()))
}

fn typings(workspace: &Workspace) -> Result<String> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(workspace.root().join("wit"))?;
    let mut text = format!("{HEAD}declare namespace cosell {{\n");
    for (name, id) in &resolve.packages[package].interfaces {
        let interface = &resolve.interfaces[*id];
        match name.as_str() {
            "types" => types(&resolve, interface, &mut text)?,
            // A script logs by `console`, and is itself what a source would load.
            "log" | "source" => {}
            _ => functions(&resolve, name, interface, &mut text)?,
        }
    }
    text.push_str("}\n");
    Ok(text)
}

fn types(resolve: &Resolve, interface: &Interface, text: &mut String) -> Result<()> {
    for (name, id) in &interface.types {
        let def = &resolve.types[*id];
        doc(def.docs.contents.as_deref(), "  ", text)?;
        let name = pascal(name);
        match &def.kind {
            TypeDefKind::Record(record) => {
                writeln!(text, "  interface {name} {{")?;
                for field in &record.fields {
                    doc(field.docs.contents.as_deref(), "    ", text)?;
                    let (optional, kind) = optional(resolve, &field.ty)?;
                    let may = if optional { "?" } else { "" };
                    writeln!(text, "    {}{may}: {kind};", camel(&field.name))?;
                }
                writeln!(text, "  }}")?;
            }
            TypeDefKind::Variant(variant) => {
                writeln!(text, "  type {name} =")?;
                for case in &variant.cases {
                    doc(case.docs.contents.as_deref(), "    ", text)?;
                    match &case.ty {
                        None => writeln!(text, "    | {{ tag: \"{}\" }}", case.name)?,
                        Some(ty) => {
                            let (optional, kind) = optional(resolve, ty)?;
                            let may = if optional { "?" } else { "" };
                            writeln!(text, "    | {{ tag: \"{}\"; val{may}: {kind} }}", case.name)?;
                        }
                    }
                }
                writeln!(text, "  ;")?;
            }
            TypeDefKind::Enum(cases) => {
                let cases: Vec<_> = cases
                    .cases
                    .iter()
                    .map(|case| format!("\"{}\"", case.name))
                    .collect();
                writeln!(text, "  type {name} = {};", cases.join(" | "))?;
            }
            _ => writeln!(text, "  type {name} = {};", alias(resolve, *id)?)?,
        }
    }
    Ok(())
}

fn functions(
    resolve: &Resolve,
    name: &str,
    interface: &Interface,
    text: &mut String,
) -> Result<()> {
    doc(interface.docs.contents.as_deref(), "  ", text)?;
    writeln!(text, "  interface {} {{", pascal(name))?;
    for function in interface.functions.values() {
        doc(function.docs.contents.as_deref(), "    ", text)?;
        let may = if name == "plugin" && function.name == "manifest" {
            ""
        } else {
            "?"
        };
        let parameters = function
            .params
            .iter()
            .map(|parameter| {
                let (optional, kind) = optional(resolve, &parameter.ty)?;
                let or = if optional { " | undefined" } else { "" };
                Ok(format!("{}: {kind}{or}", camel(&parameter.name)))
            })
            .collect::<Result<Vec<_>>>()?;
        writeln!(
            text,
            "    {}{may}({}): {};",
            camel(&function.name),
            parameters.join(", "),
            answer(resolve, function)?
        )?;
    }
    writeln!(text, "  }}")?;
    Ok(())
}

/// The good side of a result: the other one is thrown.
fn answer(resolve: &Resolve, function: &Function) -> Result<String> {
    let Some(result) = &function.result else {
        return Ok("void".to_owned());
    };
    let good = match result {
        Type::Id(id) => match &resolve.types[*id].kind {
            TypeDefKind::Result(both) => both.ok.unwrap_or(*result),
            _ => *result,
        },
        plain => *plain,
    };
    let (optional, kind) = optional(resolve, &good)?;
    let or = if optional || is_list(resolve, &good) && function.name != "cases" {
        " | undefined | void"
    } else {
        ""
    };
    Ok(format!("{kind}{or}"))
}

/// Whether it is an option, and of what.
fn optional(resolve: &Resolve, ty: &Type) -> Result<(bool, String)> {
    if let Type::Id(id) = ty
        && resolve.types[*id].name.is_none()
        && let TypeDefKind::Option(inner) = &resolve.types[*id].kind
    {
        return Ok((true, kind(resolve, inner)?));
    }
    Ok((false, kind(resolve, ty)?))
}

fn is_list(resolve: &Resolve, ty: &Type) -> bool {
    matches!(ty, Type::Id(id) if matches!(resolve.types[*id].kind, TypeDefKind::List(_)))
}

fn kind(resolve: &Resolve, ty: &Type) -> Result<String> {
    Ok(match ty {
        Type::Bool => "boolean".to_owned(),
        Type::String => "string".to_owned(),
        Type::U8 | Type::U16 | Type::U32 | Type::S32 => "number".to_owned(),
        Type::Id(id) => match &resolve.types[*id].name {
            Some(name) => pascal(name),
            None => alias(resolve, *id)?,
        },
        other => bail!("the contract has a type that scripts do not know: {other:?}"),
    })
}

fn alias(resolve: &Resolve, id: TypeId) -> Result<String> {
    Ok(match &resolve.types[id].kind {
        TypeDefKind::Type(ty) => kind(resolve, ty)?,
        TypeDefKind::List(ty) => match optional(resolve, ty)? {
            (true, kind) => format!("({kind} | null)[]"),
            (false, kind) => format!("{kind}[]"),
        },
        TypeDefKind::Option(ty) => format!("{} | undefined", kind(resolve, ty)?),
        TypeDefKind::Tuple(tuple) => {
            let kinds = tuple.types.iter().map(|ty| kind(resolve, ty));
            format!("[{}]", kinds.collect::<Result<Vec<_>>>()?.join(", "))
        }
        other => bail!("the contract has a type that scripts do not know: {other:?}"),
    })
}

fn doc(docs: Option<&str>, indent: &str, text: &mut String) -> Result<()> {
    let Some(docs) = docs else { return Ok(()) };
    writeln!(text, "{indent}/**")?;
    for line in docs.trim().lines() {
        let line = format!("{indent} * {}", line.replace("*/", "* /"));
        writeln!(text, "{}", line.trim_end())?;
    }
    writeln!(text, "{indent} */")?;
    Ok(())
}

fn pascal(name: &str) -> String {
    name.split('-')
        .map(|part| {
            let (first, rest) = part.split_at(1);
            first.to_uppercase() + rest
        })
        .collect()
}

fn camel(name: &str) -> String {
    let pascal = pascal(name);
    let (first, rest) = pascal.split_at(1);
    first.to_lowercase() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_typings_are_what_the_contract_says() {
        let workspace = Workspace::find().unwrap();
        let there = std::fs::read_to_string(workspace.root().join(FILE)).unwrap();
        assert!(
            there == typings(&workspace).unwrap(),
            "{FILE} is not what wit/ says; type: cargo xtask typings"
        );
    }
}
