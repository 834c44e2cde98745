//! What a plugin would be shown about one real deal: for `cosell plugin run --deal`. It reads both sides, with the columns that the plugin declares,
//! and stops before plan. Nothing is written anywhere.

use std::sync::{Arc, Mutex};

use cosell_plugins::PluginSet;
use cosell_sync::deal::{Deal, Unit, UnitValue};
use cosell_sync::row::{RecordKind, Seen};

use super::plan::Scope;
use super::plan::candidates;
use super::{Archive, VerbError};
use crate::desk::{Desk, Plugins};
use crate::pipeline::{Run, views};
use crate::recording::{Recording, RecordingError};

/// A deal as it is now.
#[derive(Debug, Clone)]
pub struct Subject {
    /// As Partner Center shows it, else as the CRM's row reads.
    pub deal: Deal,
    /// The row, its name without the mark, with what the joins brought; None: there is none yet.
    pub seen: Option<Seen>,
    /// What it is in the CRM.
    pub kind: RecordKind,
}

impl Subject {
    /// Whether this question, `opportunity.to-row`, would be asked about it: a lead is not asked about as an opportunity, nobody reads a row that is not
    /// there, and a row that is there needs no account to be looked for.
    #[must_use]
    pub fn is_asked(&self, question: &str) -> bool {
        let (hook, function) = question.split_once('.').unwrap_or((question, ""));
        match hook {
            "opportunity" if self.kind != RecordKind::Opportunity => false,
            "lead" if self.kind != RecordKind::Lead => false,
            // Asked about rows of their own, which a look at the deal does not bring.
            "account" | "contact" => function == "searches" && self.has_people(hook),
            "country" if function == "to-row" => false,
            _ => function != "to-deal" || self.seen.is_some(),
        }
    }

    fn has_people(&self, hook: &str) -> bool {
        hook == "account"
            || matches!(
                self.deal.units.get(&Unit::Contacts),
                Some(UnitValue::People(people)) if !people.is_empty()
            )
    }
}

/// Looks at one deal as this set would see it; `asked` is read as by [`plan`](super::plan()).
///
/// # Errors
/// [`VerbError::NoDeal`] and its kin; [`VerbError::Unshown`] when a side could not be read.
pub async fn subject(
    mut desk: Desk,
    set: Arc<PluginSet>,
    connection: Option<&str>,
    asked: &str,
) -> Result<Subject, VerbError> {
    desk.plugins = Plugins::Given(Mutex::new(set));
    let unshown = |why: String| VerbError::Unshown {
        asked: asked.to_owned(),
        why,
    };
    let archive = Archive::of(&desk, connection)?;
    let found = candidates::of(&desk, &archive, &Scope::Deal(asked.to_owned())).await?;
    for one in found {
        let key = one.key();
        let stored = desk.store.peek(&key.connection, key.id()).await?;
        let state = one.state(stored);
        let mut run = Run::preview(&desk, &key.connection, key.id(), &state)
            .map_err(|trouble| unshown(trouble.to_string()))?;
        let seen = views(&mut run)
            .await
            .map_err(|trouble| unshown(trouble.to_string()))?;
        let Some(views) = seen else { continue };
        let units = if views.units.partner_center.is_empty() {
            views.units.crm
        } else {
            views.units.partner_center
        };
        return Ok(Subject {
            deal: Deal {
                units,
                referral: views.facts,
            },
            seen: views.seen,
            kind: views.kind,
        });
    }
    Err(VerbError::NoDeal {
        asked: asked.to_owned(),
    })
}

/// The deal of a recording, as it was seen then.
///
/// # Errors
/// [`VerbError::Recording`]: it shows no deal.
pub fn subject_of(recording: &Recording) -> Result<Subject, VerbError> {
    recording.shown().ok_or_else(|| {
        RecordingError::Shape("neither side showed a deal when it was recorded".to_owned()).into()
    })
}
