//! What people do again and again.

use cosell_simulator::{
    ColumnConfig, ColumnKind, ManyConfig, RowConfig, SimulatorConfig, TableColumnConfig,
};
use cosell_tests::{World, id};
use serde_json::{Value, json};

pub(crate) const IDENTIFIER: &str = "msft_microsoftpartnercenterreferralidentifier";
pub(crate) const LINK: &str = "msft_microsoftpartnercenterreferrallink";
pub(crate) const AUDIT: &str = "msft_microsoftpartnercenterreferralsyncaudit";
pub(crate) const HELP: &str = "msft_microsoftpartnercenterhelp";
pub(crate) const VISIBLE: &str = "msft_microsoftpartnercenterreferralvisible";
pub(crate) const GATE: &str = "msft_microsoftpartnercenterreferralsync";
pub(crate) const MICROSOFT_ID: &str = "msft_microsoftcrmidentifier";
pub(crate) const PROGRAM: &str = "msft_microsoftpartnercenterreferralprogram";

/// Where further contacts of an opportunity are kept.
pub(crate) const CONTACTS: &str = "new_Opportunity_Contact";
/// Where further sellers are kept.
pub(crate) const TEAM: &str = "new_dealseller";

/// Everything that an organisation can keep about a deal, by settings.
pub(crate) const OPPORTUNITY_SETTINGS: &str = r#"
[settings]
contacts-relationship = "new_Opportunity_Contact"
team-table = "new_dealseller"
team-opportunity-column = "new_opportunityid"
team-user-column = "new_userid"
duns-column = "new_duns"
campaign-column = "new_campaign"
sales-stage-column = "salesstage"
sales-stage-choices = { "0" = "Qualify", "1" = "Develop", "2" = "Propose", "3" = "Close" }
partner-role-column = "msft_partnerrole"
partner-role-table = "msft_partnerrole"
partner-role-word-column = "msft_name"
solution-area-column = "msft_solutionarea"
solution-area-table = "msft_solutionarea"
solution-area-word-column = "msft_name"
solution-play-column = "msft_solutionplay"
solution-play-table = "msft_solutionplay"
solution-play-word-column = "msft_name"
marketplace-intent-column = "msft_customerpurchaseintent"
marketplace-intent-choices = { "299600000" = "Yes", "299600001" = "No", "299600002" = "HaveNotDecided" }
"#;

/// The tables, columns, sellers and words that go with it.
pub(crate) fn organisation(seed: u64) -> SimulatorConfig {
    let mut config = SimulatorConfig {
        seed,
        ..SimulatorConfig::demo()
    };
    let column = |schema_name: &str, kind| ColumnConfig {
        schema_name: schema_name.to_owned(),
        kind,
        required: false,
    };
    config.tables.push(cosell_tests::deal_sellers());
    for (table, name, length) in [
        ("account", "new_Duns", 20),
        ("account", "new_ExternalId", 100),
        ("opportunity", "new_Campaign", 100),
    ] {
        config.columns.push(TableColumnConfig {
            table: table.to_owned(),
            column: column(name, ColumnKind::Text { max_length: length }),
        });
    }
    config.relationships.push(ManyConfig {
        schema_name: CONTACTS.to_owned(),
        first: "opportunity".to_owned(),
        second: "contact".to_owned(),
    });
    for (first, last) in [("Sam", "Seller"), ("Rita", "Reseller"), ("Tom", "Third")] {
        config.rows.push(row("systemuser", json!({
            "firstname": first, "lastname": last, "fullname": format!("{first} {last}"), "internalemailaddress": mail(first, last),
        })));
    }
    for (table, word) in [
        ("msft_partnerrole", "Services"),
        ("msft_solutionarea", "Data & AI"),
        ("msft_solutionplay", "Migrate"),
        ("msft_solutionplay", "Modernize"),
    ] {
        config.rows.push(row(table, json!({ "msft_name": word })));
    }
    config
}

fn row(table: &str, values: Value) -> RowConfig {
    RowConfig {
        table: table.to_owned(),
        values,
    }
}

/// Our sellers' addresses.
pub(crate) fn mail(first: &str, last: &str) -> String {
    format!(
        "{}.{}@partner.example",
        first.to_lowercase(),
        last.to_lowercase()
    )
}

/// The id of the row of a table in which a column says this.
pub(crate) fn find(world: &World, table: &str, column: &str, says: &str) -> anyhow::Result<String> {
    let rows = world.control().rows(table);
    let found = rows.iter().find(|row| row[column] == says);
    let key = format!("{table}id");
    let key = if table == "opportunityclose" {
        "activityid"
    } else {
        &key
    };
    found
        .and_then(|row| row[key].as_str())
        .map(str::to_owned)
        .ok_or_else(|| anyhow::anyhow!("no {table} has {column} = {says}"))
}

/// A seller creates a row.
pub(crate) fn make(world: &World, table: &str, values: &Value) -> anyhow::Result<String> {
    Ok(id(&world.control().seller_creates(table, values)?.record))
}

/// A seller changes an opportunity.
pub(crate) fn edit(world: &World, row: &str, values: &Value) -> anyhow::Result<()> {
    world.control().seller_updates("opportunity", row, values)?;
    Ok(())
}

/// Somebody at an account.
pub(crate) fn contact(
    world: &World,
    account: &str,
    first: &str,
    last: &str,
) -> anyhow::Result<String> {
    let mail = format!(
        "{}.{}@customer.example",
        first.to_lowercase(),
        last.to_lowercase()
    );
    make(
        world,
        "contact",
        &json!({
            "firstname": first, "lastname": last, "emailaddress1": mail, "telephone1": "+36 1 555 0100",
            "parentcustomerid_account@odata.bind": bind("accounts", account),
        }),
    )
}

/// A solution under an opportunity.
pub(crate) fn solution(world: &World, row: &str, solution: &str) -> anyhow::Result<String> {
    make(
        world,
        "msft_partnercentersolution",
        &json!({
            "msft_name": solution, "msft_solutionidentifier": solution, "msft_type": "3P", "msft_OpportunityId@odata.bind": bind("opportunities", row),
        }),
    )
}

/// An opportunity as a seller begins it: with sync off, and nothing below it.
pub(crate) fn draft(
    world: &World,
    account: &str,
    name: &str,
    more: &Value,
) -> anyhow::Result<String> {
    let mut row = json!({
        "name": name, "estimatedvalue": 125_000, "estimatedclosedate": "2026-12-15", "description": "first notes",
        "parentaccountid@odata.bind": bind("accounts", account),
    });
    for (column, value) in more.as_object().into_iter().flatten() {
        row[column] = value.clone();
    }
    make(world, "opportunity", &row)
}

/// The switch.
pub(crate) fn share(world: &World, row: &str) -> anyhow::Result<()> {
    edit(world, row, &json!({ GATE: true }))
}

/// What refers to a row of this entity set.
pub(crate) fn bind(set: &str, id: &str) -> String {
    format!("/{set}({id})")
}

/// A patch of a referral: paths and values.
pub(crate) fn patch(changes: &[(&str, Value)]) -> Value {
    let one =
        |(path, value): &(&str, Value)| json!({ "op": "replace", "path": path, "value": value });
    Value::Array(changes.iter().map(one).collect())
}

/// A person in a referral.
pub(crate) fn person(first: &str, last: &str, mail: &str) -> Value {
    json!({ "firstName": first, "lastName": last, "email": mail, "phoneNumber": "+36 1 555 0100" })
}

/// A solution in a referral.
pub(crate) fn sold(id: &str) -> Value {
    json!({ "type": "Name", "id": id, "name": id })
}

/// A referral as a partner's user makes it in the portal; `more` is laid over it, block by block.
pub(crate) fn referral(name: &str, customer: &str, more: &Value) -> Value {
    let mut body = json!({
        "name": name, "type": "Independent", "qualification": "SalesQualified",
        "customerProfile": { "name": customer, "team": [],
            "address": { "addressLine1": "Main Street 1", "city": "Berlin", "postalCode": "10115", "country": "DE" } },
        "consent": { "consentToToShareInfoWithOthers": true, "consentToContact": true, "consentToShareReferralWithMicrosoftSellers": false },
        "details": { "notes": "from the portal", "dealValue": 10_000, "currency": "EUR", "closingDateTime": "2027-03-31T00:00:00Z",
            "requirements": { "solutions": [sold("SOL-12345-ABC")] } },
        "team": [], "target": [],
    });
    lay(&mut body, more);
    body
}

fn lay(under: &mut Value, over: &Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (name, value) in over {
                lay(under.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over.clone(),
    }
}

/// The names of people in a list of a referral.
pub(crate) fn names(list: &Value) -> Value {
    let one = |member: &Value| {
        format!(
            "{} {}",
            member["firstName"].as_str().unwrap_or(""),
            member["lastName"].as_str().unwrap_or("")
        )
    };
    json!(
        list.as_array()
            .into_iter()
            .flatten()
            .map(one)
            .collect::<Vec<_>>()
    )
}

/// The ids of the solutions of a referral.
pub(crate) fn solutions(referral: &Value) -> Value {
    let list = referral["details"]["requirements"]["solutions"].as_array();
    json!(
        list.into_iter()
            .flatten()
            .map(|one| one["id"].clone())
            .collect::<Vec<_>>()
    )
}

/// What forms show for the CRM's own states and status reasons of opportunities and leads: table, state, status reason.
const LABELS: [(&str, i64, i64, &str); 13] = [
    ("opportunity", 0, 1, "Open / In Progress"),
    ("opportunity", 0, 2, "Open / On Hold"),
    ("opportunity", 0, 727_000_001, "Open / Negotiating"),
    ("opportunity", 1, 3, "Won / Won"),
    ("opportunity", 2, 4, "Lost / Canceled"),
    ("opportunity", 2, 5, "Lost / Out-Sold"),
    ("opportunity", 2, 727_000_002, "Lost / Price"),
    ("lead", 0, 1, "Open / New"),
    ("lead", 0, 2, "Open / Contacted"),
    ("lead", 1, 3, "Qualified / Qualified"),
    ("lead", 2, 4, "Disqualified / Lost"),
    ("lead", 2, 6, "Disqualified / No Longer Interested"),
    ("lead", 2, 7, "Disqualified / Canceled"),
];

/// Where a row stands, as its form shows it.
pub(crate) fn stands(table: &str, row: &Value) -> Value {
    let (state, status) = (row["statecode"].as_i64(), row["statuscode"].as_i64());
    let known = LABELS
        .iter()
        .find(|one| one.0 == table && (Some(one.1), Some(one.2)) == (state, status));
    known.map_or_else(|| json!([state, status]), |known| json!(known.3))
}
