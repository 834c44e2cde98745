//! Write out, towards Partner Center: one conditional patch, and the invitation of Microsoft.

use cosell_remote::Body;
use cosell_remote::partner_center::{Referral, invite_body, patch_ops, read};
use cosell_sync::course::help;
use cosell_sync::deal::{Deal, Help, Unit, UnitValue, Units};
use cosell_sync::merge::{Carry, Plan, Why};
use cosell_sync::row::Refusal;
use cosell_sync::side::Side;

use super::dress::consent_on_record;
use super::look::Sight;
use super::read::Reading;
use super::run::Run;
use super::script::{What, Write};
use crate::records::REFERRAL;
use crate::trouble::reason;

/// What the plan carries to Partner Center, as writes.
pub(super) fn write_out(
    run: &mut Run<'_>,
    sight: &Sight,
    reading: &Reading,
    plan: &Plan,
) -> Vec<Write> {
    let Some(own) = &sight.own else {
        return Vec::new();
    };
    let may_share = may_share_contacts(run, reading);
    let is_wanted = |carry: &&Carry| carry.to == Side::PartnerCenter;
    let lacks_consent =
        |carry: &Carry| carry.unit == Unit::Contacts && !carry.value.is_empty() && !may_share;
    if plan.carries.iter().filter(is_wanted).any(lacks_consent) {
        run.tell_refusals("Partner Center", &[consent_missing()]);
    }
    // Help lives on Microsoft's own referral: asking for it is an invitation, not a patch (S12).
    let (mut asked, mut patched): (Vec<&Carry>, Vec<&Carry>) = plan
        .carries
        .iter()
        .filter(is_wanted)
        .filter(|carry| !lacks_consent(carry))
        .partition(|carry| carry.unit == Unit::Help);
    if lacks_solution(reading, plan) {
        // Partner Center shares no deal with Microsoft that has no solution, and refuses everything that comes with it.
        let shares = |carry: &&Carry| matches!(carry.unit, Unit::Help | Unit::Visibility);
        let held_back = asked.iter().chain(&patched).copied().filter(shares);
        let refusals: Vec<Refusal> = held_back
            .map(|carry| solution_missing(&carry.unit))
            .collect();
        run.tell_refusals("Partner Center", &refusals);
        asked.clear();
        patched.retain(|carry| !shares(carry));
    }
    let mut invitation = None;
    let visible = visible();
    if let Some(carry) = asked.first() {
        // What Microsoft gets is what our own referral says by then: nothing that is held, asked about or withheld there.
        let mut deal = reading.deal_as_partner_center_shows();
        deal.units.extend(plan.units_to(Side::PartnerCenter));
        if let Some((help, body)) = invite(run, own, &deal, may_share) {
            // Asking for help makes the deal visible to Microsoft's sellers, for good; that goes before the invitation, and only when nothing
            // stands in the way of it.
            if makes_visible(reading, plan) {
                patched.push(&visible);
            }
            // Nobody is invited to a closed deal: the close goes in the next round.
            patched.retain(|carry| !closes(carry));
            invitation = Some(Write {
                settles: vec![(*carry).clone()],
                ..Write::of(What::InviteMicrosoft {
                    body,
                    help,
                    own: own.id.clone(),
                    engagement: own.engagement_id.clone(),
                })
            });
        }
    }
    patch(run, own, &patched, plan)
        .into_iter()
        .chain(invitation)
        .collect()
}

/// What the plan makes of our referral beside what it carries: an invitation makes it visible to Microsoft's sellers.
pub(super) fn brings_about(reading: &Reading, plan: &Plan) -> Option<Carry> {
    let invites = plan.carries.iter().any(|carry| {
        carry.to == Side::PartnerCenter && carry.unit == Unit::Help && !carry.value.is_empty()
    });
    (invites && makes_visible(reading, plan) && !lacks_solution(reading, plan)).then(visible)
}

/// The deal is not visible yet, and the plan does not carry that it is.
fn makes_visible(reading: &Reading, plan: &Plan) -> bool {
    let is_carried =
        |carry: &Carry| carry.to == Side::PartnerCenter && carry.unit == Unit::Visibility;
    reading.partner_center.get(&Unit::Visibility) != Some(&UnitValue::Flag(true))
        && !plan.carries.iter().any(is_carried)
}

const fn visible() -> Carry {
    Carry {
        unit: Unit::Visibility,
        to: Side::PartnerCenter,
        value: UnitValue::Flag(true),
        source: UnitValue::Flag(true),
        before: None,
        was: UnitValue::Flag(false),
        why: Why::Edited,
    }
}

fn closes(carry: &Carry) -> bool {
    matches!(&carry.value, UnitValue::State(state) if state.standing.is_closed())
}

/// Whether the deal has no solution in Partner Center, and gets none by this plan.
fn lacks_solution(reading: &Reading, plan: &Plan) -> bool {
    let carried = plan
        .carries
        .iter()
        .find(|carry| carry.to == Side::PartnerCenter && carry.unit == Unit::Solutions)
        .map(|carry| &carry.value);
    carried
        .or_else(|| reading.partner_center.get(&Unit::Solutions))
        .is_none_or(UnitValue::is_empty)
}

fn solution_missing(unit: &Unit) -> Refusal {
    Refusal {
        unit: unit.clone(),
        reason: reason(
            "solution-missing",
            "a deal without a solution cannot be shared with Microsoft",
            "add at least one co-sell ready solution to the deal",
        ),
    }
}

/// S24: no contact leaves before consent is on record, at birth or later.
pub(super) fn may_share_contacts(run: &Run<'_>, reading: &Reading) -> bool {
    run.connection.contacts_consent_declared
        || reading
            .seen
            .as_ref()
            .is_some_and(|seen| consent_on_record(run, &seen.row))
}

/// The body of an invitation. None when something is missing: that is told, and the other units go on.
fn invite(run: &mut Run<'_>, own: &Referral, deal: &Deal, may_share: bool) -> Option<(Help, Body)> {
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

pub(super) fn consent_missing() -> Refusal {
    let message =
        "the customer's contacts may not be sent to Microsoft before consent is on record";
    let hint = "record the consent, or declare it for all deals in the configuration";
    Refusal {
        unit: Unit::Contacts,
        reason: reason("consent-missing", message, hint),
    }
}

/// What it shows already is settled here, without a write.
fn patch(run: &mut Run<'_>, own: &Referral, carries: &[&Carry], plan: &Plan) -> Option<Write> {
    let mut changes: Units = carries
        .iter()
        .map(|carry| (carry.unit.clone(), carry.value.clone()))
        .collect();
    let operations = loop {
        if changes.is_empty() {
            return None;
        }
        match patch_ops(own, &changes) {
            Ok(operations) => break operations,
            // Refused units stay; the others go on.
            Err(refusals) => {
                run.tell_refusals("Partner Center", &refusals);
                let before = changes.len();
                changes.retain(|unit, _| !refusals.iter().any(|refusal| refusal.unit == *unit));
                if changes.len() == before {
                    return None;
                }
            }
        }
    };
    // What the invitation brings about by itself is no carry: it crosses back into the CRM like any other change there.
    let written = carries
        .iter()
        .copied()
        .filter(|carry| changes.contains_key(&carry.unit) && plan.carries.contains(carry));
    let settles: Vec<Carry> = written.cloned().collect();
    if operations.is_empty() {
        let raw = run.keep_raw(&own.raw);
        let shown = settles
            .iter()
            .map(|carry| (carry.unit.clone(), carry.was.clone()))
            .collect();
        run.settle(&settles, &shown, &raw);
        return None;
    }
    Some(Write {
        settles,
        ..Write::of(What::PatchReferral {
            id: own.id.clone(),
            etag: own.etag.clone(),
            operations,
            changes,
        })
    })
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
