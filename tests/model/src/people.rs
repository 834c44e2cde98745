//! Playing the people of a history, and remembering what they said last: what the judge measures the host by.

use std::collections::BTreeMap;
use std::sync::Arc;

use cosell_simulator::{Control, Hidden, Inside};
use serde_json::{Value, json};

use super::op::{Act, Birth, Deed, Fate, Field, HoldFor, Kind};
use super::view::{self, ASKED_HELP, HELP, Mapping, SYNC, VISIBLE, View};
use cosell_tests::id;

/// The solutions of the catalogue.
const SOLUTIONS: [&str; 3] = ["SOL-12345-ABC", "SOL-23456-DEF", "SOL-34567-GHI"];
/// The people at the customer.
pub const PERSONS: [Person; 2] = [
    Person {
        first: "Anna",
        last: "Kovács",
        mail: "anna.kovacs@contoso.example",
        phone: "+36 1 555 0100",
    },
    Person {
        first: "Béla",
        last: "Nagy",
        mail: "bela.nagy@contoso.example",
        phone: "+36 1 555 0101",
    },
];

/// Somebody at the customer.
#[allow(missing_docs, reason = "the names are the doc")]
pub struct Person {
    pub first: &'static str,
    pub last: &'static str,
    pub mail: &'static str,
    pub phone: &'static str,
}

/// Longer than the notes column of the CRM: only its beginning fits there.
const LONG: usize = 2_400;

/// On which side somebody did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Where {
    /// In the CRM.
    Crm,
    /// In Partner Center.
    PartnerCenter,
}

/// Something that a person changed, as the side showed it right after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Position among all edits of the history.
    pub number: usize,
    /// Which deal.
    pub deal: u8,
    /// Where.
    pub side: Where,
    /// `value`, `solutions SOL-12345-ABC`.
    pub unit: String,
    /// What stood there before.
    pub was: String,
    /// What stands there now; empty when it was emptied or taken off.
    pub value: String,
    /// Writes of the host that the ledger held by then.
    pub after_write: usize,
    /// The column, where the mapping may move the unit to another.
    column: Option<&'static str>,
    /// The mapping reads where it was said.
    pub is_read: bool,
}

/// A deal as people know it.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The seller's opportunity, or the one that the host made.
    pub row: Option<String>,
    /// The lead that it was before.
    pub lead: Option<String>,
    /// The partner's referral, or the one that the host made.
    pub referral: Option<String>,
    /// The row was deleted.
    pub deleted: bool,
    /// It arrived from Microsoft.
    pub inbound: bool,
    /// The service account does not see the referral now.
    pub hidden: bool,
    /// It did not see it for some time.
    pub was_hidden: bool,
}

/// Everybody.
pub struct People {
    world: Arc<Inside>,
    /// The mapping that the judge reads with.
    pub mapping: Mapping,
    account: String,
    contacts: [String; 2],
    deals: BTreeMap<u8, Known>,
    /// Everything that people changed, oldest first.
    pub edits: Vec<Edit>,
    /// Acts that changed something, or brought a deal into the world.
    pub acts: usize,
    /// Which kinds of writes wait for a person, and since which write.
    pub rules: Vec<(usize, Kind, HoldFor)>,
    /// What a person has released: after which write, in which lane, of which kind.
    pub releases: Vec<(usize, i64, String)>,
    /// The operator has declared that contacts may be shared, now or at some time since the first act.
    pub consent: bool,
}

impl People {
    /// Nobody has done anything yet; `account` and `contacts` are the customer.
    #[must_use]
    pub fn new(world: Arc<Inside>, account: &str, contacts: &[String; 2]) -> Self {
        Self {
            world,
            mapping: Mapping::default(),
            account: account.to_owned(),
            contacts: contacts.clone(),
            deals: BTreeMap::new(),
            edits: Vec::new(),
            acts: 0,
            rules: Vec::new(),
            releases: Vec::new(),
            consent: true,
        }
    }

    /// A kind of write waits from now on, or no longer.
    pub fn rule(&mut self, kind: Kind, until: HoldFor) {
        let after_write = self.world.control().ledger(0).len();
        self.rules.push((after_write, kind, until));
    }

    /// A person has released a hold.
    pub fn released(&mut self, lane: i64, kind: &str) {
        let after_write = self.world.control().ledger(0).len();
        self.releases.push((after_write, lane, kind.to_owned()));
    }

    /// The judge reads with another mapping from now on: what was said in a column that is no longer read counts for nothing.
    pub fn remap(&mut self, mapping: Mapping) {
        for edit in self.edits.iter_mut().filter(|edit| edit.side == Where::Crm) {
            edit.is_read = edit
                .column
                .is_none_or(|column| column == mapping.value_column);
        }
        self.mapping = mapping;
    }

    /// All deals, with the records that were found for them by now.
    pub fn deals(&mut self) -> Vec<(u8, Known)> {
        let numbers: Vec<u8> = self.deals.keys().copied().collect();
        numbers
            .into_iter()
            .map(|deal| (deal, self.known(deal)))
            .collect()
    }

    /// What is known of a deal; a record that the host made meanwhile is looked for.
    fn known(&mut self, deal: u8) -> Known {
        let control = self.world.control();
        let known = self.deals.entry(deal).or_default();
        let born = known.row.as_ref().or(known.lead.as_ref()).cloned();
        if let (Some(born), None, false) = (born, &known.referral, known.deleted) {
            known.referral = view::referral_of(control, &born);
        }
        if known.deleted {
            // A person may have had it made anew.
            let anew = known
                .referral
                .as_deref()
                .and_then(|referral| view::row_of(control, "opportunity", referral));
            if anew.is_some() {
                known.row = anew;
                known.deleted = false;
            }
        }
        if let Some(row) = known.row.as_deref().filter(|_| !known.deleted) {
            known.referral = view::referral_of(control, row).or(known.referral.take());
        }
        if let (None, Some(lead)) = (&known.row, &known.lead) {
            known.row = control.opportunity_of(lead);
        }
        if let Some(referral) = &known.referral {
            let found = |table| view::row_of(control, table, referral);
            known.row = known.row.take().or_else(|| found("opportunity"));
            known.lead = known.lead.take().or_else(|| found("lead"));
        }
        known.clone()
    }

    /// What both sides show.
    #[must_use]
    pub fn views(&self, known: &Known) -> (Option<View>, Option<View>) {
        let control = self.world.control();
        let crm = match (known.deleted, &known.row, &known.lead) {
            (true, ..) => None,
            (_, Some(row), _) => view::crm(control, row, self.mapping),
            (_, None, Some(lead)) => view::lead(control, lead),
            _ => None,
        };
        (
            crm,
            known
                .referral
                .as_deref()
                .and_then(|referral| view::partner_center(control, referral)),
        )
    }

    /// Does it, if it can be done. What has changed by it is remembered.
    pub fn act(&mut self, act: &Act) -> bool {
        // No two acts in one moment.
        self.world.control().advance_ms(7);
        let known = self.known(act.deal);
        let before = self.views(&known);
        if self.deed(act.deal, &known, act.deed).is_none() {
            return false;
        }
        let known = self.known(act.deal);
        let after = self.views(&known);
        self.note(act.deal, Where::Crm, &before.0, &after.0);
        self.note(act.deal, Where::PartnerCenter, &before.1, &after.1);
        self.acts += 1;
        true
    }

    fn note(&mut self, deal: u8, side: Where, before: &Option<View>, after: &Option<View>) {
        // What a record is born with by itself, nobody has said.
        let unsaid = View::from([
            ("visibility".to_owned(), "false".to_owned()),
            ("state".to_owned(), "open".to_owned()),
        ]);
        let Some(after) = after else { return };
        // A lead that becomes an opportunity gets units that it had no place for.
        let mut was = unsaid;
        was.retain(|unit, _| after.contains_key(unit));
        was.extend(before.clone().unwrap_or_default());
        let before = &was;
        let after_write = self.world.control().ledger(0).len();
        let units: std::collections::BTreeSet<&String> =
            before.keys().chain(after.keys()).collect();
        let is_lead = self
            .deals
            .get(&deal)
            .is_some_and(|known| known.row.is_none() && known.lead.is_some());
        for unit in units {
            let moves = side == Where::Crm && unit == "value" && !is_lead;
            let value = after.get(unit).cloned().unwrap_or_default();
            let was = before.get(unit).cloned().unwrap_or_default();
            if was != value {
                self.edits.push(Edit {
                    number: self.edits.len(),
                    deal,
                    side,
                    unit: unit.clone(),
                    was,
                    value,
                    after_write,
                    column: moves.then_some(self.mapping.value_column),
                    is_read: true,
                });
            }
        }
    }

    fn deed(&mut self, deal: u8, known: &Known, deed: Deed) -> Option<()> {
        let control = self.world.control().clone();
        let is_new = known.row.is_none() && known.lead.is_none() && known.referral.is_none();
        match deed {
            Deed::Create(Birth::Lead) if is_new => {
                let lead = self.create_lead(&control, deal)?;
                self.deals.entry(deal).or_default().lead = Some(lead);
                Some(())
            }
            Deed::Create(birth) if is_new => {
                let row = self.create(&control, deal, birth)?;
                self.deals.entry(deal).or_default().row = Some(row);
                Some(())
            }
            Deed::PortalCreate if is_new => {
                let made = control.partner_user_creates(&referral(deal)).ok()?;
                self.deals.entry(deal).or_default().referral = Some(id(&made.record));
                Some(())
            }
            Deed::Arrive if is_new => {
                let made = control.referral_arrives(&referral(deal)).ok()?;
                let held = self.deals.entry(deal).or_default();
                held.referral = Some(id(&made.record));
                held.inbound = true;
                Some(())
            }
            Deed::Create(_) | Deed::PortalCreate | Deed::Arrive => None,
            Deed::Crm(field, value) => match (&known.row, &known.lead) {
                (Some(row), _) => self.in_crm(&control, row, field, value),
                (None, Some(lead)) => in_lead(&control, lead, field, value),
                _ => None,
            },
            Deed::CrmState(fate) => {
                let Some(row) = known.row.as_deref() else {
                    let lead = known.lead.as_deref()?;
                    lead_state(&control, lead, fate)?;
                    self.deals.entry(deal).or_default().deleted |= fate == Fate::Deleted;
                    return Some(());
                };
                let done = match fate {
                    Fate::Won => control.seller_wins(row, &json!({})),
                    Fate::Lost => control.seller_loses(row, &json!({})),
                    Fate::Open => control.seller_updates(
                        "opportunity",
                        row,
                        &json!({ "statecode": 0, "statuscode": 1 }),
                    ),
                    Fate::Deleted => control.seller_deletes("opportunity", row),
                    Fate::Declined => return None,
                };
                done.ok()?;
                if fate == Fate::Deleted {
                    self.deals.entry(deal).or_default().deleted = true;
                }
                Some(())
            }
            Deed::Portal(field, value) => {
                in_portal(&control, known.referral.as_deref()?, field, value)
            }
            Deed::PortalState(fate) => {
                let patch = fate_patch(fate)?;
                let referral = known.referral.as_deref()?;
                control
                    .partner_user_patches(referral, &patch)
                    .ok()
                    .map(drop)
            }
            Deed::Hide(hidden) => {
                let referral = known
                    .referral
                    .as_deref()
                    .filter(|_| known.hidden != hidden)?;
                if hidden {
                    control
                        .hide_record("referral", referral, Hidden::NotFound)
                        .ok()?;
                } else {
                    control.show_record("referral", referral).ok()?;
                }
                let held = self.deals.entry(deal).or_default();
                held.hidden = hidden;
                held.was_hidden = true;
                Some(())
            }
            Deed::Microsoft(fate) => {
                let referral = known.referral.as_deref()?;
                let done = match fate {
                    Fate::Open => control.microsoft_accepts(referral, "7-ABCDEF"),
                    Fate::Declined => control.microsoft_declines(referral, "Not a fit"),
                    Fate::Won => control.microsoft_wins(referral),
                    Fate::Lost => control.microsoft_loses(referral, "Price"),
                    Fate::Deleted => return None,
                };
                done.ok().map(drop)
            }
        }
    }

    fn create(&self, control: &Control, deal: u8, birth: Birth) -> Option<String> {
        let mut row = json!({
            "name": format!("Deal {deal}"), "estimatedvalue": 50_000, "estimatedclosedate": "2026-12-15", "description": "first notes",
            "parentaccountid@odata.bind": format!("/accounts({})", self.account),
            "parentcontactid@odata.bind": format!("/contacts({})", self.contacts[0]),
        });
        row[SYNC] = json!(birth != Birth::Off);
        if birth == Birth::Helped {
            row[ASKED_HELP] = json!(HELP[2].0);
        }
        if birth == Birth::Draft {
            row["estimatedvalue"] = Value::Null;
        }
        let row = id(&control.seller_creates("opportunity", &row).ok()?.record);
        if birth != Birth::Draft {
            add_solution(control, &row, SOLUTIONS[0])?;
        }
        Some(row)
    }

    fn create_lead(&self, control: &Control, deal: u8) -> Option<String> {
        let lead = json!({
            "subject": format!("Deal {deal}"), "firstname": PERSONS[0].first, "lastname": PERSONS[0].last,
            "emailaddress1": PERSONS[0].mail, "telephone1": PERSONS[0].phone, "companyname": format!("Prospect {deal}"),
            "address1_line1": "Main Street 1", "address1_city": "Capital", "address1_postalcode": "1010", "address1_country": "Germany",
            "estimatedamount": 50_000, "estimatedclosedate": "2026-12-15", "description": "first notes", SYNC: true,
        });
        let made = control.seller_creates("lead", &lead).ok()?;
        Some(id(&made.record))
    }

    fn in_crm(&self, control: &Control, row: &str, field: Field, value: u8) -> Option<()> {
        let change = match field {
            Field::Solution => return toggle_row(control, row, solution(value)),
            Field::Value => {
                json!({ self.mapping.value_column: cell(value, || json!(amount(value))) })
            }
            Field::Date => json!({ "estimatedclosedate": cell(value, || json!(date(value))) }),
            Field::Notes => json!({ "description": cell(value, || json!(short(&notes(value)))) }),
            Field::Name => {
                let held = control.row("opportunity", row)?;
                let held = held["name"].as_str().unwrap_or_default();
                json!({ "name": format!("{}{}", mark_of(held), name(value)) })
            }
            Field::Help => {
                json!({ ASKED_HELP: HELP.get(usize::from(value)).map(|(code, _)| *code) })
            }
            Field::Visible => json!({ VISIBLE: value % 2 == 1 }),
            Field::Contact => {
                let contact = self.contacts.get(usize::from(value));
                json!({ "parentcontactid@odata.bind": contact.map(|id| format!("/contacts({id})")) })
            }
            Field::Switch => json!({ SYNC: value % 2 == 1 }),
        };
        control
            .seller_updates("opportunity", row, &change)
            .ok()
            .map(drop)
    }
}

fn in_lead(control: &Control, lead: &str, field: Field, value: u8) -> Option<()> {
    let change = match field {
        Field::Value => json!({ "estimatedamount": cell(value, || json!(amount(value))) }),
        Field::Date => json!({ "estimatedclosedate": cell(value, || json!(date(value))) }),
        Field::Notes => json!({ "description": cell(value, || json!(short(&notes(value)))) }),
        Field::Name => {
            let held = control.row("lead", lead)?;
            let held = held["subject"].as_str().unwrap_or_default();
            json!({ "subject": format!("{}{}", mark_of(held), name(value)) })
        }
        Field::Switch => json!({ SYNC: value % 2 == 1 }),
        Field::Help | Field::Visible | Field::Solution | Field::Contact => return None,
    };
    control.seller_updates("lead", lead, &change).ok().map(drop)
}

fn lead_state(control: &Control, lead: &str, fate: Fate) -> Option<()> {
    let done = match fate {
        Fate::Won => control.seller_qualifies(lead, &json!({})),
        Fate::Lost | Fate::Declined => control.seller_disqualifies(lead, -1),
        Fate::Open => control.seller_reactivates(lead),
        Fate::Deleted => control.seller_deletes("lead", lead),
    };
    done.ok().map(drop)
}

/// A seller types behind the mark.
fn mark_of(name: &str) -> String {
    let mark = name.chars().next().filter(|first| "✔✖".contains(*first));
    mark.map_or(String::new(), |mark| format!("{mark} "))
}

fn in_portal(control: &Control, referral: &str, field: Field, value: u8) -> Option<()> {
    let (path, new) = match field {
        Field::Value => ("/details/dealValue", json!(amount(value))),
        Field::Date => (
            "/details/closingDateTime",
            json!(format!("{}T00:00:00Z", date(value))),
        ),
        Field::Notes => ("/details/notes", cell(value, || json!(notes(value)))),
        Field::Name => ("/name", json!(name(value))),
        Field::Visible => (
            "/consent/consentToShareReferralWithMicrosoftSellers",
            json!(true),
        ),
        Field::Solution => {
            let held = control.referral(referral)?;
            let path = "/details/requirements/solutions";
            let mut list = held["details"]["requirements"]["solutions"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let wanted = solution(value);
            let there = list.len();
            list.retain(|one| one["id"] != wanted);
            if list.len() == there {
                list.push(
                    json!({ "type": "Name", "id": wanted, "name": format!("Solution {wanted}") }),
                );
            }
            (path, json!(list))
        }
        Field::Contact => {
            let held = control.referral(referral)?;
            let path = "/customerProfile/team";
            let mut list = held["customerProfile"]["team"].as_array().cloned()?;
            let person = &PERSONS[usize::from(value) % PERSONS.len()];
            let there = list.len();
            list.retain(|one| one["email"] != person.mail);
            if list.len() == there {
                list.push(json!({
                    "firstName": person.first, "lastName": person.last, "email": person.mail, "phoneNumber": person.phone,
                }));
            }
            (path, json!(list))
        }
        Field::Help | Field::Switch => return None,
    };
    let patch = json!([{ "op": "replace", "path": path, "value": new }]);
    control
        .partner_user_patches(referral, &patch)
        .ok()
        .map(drop)
}

fn fate_patch(fate: Fate) -> Option<Value> {
    let (status, substatus) = match fate {
        Fate::Open => ("Active", "Accepted"),
        Fate::Won => ("Closed", "Won"),
        Fate::Lost => ("Closed", "Lost"),
        Fate::Declined => ("Closed", "Declined"),
        Fate::Deleted => return None,
    };
    Some(json!([
        { "op": "replace", "path": "/status", "value": status },
        { "op": "replace", "path": "/substatus", "value": substatus },
    ]))
}

fn referral(deal: u8) -> Value {
    json!({
        "name": format!("Deal {deal}"), "type": "Independent", "qualification": "SalesQualified",
        "customerProfile": { "name": "Fabrikam", "team": [],
            "address": { "addressLine1": "Main Street 1", "city": "Capital", "postalCode": "1010", "country": "DE" } },
        "consent": { "consentToToShareInfoWithOthers": true, "consentToContact": true, "consentToShareReferralWithMicrosoftSellers": false },
        "details": { "notes": "from the portal", "dealValue": 10_000, "currency": "EUR", "closingDateTime": "2027-03-31T00:00:00Z",
            "requirements": { "solutions": [{ "type": "Name", "id": SOLUTIONS[0], "name": "Our app" }] } },
        "team": [], "target": [],
    })
}

fn toggle_row(control: &Control, row: &str, wanted: &str) -> Option<()> {
    let held = control
        .rows("msft_partnercentersolution")
        .into_iter()
        .find(|one| {
            one["_msft_opportunityid_value"] == row && one["msft_solutionidentifier"] == wanted
        });
    match held {
        Some(held) => {
            let id = held["msft_partnercentersolutionid"].as_str()?;
            control
                .seller_deletes("msft_partnercentersolution", id)
                .ok()
                .map(drop)
        }
        None => add_solution(control, row, wanted),
    }
}

fn add_solution(control: &Control, row: &str, solution: &str) -> Option<()> {
    let made = json!({
        "msft_name": format!("Solution {solution}"), "msft_solutionidentifier": solution, "msft_type": "3P",
        "msft_OpportunityId@odata.bind": format!("/opportunities({row})"),
    });
    control
        .seller_creates("msft_partnercentersolution", &made)
        .ok()
        .map(drop)
}

fn solution(value: u8) -> &'static str {
    SOLUTIONS[usize::from(value) % SOLUTIONS.len()]
}

/// 8 empties.
fn cell(value: u8, filled: impl FnOnce() -> Value) -> Value {
    if value == 8 { Value::Null } else { filled() }
}

fn amount(value: u8) -> f64 {
    20_000.5 + 10_000.0 * f64::from(value)
}

fn date(value: u8) -> String {
    format!("2027-01-{:02}", u32::from(value) % 28 + 1)
}

fn name(value: u8) -> String {
    format!("Renamed {value}")
}

/// 9 is longer than the CRM's column.
fn notes(value: u8) -> String {
    let text = format!("notes {value}");
    if value == 9 {
        format!("{text} {}", "x".repeat(LONG))
    } else {
        text
    }
}

fn short(text: &str) -> String {
    text.chars().take(1_900).collect()
}
