//! What each side shows for a deal, read by the judge itself: neither the host's code nor its plugins are asked.

use std::collections::BTreeMap;

use cosell_simulator::Control;
use serde_json::Value;

/// Both sides compare texts of this: unit, and for lists the element.
pub type View = BTreeMap<String, String>;

/// Where the current mapping keeps what.
#[derive(Debug, Clone, Copy)]
pub struct Mapping {
    /// The column with the amount.
    pub value_column: &'static str,
}

impl Default for Mapping {
    fn default() -> Self {
        Self {
            value_column: "estimatedvalue",
        }
    }
}

/// The option values of "How can Microsoft help?" and what Partner Center calls them.
pub const HELP: [(i64, &str); 3] = [
    (299_600_000, "WorkloadSpecificValueProposition"),
    (299_600_002, "ProofOfConceptOrDemo"),
    (299_600_005, "GeneralOrOther"),
];
/// The sellers' columns.
pub const SYNC: &str = "msft_microsoftpartnercenterreferralsync";
/// See [`SYNC`].
pub const VISIBLE: &str = "msft_microsoftpartnercenterreferralvisible";
/// See [`SYNC`].
pub const ASKED_HELP: &str = "msft_microsoftpartnercenterhelp";
/// The column that names the referral.
pub const IDENTIFIER: &str = "msft_microsoftpartnercenterreferralidentifier";
/// The column that the host writes its story into.
pub const AUDIT: &str = "msft_microsoftpartnercenterreferralsyncaudit";

/// The row as a seller sees it; none when it is gone.
#[must_use]
pub fn crm(control: &Control, row: &str, mapping: Mapping) -> Option<View> {
    let row = control.row("opportunity", row)?;
    let mut view = View::new();
    let text = |name: &str| row[name].as_str().unwrap_or_default();
    view.insert("name".into(), without_mark(text("name")).to_owned());
    view.insert("notes".into(), tidy(text("description")));
    view.insert("close-date".into(), text("estimatedclosedate").to_owned());
    view.insert(
        "value".into(),
        amount(&row[mapping.value_column], Some("EUR")),
    );
    view.insert("visibility".into(), (row[VISIBLE] == true).to_string());
    let help = row[ASKED_HELP].as_i64();
    let word = help.and_then(|code| HELP.iter().find(|(known, _)| *known == code));
    view.insert(
        "help".into(),
        word.map(|(_, word)| (*word).to_owned()).unwrap_or_default(),
    );
    let state = match row["statecode"].as_i64() {
        Some(0) => "open",
        Some(1) => "won",
        _ => "lost",
    };
    view.insert("state".into(), state.to_owned());
    let contact = row["_parentcontactid_value"]
        .as_str()
        .and_then(|id| control.row("contact", id));
    if let Some(mail) = contact
        .as_ref()
        .and_then(|one| one["emailaddress1"].as_str())
    {
        view.insert(format!("contacts {mail}"), "there".into());
    }
    let id = text("opportunityid");
    for solution in control.rows("msft_partnercentersolution") {
        if solution["_msft_opportunityid_value"] == id {
            let id = solution["msft_solutionidentifier"].as_str();
            view.insert(
                format!("solutions {}", id.unwrap_or_default()),
                "there".into(),
            );
        }
    }
    Some(view)
}

/// The lead as a seller sees it; none when it is gone.
#[must_use]
pub fn lead(control: &Control, lead: &str) -> Option<View> {
    let row = control.row("lead", lead)?;
    let text = |name: &str| row[name].as_str().unwrap_or_default();
    let state = match row["statecode"].as_i64() {
        Some(0) => "unanswered",
        Some(1) => "open",
        _ => "over",
    };
    let mut view = View::from([
        ("name".to_owned(), without_mark(text("subject")).to_owned()),
        ("notes".to_owned(), tidy(text("description"))),
        (
            "close-date".to_owned(),
            text("estimatedclosedate").to_owned(),
        ),
        (
            "value".to_owned(),
            amount(&row["estimatedamount"], Some("EUR")),
        ),
        ("state".to_owned(), state.to_owned()),
    ]);
    if !text("emailaddress1").is_empty() {
        view.insert(
            format!("contacts {}", text("emailaddress1")),
            "there".into(),
        );
    }
    Some(view)
}

/// The referral as a partner's user sees it, with Microsoft's help; none when there is none.
#[must_use]
pub fn partner_center(control: &Control, referral: &str) -> Option<View> {
    let referral = control.referral(referral)?;
    let microsoft = control.microsoft_referral(referral["id"].as_str()?);
    let mut view = View::new();
    let details = &referral["details"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    view.insert("name".into(), text(&referral["name"]));
    view.insert("notes".into(), tidy(&text(&details["notes"])));
    let day: String = text(&details["closingDateTime"]).chars().take(10).collect();
    view.insert("close-date".into(), day);
    view.insert(
        "value".into(),
        amount(&details["dealValue"], details["currency"].as_str()),
    );
    let visible = &referral["consent"]["consentToShareReferralWithMicrosoftSellers"];
    view.insert("visibility".into(), (*visible == true).to_string());
    let help = microsoft.map(|one| text(&one["inviteContext"]["assistanceRequestCode"]));
    view.insert(
        "help".into(),
        help.filter(|help| help != "Unknown").unwrap_or_default(),
    );
    let state = match (&*text(&referral["status"]), &*text(&referral["substatus"])) {
        ("Closed", "Won") => "won",
        ("Closed", "Lost") => "lost",
        ("Closed", _) => "over",
        ("New", _) => "unanswered",
        _ => "open",
    };
    view.insert("state".into(), state.to_owned());
    let contacts = referral["customerProfile"]["team"].as_array();
    for contact in contacts.into_iter().flatten() {
        view.insert(
            format!("contacts {}", text(&contact["email"])),
            "there".into(),
        );
    }
    let solutions = details["requirements"]["solutions"].as_array();
    for solution in solutions.into_iter().flatten() {
        view.insert(
            format!("solutions {}", text(&solution["id"])),
            "there".into(),
        );
    }
    Some(view)
}

/// Our own referral that is paired with a row, by either side's word.
#[must_use]
pub fn referral_of(control: &Control, row: &str) -> Option<String> {
    let named = ["opportunity", "lead"]
        .into_iter()
        .find_map(|table| control.row(table, row))
        .and_then(|row| Some(row[IDENTIFIER].as_str()?.to_owned()))
        .filter(|id| !id.is_empty());
    named.or_else(|| {
        let own = control.referrals().into_iter().find(|referral| {
            referral["organizationId"] != "msft" && referral["externalReferenceId"] == row
        });
        own.and_then(|own| Some(own["id"].as_str()?.to_owned()))
    })
}

/// The row of a table that is paired with our own referral.
#[must_use]
pub fn row_of(control: &Control, table: &str, referral: &str) -> Option<String> {
    let rows = control.rows(table);
    let row = rows.into_iter().find(|row| row[IDENTIFIER] == referral)?;
    Some(row[format!("{table}id")].as_str()?.to_owned())
}

/// Microsoft's marks and a space; ours are among them.
fn without_mark(name: &str) -> &str {
    name.strip_prefix(['✔', '✖'])
        .map_or(name, |rest| rest.trim_start())
}

fn tidy(text: &str) -> String {
    text.replace('\r', "").trim().to_owned()
}

fn amount(value: &Value, currency: Option<&str>) -> String {
    let number = value
        .as_f64()
        .or_else(|| value.as_str().and_then(|text| text.parse().ok()));
    match (number, currency) {
        (Some(number), Some(currency)) => format!("{number:.2} {currency}"),
        _ => String::new(),
    }
}
