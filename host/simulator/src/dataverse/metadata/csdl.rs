//! `GET /$metadata`: the whole schema as CSDL. (dataverse 3.7)

use std::fmt::Write as _;

use crate::dataverse::schema::{Column, Kind, Navigation, Schema, Table};
use crate::wire::Reply;

const HEAD: &str = r#"<?xml version="1.0" encoding="utf-8"?><edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices><Schema Namespace="Microsoft.Dynamics.CRM" Alias="mscrm" xmlns="http://docs.oasis-open.org/odata/ns/edm">"#;
const FOOT: &str = "</Schema></edmx:DataServices></edmx:Edmx>";

/// The document.
pub(crate) fn document(schema: &Schema) -> Reply {
    let mut out = HEAD.to_owned();
    out.push_str(r#"<EntityType Name="crmbaseentity" Abstract="true" />"#);
    for table in schema.tables.values() {
        entity(&mut out, schema, table);
    }
    out.push_str(r#"<EntityContainer Name="System">"#);
    for table in schema.tables.values() {
        let (set, logical) = (&table.set, &table.logical);
        write(
            &mut out,
            format_args!(
                r#"<EntitySet Name="{set}" EntityType="Microsoft.Dynamics.CRM.{logical}" />"#
            ),
        );
    }
    out.push_str("</EntityContainer>");
    out.push_str(FOOT);
    Reply::bytes(200, "application/xml", out.into_bytes())
}

fn entity(out: &mut String, schema: &Schema, table: &Table) {
    let (logical, key) = (&table.logical, &table.key);
    write(
        out,
        format_args!(
            r#"<EntityType Name="{logical}" BaseType="mscrm.crmbaseentity"><Key><PropertyRef Name="{key}" /></Key>"#
        ),
    );
    for column in table.columns.values().filter(|column| column.read) {
        let (name, edm) = (column.wire_name(), edm(column));
        write(
            out,
            format_args!(r#"<Property Name="{name}" Type="{edm}" />"#),
        );
    }
    for (name, navigation) in schema.navigations(logical) {
        let kind = match navigation {
            Navigation::One { table, .. } => format!("mscrm.{table}"),
            Navigation::Children { table, .. } | Navigation::Many { table, .. } => {
                format!("Collection(mscrm.{table})")
            }
        };
        write(
            out,
            format_args!(r#"<NavigationProperty Name="{name}" Type="{kind}" />"#),
        );
    }
    out.push_str("</EntityType>");
}

/// Names and types are letters, digits, dots and underscores: nothing has to be escaped. Writing to a text cannot fail.
fn write(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _infallible = out.write_fmt(text);
}

fn edm(column: &Column) -> &'static str {
    match column.kind {
        Kind::Text { .. } | Kind::Memo { .. } | Kind::Choices(_) => "Edm.String",
        Kind::Int { .. } | Kind::Choice(_) | Kind::State(_) | Kind::Status(_) => "Edm.Int32",
        Kind::BigInt => "Edm.Int64",
        Kind::Decimal { .. } | Kind::Money { .. } => "Edm.Decimal",
        Kind::Double { .. } => "Edm.Double",
        Kind::Bool => "Edm.Boolean",
        Kind::Date => "Edm.Date",
        Kind::Time => "Edm.DateTimeOffset",
        Kind::Guid | Kind::Lookup(_) => "Edm.Guid",
    }
}
