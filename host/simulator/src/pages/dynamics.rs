//! "Dynamics 365": opportunities and leads, and what a seller does with them.

use serde_json::{Map, Value, json};

use super::fields::{self, Ask, Field};
use super::layout::{LINES, Note, Paging, act, cell, facts, finder, line, page, table};
use super::{Sent, Shown, plain, status_of};
use crate::control::{Control, ControlError, row_state};
use crate::html::escape;
use crate::ledger::Act;

const ROOM: &str = "dynamics";
const TABLES: [(&str, &str); 2] = [("opportunity", "Opportunity"), ("lead", "Lead")];
const STAGES: Ask = Ask::Choice(&[
    ("", "none"),
    ("0", "Qualify"),
    ("1", "Develop"),
    ("2", "Propose"),
    ("3", "Close"),
]);
const HELP: Field = Field::new(
    "msft_microsoftpartnercenterhelp",
    "Help wanted from Microsoft",
    Ask::Choice(&[
        ("", "none"),
        ("299600000", "Workload-specific value proposition"),
        ("299600001", "Customer technical architecture"),
        ("299600002", "Proof of concept or demo"),
        ("299600003", "Quotes or licensing"),
        ("299600004", "Post-sales customer success"),
        ("299600005", "General or other"),
    ]),
);
const SYNC: Field = Field::new(
    "msft_microsoftpartnercenterreferralsync",
    "Sync with Partner Center",
    Ask::Tick,
);
const VISIBLE: Field = Field::new(
    "msft_microsoftpartnercenterreferralvisible",
    "Microsoft's sellers may see it",
    Ask::Tick,
);
const OPPORTUNITY: [Field; 9] = [
    Field::new("name", "Topic", Ask::Text),
    Field::new("estimatedvalue", "Estimated revenue", Ask::Number),
    Field::new("estimatedclosedate", "Estimated close", Ask::Date),
    Field::new("salesstage", "Sales stage", STAGES),
    Field::new("stepname", "Step", Ask::Text),
    HELP,
    SYNC,
    VISIBLE,
    Field::new("description", "Description", Ask::Long),
];
const LEAD: [Field; 10] = [
    Field::new("subject", "Topic", Ask::Text),
    Field::new("companyname", "Company", Ask::Text),
    Field::new("firstname", "First name", Ask::Text),
    Field::new("lastname", "Last name", Ask::Text),
    Field::new("emailaddress1", "Mail", Ask::Mail),
    Field::new("telephone1", "Telephone", Ask::Text),
    HELP,
    SYNC,
    VISIBLE,
    Field::new("description", "Description", Ask::Long),
];

fn fields_of(table: &str) -> Option<&'static [Field]> {
    match table {
        "opportunity" => Some(&OPPORTUNITY),
        "lead" => Some(&LEAD),
        _ => None,
    }
}

pub(super) fn answer(control: &Control, is_post: bool, rest: &[&str], sent: &Sent) -> Shown {
    match (is_post, rest) {
        (false, []) => Shown::Page(200, list(control, sent)),
        (false, [table, "new"]) if fields_of(table).is_some() => {
            Shown::Page(200, blank(table, None, &Note::None))
        }
        (true, [table, "new"]) if fields_of(table).is_some() => match created(control, table, sent)
        {
            Ok(act) => done(table, &act.record, "Created."),
            Err(error) => Shown::Page(
                status_of(&error),
                blank(table, Some(sent), &Note::Failed(&error)),
            ),
        },
        (false, [table, id]) => {
            let note = match sent.get("done") {
                "" => Note::None,
                done => Note::Done(done),
            };
            shown(control, table, id, None, &note, 200)
        }
        (true, [table, id]) => edited(control, table, id, sent),
        (true, [table, id, verb]) => acted(control, table, id, verb, sent),
        _ => nothing(),
    }
}

fn nothing() -> Shown {
    let note = Note::Wrong("There is no such page.");
    Shown::Page(
        404,
        page(
            ROOM,
            "Not found",
            &note,
            "<p><a href=\"/dynamics\">All rows</a></p>",
        ),
    )
}

fn done(table: &str, id: &str, said: &str) -> Shown {
    let said = crate::wire::encode(said);
    Shown::See(format!(
        "/{ROOM}/{table}/{}?done={said}",
        crate::wire::encode(id)
    ))
}

fn list(control: &Control, sent: &Sent) -> String {
    let find = sent.get("find");
    let deals: Vec<_> = control
        .deals(find)
        .into_iter()
        .filter(|deal| deal.row.is_some())
        .collect();
    let paging = Paging {
        from: sent.get("from").parse().unwrap_or(0).min(deals.len()),
        total: deals.len(),
    };
    let rows: Vec<Vec<String>> = deals
        .iter()
        .skip(paging.from)
        .take(LINES)
        .map(|deal| {
            let held = deal.table.as_deref().unwrap_or_default();
            let id = deal.row.as_deref().unwrap_or_default();
            let kind = TABLES
                .iter()
                .find(|(table, _)| *table == held)
                .map_or(held, |(_, name)| name);
            let name = if deal.name.is_empty() {
                "(no name)"
            } else {
                &deal.name
            };
            vec![
                format!(
                    "<td><a href=\"/{ROOM}/{held}/{}\">{}</a></td>",
                    escape(id),
                    escape(name)
                ),
                cell(kind),
                cell(&deal.customer),
                format!("<td class=\"number\">{}</td>", escape(&deal.value)),
                cell(deal.row_state.as_deref().unwrap_or_default()),
                cell(deal.referral_state.as_deref().unwrap_or("no referral")),
            ]
        })
        .collect();
    let heads = [
        "Topic",
        "Kind",
        "Customer",
        "Value",
        "State",
        "At Partner Center",
    ];
    let inside = format!(
        "<p><a href=\"/{ROOM}/opportunity/new\">New opportunity</a> · <a href=\"/{ROOM}/lead/new\">New lead</a></p>\n{}{}{}",
        finder("/dynamics", find),
        table(&paging.caption("opportunities and leads"), &heads, &rows),
        paging.links("/dynamics", find),
    );
    page(ROOM, "Opportunities and leads", &Note::None, &inside)
}

fn blank(table: &str, sent: Option<&Sent>, note: &Note<'_>) -> String {
    let said = |name: &str| sent.map_or("", |sent| sent.get(name));
    let customer = match table {
        "opportunity" => format!(
            "{}{}",
            line(
                "customer",
                "customer",
                "Customer (an account's name; a new one is made)",
                said("customer")
            ),
            line(
                "country",
                "country",
                "Country of a new account (two letters)",
                said("country")
            )
        ),
        _ => String::new(),
    };
    let title = if table == "lead" {
        "New lead"
    } else {
        "New opportunity"
    };
    let inside = format!(
        "<form method=\"post\" action=\"/{ROOM}/{table}/new\">\n<div class=\"fields\">\n{customer}{}</div>\n<p class=\"row\"><button class=\"first\">Create</button> <a href=\"/{ROOM}\">All rows</a></p>\n</form>\n",
        fields::html(fields_of(table).unwrap_or_default(), &Value::Null, sent)
    );
    page(ROOM, title, note, &inside)
}

fn created(control: &Control, table: &str, sent: &Sent) -> Result<Act, ControlError> {
    let fields = fields_of(table).unwrap_or_default();
    let mut values = as_object(fields::changed(fields, &Value::Null, sent));
    let customer = sent.get("customer");
    if !customer.is_empty() {
        let accounts = control.rows("account");
        let held = accounts.iter().find(|row| row["name"] == customer);
        let id = match held {
            Some(row) => plain(&row["accountid"]),
            None => {
                let mut account = json!({ "name": customer });
                if !sent.get("country").is_empty() {
                    account["address1_country"] = json!(sent.get("country"));
                }
                control.seller_creates("account", &account)?.record
            }
        };
        values.insert(
            "customerid_account@odata.bind".to_owned(),
            json!(format!("/accounts({id})")),
        );
    }
    control.seller_creates(table, &Value::Object(values))
}

fn as_object(changed: Vec<(&'static str, Value)>) -> Map<String, Value> {
    changed
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn edited(control: &Control, table: &str, id: &str, sent: &Sent) -> Shown {
    let (Some(fields), Some(row)) = (fields_of(table), control.row(table, id)) else {
        return nothing();
    };
    if sent.get("version") != plain(&row["versionnumber"]) {
        let note = Note::Wrong(
            "The row was changed meanwhile. What you typed is still here; look at it again and save.",
        );
        return shown(control, table, id, Some(sent), &note, 409);
    }
    let mut values = as_object(fields::changed(fields, &row, sent));
    // Any other column, by its name: numbers, true and false as such, everything else as text.
    let (column, value) = (sent.get("column"), sent.get("value"));
    if !column.is_empty() {
        let json = serde_json::from_str(value)
            .ok()
            .filter(|value: &Value| !value.is_string());
        let value = if value.is_empty() {
            Value::Null
        } else {
            json.unwrap_or_else(|| json!(value))
        };
        values.insert(column.to_owned(), value);
    }
    if values.is_empty() {
        return shown(
            control,
            table,
            id,
            None,
            &Note::Done("Nothing was changed."),
            200,
        );
    }
    match control.seller_updates(table, id, &Value::Object(values)) {
        Ok(_) => done(table, id, "Saved."),
        Err(error) => shown(
            control,
            table,
            id,
            Some(sent),
            &Note::Failed(&error),
            status_of(&error),
        ),
    }
}

fn acted(control: &Control, table: &str, id: &str, verb: &str, sent: &Sent) -> Shown {
    let result = match (table, verb) {
        ("opportunity", "win") => control.seller_wins(id, &json!({})),
        ("opportunity", "lose") => {
            let status = sent.get("status").parse().unwrap_or(-1);
            control.seller_loses(id, &json!({ "Status": status }))
        }
        ("opportunity", "reopen") => control.seller_reopens(id),
        ("lead", "qualify") => control.seller_qualifies(id, &json!({})),
        ("lead", "disqualify") => control.seller_disqualifies(id, -1),
        ("lead", "reactivate") => control.seller_reactivates(id),
        _ => return nothing(),
    };
    match result {
        Ok(_) => done(table, id, "Done."),
        Err(error) => shown(
            control,
            table,
            id,
            None,
            &Note::Failed(&error),
            status_of(&error),
        ),
    }
}

fn shown(
    control: &Control,
    table: &str,
    id: &str,
    sent: Option<&Sent>,
    note: &Note<'_>,
    status: u16,
) -> Shown {
    let (Some(fields), Some(row)) = (fields_of(table), control.row(table, id)) else {
        return nothing();
    };
    let text = |name: &str| plain(&row[name]);
    let here = format!("/{ROOM}/{}/{}", escape(table), escape(id));
    let mut inside = facts(&[
        ("State", row_state(table, &row).to_owned()),
        ("Customer", control.customer_of(&row)),
        (
            "Referral",
            text("msft_microsoftpartnercenterreferralidentifier"),
        ),
        ("CRM id at Microsoft", text("msft_microsoftcrmidentifier")),
        ("Changed", text("modifiedon")),
        ("Version", text("versionnumber")),
    ]);
    let referral = text("msft_microsoftpartnercenterreferralidentifier");
    if control.referral(&referral).is_some() {
        let referral = escape(&referral);
        inside.push_str(&format!(
            "<p><a href=\"/partner-center/{referral}\">The referral at Partner Center</a></p>\n"
        ));
    }
    if let Some(opportunity) = control.opportunity_of(id).filter(|_| table == "lead") {
        let opportunity = escape(&opportunity);
        inside.push_str(&format!("<p><a href=\"/{ROOM}/opportunity/{opportunity}\">The opportunity that came of it</a></p>\n"));
    }
    inside.push_str(&format!(
        "<h2>Change</h2>\n<form method=\"post\" action=\"{here}\">\n<input type=\"hidden\" name=\"version\" value=\"{}\">\n<div class=\"fields\">\n{}{}{}</div>\n<p class=\"row\"><button class=\"first\">Save</button> <a href=\"/{ROOM}\">All rows</a></p>\n</form>\n",
        escape(&text("versionnumber")),
        fields::html(fields, &row, sent),
        line("column", "column", "Another column, by its name", sent.map_or("", |sent| sent.get("column"))),
        line("value", "value", "Its value", sent.map_or("", |sent| sent.get("value"))),
    ));
    inside.push_str("<h2>As the seller</h2>\n");
    let acts: &[(&str, &str)] = match (table, row_state(table, &row)) {
        ("opportunity", "Open") => &[("win", "Close as won"), ("lose", "Close as lost")],
        ("opportunity", _) => &[("reopen", "Reopen")],
        (_, "Open") => &[("qualify", "Qualify"), ("disqualify", "Disqualify")],
        _ => &[("reactivate", "Reactivate")],
    };
    for (verb, button) in acts {
        inside.push_str(&act(&format!("{here}/{verb}"), button, ""));
    }
    let audit = text("msft_microsoftpartnercenterreferralsyncaudit");
    if !audit.is_empty() {
        inside.push_str(&format!(
            "<h2>Audit of the sync</h2>\n<pre class=\"wide\" tabindex=\"0\">{}</pre>\n",
            escape(&audit)
        ));
    }
    let name = text(if table == "lead" { "subject" } else { "name" });
    let title = if name.is_empty() { "(no name)" } else { &name };
    Shown::Page(status, page(ROOM, title, note, &inside))
}
