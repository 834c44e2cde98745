//! Tables and columns as they begin.

use std::collections::BTreeMap;

use super::{BASE_DECIMALS, Choice, Column, Kind, Required, Table, Target};

pub(super) fn blank_table(
    logical: &str,
    set: &str,
    key: &str,
    primary_name: &str,
    code: i32,
) -> Table {
    Table {
        logical: logical.into(),
        schema_name: capitalised(logical),
        set: set.to_owned(),
        key: key.into(),
        primary_name: primary_name.into(),
        code,
        custom: false,
        tracked: true,
        versioned: true,
        display: None,
        columns: BTreeMap::new(),
        keys: Vec::new(),
    }
}

pub(super) fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

pub(super) fn system_columns(table: &mut Table, owned: bool, states: bool) {
    let key = table.key.clone();
    let mut primary = plain_column(&key, Kind::Guid);
    (primary.update, primary.required) = (false, Required::System);
    add(table, primary);
    let logical = table.logical.clone();
    for name in ["createdon", "modifiedon"] {
        add(table, read_only(plain_column(name, Kind::Time)));
    }
    for name in [
        "createdby",
        "modifiedby",
        "createdonbehalfby",
        "modifiedonbehalfby",
    ] {
        let target = Target {
            table: "systemuser".into(),
            navigation: name.to_owned(),
            relationship: format!("lk_{logical}_{name}"),
        };
        add(
            table,
            read_only(plain_column(name, Kind::Lookup(vec![target]))),
        );
    }
    add(
        table,
        read_only(plain_column("versionnumber", Kind::BigInt)),
    );
    for (name, kind) in [
        ("overriddencreatedon", Kind::Time),
        (
            "importsequencenumber",
            Kind::Int {
                min: -2_147_483_648,
                max: 2_147_483_647,
            },
        ),
    ] {
        let mut column = plain_column(name, kind);
        column.update = false;
        add(table, column);
    }
    if owned {
        let target = |to: &str| Target {
            table: to.into(),
            navigation: "ownerid".to_owned(),
            relationship: format!("{}_{logical}s", if to == "team" { "team" } else { "user" }),
        };
        let mut owner = plain_column(
            "ownerid",
            Kind::Lookup(vec![target("systemuser"), target("team")]),
        );
        owner.required = Required::System;
        add(table, owner);
    }
    if states {
        let choices = |list: [(i32, &str, i32); 2]| {
            list.map(|(value, label, of)| Choice {
                value,
                label: label.to_owned(),
                of,
            })
            .to_vec()
        };
        add(
            table,
            plain_column(
                "statecode",
                Kind::State(choices([(0, "Active", 1), (1, "Inactive", 2)])),
            ),
        );
        add(
            table,
            plain_column(
                "statuscode",
                Kind::Status(choices([(1, "Active", 0), (2, "Inactive", 1)])),
            ),
        );
    }
}

pub(crate) fn plain_column(logical: &str, kind: Kind) -> Column {
    Column {
        logical: logical.into(),
        schema_name: capitalised(logical),
        kind,
        required: Required::No,
        create: true,
        update: true,
        read: true,
        custom: false,
        default: None,
        display: None,
        format: None,
        global: None,
    }
}

pub(super) fn read_only(mut column: Column) -> Column {
    (column.create, column.update) = (false, false);
    column
}

/// Adds a column, and its base-currency shadow when it holds money.
pub(super) fn add(table: &mut Table, column: Column) {
    if let Kind::Money { min, max, .. } = &column.kind {
        let mut base = read_only(plain_column(
            &format!("{}_base", column.logical),
            Kind::Money {
                min: *min,
                max: *max,
                precision: Some(BASE_DECIMALS),
            },
        ));
        base.custom = column.custom;
        table.columns.insert(base.logical.clone(), base);
    }
    table.columns.insert(column.logical.clone(), column);
}
