//! From a verified bell to a durable one. A bell is not a letter: its content is never used, only its record is looked at.

use std::sync::Arc;

use async_trait::async_trait;
use cosell_store::{Accepted, AcceptedEvent, RecordKey, StoreError};
use cosell_sync::row::{Needs, RecordKind};
use cosell_sync::side::Side;
use tracing::field::Empty;
use tracing::{Instrument as _, trace_span};

use cosell_webhook::{Accept, AcceptError, AcceptOutcome, Source, VerifiedBell};

use crate::desk::Desk;
use crate::records::{REFERRAL, below, looked_at};
use crate::traces;

/// A full store is asked again after so long; lanes drain at some hundred a minute.
const RETRY_AFTER_S: u32 = 30;

/// Writes bells down and wakes the worker.
pub struct Belfry(pub Arc<Desk>);

#[async_trait]
impl Accept for Belfry {
    async fn accept(&self, bell: VerifiedBell) -> Result<AcceptOutcome, AcceptError> {
        let (connection, side) = (bell.connection.to_string(), bell.source);
        let span = trace_span!(
            target: traces::TARGET,
            "bell",
            otel.kind = "server",
            connection = %connection,
            side = side.as_str(),
            event = %bell.event,
            kind = %bell.kind,
            outcome = Empty,
            "ms-correlationid" = bell.correlation,
        );
        let outcome = self.take(bell).instrument(span.clone()).await;
        let side = match side {
            Source::PartnerCenter => "partner-center",
            Source::Dataverse => "dataverse",
        };
        let told = match &outcome {
            Ok(AcceptOutcome::Rung) => "rung",
            Ok(AcceptOutcome::Duplicate) => "duplicate",
            Ok(AcceptOutcome::Unknown) => "unknown",
            Err(AcceptError::Full { .. }) => "full",
            Err(AcceptError::Broken { .. }) => "broken",
        };
        span.record("outcome", told);
        metrics::counter!("cosell_events_total", "connection" => connection, "side" => side, "outcome" => told)
            .increment(1);
        outcome
    }
}

impl Belfry {
    async fn take(&self, bell: VerifiedBell) -> Result<AcceptOutcome, AcceptError> {
        let Some(record) = record(&bell, &self.0.plugins.followed().needs) else {
            return Ok(AcceptOutcome::Unknown);
        };
        let side = bell.source;
        let event = AcceptedEvent {
            connection: bell.connection,
            record,
            cause: bell.event,
            dedupe: bell.dedupe,
            lane: None,
        };
        // A tenant posts to one address, and its referrals may be of any of its connections: each of them looks for itself, as after a sweep. So the one
        // where the deal is at home hears of every change, also of one that the others would skip (S23).
        let mut events = vec![event];
        if side == Source::PartnerCenter {
            let others = self.0.sharing_tenant(&events[0].connection);
            let others = others.filter(|other| other.id != events[0].connection);
            let others: Vec<AcceptedEvent> = others
                .map(|other| AcceptedEvent {
                    connection: other.id.clone(),
                    ..events[0].clone()
                })
                .collect();
            events.extend(others);
        }
        let connections: Vec<String> = events.iter().map(|one| one.connection.clone()).collect();
        failpoint!("accept.before");
        let accepted = match self.0.room.may_take() {
            Ok(()) => {
                let accepted = self.0.store.accept(events, None).await;
                self.0.room.heard(accepted.as_ref().err());
                accepted
            }
            Err(error) => Err(error),
        };
        match accepted {
            Ok(outcomes) => {
                failpoint!("accept.after");
                for (connection, outcome) in connections.iter().zip(&outcomes) {
                    if let Accepted::Rung(lane) = outcome {
                        self.0.rings.rang(connection, *lane);
                    }
                }
                self.0.rope.notify_one();
                let rung = outcomes
                    .iter()
                    .any(|outcome| matches!(outcome, Accepted::Rung(_)));
                Ok(if rung {
                    AcceptOutcome::Rung
                } else {
                    AcceptOutcome::Duplicate
                })
            }
            Err(StoreError::Full { what } | StoreError::NoRoom { what }) => {
                Err(AcceptError::Full {
                    what,
                    retry_after_s: RETRY_AFTER_S,
                })
            }
            Err(error) => Err(AcceptError::Broken {
                source: Box::new(error),
            }),
        }
    }
}

/// Which record the bell is about; none for events that this host does not follow.
fn record(bell: &VerifiedBell, needs: &Needs) -> Option<RecordKey> {
    let (side, kind) = match bell.source {
        Source::PartnerCenter
            if bell.event.starts_with("referral-")
                || bell.event.starts_with("related-referral-") =>
        {
            (Side::PartnerCenter, REFERRAL)
        }
        Source::Dataverse => {
            let deals = [RecordKind::Opportunity, RecordKind::Lead].map(RecordKind::table);
            let below = below(needs).map(|below| below.table);
            let looked_at = looked_at(needs).map(|looked| looked.table);
            (
                Side::Crm,
                deals
                    .into_iter()
                    .chain(below)
                    .chain(looked_at)
                    .find(|table| *table == bell.kind)?,
            )
        }
        Source::PartnerCenter => return None,
    };
    Some(RecordKey {
        side: side.as_str().to_owned(),
        kind: kind.to_owned(),
        id: bell.record.clone(),
    })
}
