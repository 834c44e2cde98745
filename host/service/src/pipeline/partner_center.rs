//! Write out and act, towards Partner Center: one conditional patch, and the invitation of Microsoft.

use cosell_remote::Body;
use cosell_remote::partner_center::{Referral, invite_body, patch_ops, read};
use cosell_sync::course::help;
use cosell_sync::deal::{Deal, Help, Unit, UnitValue, Units};
use cosell_sync::element::carry_list;
use cosell_sync::merge::{Carry, Plan, Why};
use cosell_sync::row::Refusal;
use cosell_sync::side::Side;
use serde_json::json;

use super::dress::consent_on_record;
use super::intents::{self, Kind};
use super::look::Sight;
use super::read::Reading;
use super::run::Run;
use crate::records::REFERRAL;
use crate::trouble::{Trouble, reason};

/// Writes what the plan carries to Partner Center. True when something was written.
pub(super) async fn carry(
    run: &mut Run<'_>,
    sight: &Sight,
    reading: &Reading,
    plan: &Plan,
) -> Result<bool, Trouble> {
    let Some(own) = &sight.own else {
        return Ok(false);
    };
    // S24: no contact leaves before consent is on record, at birth or later.
    let row = reading.seen.as_ref().map(|seen| &seen.row);
    let may_share = run.connection.contacts_consent_declared
        || row.is_some_and(|row| consent_on_record(run, row));
    let carries: Vec<&Carry> = plan
        .carries
        .iter()
        .filter(|carry| carry.to == Side::PartnerCenter)
        .filter(|carry| may_share || carry.unit != Unit::Contacts || carry.value.is_empty())
        .collect();
    if !may_share
        && plan
            .carries
            .iter()
            .any(|carry| carry.to == Side::PartnerCenter && carry.unit == Unit::Contacts)
    {
        run.tell_refusals("Partner Center", &[consent_missing()]);
    }
    // Help lives on Microsoft's own referral: asking for it is an invitation, not a patch (S12).
    let (asked, patched): (Vec<&Carry>, Vec<&Carry>) = carries
        .into_iter()
        .partition(|carry| carry.unit == Unit::Help);
    if patch(run, own, sight.microsoft.as_ref(), &patched).await? {
        // A patch has moved the referral; an invitation follows in the next round, from a fresh look.
        return Ok(true);
    }
    let Some(carry) = asked.first() else {
        return Ok(false);
    };
    let mut deal = reading.deal_as_crm_shows();
    deal.units.extend(plan.units_to(Side::PartnerCenter));
    let Some((help, body)) = invitation(run, own, &deal, may_share) else {
        return Ok(false);
    };
    // Asking for help makes the deal visible to Microsoft's sellers, for good; that goes before the invitation, and only when nothing
    // stands in the way of it.
    if reading.partner_center.get(&Unit::Visibility) != Some(&UnitValue::Flag(true)) {
        let visible = Carry {
            unit: Unit::Visibility,
            to: Side::PartnerCenter,
            value: UnitValue::Flag(true),
            was: UnitValue::Flag(false),
            why: Why::Edited,
        };
        if patch(run, own, sight.microsoft.as_ref(), &[&visible]).await? {
            return Ok(true);
        }
    }
    invite(run, own, &help, &body, carry).await?;
    Ok(true)
}

/// The body of an invitation. None when something is missing: that is told, and the other units go on.
fn invitation(
    run: &mut Run<'_>,
    own: &Referral,
    deal: &Deal,
    may_share: bool,
) -> Option<(Help, Body)> {
    let help = help(&deal.units)?.clone();
    let shared = read(own, None, "").units.get(&Unit::Contacts).cloned();
    let contacts = deal
        .units
        .get(&Unit::Contacts)
        .filter(|contacts| !contacts.is_empty());
    if !may_share && contacts.is_some() && contacts != shared.as_ref() {
        run.tell_refusals("Microsoft's referral", &[consent_missing()]);
        return None;
    }
    match invite_body(own, deal, &help) {
        Ok(body) => Some((help, body)),
        Err(refusals) => {
            run.tell_refusals("Microsoft's referral", &refusals);
            None
        }
    }
}

fn consent_missing() -> Refusal {
    let message =
        "the customer's contacts may not be sent to Microsoft before consent is on record";
    let hint = "record the consent, or declare it for all deals in the configuration";
    Refusal {
        unit: Unit::Contacts,
        reason: reason("consent-missing", message, hint),
    }
}

async fn patch(
    run: &mut Run<'_>,
    own: &Referral,
    microsoft: Option<&Referral>,
    carries: &[&Carry],
) -> Result<bool, Trouble> {
    if carries.is_empty() {
        return Ok(false);
    }
    let mut changes: Units = carries
        .iter()
        .map(|carry| (carry.unit.clone(), run.onto(carry)))
        .collect();
    let operations = loop {
        match patch_ops(own, &changes) {
            Ok(operations) => break operations,
            // Refused units stay; the others go on.
            Err(refusals) => {
                run.tell_refusals("Partner Center", &refusals);
                let before = changes.len();
                changes.retain(|unit, _| !refusals.iter().any(|refusal| refusal.unit == *unit));
                if changes.is_empty() || changes.len() == before {
                    return Ok(false);
                }
            }
        }
    };
    if operations.is_empty() {
        // It shows all of this already: both sides are in step, and that is remembered.
        let raw = run.keep_raw(&own.raw);
        for carry in carries
            .iter()
            .filter(|carry| changes.contains_key(&carry.unit))
        {
            run.remember(&carry.unit, Side::PartnerCenter, &carry.was, &raw);
            run.remember_source(carry);
        }
        return Ok(!changes.is_empty());
    }
    let written: Vec<&Carry> = carries
        .iter()
        .copied()
        .filter(|carry| changes.contains_key(&carry.unit))
        .collect();
    run.tell_carries(&written);
    let target = Run::record(Side::PartnerCenter, REFERRAL, &own.id);
    let intent = intents::new(
        run,
        Kind::PatchReferral,
        target,
        Some(own.etag.clone()),
        json!({ "paths": operations.iter().map(|operation| operation.path()).collect::<Vec<_>>() }),
    );
    let operation = intent.operation.clone();
    run.intend(intent).await?;
    let call = run
        .connection
        .partner_center
        .patch(&own.id, &operations, &own.etag, &operation)
        .await;
    let patched = intents::answered(run, call).await?;
    // S6: from the representation that this very write returned; if it was read later, from what was sent.
    let shown = patched
        .from_write
        .then(|| read(&patched.referral, microsoft, run.link_base()).units);
    let raw = run.keep_raw(&patched.referral.raw);
    run.link
        .etags
        .insert("referral".into(), patched.referral.etag.clone());
    for carry in written {
        let sent = &changes[&carry.unit];
        let now = shown
            .as_ref()
            .and_then(|shown| shown.get(&carry.unit))
            .unwrap_or(sent)
            .clone();
        run.remember(&carry.unit, Side::PartnerCenter, &now, &raw);
        run.remember_source(carry);
    }
    run.close("done", "").await?;
    Ok(true)
}

/// The second of the two calls that make a co-sell deal.
async fn invite(
    run: &mut Run<'_>,
    own: &Referral,
    help: &Help,
    body: &Body,
    carry: &Carry,
) -> Result<(), Trouble> {
    let asked = UnitValue::Help(Some(help.clone()));
    // A portal user, or a run that was cut off, may have invited already.
    let engagement = run
        .connection
        .partner_center
        .engagement(&own.engagement_id)
        .await?;
    if let Some(microsoft) = engagement.into_iter().find(Referral::is_microsofts) {
        adopt_microsofts(run, &microsoft);
        let raw = run.keep_raw(&microsoft.raw);
        run.remember(&Unit::Help, Side::PartnerCenter, &asked, &raw);
        run.remember_source(carry);
        return Ok(());
    }
    run.tell_carries(&[carry]);
    let target = Run::record(Side::PartnerCenter, REFERRAL, &own.id);
    let intent = intents::new(
        run,
        Kind::InviteMicrosoft,
        target,
        None,
        json!({ "engagement": own.engagement_id }),
    );
    let operation = intent.operation.clone();
    run.intend(intent).await?;
    let call = run.connection.partner_center.create(body, &operation).await;
    let microsoft = intents::answered(run, call).await?;
    adopt_microsofts(run, &microsoft);
    let raw = run.keep_raw(&microsoft.raw);
    run.remember(&Unit::Help, Side::PartnerCenter, &asked, &raw);
    run.remember_source(carry);
    run.close("done", "").await
}

/// Microsoft's referral is known from now on.
pub(super) fn adopt_microsofts(run: &mut Run<'_>, microsoft: &Referral) {
    run.link.microsoft_referral = Some(microsoft.id.clone());
    run.link
        .etags
        .insert("microsoft-referral".into(), microsoft.etag.clone());
    run.belongs(Run::record(Side::PartnerCenter, REFERRAL, &microsoft.id));
}

/// The reasons of refusals, for a person.
pub(super) fn reasons(refusals: Vec<Refusal>) -> Vec<cosell_sync::row::Reason> {
    refusals.into_iter().map(|refusal| refusal.reason).collect()
}

impl Run<'_> {
    /// What is written for a carry: lists are merged by element onto what the receiver holds (S11).
    pub(super) fn onto(&self, carry: &Carry) -> UnitValue {
        let base = self
            .bases
            .get(&carry.unit)
            .and_then(|bases| bases[carry.to.other()].as_ref());
        carry_list(base, &carry.value, &carry.was)
    }

    /// The side that a value came from is in step as it was seen.
    pub(super) fn remember_source(&mut self, carry: &Carry) {
        let raw = self.raw_of(carry.to.other());
        self.remember(&carry.unit, carry.to.other(), &carry.value, &raw);
    }
}
