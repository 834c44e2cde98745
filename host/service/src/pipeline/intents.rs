//! Intents: committed before a write, closed after it, and resolved by reading when a run was cut off in between (I5).

use std::collections::BTreeSet;

use cosell_remote::partner_center::Referral;
use cosell_remote::{Class, RemoteError};
use cosell_store::{Intent, Millis, RecordKey};
use cosell_sync::deal::{Timestamp, Units};
use cosell_sync::row::RecordKind;
use cosell_sync::side::Side;
use serde_json::Value;

use super::look::is_invisible;
use super::run::Run;
use super::{born, partner_center, unknown};
use crate::link::decode_units;
use crate::records::REFERRAL;
use crate::trouble::Trouble;

/// The clocks of the two sides may be apart: a referral that a write made is looked for among those changed from so long before the write on.
const CLOCKS_APART_MS: Millis = 24 * 3_600_000;

/// Dataverse: an alternate key of the organisation would be there twice.
const KEY_TAKEN: &str = "0x80060892";

/// What a write does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    CreateReferral,
    InviteMicrosoft,
    PatchReferral,
    CreateRow,
    UpdateRow,
    CloseRow,
    DeleteRow,
    Associate,
    QualifyLead,
}

impl Kind {
    const ALL: [Self; 9] = [
        Self::CreateReferral,
        Self::InviteMicrosoft,
        Self::PatchReferral,
        Self::CreateRow,
        Self::UpdateRow,
        Self::CloseRow,
        Self::DeleteRow,
        Self::Associate,
        Self::QualifyLead,
    ];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::CreateReferral => "create-referral",
            Self::InviteMicrosoft => "invite-microsoft",
            Self::PatchReferral => "patch-referral",
            Self::CreateRow => "create-row",
            Self::UpdateRow => "update-row",
            Self::CloseRow => "close-row",
            Self::DeleteRow => "delete-row",
            Self::Associate => "associate",
            Self::QualifyLead => "qualify-lead",
        }
    }
}

/// A new intent with an operation id of its own.
pub(super) fn new(
    run: &Run<'_>,
    kind: Kind,
    target: RecordKey,
    precondition: Option<String>,
    detail: Value,
) -> Intent {
    Intent {
        operation: uuid::Uuid::new_v4().hyphenated().to_string(),
        kind: kind.as_str().to_owned(),
        target,
        precondition,
        detail: detail.to_string(),
        irreversible: false,
        permits: Vec::new(),
        since: run.now(),
    }
}

/// What the other side answered. A failure closes the intent, unless the write may have happened.
pub(super) async fn answered<T>(
    run: &mut Run<'_>,
    call: Result<T, RemoteError>,
) -> Result<T, Trouble> {
    failpoint!("call.after");
    match call {
        Ok(answer) => Ok(answer),
        Err(error) => {
            let outcome = match error.class {
                Class::UnknownOutcome => return Err(error.into()),
                Class::Conflict => "conflict",
                Class::Transient { .. } | Class::Unauthorised => "transient",
                Class::Forbidden | Class::NotFound | Class::Refused => "refused",
            };
            run.close(outcome, &error.to_string()).await?;
            Err(error.into())
        }
    }
}

/// A creation under "only if it does not exist": a conflict says that it does, as long as the row is really there.
pub(super) async fn exists_already<T>(
    run: &Run<'_>,
    table: &str,
    id: &str,
    call: Result<T, RemoteError>,
) -> Result<Option<T>, RemoteError> {
    let mut error = match call {
        Ok(made) => return Ok(Some(made)),
        Err(error) => error,
    };
    let is_there = match error.class {
        // Another row holds a key that must be unique: that is not our row, and a person has to say whose it is.
        _ if error.has_code(KEY_TAKEN) => false,
        Class::Conflict if error.code().is_some() => true,
        // Which of the two it is, only the code says, and it is not always given.
        Class::Conflict => {
            let columns = BTreeSet::new();
            let read = run.connection.dataverse.retrieve(table, id, &columns, &[]);
            match read.await {
                Ok(_) => true,
                Err(absent) if absent.class == Class::NotFound => false,
                Err(other) => return Err(other),
            }
        }
        _ => return Err(error),
    };
    if is_there {
        return Ok(None);
    }
    error.class = Class::Refused;
    Err(error)
}

/// Resolves the intent that an earlier run left open, by reading its target; no plugin is asked (S29).
pub(super) async fn settle(run: &mut Run<'_>) -> Result<(), Trouble> {
    let Some(intent) = run.intent.clone() else {
        return Ok(());
    };
    failpoint!("settle.before");
    let kind = Kind::ALL
        .into_iter()
        .find(|kind| kind.as_str() == intent.kind);
    match kind {
        Some(Kind::CreateReferral) => find_referral(run, &intent).await,
        Some(Kind::InviteMicrosoft) => find_invitation(run, &intent).await,
        // Conditional, or with an id that we chose: a fresh look shows what became of it, and the plan starts from there.
        _ => {
            unknown::note(run, &intent);
            if kind == Some(Kind::CreateRow) && intent.target.kind == RecordKind::Lead.table() {
                find_lead(run, &intent.target.id).await?;
            }
            run.close("unknown", "resolved by looking again").await
        }
    }
}

/// What was to be a lead may be wanted as an opportunity by now, and an opportunity has another id: so the lead that may be there is not met again by
/// chance. If it is there it is ours, and becomes the opportunity (S17).
async fn find_lead(run: &mut Run<'_>, id: &str) -> Result<(), Trouble> {
    let columns = BTreeSet::new();
    let dataverse = &run.connection.dataverse;
    match dataverse
        .retrieve(RecordKind::Lead.table(), id, &columns, &[])
        .await
    {
        Ok(_) => born::adopt_row(run, RecordKind::Lead, id),
        Err(absent) if absent.class == Class::NotFound => {}
        Err(other) => return Err(other.into()),
    }
    Ok(())
}

async fn find_referral(run: &mut Run<'_>, intent: &Intent) -> Result<(), Trouble> {
    let row = &intent.target.id;
    let detail: Value = serde_json::from_str(&intent.detail).unwrap_or_default();
    let kind = if detail["table"] == RecordKind::Lead.table() {
        RecordKind::Lead
    } else {
        RecordKind::Opportunity
    };
    // Known even if this process ends now, so that what is noted about the search is kept.
    run.link.crm_table = Some(kind.table().to_owned());
    run.link.crm_row = Some(row.clone());
    let around = Timestamp::from_millisecond(intent.since.saturating_sub(CLOCKS_APART_MS))
        .unwrap_or(Timestamp::UNIX_EPOCH);
    let found = run
        .connection
        .partner_center
        .by_external_reference(row, around)
        .await?;
    // Of an earlier generation: closed for good, or taken apart.
    let left = &run.notes.left;
    let found: Vec<_> = found
        .into_iter()
        .filter(|referral| !left.contains(&referral.id))
        .collect();
    if let [first, rest @ ..] = found.as_slice() {
        if !rest.is_empty() {
            let ids: Vec<&str> = found.iter().map(|referral| referral.id.as_str()).collect();
            let message = format!(
                "more than one referral carries our id {row}: {}; the first is linked, please close the others",
                ids.join(", ")
            );
            run.tell_once(
                "duplicate",
                &message,
                &serde_json::json!({ "referrals": ids }),
            );
        }
        let first = first.clone();
        born::adopt_referral(run, &first);
        born::adopt_row(run, kind, row);
        let raw = run.keep_raw(&first.raw);
        // What was sent is what both sides last agreed on: an edit since then is an edit.
        for (unit, value) in sent(intent)
            .into_iter()
            .filter(|(unit, _)| *unit != cosell_sync::deal::Unit::Help)
        {
            for side in Side::BOTH {
                run.remember(&unit, side, &value, &raw);
            }
        }
        return run
            .close("done", "found by our id after an unknown outcome")
            .await;
    }
    absent(run, intent, "no referral carries our id").await
}

async fn find_invitation(run: &mut Run<'_>, intent: &Intent) -> Result<(), Trouble> {
    let detail: Value = serde_json::from_str(&intent.detail).unwrap_or_default();
    let engagement = detail["engagement"].as_str().unwrap_or_default().to_owned();
    let partner_center = &run.connection.partner_center;
    let mut found = partner_center.engagement(&engagement).await?;
    // The list may not show Microsoft's referral to us; an event may have named it.
    for member in &run.members {
        if member.kind == REFERRAL && found.iter().all(|one| one.id != member.id) {
            match partner_center.get(&member.id).await {
                Ok(one) if one.engagement_id == engagement => found.push(one),
                Ok(_) => {}
                Err(error) if is_invisible(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    match found.into_iter().find(Referral::is_microsofts) {
        Some(microsoft) => {
            partner_center::adopt_microsofts(run, &microsoft);
            run.close("done", "found in the engagement after an unknown outcome")
                .await
        }
        None => absent(run, intent, "Microsoft has no referral in the engagement").await,
    }
}

/// Absent once may be a list that lags; absent twice, so long apart, is absent (S14).
async fn absent(run: &mut Run<'_>, intent: &Intent, what: &str) -> Result<(), Trouble> {
    let now = run.now();
    let first_look = *run
        .notes
        .missing
        .entry(intent.operation.clone())
        .or_insert(now);
    let second_look = first_look + run.desk.second_look_ms;
    if now < second_look {
        let reason = format!(
            "{what} yet, and it is unknown whether the last call made one: looking once more before trying again"
        );
        return Err(Trouble::NotYet {
            until: second_look,
            reason,
        });
    }
    run.notes.missing.clear();
    run.close("absent", what).await
}

fn sent(intent: &Intent) -> Units {
    let detail: Value = serde_json::from_str(&intent.detail).unwrap_or_default();
    decode_units(&detail["units"])
}
