//! Whose deal it is: the account and the contacts of a new CRM row, found or made (S14).

use std::collections::BTreeMap;

use cosell_plugins::{Candidate, ContactQuestion, Draft, Likeness, Resolution, Search, Strength};
use cosell_store::CardChange;
use cosell_sync::deal::{Deal, Person, Unit, UnitValue, Units};
use cosell_sync::element::is_same_person;
use cosell_sync::identity::row_id;
use cosell_sync::row::{Query, Reference, Row};
use serde_json::json;

use super::ask::rounds;
use super::crm::{cells, speakers};
use super::run::Run;
use super::script::{Newborn, What, Write};
use crate::trouble::Trouble;

/// Beside the labels of the searches that brought a candidate: one of them identifies. A chooser sees no search, and another plugin's may be
/// the proof.
const IDENTIFIES: &str = "identifies";

const ACCOUNT: &str = "account";
const CONTACT: &str = "contact";
/// The card of a close call. Closed once the deal is linked.
pub(super) const CARD: &str = "account";
const SUBJECT: &str = "customer";
/// The choice that is no account.
const NEW: &str = "new";

/// The account, one contact per person of the deal (none for a person that does not cross), and the rows that have to be made first.
pub(super) struct Customer {
    pub(super) account: Option<Reference>,
    pub(super) contacts: Vec<Option<Reference>>,
    pub(super) writes: Vec<Write>,
}

/// Finds them, or says what is to be made.
pub(super) async fn find_or_make(run: &mut Run<'_>, deal: &Deal) -> Result<Customer, Trouble> {
    let mut writes = Vec::new();
    let account = account(run, deal, &mut writes).await?;
    let mut contacts = Vec::new();
    for person in people(deal) {
        contacts.push(contact(run, deal, person, account.clone(), &mut writes).await?);
    }
    Ok(Customer {
        account,
        contacts,
        writes,
    })
}

/// Finds what is there already, and makes nothing: a lead is nobody's customer yet.
pub(super) async fn find(run: &mut Run<'_>, deal: &Deal) -> Result<Customer, Trouble> {
    let account = known_account(run, deal).await?;
    let mut contacts = Vec::new();
    for person in people(deal) {
        let found = match who(run, deal, person, account.clone()).await? {
            Who::Known(row) => Some(row),
            Who::New(..) | Who::Nobody => None,
        };
        contacts.push(found);
    }
    Ok(Customer {
        account,
        contacts,
        writes: Vec::new(),
    })
}

/// Contacts of a deal whose row is there already: its rows stay as they are, so none is named.
pub(super) fn known_contacts(deal: &Deal) -> Vec<Option<Reference>> {
    vec![None; people(deal).len()]
}

/// The people of `wanted` that the CRM does not show yet, found or to be made; the others stay as they are.
pub(super) async fn new_contacts(
    run: &mut Run<'_>,
    shown: &Deal,
    wanted: &Deal,
) -> Result<(Vec<Option<Reference>>, Vec<Write>), Trouble> {
    let mut writes = Vec::new();
    let mut contacts = Vec::new();
    let mut account = None;
    for person in people(wanted) {
        if people(shown)
            .iter()
            .any(|there| is_same_person(there, person))
        {
            contacts.push(None);
            continue;
        }
        // Only looked up: the customer of a deal that is there already is never made a second time.
        if account.is_none() {
            account = Some(known_account(run, wanted).await?);
        }
        let account = account.clone().flatten();
        contacts.push(contact(run, wanted, person, account, &mut writes).await?);
    }
    Ok((contacts, writes))
}

fn people(deal: &Deal) -> &[Person] {
    match deal.units.get(&Unit::Contacts) {
        Some(UnitValue::People(people)) => people,
        _ => &[],
    }
}

async fn resolve(
    run: &Run<'_>,
    deal: &Deal,
) -> Result<(Vec<Candidate>, Option<Resolution>), Trouble> {
    let searches = rounds!(run, "account.searches", |asking| run
        .set
        .account_searches(&asking, deal))?
    .map(|spoken| spoken.value);
    let candidates = candidates(run, &searches.unwrap_or_default()).await?;
    let resolution = rounds!(run, "account.choose", |asking| run.set.account_choose(
        &asking,
        deal,
        candidates.clone()
    ))?
    .map(|spoken| spoken.value);
    Ok((candidates, resolution))
}

async fn known_account(run: &Run<'_>, deal: &Deal) -> Result<Option<Reference>, Trouble> {
    Ok(match resolve(run, deal).await? {
        (candidates, Some(Resolution::UseExisting(likeness))) => {
            Some(chosen(&candidates, ACCOUNT, &likeness))
        }
        _ => None,
    })
}

async fn account(
    run: &mut Run<'_>,
    deal: &Deal,
    writes: &mut Vec<Write>,
) -> Result<Option<Reference>, Trouble> {
    let (candidates, resolution) = resolve(run, deal).await?;
    let identity = match resolution {
        Some(Resolution::UseExisting(likeness)) => {
            return Ok(Some(chosen(&candidates, ACCOUNT, &likeness)));
        }
        Some(Resolution::CreateNew(identity)) => identity,
        None => match ask(run, deal, &[]).await? {
            Chosen::Existing(id) => return Ok(Some(named(ACCOUNT, id))),
            Chosen::New => new_identity(deal),
        },
        Some(Resolution::Review(list)) => match ask(run, deal, &list).await? {
            Chosen::Existing(id) => return Ok(Some(named(ACCOUNT, id))),
            Chosen::New => new_identity(deal),
        },
    };
    let draft = rounds!(run, "account.to-row", |asking| run
        .set
        .account_row(&asking, deal, None))?;
    run.tell_refusals("the account", &draft.refusals);
    let id = row_id(&run.connection.id, ACCOUNT, &identity, 0);
    writes.push(newborn(ACCOUNT, &id, &draft));
    Ok(Some(named(ACCOUNT, id)))
}

/// What a person answered to a close call.
enum Chosen {
    Existing(String),
    New,
}

/// Too close to call: a person chooses, and until then nothing of the deal is written. A wrong account costs more than a question.
async fn ask(run: &mut Run<'_>, deal: &Deal, list: &[Likeness]) -> Result<Chosen, Trouble> {
    let company = deal
        .units
        .get(&Unit::CompanyName)
        .map(UnitValue::in_words)
        .unwrap_or_default();
    let mut choices = Vec::new();
    for one in list {
        let name = name_of(run, &one.id).await;
        choices.push(json!({ "choice": one.id, "means": format!("use the account {name}"), "score": one.score, "because": one.because }));
    }
    choices.push(json!({ "choice": NEW, "means": "create a new account" }));
    let question = if list.is_empty() {
        format!("no plugin decided which account {company} is")
    } else {
        format!("more than one account could be {company}")
    };
    let body = json!({ "question": question, "choices": choices }).to_string();
    let answer = run
        .cards
        .iter()
        .find(|card| card.kind == CARD && card.subject == SUBJECT && card.body == body)
        .and_then(|card| card.answer.clone());
    match answer {
        Some(answer) => {
            // The card stays open until the deal is linked: a run that is cut off before that asks nobody twice.
            let detail = json!({ "choice": answer.choice, "by": answer.by });
            let line = format!("{}: {question} → {}", answer.by, answer.choice);
            run.tell_once("answered", &line, &detail);
            Ok(if answer.choice == NEW {
                Chosen::New
            } else {
                Chosen::Existing(answer.choice)
            })
        }
        None => {
            run.card(CardChange::Open {
                kind: CARD.to_owned(),
                subject: SUBJECT.to_owned(),
                body,
            });
            Err(Trouble::Asked(format!(
                "{question}: a person has to choose, see `cosell cards`"
            )))
        }
    }
}

async fn name_of(run: &Run<'_>, id: &str) -> String {
    let Ok(column) = run.name_column(ACCOUNT).await else {
        return id.to_owned();
    };
    let columns = [column.clone()].into();
    let row = run.sees.row(ACCOUNT, id, &columns, &[]).await;
    match row
        .ok()
        .flatten()
        .and_then(|mut row| row.seen.row.cells.remove(&column))
    {
        Some(cosell_sync::row::Cell::Text(name)) => format!("\"{name}\" ({id})"),
        _ => id.to_owned(),
    }
}

/// What makes this customer this customer, when a person and no plugin said that it is a new one.
fn new_identity(deal: &Deal) -> String {
    let words = [Unit::CompanyName, Unit::Address]
        .iter()
        .filter_map(|unit| deal.units.get(unit))
        .map(|value| value.in_words().to_lowercase());
    format!("person|{}", words.collect::<Vec<_>>().join("|"))
}

/// Who a person at the customer is in the CRM.
enum Who {
    Known(Reference),
    /// Nobody yet; the text makes the new row's id (S14).
    New(String, Box<ContactQuestion>),
    /// Nobody decided, or it is too close to call: a missing contact costs less than a wrong one.
    Nobody,
}

async fn who(
    run: &Run<'_>,
    deal: &Deal,
    person: &Person,
    account: Option<Reference>,
) -> Result<Who, Trouble> {
    let question = ContactQuestion {
        person: person.clone(),
        deal: deal.clone(),
        account,
    };
    let searches = rounds!(run, "contact.searches", |asking| run
        .set
        .contact_searches(&asking, &question))?
    .map(|spoken| spoken.value);
    let candidates = candidates(run, &searches.unwrap_or_default()).await?;
    let resolution = rounds!(run, "contact.choose", |asking| run.set.contact_choose(
        &asking,
        &question,
        candidates.clone()
    ))?
    .map(|spoken| spoken.value);
    Ok(match resolution {
        None | Some(Resolution::Review(_)) => Who::Nobody,
        Some(Resolution::UseExisting(likeness)) => {
            Who::Known(chosen(&candidates, CONTACT, &likeness))
        }
        Some(Resolution::CreateNew(identity)) => Who::New(identity, Box::new(question)),
    })
}

async fn contact(
    run: &mut Run<'_>,
    deal: &Deal,
    person: &Person,
    account: Option<Reference>,
    writes: &mut Vec<Write>,
) -> Result<Option<Reference>, Trouble> {
    let (identity, question) = match who(run, deal, person, account).await? {
        Who::Nobody => return Ok(None),
        Who::Known(row) => return Ok(Some(row)),
        Who::New(identity, question) => (identity, question),
    };
    let draft = rounds!(run, "contact.to-row", |asking| run
        .set
        .contact_row(&asking, &question, None))?;
    run.tell_refusals("the contact", &draft.refusals);
    let id = row_id(&run.connection.id, CONTACT, &identity, 0);
    writes.push(newborn(CONTACT, &id, &draft));
    Ok(Some(named(CONTACT, id)))
}

fn newborn(table: &str, id: &str, draft: &Draft) -> Write {
    let cells = cells(draft);
    Write {
        speakers: speakers(draft, &cells),
        ..Write::of(What::CreateRow {
            table: table.to_owned(),
            id: id.to_owned(),
            cells,
            newborn: Newborn::Customer,
            mark: None,
            units: Units::new(),
        })
    }
}

fn named(table: &str, id: String) -> Reference {
    Reference {
        table: table.to_owned(),
        id,
        name: None,
    }
}

/// Runs all searches together; every row once, with the searches that brought it.
async fn candidates(run: &Run<'_>, searches: &[Search]) -> Result<Vec<Candidate>, Trouble> {
    let queries: Vec<Query> = searches.iter().map(|search| search.query.clone()).collect();
    let found = run.sees.queries(&queries).await?;
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
    named(table, likeness.id.clone())
}
