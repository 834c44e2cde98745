//! Reading the standard tables from their text: one table or column a line.

use rust_decimal::Decimal;

use super::{
    Choice, Column, Kind, ManyToMany, Name, Required, Schema, Table, Target, add, blank_table,
    capitalised, plain_column, read_only, system_columns,
};

/// Reads tables, their columns and many-to-many relationships.
pub(super) fn read(schema: &mut Schema, text: &str) -> Result<(), String> {
    let mut current: Option<Table> = None;
    for line in text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[0] {
            "table" => {
                if let Some(done) = current.replace(table_line(&words)?) {
                    schema.tables.insert(done.logical.clone(), done);
                }
            }
            "many" => schema.many.push(many_line(&words)?),
            _ => {
                let table = current
                    .as_mut()
                    .ok_or_else(|| format!("column before any table: {line}"))?;
                let column = column_line(&table.logical, &words)
                    .map_err(|reason| format!("{reason}: {line}"))?;
                add(table, column);
            }
        }
    }
    if let Some(done) = current {
        schema.tables.insert(done.logical.clone(), done);
    }
    Ok(())
}

fn table_line(words: &[&str]) -> Result<Table, String> {
    let value = |name: &str| {
        let found = words
            .iter()
            .find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        found.ok_or_else(|| format!("table {} has no {name}", words[1]))
    };
    let code = value("code")?
        .parse()
        .map_err(|_| format!("code of table {}", words[1]))?;
    let mut table = blank_table(words[1], value("set")?, value("key")?, value("name")?, code);
    table.custom = table.logical.starts_with("msft_");
    table.tracked = !words.contains(&"plain");
    table.versioned = table.tracked;
    system_columns(
        &mut table,
        words.contains(&"owned"),
        words.contains(&"states"),
    );
    Ok(table)
}

fn column_line(table: &str, words: &[&str]) -> Result<Column, String> {
    let (name, kind) = (words[0], *words.get(1).ok_or("no kind")?);
    let argument = |index: usize| {
        words
            .get(index + 2)
            .copied()
            .ok_or("an argument is missing")
    };
    let number = |index: usize| -> Result<Decimal, String> {
        argument(index)?
            .parse()
            .map_err(|_| "an argument is not a number".to_owned())
    };
    let whole = |index: usize| -> Result<i64, String> {
        argument(index)?
            .parse()
            .map_err(|_| "an argument is not a whole number".to_owned())
    };
    let size = |index: usize| -> Result<usize, String> {
        argument(index)?
            .parse()
            .map_err(|_| "an argument is not a length".to_owned())
    };
    let option = |name: &str| {
        words
            .iter()
            .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    };
    let relationships: Vec<&str> = option("rel")
        .map(|list| list.split(',').collect())
        .unwrap_or_default();
    let schema_name = option("schema").map_or_else(|| capitalised(name), str::to_owned);
    let lookup = |polymorphic: bool| -> Result<Kind, String> {
        let tables: Vec<&str> = argument(0)?.split(',').collect();
        let targets = tables.iter().enumerate().map(|(index, to)| Target {
            table: (*to).into(),
            navigation: match (polymorphic, option("schema")) {
                (true, _) => format!("{name}_{to}"),
                (false, Some(schema)) => schema.to_owned(),
                (false, None) => name.to_owned(),
            },
            relationship: relationships
                .get(index)
                .map_or_else(|| format!("{to}_{table}_{name}"), |held| (*held).to_owned()),
        });
        Ok(Kind::Lookup(targets.collect()))
    };
    let kind = match kind {
        "text" => Kind::Text { max: size(0)? },
        "memo" => Kind::Memo { max: size(0)? },
        "int" => Kind::Int {
            min: whole(0)?,
            max: whole(1)?,
        },
        "bigint" => Kind::BigInt,
        "decimal" => Kind::Decimal {
            precision: u32::try_from(size(0)?).map_err(|_| "precision")?,
            min: number(1)?,
            max: number(2)?,
        },
        "money" => Kind::Money {
            min: number(0)?,
            max: number(1)?,
            precision: None,
        },
        "double" => Kind::Double {
            min: argument(0)?
                .parse()
                .map_err(|_| "an argument is not a number")?,
            max: argument(1)?
                .parse()
                .map_err(|_| "an argument is not a number")?,
        },
        "bool" => Kind::Bool,
        "choice" => Kind::Choice(choices(argument(0)?)?),
        "state" => Kind::State(choices(argument(0)?)?),
        "status" => Kind::Status(choices(argument(0)?)?),
        "date" => Kind::Date,
        "datetime" => Kind::Time,
        "guid" => Kind::Guid,
        "lookup" => lookup(false)?,
        "customer" | "eventhandler" => lookup(true)?,
        other => return Err(format!("unknown kind {other}")),
    };
    let flag = |name: &str| words.contains(&name);
    let mut column = plain_column(name, kind);
    column.schema_name = schema_name;
    column.custom = name.starts_with("msft_");
    column.required = match () {
        () if flag("sys") => Required::System,
        () if flag("app") => Required::Application,
        () if flag("rec") => Required::Recommended,
        () => Required::No,
    };
    column.default = option("default").and_then(|value| value.parse().ok());
    if matches!(column.kind, Kind::Bool) {
        column.default = argument(0)?.parse().ok();
    }
    if flag("ro") {
        column = read_only(column);
    }
    column.read = !flag("secret");
    Ok(column)
}

fn choices(text: &str) -> Result<Vec<Choice>, String> {
    text.split(',')
        .map(|part| {
            let mut fields = part.split(':');
            let value = fields
                .next()
                .and_then(|value| value.parse().ok())
                .ok_or_else(|| format!("choice {part}"))?;
            let label = fields
                .next()
                .ok_or_else(|| format!("choice {part}"))?
                .replace('_', " ");
            let of = fields.next().and_then(|of| of.parse().ok()).unwrap_or(0);
            Ok(Choice { value, label, of })
        })
        .collect()
}

fn many_line(words: &[&str]) -> Result<ManyToMany, String> {
    let [_, schema_name, intersect, first, second] = words else {
        return Err(format!("many: {words:?}"));
    };
    let side = |text: &str| -> Result<(Name, String), String> {
        let (table, navigation) = text
            .split_once(':')
            .ok_or_else(|| format!("many side {text}"))?;
        Ok((table.into(), navigation.to_owned()))
    };
    Ok(ManyToMany {
        schema_name: (*schema_name).to_owned(),
        intersect: (*intersect).to_owned(),
        first: side(first)?,
        second: side(second)?,
        gone: false,
    })
}
