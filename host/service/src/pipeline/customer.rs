//! Whose deal it is: the account and the contacts of a new CRM row, found or made (S14).

use std::collections::BTreeMap;

use cosell_plugins::{Candidate, ContactQuestion, Likeness, Resolution, Search, Strength};
use cosell_sync::deal::{Deal, Person, Unit, UnitValue};
use cosell_sync::identity::row_id;
use cosell_sync::row::{Reason, Reference, Row};
use futures_util::future::try_join_all;

use super::ask::rounds;
use super::crm::{cells, create_row};
use super::run::Run;
use crate::trouble::Trouble;

/// Beside the labels of the searches that brought a candidate: one of them identifies. A chooser sees no search, and another plugin's may be
/// the proof.
const IDENTIFIES: &str = "identifies";

/// The account, and one contact per person of the deal; none for a person that does not cross.
pub(super) async fn find_or_make(
    run: &mut Run<'_>,
    deal: &Deal,
) -> Result<(Option<Reference>, Vec<Option<Reference>>), Trouble> {
    let account = account(run, deal).await?;
    let mut contacts = Vec::new();
    for person in people(deal) {
        contacts.push(contact(run, deal, person, account.clone()).await?);
    }
    Ok((account, contacts))
}

/// Contacts of a deal whose row is there already: its rows stay as they are, so none is named.
pub(super) fn known_contacts(deal: &Deal) -> Vec<Option<Reference>> {
    vec![None; people(deal).len()]
}

fn people(deal: &Deal) -> &[Person] {
    match deal.units.get(&Unit::Contacts) {
        Some(UnitValue::People(people)) => people,
        _ => &[],
    }
}

async fn account(run: &mut Run<'_>, deal: &Deal) -> Result<Option<Reference>, Trouble> {
    let searches =
        rounds!(run, |asking| run.set.account_searches(&asking, deal))?.map(|spoken| spoken.value);
    let candidates = candidates(run, &searches.unwrap_or_default()).await?;
    let resolution = rounds!(run, |asking| run.set.account_choose(
        &asking,
        deal,
        candidates.clone()
    ))?
    .map(|spoken| spoken.value);
    let (table, identity) = match resolution {
        None => {
            return Err(undecided(
                "account-undecided",
                "no plugin decided which account the customer is",
                &[],
            ));
        }
        Some(Resolution::Review(list)) => {
            return Err(undecided(
                "account-unclear",
                "more than one account could be the customer",
                &list,
            ));
        }
        Some(Resolution::UseExisting(likeness)) => {
            return Ok(Some(chosen(&candidates, "account", &likeness)));
        }
        Some(Resolution::CreateNew(identity)) => ("account", identity),
    };
    let draft = rounds!(run, |asking| run.set.account_row(&asking, deal, None))?;
    run.tell_refusals("the account", &draft.refusals);
    let id = row_id(&run.connection.id, table, &identity, 0);
    create_row(run, table, &id, &cells(&draft)).await?;
    Ok(Some(Reference {
        table: table.to_owned(),
        id,
        name: None,
    }))
}

async fn contact(
    run: &mut Run<'_>,
    deal: &Deal,
    person: &Person,
    account: Option<Reference>,
) -> Result<Option<Reference>, Trouble> {
    let question = ContactQuestion {
        person: person.clone(),
        deal: deal.clone(),
        account,
    };
    let searches = rounds!(run, |asking| run.set.contact_searches(&asking, &question))?
        .map(|spoken| spoken.value);
    let candidates = candidates(run, &searches.unwrap_or_default()).await?;
    let resolution = rounds!(run, |asking| run.set.contact_choose(
        &asking,
        &question,
        candidates.clone()
    ))?
    .map(|spoken| spoken.value);
    let identity = match resolution {
        // Nobody decided, or it is too close to call: a missing contact costs less than a wrong one.
        None | Some(Resolution::Review(_)) => return Ok(None),
        Some(Resolution::UseExisting(likeness)) => {
            return Ok(Some(chosen(&candidates, "contact", &likeness)));
        }
        Some(Resolution::CreateNew(identity)) => identity,
    };
    let draft = rounds!(run, |asking| run.set.contact_row(&asking, &question, None))?;
    run.tell_refusals("the contact", &draft.refusals);
    let id = row_id(&run.connection.id, "contact", &identity, 0);
    create_row(run, "contact", &id, &cells(&draft)).await?;
    Ok(Some(Reference {
        table: "contact".to_owned(),
        id,
        name: None,
    }))
}

/// Runs all searches side by side; every row once, with the searches that brought it.
async fn candidates(run: &Run<'_>, searches: &[Search]) -> Result<Vec<Candidate>, Trouble> {
    let found = try_join_all(
        searches
            .iter()
            .map(|search| run.connection.dataverse.query(&search.query)),
    )
    .await?;
    let mut candidates: BTreeMap<String, Candidate> = BTreeMap::new();
    for (search, answer) in searches.iter().zip(found) {
        for row in answer.rows {
            let candidate = candidates
                .entry(row.id.clone())
                .or_insert_with(|| Candidate {
                    row: row.clone(),
                    found_by: Vec::new(),
                });
            absorb(&mut candidate.row, row);
            candidate.found_by.push(answer.label.clone());
            let identifies = search.strength == Strength::Identifies;
            if identifies && !candidate.found_by.iter().any(|by| by == IDENTIFIES) {
                candidate.found_by.push(IDENTIFIES.to_owned());
            }
        }
    }
    Ok(candidates.into_values().collect())
}

fn absorb(known: &mut Row, more: Row) {
    for (column, cell) in more.cells {
        known.cells.entry(column).or_insert(cell);
    }
}

fn chosen(candidates: &[Candidate], table: &str, likeness: &Likeness) -> Reference {
    let table = candidates
        .iter()
        .find(|candidate| candidate.row.id == likeness.id)
        .map_or(table, |candidate| &candidate.row.table);
    Reference {
        table: table.to_owned(),
        id: likeness.id.clone(),
        name: None,
    }
}

fn undecided(code: &str, message: &str, list: &[Likeness]) -> Trouble {
    let named: Vec<String> = list
        .iter()
        .map(|one| format!("{} ({}: {})", one.id, one.score, one.because.join(", ")))
        .collect();
    let message = if named.is_empty() {
        message.to_owned()
    } else {
        format!("{message}: {}", named.join("; "))
    };
    let hint = "merge the accounts or make them distinct, then retry the deal";
    Trouble::Refused(vec![Reason {
        code: code.into(),
        message,
        about: Some("company".into()),
        hint: Some(hint.into()),
    }])
}
