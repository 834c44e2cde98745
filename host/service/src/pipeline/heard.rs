//! What plugins answered, as JSON: for recordings, and for comparing one answer with another.

use cosell_plugins::{
    Draft, Likeness, Reading, Resolution, Search, Speaker, Spoken, Stop, StopKind, Strength,
    Verdict,
};
use cosell_sync::row::{Reason, Refusal, RowState};
use serde_json::{Map, Value, json};

use crate::recording::{cell_json, condition_json};
use crate::trouble::reason_json;

/// An answer that can be told.
pub(super) trait Told {
    fn told(&self) -> Value;
}

fn by(speaker: &Speaker) -> String {
    speaker.to_string()
}

fn refusals(list: &[Refusal]) -> Value {
    let one = |refusal: &Refusal| json!({ "unit": refusal.unit.as_text(), "reason": reason_json(&refusal.reason) });
    list.iter().map(one).collect()
}

fn reasons(list: &[Reason]) -> Value {
    list.iter().map(reason_json).collect()
}

impl Told for Reading {
    fn told(&self) -> Value {
        let unit = |(unit, value): (&cosell_sync::deal::Unit, &cosell_sync::deal::UnitValue)| {
            let by = self.spoken.get(unit).map(by);
            (
                unit.as_text(),
                json!({ "parts": value.to_parts(), "by": by }),
            )
        };
        let units: Map<String, Value> = self.units.iter().map(unit).collect();
        json!({ "units": units, "refusals": refusals(&self.refusals) })
    }
}

impl Told for Verdict {
    fn told(&self) -> Value {
        match self {
            Self::Sync(kind) => json!({ "sync": kind.table() }),
            Self::Skip(reason) => json!({ "skip": reason_json(reason) }),
        }
    }
}

impl Told for Draft {
    fn told(&self) -> Value {
        let cells = self.cells.iter();
        let cells: Map<String, Value> = cells
            .map(|(column, (cell, speaker))| {
                (
                    column.clone(),
                    json!({ "cell": cell_json(cell), "by": by(speaker) }),
                )
            })
            .collect();
        let children: Vec<Value> = self
            .children
            .iter()
            .map(|(children, speaker)| {
                let rows = children.rows.iter().map(|row| {
                    let cells = row.cells.iter();
                    let cells: Map<String, Value> = cells
                        .map(|(column, cell)| (column.clone(), cell_json(cell)))
                        .collect();
                    json!({ "id": row.id, "key": row.key, "cells": cells })
                });
                json!({
                    "label": children.label, "rows": rows.collect::<Vec<_>>(),
                    "remove-surplus": children.remove_surplus, "by": by(speaker)
                })
            })
            .collect();
        json!({ "cells": cells, "children": children, "refusals": refusals(&self.refusals) })
    }
}

impl Told for RowState {
    fn told(&self) -> Value {
        let closing = self.closing.iter();
        let closing: Map<String, Value> = closing
            .map(|(column, cell)| (column.clone(), cell_json(cell)))
            .collect();
        json!({ "statecode": self.statecode, "statuscode": self.statuscode, "closing": closing })
    }
}

impl Told for Vec<Search> {
    fn told(&self) -> Value {
        let one = |search: &Search| {
            let strength = match search.strength {
                Strength::Identifies => "identifies",
                Strength::Suggests => "suggests",
            };
            let conditions = search.query.conditions.iter().map(condition_json);
            json!({
                "table": search.query.table, "conditions": conditions.collect::<Vec<_>>(), "strength": strength
            })
        };
        self.iter().map(one).collect()
    }
}

impl Told for Resolution {
    fn told(&self) -> Value {
        let likeness = |one: &Likeness| json!({ "reference": one.id, "score": one.score });
        match self {
            Self::UseExisting(one) => json!({ "use": likeness(one) }),
            Self::CreateNew(identity) => json!({ "new": { "text": identity } }),
            Self::Review(list) => {
                json!({ "review": list.iter().map(likeness).collect::<Vec<_>>() })
            }
        }
    }
}

impl Told for String {
    fn told(&self) -> Value {
        json!({ "mark": self })
    }
}

impl<T: Told> Told for Option<Spoken<T>> {
    fn told(&self) -> Value {
        match self {
            None => json!("nobody spoke"),
            Some(spoken) => match spoken.value.told() {
                Value::Object(mut members) => {
                    members.insert("by".to_owned(), by(&spoken.by).into());
                    Value::Object(members)
                }
                list => json!({ "says": list, "by": by(&spoken.by) }),
            },
        }
    }
}

impl Told for Stop {
    fn told(&self) -> Value {
        let mut told = json!({ "by": by(&self.plugin), "hook": self.hook });
        match &self.kind {
            StopKind::Ask(_) => told["asks"] = true.into(),
            StopKind::Refuse(list) => told["refuses"] = reasons(list),
            StopKind::Later { message, .. } => told["later"] = json!({ "text": message }),
            StopKind::Fault(fault) => {
                told["fault"] = json!({
                    "kind": fault.kind.as_str(), "message": fault.message, "trace": fault.trace, "frames": fault.frames
                });
            }
        }
        told
    }
}
