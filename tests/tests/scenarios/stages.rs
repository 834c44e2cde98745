//! The stages: each a simulator, a host and a course of events in which many rows are answered.

mod customers;
mod inward;
mod leads;
mod outward;
mod states;
mod symptoms;

use std::pin::Pin;

use crate::log::Log;
use crate::sheet::Sheet;

type Playing<'a> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + 'a>>;

/// A stage.
pub(crate) struct Stage {
    pub(crate) name: &'static str,
    /// How the names of its rows begin, or what they hold.
    rows: &'static [&'static str],
    pub(crate) play: for<'a> fn(&'a mut Sheet, &'a Log) -> Playing<'a>,
}

impl Stage {
    /// Whether it has something to say about a row.
    pub(crate) fn answers_for(&self, row: &str) -> bool {
        self.rows.iter().any(|part| row.contains(part))
    }
}

/// All of them, the longest first.
pub(crate) const STAGES: &[Stage] = &[
    Stage {
        name: "registration",
        rows: &["symptom.turn-on", "symptom.leads", "symptom.registration"],
        play: |sheet, log| Box::pin(symptoms::registration::play(sheet, log)),
    },
    Stage {
        name: "crm",
        rows: &["symptom.unexpected", "symptom.required", "symptom.enum"],
        play: |sheet, log| Box::pin(symptoms::crm::play(sheet, log)),
    },
    Stage {
        name: "access",
        rows: &["symptom.access", "symptom.password", "symptom.sign-in"],
        play: |sheet, log| Box::pin(symptoms::access::play(sheet, log)),
    },
    Stage {
        name: "plugins",
        rows: &[
            "symptom.activation",
            "symptom.child-flows",
            "symptom.connections",
        ],
        play: |sheet, log| Box::pin(symptoms::plugins::play(sheet, log)),
    },
    Stage {
        name: "deals",
        rows: &[
            "symptom.country",
            "symptom.solution",
            "symptom.all-at-once",
            "symptom.silent",
            "symptom.duplicates",
            "symptom.logs",
            "symptom.success",
        ],
        play: |sheet, log| Box::pin(symptoms::deals::play(sheet, log)),
    },
    Stage {
        name: "outward",
        rows: &[".out.", "name.told-once", "format.", "swap."],
        play: |sheet, _| Box::pin(outward::play(sheet)),
    },
    Stage {
        name: "states",
        rows: &["state.", "status-reason.out"],
        play: |sheet, _| Box::pin(states::play(sheet)),
    },
    Stage {
        name: "leads",
        rows: &["lead.", "state.", "microsoft-id.in.create"],
        play: |sheet, _| Box::pin(leads::play(sheet)),
    },
    Stage {
        name: "customers",
        rows: &["account.", "contact.", ".unasked"],
        play: |sheet, _| Box::pin(customers::play(sheet)),
    },
    Stage {
        name: "inward",
        rows: &[".in.", "format."],
        play: |sheet, _| Box::pin(inward::play(sheet)),
    },
];
