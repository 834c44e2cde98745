//! Qualifying and disqualifying leads. (dataverse 3.5)

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::refusal::{self, Refusal};
use super::route::json_reply;
use super::schema::{Kind, Name};
use super::session::Session;
use super::store::{Cell, Db, Row, Write};
use super::{cells, read, write};
use crate::wire::{Reply, Request};

/// Columns of a lead, and the columns of the opportunity that they become.
const TO_OPPORTUNITY: [(&str, &str); 9] = [
    ("subject", "name"),
    ("description", "description"),
    ("estimatedamount", "estimatedvalue"),
    ("estimatedclosedate", "estimatedclosedate"),
    ("budgetamount", "budgetamount"),
    ("budgetstatus", "budgetstatus"),
    ("need", "need"),
    ("purchaseprocess", "purchaseprocess"),
    ("purchasetimeframe", "purchasetimeframe"),
];
/// Columns that the account takes over under the same name.
const TO_ACCOUNT: [&str; 9] = [
    "address1_line1",
    "address1_line2",
    "address1_city",
    "address1_stateorprovince",
    "address1_postalcode",
    "address1_country",
    "telephone1",
    "emailaddress1",
    "websiteurl",
];
/// Columns that the contact takes over under the same name.
const TO_CONTACT: [&str; 5] = [
    "firstname",
    "lastname",
    "jobtitle",
    "emailaddress1",
    "telephone1",
];

/// What is asked for.
pub(super) struct Order {
    account: bool,
    contact: bool,
    opportunity: bool,
    /// A status of the state Qualified; −1 is its default.
    status: i64,
    currency: Option<Uuid>,
    customer: Option<(&'static str, Uuid)>,
    campaign: Option<Uuid>,
}

impl Order {
    /// The parameters of the action; the flags and the status must be there.
    fn of_request(body: &Value) -> Result<Self, Refusal> {
        for name in [
            "CreateAccount",
            "CreateContact",
            "CreateOpportunity",
            "Status",
        ] {
            let fits = if name == "Status" {
                body[name].is_i64()
            } else {
                body[name].is_boolean()
            };
            if !fits {
                return Err(missing(name));
            }
        }
        Ok(Self::of_person(body))
    }

    /// The same from a person's form: what is not said is as the form has it.
    pub(super) fn of_person(body: &Value) -> Self {
        let wants = |name: &str| body[name].as_bool().unwrap_or(true);
        let customer = &body["OpportunityCustomerId"];
        let given =
            |entity: &Value, key: &str| Uuid::try_parse(entity[key].as_str().unwrap_or("")).ok();
        let account = given(customer, "accountid").map(|id| ("account", id));
        Self {
            account: wants("CreateAccount"),
            contact: wants("CreateContact"),
            opportunity: wants("CreateOpportunity"),
            status: body["Status"].as_i64().unwrap_or(-1),
            currency: given(&body["OpportunityCurrencyId"], "transactioncurrencyid"),
            customer: account.or(given(customer, "contactid").map(|id| ("contact", id))),
            campaign: given(&body["SourceCampaignId"], "campaignid"),
        }
    }
}

fn missing(name: &str) -> Refusal {
    refusal::payload("leads", format_args!("The parameter '{name}' is missing."))
}

/// `POST /leads(ID)/Microsoft.Dynamics.CRM.QualifyLead`.
pub(super) fn answer(
    db: &mut Db,
    session: &Session,
    request: &Request,
    id: Uuid,
) -> Result<Reply, Refusal> {
    let body = request.json().map_err(|error| {
        refusal::payload("leads", format_args!("The body is not valid JSON: {error}"))
    })?;
    let order = Order::of_request(&body)?;
    let made = qualify(db, session, id, &order)?;
    db.writes.push(Write {
        method: request.method.to_string(),
        url: request.target(),
        precondition: request.precondition(),
        operation: "qualify",
        table: "lead".to_owned(),
        id,
        changed: Vec::new(),
        tag: None,
        overwrote: Vec::new(),
        merged_away: false,
    });
    let lead = db
        .schema
        .table("lead")
        .ok_or_else(|| refusal::no_segment("lead"))?;
    let context = read::context(&request.origin, lead, &Default::default());
    let made: Vec<Value> = made
        .into_iter()
        .map(|(table, id)| {
            let key = format!("{table}id");
            json!({"@odata.type": format!("#Microsoft.Dynamics.CRM.{table}"), key: id.to_string()})
        })
        .collect();
    Ok(json_reply(
        200,
        &json!({"@odata.context": context, "value": made}),
    ))
}

/// Makes what was ordered, in the order account, contact, opportunity, and closes the lead as qualified.
pub(super) fn qualify(
    db: &mut Db,
    session: &Session,
    id: Uuid,
    order: &Order,
) -> Result<Vec<(&'static str, Uuid)>, Refusal> {
    let table: Name = "lead".into();
    let lead = open_lead(db, id)?;
    let mut made = Vec::new();
    let parent = |column: &str| lead.reference(column).map(|(_, id)| id);
    let given = |table: &str| {
        order
            .customer
            .filter(|(held, _)| *held == table)
            .map(|(_, id)| id)
    };
    let mut account = given("account").or(parent("parentaccountid"));
    if order.account {
        let new = write::create(
            db,
            session,
            &"account".into(),
            &account_of(&lead),
            None,
            Vec::new(),
            0,
        )?;
        made.push(("account", new));
        account = Some(new);
    }
    let mut contact = given("contact").or(parent("parentcontactid"));
    if order.contact {
        let mut row = taken(&lead, TO_CONTACT.map(|name| (name, name)));
        bind(&mut row, "parentcustomerid_account", "accounts", account);
        let new = write::create(db, session, &"contact".into(), &row, None, Vec::new(), 0)?;
        made.push(("contact", new));
        contact = Some(new);
    }
    if order.opportunity {
        let mut row = taken(&lead, TO_OPPORTUNITY);
        let connected = connector_columns(db, &lead);
        if !connected.is_empty() && session.assumptions.qualify_copies_connector_columns() {
            row.extend(connected);
        }
        bind(&mut row, "originatingleadid", "leads", Some(id));
        bind(&mut row, "parentaccountid", "accounts", account);
        bind(&mut row, "parentcontactid", "contacts", contact);
        let currency = order.currency.or(parent("transactioncurrencyid"));
        bind(
            &mut row,
            "transactioncurrencyid",
            "transactioncurrencies",
            currency,
        );
        let campaign = order.campaign.or(parent("campaignid"));
        bind(&mut row, "campaignid", "campaigns", campaign);
        let new = write::create(
            db,
            session,
            &"opportunity".into(),
            &row,
            None,
            Vec::new(),
            0,
        )?;
        made.push(("opportunity", new));
    }
    set_state(db, session, id, 1, order.status)?;
    if let Some(row) = db.row(&table, id).cloned() {
        write::raise(db, "QualifyLead", &table, (None, Some(&row)), Vec::new());
    }
    Ok(made)
}

/// A person disqualifies a lead; −1 is the default status of that state.
pub(super) fn disqualify(
    db: &mut Db,
    session: &Session,
    id: Uuid,
    status: i64,
) -> Result<(), Refusal> {
    open_lead(db, id)?;
    set_state(db, session, id, 2, status)
}

/// A person takes a closed lead up again.
pub(super) fn reactivate(db: &mut Db, session: &Session, id: Uuid) -> Result<(), Refusal> {
    let table: Name = "lead".into();
    let row = db
        .row(&table, id)
        .ok_or_else(|| refusal::no_row(&table, id))?;
    if row.int("statecode") == Some(0) {
        return Err(Refusal::new(
            400,
            "0x80040518",
            "The lead is already in the open state.",
        ));
    }
    set_state(db, session, id, 0, -1)
}

fn open_lead(db: &Db, id: Uuid) -> Result<std::sync::Arc<Row>, Refusal> {
    let lead = db
        .row("lead", id)
        .ok_or_else(|| refusal::no_row("lead", id))?;
    if lead.int("statecode") == Some(0) {
        Ok(lead.clone())
    } else {
        Err(Refusal::new(
            400,
            "0x80040519",
            "The lead is already closed.",
        ))
    }
}

fn set_state(
    db: &mut Db,
    session: &Session,
    id: Uuid,
    state: i64,
    status: i64,
) -> Result<(), Refusal> {
    let mut body = Map::new();
    body.insert("statecode".to_owned(), json!(state));
    if status != -1 {
        body.insert("statuscode".to_owned(), json!(status));
    }
    write::update(db, session, &"lead".into(), id, &body)
}

fn taken<const N: usize>(lead: &Row, columns: [(&str, &str); N]) -> Map<String, Value> {
    columns
        .into_iter()
        .map(|(from, to)| (to.to_owned(), cells::write(lead.cells.get(from))))
        .collect()
}

/// An account is called like the company, or like the person when there is none.
fn account_of(lead: &Row) -> Map<String, Value> {
    let mut row = taken(lead, TO_ACCOUNT.map(|name| (name, name)));
    let name = lead.str("companyname").or(lead.str("fullname"));
    row.insert("name".to_owned(), json!(name));
    row
}

/// Values of the connector's columns that lead and opportunity both have, lookups left out.
fn connector_columns(db: &Db, lead: &Row) -> Map<String, Value> {
    let opportunity = db.schema.table("opportunity");
    let fits = |name: &str| {
        let column = opportunity.and_then(|table| table.column(name));
        name.starts_with("msft_")
            && column.is_some_and(|column| !matches!(column.kind, Kind::Lookup(_)))
    };
    lead.cells
        .iter()
        .filter(|(name, cell)| fits(name) && !matches!(cell, Cell::Ref { .. }))
        .map(|(name, cell)| (name.to_string(), cells::write(Some(cell))))
        .collect()
}

fn bind(row: &mut Map<String, Value>, name: &str, set: &str, id: Option<Uuid>) {
    if let Some(id) = id {
        row.insert(format!("{name}@odata.bind"), json!(format!("/{set}({id})")));
    }
}
