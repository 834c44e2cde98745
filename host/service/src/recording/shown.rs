//! The deal of a recording, as a plugin is shown it: for an author who has the file and neither a CRM nor the other plugins.

use cosell_remote::partner_center::{Referral, read};
use cosell_sync::deal::{Deal, Unit, UnitValue, Units};
use cosell_sync::mark;
use cosell_sync::row::{Cell, RecordKind};
use serde_json::Value;

use super::Recording;
use super::form::row_back;
use crate::verbs::Subject;

impl Recording {
    /// None: neither side showed a deal.
    pub(crate) fn shown(&self) -> Option<Subject> {
        let referrals: Vec<Referral> = self
            .reads
            .iter()
            .flat_map(|read| match &read.answer {
                Value::String(raw) => vec![raw.as_str()],
                Value::Array(raws) => raws.iter().filter_map(Value::as_str).collect(),
                _ => Vec::new(),
            })
            .filter_map(|raw| Referral::parse(raw).ok())
            .collect();
        let own = referrals.iter().find(|one| !one.is_microsofts());
        let microsoft = referrals.iter().find(|one| one.is_microsofts());
        let view = own.map(|own| read(own, microsoft, ""));
        // The last one: a lead that has become an opportunity is looked at after the lead.
        let row = self.reads.iter().rev().find_map(|read| {
            let table = read.asked["table"].as_str()?;
            let kind = [RecordKind::Opportunity, RecordKind::Lead]
                .into_iter()
                .find(|kind| kind.table() == table)?;
            read.asked.get("row")?;
            let looked = row_back(&read.answer, &std::collections::BTreeSet::new(), &[]).ok()?;
            Some((kind, looked.seen))
        });
        let kind = row.as_ref().map(|(kind, _)| *kind);
        let seen = row.map(|(_, mut seen)| {
            let mark = self.state["link"]["mark"].as_str();
            let column = self.name_column(&seen.row.table);
            if let Some(Cell::Text(name)) = column.and_then(|name| seen.row.cells.get_mut(&name)) {
                *name = mark::strip(name, mark).to_owned();
            }
            seen
        });
        let (units, referral) = match view {
            Some(view) => (view.units, Some(view.facts)),
            None => (self.read_units(), None),
        };
        if units.is_empty() && seen.is_none() {
            return None;
        }
        Some(Subject {
            deal: Deal { units, referral },
            seen,
            kind: kind.unwrap_or(RecordKind::Opportunity),
        })
    }

    fn name_column(&self, table: &str) -> Option<String> {
        let read = self
            .reads
            .iter()
            .find(|read| read.asked["table-of-columns"] == table)?;
        read.answer["name"].as_str().map(str::to_owned)
    }

    /// What the set of then read out of the row.
    fn read_units(&self) -> Units {
        let mut readings = self.answers.iter().filter_map(|heard| {
            let is_reading = heard.asked.ends_with(".to-deal");
            heard.answer["units"].as_object().filter(|_| is_reading)
        });
        let units = readings.next_back().into_iter().flatten();
        units
            .filter_map(|(unit, said)| {
                let unit = Unit::parse(unit)?;
                let parts: Vec<(String, String)> =
                    serde_json::from_value(said["parts"].clone()).ok()?;
                let value = UnitValue::from_parts(&unit, &parts).ok()?;
                Some((unit, value))
            })
            .collect()
    }
}
