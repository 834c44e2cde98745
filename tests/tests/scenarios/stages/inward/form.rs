//! What the form of an opportunity shows of what hangs from its row.

use serde_json::{Value, json};

use crate::people::{CONTACTS, TEAM, stands};
use crate::sheet::Sight;

/// The values of a column in the rows of a table.
pub(super) fn column(sight: &Sight<'_>, table: &str, name: &str) -> Value {
    let rows = sight.control.rows(table);
    sorted(rows.iter().map(|row| row[name].clone()))
}

/// Rows come in the order of their ids.
fn sorted(values: impl Iterator<Item = Value>) -> Value {
    let mut values: Vec<_> = values.collect();
    values.sort_by_key(ToString::to_string);
    json!(values)
}

/// Mail addresses of the sellers that stand beside the owner.
pub(super) fn colleagues(sight: &Sight<'_>) -> Value {
    let users = sight.control.rows("systemuser");
    let mail_of = |row: &Value| {
        let user = users
            .iter()
            .find(|user| user["systemuserid"] == row["_new_userid_value"]);
        user.map(|user| user["fullname"].clone())
            .unwrap_or_default()
    };
    let rows = sight.control.rows(TEAM);
    let linked = rows
        .iter()
        .filter(|row| !row["_new_opportunityid_value"].is_null());
    sorted(linked.map(mail_of))
}

pub(super) fn owner(sight: &Sight<'_>, row: &Value) -> Value {
    let users = sight.control.rows("systemuser");
    let own = users
        .iter()
        .find(|user| user["systemuserid"] == row["_ownerid_value"]);
    own.map(|user| user["fullname"].clone()).unwrap_or_default()
}

pub(super) fn currency(sight: &Sight<'_>, row: &Value) -> Value {
    let all = sight.control.rows("transactioncurrency");
    let own = all
        .iter()
        .find(|one| one["transactioncurrencyid"] == row["_transactioncurrencyid_value"]);
    own.map(|one| one["isocurrencycode"].clone())
        .unwrap_or_default()
}

/// The word of a row that a lookup points to.
pub(super) fn word(sight: &Sight<'_>, table: &str, row: &Value) -> Value {
    let key = format!("{table}id");
    let points_to = &row[format!("_{table}_value")];
    let rows = sight.control.rows(table);
    let own = rows.iter().find(|one| one[&key] == *points_to);
    own.map(|one| one["msft_name"].clone()).unwrap_or_default()
}

/// Who the opportunity's main contact is, and who is linked beside it.
pub(super) fn contacts(sight: &Sight<'_>, row: &Value) -> Value {
    let all = sight.control.rows("contact");
    let main = all
        .iter()
        .find(|one| one["contactid"] == row["_parentcontactid_value"]);
    let others = sight.control.linked(
        "opportunity",
        row["opportunityid"].as_str().unwrap_or_default(),
        CONTACTS,
    );
    let of_id = |id: &String| all.iter().find(|one| one["contactid"] == id.as_str());
    let mut names: Vec<_> = others
        .iter()
        .filter_map(of_id)
        .map(|one| one["fullname"].clone())
        .collect();
    names.sort_by_key(ToString::to_string);
    json!(
        main.into_iter()
            .map(|one| one["fullname"].clone())
            .chain(names)
            .collect::<Vec<_>>()
    )
}

/// The solutions that hang from the row.
pub(super) fn sold_with(sight: &Sight<'_>, row: &Value) -> Value {
    let rows = sight.control.rows("msft_partnercentersolution");
    let own = rows
        .iter()
        .filter(|one| one["_msft_opportunityid_value"] == row["opportunityid"]);
    sorted(own.map(|one| one["msft_solutionidentifier"].clone()))
}

/// The state, or the status reason.
pub(super) fn part(sight: &Sight<'_>, deal: &str, at: usize) -> Value {
    let both = stands("opportunity", &sight.opportunity_of(deal));
    let word = both.as_str().and_then(|both| both.split(" / ").nth(at));
    word.map_or(both.clone(), |word| json!(word))
}

/// The sales stage, in words.
pub(super) fn stage(sight: &Sight<'_>, deal: &str) -> Value {
    const STAGES: [&str; 4] = ["Qualify", "Develop", "Propose", "Close"];
    let code = sight.opportunity_of(deal)["salesstage"].as_u64();
    let word = code.and_then(|code| STAGES.get(usize::try_from(code).ok()?));
    json!(word)
}

/// Whether the customer wants to buy in the marketplace, in words.
pub(super) fn intent(row: &Value) -> Value {
    const INTENTS: [(i64, &str); 3] = [
        (299_600_000, "Yes"),
        (299_600_001, "No"),
        (299_600_002, "HaveNotDecided"),
    ];
    let code = row["msft_customerpurchaseintent"].as_i64();
    let known = INTENTS.iter().find(|known| Some(known.0) == code);
    json!(known.map(|known| known.1))
}
