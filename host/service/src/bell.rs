//! From a verified bell to a durable one. A bell is not a letter: its content is never used, only its record is looked at.

use std::sync::Arc;

use async_trait::async_trait;
use cosell_store::{Accepted, AcceptedEvent, RecordKey, Store, StoreError};
use cosell_sync::row::RecordKind;
use cosell_sync::side::Side;
use cosell_webhook::{Accept, AcceptError, AcceptOutcome, Source, VerifiedBell};
use tokio::sync::Notify;

/// The kind of a record of Partner Center.
pub const REFERRAL: &str = "referral";

/// A full store is asked again after so long; lanes drain at some hundred a minute.
const RETRY_AFTER_S: u32 = 30;

/// Writes bells down and wakes the worker.
pub struct Belfry {
    /// Where they are written.
    pub store: Arc<dyn Store>,
    /// Rung after the commit.
    pub rope: Arc<Notify>,
}

#[async_trait]
impl Accept for Belfry {
    async fn accept(&self, bell: VerifiedBell) -> Result<AcceptOutcome, AcceptError> {
        let Some(record) = record(&bell) else { return Ok(AcceptOutcome::Unknown) };
        let event = AcceptedEvent {
            connection: bell.connection,
            record,
            cause: bell.event,
            dedupe: bell.dedupe,
            lane: None,
        };
        match self.store.accept(vec![event], None).await {
            Ok(outcomes) => {
                self.rope.notify_one();
                let rung = outcomes.iter().any(|outcome| matches!(outcome, Accepted::Rung(_)));
                Ok(if rung { AcceptOutcome::Rung } else { AcceptOutcome::Duplicate })
            }
            Err(StoreError::Full { what }) => Err(AcceptError::Full { what, retry_after_s: RETRY_AFTER_S }),
            Err(error) => Err(AcceptError::Broken { source: Box::new(error) }),
        }
    }
}

/// Which record the bell is about; none for events that this host does not follow.
fn record(bell: &VerifiedBell) -> Option<RecordKey> {
    let (side, kind) = match bell.source {
        Source::PartnerCenter if bell.event.starts_with("referral-") || bell.event.starts_with("related-referral-") => {
            (Side::PartnerCenter, REFERRAL)
        }
        Source::Dataverse => {
            let kinds = [RecordKind::Opportunity, RecordKind::Lead];
            (Side::Crm, kinds.map(RecordKind::table).into_iter().find(|table| *table == bell.kind)?)
        }
        Source::PartnerCenter => return None,
    };
    Some(RecordKey { side: side.as_str().to_owned(), kind: kind.to_owned(), id: bell.record.clone() })
}
