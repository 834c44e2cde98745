//! What a guest said, checked: declared, well-formed, not too much. The sentences here are read by the plugin's author.

use std::collections::BTreeMap;

use cosell_sync::row::{
    Cell, Child, Children, Choice, Reason, RecordKind, Reference, RowKey, RowState,
};

use super::given::may;
use super::{asked, lexical, units};
use crate::bindings::cosell::mapping::types as wit;
use crate::declared::Declared;
use crate::limits::{CHANGES_MAX, LIST_MAX, MARK_CHARS, REASON_CHARS, REASONS_MAX, TEXT_CHARS};
use crate::question::Verdict;
use crate::stop::{FaultKind, PluginFault, StopKind};

/// An answer that the host does not accept, in one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bad(pub(crate) String);

pub(crate) fn bad(message: impl Into<String>) -> Bad {
    Bad(message.into())
}

impl From<Bad> for StopKind {
    fn from(Bad(message): Bad) -> Self {
        Self::Fault(Box::new(PluginFault::new(FaultKind::Output, message)))
    }
}

pub(crate) fn listed<T>(path: &str, list: &[T]) -> Result<(), Bad> {
    if list.len() > LIST_MAX {
        return Err(bad(format!(
            "{path} has {} entries, more than {LIST_MAX}",
            list.len()
        )));
    }
    Ok(())
}

pub(crate) fn long(path: &str, text: &str) -> Result<String, Bad> {
    // Bytes first: counting characters is only worth it for long texts.
    if text.len() > TEXT_CHARS && text.chars().count() > TEXT_CHARS {
        return Err(bad(format!(
            "{path} is longer than {TEXT_CHARS} characters, and no column holds that much"
        )));
    }
    Ok(text.to_owned())
}

/// A value for `table.column`; whether the column may be set is the caller's question.
pub(crate) fn cell(declared: &Declared, path: &str, value: &wit::Value) -> Result<Cell, Bad> {
    Ok(match value {
        wit::Value::Empty => Cell::Empty,
        wit::Value::Text(text) => Cell::Text(long(path, text)?),
        wit::Value::Integer(number) => Cell::Integer(*number),
        wit::Value::Decimal(text) => Cell::Decimal(lexical::decimal(text).ok_or_else(|| {
            bad(format!(
                "{path}: {text:?} is no decimal; write digits and a point, 12.50"
            ))
        })?),
        wit::Value::Money(money) => Cell::Money(units::money(path, money)?),
        wit::Value::Boolean(flag) => Cell::Bool(*flag),
        wit::Value::Date(text) => Cell::Date(units::day(path, text)?),
        wit::Value::Timestamp(text) => {
            Cell::Timestamp(lexical::timestamp(text).ok_or_else(|| {
                bad(format!(
                    "{path}: {text:?} is no moment; write 2026-09-30T14:05:00Z"
                ))
            })?)
        }
        wit::Value::Choice(choice) => Cell::Choice(self::choice(choice)),
        wit::Value::Choices(choices) => {
            listed(path, choices)?;
            let mut choices: Vec<_> = choices.iter().map(choice).collect();
            choices.sort_by_key(|choice| choice.code);
            choices.dedup_by_key(|choice| choice.code);
            Cell::Choices(choices)
        }
        wit::Value::Reference(reference) => Cell::Reference(self::reference(path, reference)?),
        wit::Value::RowWhere(key) => Cell::RowWhere(row_key(declared, path, key)?),
    })
}

fn choice(choice: &wit::Choice) -> Choice {
    Choice {
        code: choice.code,
        label: choice.label.clone(),
    }
}

fn reference(path: &str, reference: &wit::Reference) -> Result<Reference, Bad> {
    logical(path, &reference.table)?;
    Ok(Reference {
        table: reference.table.clone(),
        id: id(path, &reference.id)?,
        name: reference.name.clone(),
    })
}

fn row_key(declared: &Declared, path: &str, key: &wit::RowKey) -> Result<RowKey, Bad> {
    logical(path, &key.table)?;
    if key.parts.is_empty() {
        return Err(bad(format!(
            "{path}: `row-where` of {} names no column to look by",
            key.table
        )));
    }
    listed(path, &key.parts)?;
    for (column, _) in &key.parts {
        logical(path, column)?;
        if !may(&declared.asks, &key.table, column) {
            return Err(bad(format!(
                "{path}: `row-where` looks by {}.{column} without having declared it; add it to `asks` in what `describe` answers",
                key.table
            )));
        }
    }
    Ok(RowKey {
        table: key.table.clone(),
        parts: key.parts.clone(),
        leave_out_if_missing: key.if_missing == wit::IfMissing::LeaveOut,
    })
}

fn logical(path: &str, name: &str) -> Result<(), Bad> {
    if lexical::is_logical_name(name) {
        return Ok(());
    }
    Err(bad(format!(
        "{path}: {name:?} is no logical name; write it as Dataverse does, `new_dealvalue`, never `_name_value`"
    )))
}

pub(super) fn id(path: &str, text: &str) -> Result<String, Bad> {
    lexical::guid(text).ok_or_else(|| bad(format!("{path}: {text:?} is no row id; ids are GUIDs")))
}

/// A column that a plugin sets: declared, and not one that the host fills itself.
pub(crate) fn settable(declared: &Declared, table: &str, column: &str) -> Result<(), Bad> {
    if may(&declared.writes, table, column) {
        if let Some(role) = declared.role_of(table, column) {
            return Err(bad(format!(
                "sets {table}.{column}, which it brings with the role `{role}`: the host fills such columns itself; do not set it"
            )));
        }
        return Ok(());
    }
    Err(bad(format!(
        "sets {table}.{column} without having declared it; add `writes` of table {table:?}, column {column:?} to what `describe` answers"
    )))
}

pub(crate) fn cells(
    declared: &Declared,
    table: &str,
    list: &[wit::Cell],
) -> Result<BTreeMap<String, Cell>, Bad> {
    if list.len() > CHANGES_MAX {
        return Err(bad(format!(
            "{} cells for one row of {table}, more than {CHANGES_MAX}",
            list.len()
        )));
    }
    list.iter()
        .map(|(column, value)| {
            settable(declared, table, column)?;
            Ok((
                column.clone(),
                cell(declared, &format!("{table}.{column}"), value)?,
            ))
        })
        .collect()
}

/// Child rows, their label made full.
pub(crate) fn children(
    declared: &Declared,
    plugin: &str,
    children: &wit::Children,
) -> Result<Children, Bad> {
    let label = &children.label;
    let Some(join) = declared.joins.iter().find(|join| join.label == *label) else {
        return Err(bad(format!(
            "answers `children` under {label:?}, which is none of its joins; add the join to what `describe` answers"
        )));
    };
    if matches!(join.via, cosell_sync::row::Link::Lookup(_)) {
        return Err(bad(format!(
            "answers `children` under {label:?}, which is a lookup; only `child` and `many` joins have children"
        )));
    }
    listed(label, &children.rows)?;
    let mut keys = std::collections::BTreeSet::new();
    let rows = children
        .rows
        .iter()
        .map(|child| {
            if child.id.is_none() && child.key.is_empty() {
                return Err(bad(format!("a new row under {label:?} has no key; give it one that stays the same, a solution id")));
            }
            if !child.key.is_empty() && !keys.insert(child.key.as_str()) {
                return Err(bad(format!("two rows under {label:?} have the key {:?}; keys are unique under their label", child.key)));
            }
            Ok(Child {
                key: child.key.clone(),
                id: child.id.as_ref().map(|text| id(label, text)).transpose()?,
                cells: cells(declared, &join.table, &child.cells)?,
            })
        })
        .collect::<Result<_, Bad>>()?;
    Ok(Children {
        label: format!("{plugin}/{label}"),
        rows,
        remove_surplus: children.surplus == wit::Surplus::Remove,
    })
}

pub(crate) fn verdict(verdict: &wit::Verdict) -> Verdict {
    match verdict {
        wit::Verdict::Sync(wit::RecordKind::Opportunity) => Verdict::Sync(RecordKind::Opportunity),
        wit::Verdict::Sync(wit::RecordKind::Lead) => Verdict::Sync(RecordKind::Lead),
        wit::Verdict::Skip(reason) => Verdict::Skip(self::reason(reason)),
    }
}

/// The closing cells go to the closing activity, whose table is the host's business: their names are only checked for form.
pub(crate) fn row_state(declared: &Declared, state: &wit::RowState) -> Result<RowState, Bad> {
    listed("closing", &state.closing)?;
    Ok(RowState {
        statecode: state.statecode,
        statuscode: state.statuscode,
        closing: state
            .closing
            .iter()
            .map(|(column, value)| {
                logical("closing", column)?;
                Ok((
                    column.clone(),
                    cell(declared, &format!("closing.{column}"), value)?,
                ))
            })
            .collect::<Result<_, Bad>>()?,
    })
}

pub(crate) fn mark(mark: &str) -> Result<String, Bad> {
    if mark.chars().count() > MARK_CHARS || mark.chars().any(char::is_control) {
        return Err(bad(format!(
            "the mark {:?} is no sign before a name: at most {MARK_CHARS} characters, none of them a control",
            short(mark)
        )));
    }
    Ok(mark.to_owned())
}

pub(crate) fn country_code(code: &str) -> Result<String, Bad> {
    if lexical::is_alpha2(code) {
        return Ok(code.to_owned());
    }
    Err(bad(format!(
        "{:?} is no ISO 3166-1 alpha-2 code; answer two capital letters, HU",
        short(code)
    )))
}

/// Words for people are cut, not refused: half a reason is better than none.
pub(crate) fn reason(reason: &wit::Reason) -> Reason {
    Reason {
        code: short(&reason.code),
        message: short(&reason.message),
        about: reason.about.as_ref().map(|about| match about {
            wit::Subject::Deal(path) => short(path),
            wit::Subject::Column(name) => short(&format!("{}.{}", name.table, name.column)),
            wit::Subject::Setting(name) => short(&format!("setting {name}")),
        }),
        hint: reason.hint.as_deref().map(short),
    }
}

/// One line that steers no terminal and forges no other line.
pub(crate) fn short(text: &str) -> String {
    let visible = |character: char| match character {
        '\u{2028}' | '\u{2029}' => ' ',
        // What turns the direction of what follows.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        character if character.is_control() => ' ',
        character => character,
    };
    let mut cut: String = text.chars().take(REASON_CHARS).map(visible).collect();
    if text.chars().nth(REASON_CHARS).is_some() {
        cut.push('…');
    }
    cut
}

/// Why there is no answer.
pub(crate) fn stop(declared: &Declared, plugin: &str, stop: wit::Stop) -> StopKind {
    match stop {
        wit::Stop::Ask(queries) => match asked::asked(declared, plugin, &queries) {
            Ok(queries) => StopKind::Ask(queries),
            Err(bad) => bad.into(),
        },
        wit::Stop::Refuse(reasons) if reasons.is_empty() => {
            bad("refuses without a reason; a seller has to know what to change").into()
        }
        wit::Stop::Refuse(reasons) => {
            StopKind::Refuse(reasons.iter().take(REASONS_MAX).map(reason).collect())
        }
        wit::Stop::Later(postponement) => StopKind::Later {
            message: short(&postponement.message),
            seconds: postponement.seconds,
        },
        wit::Stop::Fault(fault) => StopKind::Fault(Box::new(PluginFault {
            kind: FaultKind::Fault,
            message: short(&fault.message),
            trace: fault.trace.as_deref().map(short),
            frames: Vec::new(),
        })),
    }
}
