//! The contract in TypeScript, and with the tables of one organisation, so that an editor completes column names and finds misspelt ones.

use std::fmt::Write as _;

/// As `cargo xtask typings` writes it from `wit/`: column names are any text.
pub const CONTRACT: &str = include_str!("../../../examples/script/cosell.d.ts");

/// A table of the organisation, as its metadata tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Logical name, `opportunity`.
    pub name: String,
    /// In the order in which they should stand.
    pub columns: Vec<Column>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Logical name, `estimatedvalue`.
    pub name: String,
    /// What an editor shows beside it: kind, length, options, whether it may be written.
    pub doc: Vec<String>,
    /// Tag of the contract's `value` that it holds, `money`; None: cells cannot carry it.
    pub tag: Option<&'static str>,
}

/// The places of the contract where a column or a table is named, and what stands there instead. Each is there exactly once: a test says so.
const PLACES: [(&str, &str); 5] = [
    (
        "type Cell = [string, Value];",
        "type Cell = [Column, Value];",
    ),
    (
        "interface TableColumns {\n    table: string;\n    columns: string[];\n  }",
        "type TableColumns = { [T in Table]: { table: T; columns: (keyof Tables[T])[] } }[Table];",
    ),
    (
        "interface AskedTable {\n    table: string;\n    columns: string[];\n    steady: boolean;\n  }",
        "type AskedTable = { [T in Table]: { table: T; columns: (keyof Tables[T])[]; steady: boolean } }[Table];",
    ),
    (
        "interface RowKey {\n    table: string;",
        "interface RowKey {\n    table: Table;",
    ),
    (
        "interface Condition {\n    column: string;",
        "interface Condition {\n    column: Column;",
    ),
];

/// The contract with these tables: a name that is none of theirs is a mistake.
#[must_use]
pub fn with_tables(tables: &[Table], source: &str) -> String {
    let mut text = CONTRACT.to_owned();
    for (before, after) in PLACES {
        text = text.replacen(before, after, 1);
    }
    let end = text.rfind('}').unwrap_or(text.len());
    text.truncate(end);
    let _ = writeln!(
        text,
        "\n  // Tables and columns of {source}, as `cosell plugin types` read them. Another table: --table NAME."
    );
    text.push_str("  interface Tables {\n");
    for table in tables {
        let _ = writeln!(text, "    {}: {};", table.name, columns_of(&table.name));
    }
    text.push_str("  }\n  type Table = keyof Tables;\n  type Column = { [T in Table]: keyof Tables[T] }[Table];\n");
    for table in tables {
        let _ = writeln!(text, "  interface {} {{", columns_of(&table.name));
        for column in &table.columns {
            if !column.doc.is_empty() {
                text.push_str("    /**\n");
                for line in &column.doc {
                    let line = line.replace("*/", "* /");
                    let _ = writeln!(text, "     * {line}");
                }
                text.push_str("     */\n");
            }
            let kind = column.tag.map_or_else(
                || "never".to_owned(),
                |tag| format!("Extract<Value, {{ tag: \"{tag}\" }}>"),
            );
            let _ = writeln!(text, "    {}: {kind};", column.name);
        }
        text.push_str("  }\n");
    }
    text.push_str("}\n");
    text
}

/// `new_country` → `ColumnsOfNewCountry`
fn columns_of(table: &str) -> String {
    let words = table.split('_').map(|word| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| {
            first.to_ascii_uppercase().to_string() + letters.as_str()
        })
    });
    format!("ColumnsOf{}", words.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_where_a_column_is_named_is_known() {
        for (before, _) in PLACES {
            assert_eq!(CONTRACT.matches(before).count(), 1, "{before}");
        }
    }

    #[test]
    fn tables_and_columns_become_names_that_an_editor_completes() {
        let table = Table {
            name: "new_country".to_owned(),
            columns: vec![Column {
                name: "new_iso2".to_owned(),
                doc: vec!["a text column, at most 2 */".to_owned()],
                tag: Some("text"),
            }],
        };
        let text = with_tables(&[table], "Contoso");
        for words in [
            "    new_country: ColumnsOfNewCountry;\n",
            "     * a text column, at most 2 * /\n",
            "    new_iso2: Extract<Value, { tag: \"text\" }>;\n",
            "type Cell = [Column, Value];",
        ] {
            assert!(text.contains(words), "{words} is not in\n{text}");
        }
        assert!(text.ends_with("  }\n}\n"));
    }
}
