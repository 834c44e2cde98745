//! Births: a referral for a CRM row, and a CRM row for a referral (S14, S20). As writes; ids are known before anything is made.

use cosell_plugins::{Draft, Order};
use cosell_remote::dataverse::STATUS_COLUMN;
use cosell_remote::partner_center::{CreateOptions, Referral, create_body};
use cosell_sync::columns::{Cells, to_write};
use cosell_sync::course::help;
use cosell_sync::deal::{Unit, UnitValue};
use cosell_sync::hold::Permit;
use cosell_sync::identity::row_id;
use cosell_sync::merge::{Carry, Why};
use cosell_sync::row::{Cell, Choice, RecordKind, Role, Row};
use cosell_sync::side::Side;

use super::ask::rounds;
use super::look::Sight;
use super::partner_center::{consent_missing, may_share_contacts, reasons};
use super::read::Reading;
use super::run::Run;
use super::script::{Newborn, Script, What, Write};
use super::{crm, customer, dress, permit};
use crate::records::REFERRAL;
use crate::trouble::Trouble;

/// What a birth may not bring about before it is permitted; the merge that follows carries it, and holds it.
const PERMITTED: [Unit; 3] = [Unit::Visibility, Unit::Help, Unit::Contacts];

/// Creates our referral. Microsoft is invited by the merge that follows: then help is a unit like any other.
pub(super) fn referral(
    run: &mut Run<'_>,
    sight: &Sight,
    reading: &Reading,
) -> Result<Script, Trouble> {
    let Some(row) = &sight.row else {
        return Ok(Script::default());
    };
    let row_id = row.seen.row.id.clone();
    let mut deal = reading.deal_as_crm_shows();
    let may_share = may_share_contacts(run, reading);
    if !may_share && help(&deal.units).is_none() && deal.units.remove(&Unit::Contacts).is_some() {
        // Without help nobody needs them yet: the deal crosses, its people stay (S24).
        run.tell_refusals("Partner Center", &[consent_missing()]);
    }
    let mut then = Vec::new();
    let rules = permit::Lane::of(run);
    for unit in PERMITTED {
        let Some(value) = deal.units.get(&unit) else {
            continue;
        };
        let gatekeeper = rules.gatekeeper(run, &unit);
        if gatekeeper.permit(&unit, Side::PartnerCenter, value) == Permit::Go {
            continue;
        }
        then.push(format!("then {unit} waits for its permit"));
        if unit != Unit::Help && deal.units.remove(&Unit::Help).is_some() {
            // An invitation makes the deal visible and hands the contacts over: the merge that follows asks for it when those may go.
            then.push("and so does help".to_owned());
        }
        match unit {
            Unit::Visibility => drop(deal.units.insert(unit, UnitValue::Flag(false))),
            _ => drop(deal.units.remove(&unit)),
        }
    }
    let options = CreateOptions {
        external_reference: Some(row_id.clone()),
        partner_location: run.connection.partner_location.clone(),
        contacts_may_be_shared: may_share,
    };
    let body =
        create_body(&deal, &options).map_err(|refusals| Trouble::Refused(reasons(refusals)))?;
    run.link
        .etags
        .insert("crm".into(), row.version.etag.clone());
    if let Some(help) = help(&deal.units) {
        then.push(format!(
            "then invites Microsoft to the deal: {}",
            help.as_str()
        ));
    }
    then.push("then writes identifier, link, audit line and mark into the row".to_owned());
    Ok(Script {
        writes: vec![Write::of(What::CreateReferral {
            body,
            units: deal.units,
            row: row_id,
            kind: sight.kind,
        })],
        then,
    })
}

/// Our referral is the lane's from now on.
pub(super) fn adopt_referral(run: &mut Run<'_>, own: &Referral) {
    run.link.referral = Some(own.id.clone());
    run.link.engagement = Some(own.engagement_id.clone()).filter(|id| !id.is_empty());
    run.link.etags.insert("referral".into(), own.etag.clone());
    run.belongs(Run::record(Side::PartnerCenter, REFERRAL, &own.id));
}

/// Creates the CRM row, with its account and contacts found or made before it.
pub(super) async fn row(
    run: &mut Run<'_>,
    sight: &Sight,
    reading: &Reading,
    kind: RecordKind,
) -> Result<Script, Trouble> {
    let Some(own) = &sight.own else {
        return Ok(Script::default());
    };
    let deal = reading.deal_as_partner_center_shows();
    // A lead carries its company and its people itself.
    let found = match kind {
        RecordKind::Opportunity => customer::find_or_make(run, &deal).await?,
        RecordKind::Lead => customer::find(run, &deal).await?,
    };
    let order = Order {
        deal: deal.clone(),
        existing: None,
        account: found.account,
        contacts: found.contacts,
        lead: None,
    };
    let mut writes = found.writes;
    let draft = rounds!(run, crm::to_row(kind), |asking| run
        .set
        .write(&asking, kind, &order))?;
    run.tell_refusals("the CRM", &draft.refusals);
    let mut cells = crm::cells(&draft);
    let state = rounds!(run, "status.to-row", |asking| run
        .set
        .write_state(&asking, kind, &order))?
    .map(|spoken| spoken.value);
    // A row is always born open; a status reason among the open ones can be given at birth, a close follows in the merge.
    if let Some(state) = state.filter(|state| state.statecode == 0) {
        cells.insert(
            STATUS_COLUMN.to_owned(),
            Cell::Choice(Choice {
                code: state.statuscode,
                label: None,
            }),
        );
    }
    let id = row_id(
        &run.connection.id,
        kind.table(),
        &format!("referral:{}", own.id),
        run.link.generation,
    );
    let mark = dress_newborn(run, reading, kind, &mut cells).await?;
    let speakers = crm::speakers(&draft, &cells);
    writes.push(Write {
        speakers,
        ..Write::of(What::CreateRow {
            table: kind.table().to_owned(),
            id: id.clone(),
            cells,
            newborn: Newborn::Deal(kind),
            mark,
            units: deal.units,
        })
    });
    let mut children = crm::child_writes(run, kind, &id, &draft.children, &[]);
    if let (Some(last), Some(solutions)) = (
        children.last_mut(),
        reading.partner_center.get(&Unit::Solutions),
    ) {
        // The rows of the solutions are made one by one: the last one brings the list in step.
        let carry = Carry {
            unit: Unit::Solutions,
            to: Side::Crm,
            value: solutions.clone(),
            source: solutions.clone(),
            before: None,
            was: UnitValue::Solutions(Vec::new()),
            why: Why::Filled,
        };
        run.begin_half(&carry);
        last.settles.push(carry);
    }
    writes.extend(children);
    Ok(Script {
        writes,
        then: vec!["then writes our id into the referral".to_owned()],
    })
}

/// S17: the deal was accepted in Partner Center, so its lead becomes an opportunity. Its customer is found or made before that, because the CRM
/// hands the lead's account and contact on.
pub(super) async fn qualify(
    run: &mut Run<'_>,
    sight: &Sight,
    reading: &Reading,
) -> Result<Script, Trouble> {
    let (Some(row), Some(seen)) = (&sight.row, &reading.seen) else {
        return Ok(Script::default());
    };
    let deal = reading.deal_as_partner_center_shows();
    let found = customer::find_or_make(run, &deal).await?;
    let mut order = Order {
        deal: reading.deal_as_crm_shows(),
        existing: Some(seen.clone()),
        account: None,
        contacts: Vec::new(),
        lead: None,
    };
    let lead = RecordKind::Lead;
    let before: Draft = rounds!(run, "lead.to-row", |asking| run
        .set
        .write(&asking, lead, &order))?;
    order.account = found.account;
    order.contacts = found.contacts;
    let after = rounds!(run, "lead.to-row", |asking| run
        .set
        .write(&asking, lead, &order))?;
    let cells = to_write(&crm::cells(&before), &crm::cells(&after), &seen.row.cells);
    let mut writes = found.writes;
    if !cells.is_empty() {
        let speakers = crm::speakers(&after, &cells);
        writes.push(Write {
            speakers,
            ..Write::of(dress::update(lead, row, cells, None, None))
        });
    }
    writes.push(Write::of(What::Qualify {
        lead: row.seen.row.id.clone(),
    }));
    Ok(Script {
        writes,
        then: vec!["then the deal goes on as the opportunity that the CRM makes of it".to_owned()],
    })
}

/// The row is the lane's from now on.
pub(super) fn adopt_row(run: &mut Run<'_>, kind: RecordKind, id: &str) {
    run.link.crm_table = Some(kind.table().to_owned());
    run.link.crm_row = Some(id.to_owned());
    run.belongs(Run::record(Side::Crm, kind.table(), id));
}

/// Switch, facts, audit line and mark of a new row. Returns the mark.
async fn dress_newborn(
    run: &Run<'_>,
    reading: &Reading,
    kind: RecordKind,
    cells: &mut Cells,
) -> Result<Option<String>, Trouble> {
    if let Some(column) = run.set.needs().column(kind.table(), Role::Gate) {
        cells.insert(column.to_owned(), Cell::Bool(true));
    }
    let empty = Row {
        table: kind.table().to_owned(),
        id: String::new(),
        cells: Cells::new(),
    };
    cells.extend(dress::facts(run, reading, &empty));
    let line = dress::line(run, "created from the referral in Partner Center");
    cells.extend(dress::audit(run, &empty, &line));
    if kind == RecordKind::Lead {
        return Ok(None);
    }
    let primary = run.name_column(kind.table()).await?;
    let Some(Cell::Text(name)) = cells.get_mut(&primary) else {
        return Ok(None);
    };
    let mark = dress::mark(run, kind, reading, cosell_plugins::Outcome::InStep, name).await?;
    *name = cosell_sync::mark::put(name, &mark);
    Ok(Some(mark))
}
