//! Scenes in which people decide: leads, conflicts, holds, and a preview. The person types the same commands that an operator types.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use cosell_simulator::{Arrival, Service};
use serde_json::{Value, json};

use super::scenes::{ARRIVES_MAX, Samples, amount, id, text};
use super::stage::Stage;

const IDENTIFIER: &str = "msft_microsoftpartnercenterreferralidentifier";

/// (e) An inbound referral is a lead, and an opportunity once it is accepted.
pub(super) async fn accepted_lead(stage: &mut Stage, _: &mut Samples) -> anyhow::Result<()> {
    let accounts = stage.control().rows("account").len();
    stage.teller.does(
        "Microsoft",
        "sends a referral for Contoso Kft., a customer that the CRM knows, and one for Litware, whom it does not",
    );
    let known = arrive(stage, "Contoso Kft.", "Budapest", "1051", "HU")?;
    let new = arrive(stage, "Litware GmbH", "Wien", "1010", "AT")?;
    for referral in [&known, &new] {
        let lead = row_of(stage, "lead", referral).await?;
        ensure!(
            stage
                .control()
                .opportunity_of(&text(&lead, "leadid"))
                .is_none(),
            "a referral that nobody has accepted became an opportunity"
        );
    }
    stage
        .teller
        .sees("two leads; nothing else, because nobody has accepted anything yet");
    stage
        .teller
        .does("partner user", "accepts both in Partner Center");
    for referral in [&known, &new] {
        stage.control().partner_user_accepts(referral)?;
    }
    let mut customers = Vec::new();
    for referral in [&known, &new] {
        let row = row_of(stage, "opportunity", referral).await?;
        let account = text(&row, "_parentaccountid_value");
        let account = stage
            .control()
            .row("account", &account)
            .context("the opportunity has no account")?;
        customers.push(text(&account, "name"));
    }
    let made = stage.control().rows("account").len() - accounts;
    ensure!(
        made == 1,
        "{made} accounts were made, and one customer is new"
    );
    stage.teller.sees(&format!(
        "two opportunities, qualified from the leads: {} was matched, {} was created",
        customers[0], customers[1]
    ));
    Ok(())
}

/// (f) Both sides edit at once.
pub(super) async fn both_edit(stage: &mut Stage, samples: &mut Samples) -> anyhow::Result<()> {
    let (row, referral) = samples.deal()?;
    stage.pause_host().await?;
    stage.teller.does(
        "everybody",
        "edits the same deal while the host is stopped: the seller the value, the notes and the close date, a partner user the solutions, \
         the notes and the close date",
    );
    stage.control().seller_updates(
        "opportunity",
        &row,
        &json!({ "estimatedvalue": 175_000, "description": "the seller's notes", "estimatedclosedate": "2027-02-15" }),
    )?;
    let patch = json!([
        { "op": "replace", "path": "/details/notes", "value": "the portal's notes" },
        { "op": "replace", "path": "/details/closingDateTime", "value": "2027-05-31T00:00:00Z" },
        { "op": "replace", "path": "/details/requirements/solutions", "value": [
            { "type": "Name", "id": "SOL-12345-ABC", "name": "Contoso Data Platform" },
            { "type": "Name", "id": "SOL-67890-XYZ", "name": "Contoso Add-on" } ] },
    ]);
    stage.control().partner_user_patches(&referral, &patch)?;
    stage.resume_host().await?;
    stage
        .until(
            "both edits of different fields on both sides",
            ARRIVES_MAX,
            |control| {
                let value = amount(&control.referral(&referral)?["details"]["dealValue"])?;
                let solutions = control
                    .rows("msft_partnercentersolution")
                    .into_iter()
                    .filter(|solution| solution["_msft_opportunityid_value"] == row.as_str())
                    .count();
                (value == 175_000.0 && solutions == 2).then_some(())
            },
        )
        .await?;
    stage
        .teller
        .sees("different fields: the value and the added solution survive on both sides");
    stage
        .until(
            "the close date that the policy chose",
            ARRIVES_MAX,
            |control| {
                let day = text(&control.referral(&referral)?["details"], "closingDateTime");
                day.starts_with("2027-02-15").then_some(())
            },
        )
        .await?;
    let why = stage.cosell(&["explain", &row, "close-date"]).await?;
    ensure!(
        why.contains("2027-05-31"),
        "the loser is not in the history: {why}"
    );
    stage.teller.sees(
        "the same field with the policy \"crm\": the seller's date stands, the other one is in the history",
    );
    let cards = stage.json(&["cards"]).await?;
    let card = find(&cards, "subject", "notes").context("there is no card about the notes")?;
    stage.teller.sees(&format!(
        "the same field with the policy \"ask\": card {} says {}",
        card["card"],
        text(&card, "question")
    ));
    let number = card["card"].to_string();
    stage.teller.does(
        "operator",
        &format!("types: cosell card answer {number} partner-center --by operator"),
    );
    stage
        .cosell(&[
            "card",
            "answer",
            &number,
            "partner-center",
            "--by",
            "operator",
        ])
        .await?;
    stage
        .until("the answer in the CRM", ARRIVES_MAX, |control| {
            (control.row("opportunity", &row)?["description"] == "the portal's notes").then_some(())
        })
        .await?;
    stage.teller.sees("the CRM has the portal's notes");
    Ok(())
}

/// (g) and (h) A win is held, released, and final.
pub(super) async fn won(stage: &mut Stage, samples: &mut Samples) -> anyhow::Result<()> {
    let (row, referral) = samples.deal()?;
    let before = stage
        .control()
        .row("opportunity", &row)
        .context("the opportunity is gone")?;
    ensure!(
        text(&before, "name").starts_with('✔')
            && !text(&before, "msft_microsoftpartnercenterreferralsyncaudit").is_empty(),
        "mark and audit line were not written before the close"
    );
    stage.control().seller_wins(&row, &json!({}))?;
    stage
        .teller
        .does("seller", "wins the opportunity in the CRM");
    let hold = stage
        .until_json("a hold", &["holds"], |holds| find(holds, "kind", "won"))
        .await?;
    let standing = stage
        .control()
        .referral(&referral)
        .context("the referral is gone")?;
    ensure!(standing["substatus"] == "Accepted", "the win was not held");
    stage.teller.sees(&format!(
        "hold {}: it {}; Partner Center still says Accepted",
        hold["hold"],
        text(&hold, "consequence")
    ));
    let number = hold["hold"].to_string();
    stage.teller.does(
        "operator",
        &format!("types: cosell hold release {number} --by operator"),
    );
    stage
        .cosell(&["hold", "release", &number, "--by", "operator"])
        .await?;
    stage
        .until("the win in Partner Center", ARRIVES_MAX, |control| {
            (control.referral(&referral)?["substatus"] == "Won").then_some(())
        })
        .await?;
    stage
        .teller
        .sees("closed as won in Partner Center; mark and audit line stand in the row from before its close");
    let written = stage.control().ledger(0).len();
    let patched = stage.control().partner_user_patches(
        &referral,
        &json!([{ "op": "replace", "path": "/details/notes", "value": "too late" }]),
    );
    ensure!(patched.is_err(), "a closed referral could be edited");
    stage.cosell(&["retry", &row, "--by", "operator"]).await?;
    stage.settled(&row).await?;
    ensure!(
        stage.control().ledger(0).len() == written,
        "a closed deal was written"
    );
    stage
        .teller
        .sees("frozen: looked at again, and not a single write");
    Ok(())
}

/// (i) A preview shows what then happens, and writes nothing.
pub(super) async fn previewed(stage: &mut Stage, _: &mut Samples) -> anyhow::Result<()> {
    let referral = stage
        .control()
        .referrals()
        .into_iter()
        .find(|referral| {
            text(&referral["customerProfile"], "name") == "Adventure Works"
                && referral["status"] == "Active"
        })
        .context("the deal of Adventure Works is gone")?;
    let referral = text(&referral, "id");
    let row = row_of(stage, "opportunity", &referral).await?;
    let row = text(&row, "opportunityid");
    stage.pause_host().await?;
    stage.teller.does(
        "everybody",
        "edits the deal of Adventure Works while the host is stopped",
    );
    stage
        .control()
        .seller_updates("opportunity", &row, &json!({ "description": "new notes" }))?;
    let patch = json!([{ "op": "replace", "path": "/details/dealValue", "value": 12_345 }]);
    stage.control().partner_user_patches(&referral, &patch)?;
    let before = stage.control().ledger(0).len();
    stage
        .teller
        .does("operator", &format!("types: cosell plan --deal {row}"));
    let shown = stage.cosell(&["plan", "--deal", &row]).await?;
    for line in shown.lines().filter(|line| !line.trim().is_empty()) {
        stage.teller.plain(&format!("                 {line}"));
    }
    let plan = stage.json(&["plan", "--deal", &row]).await?;
    ensure!(
        stage.control().ledger(0).len() == before,
        "the preview wrote something"
    );
    let planned = planned(&plan);
    ensure!(planned.len() == 2, "two writes were to be planned: {plan}");
    stage.resume_host().await?;
    stage
        .until("both edits on both sides", ARRIVES_MAX, |control| {
            let notes = control.referral(&referral)?["details"]["notes"] == "new notes";
            let value = amount(&control.row("opportunity", &row)?["estimatedvalue"])?;
            (notes && value == 12_345.0).then_some(())
        })
        .await?;
    stage.settled(&row).await?;
    let written: BTreeSet<String> = stage
        .control()
        .ledger(0)
        .split_off(before)
        .into_iter()
        .filter(|entry| matches!(entry.service, Service::Referrals | Service::Dataverse))
        .filter(|entry| [&row, &referral].contains(&&entry.record))
        .map(|entry| format!("{} {}", entry.kind, entry.record))
        .collect();
    ensure!(
        written == planned,
        "planned {planned:?}, and written was {written:?}"
    );
    stage
        .teller
        .sees("the ledger was the same before and after the preview; what was then written is what it showed");
    Ok(())
}

/// Kind and record of each planned write.
fn planned(plan: &Value) -> BTreeSet<String> {
    plan["deals"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|deal| {
            let writes = if deal["writes"].is_array() {
                &deal["writes"]
            } else {
                &deal["preview"]["writes"]
            };
            writes.as_array().cloned().unwrap_or_default()
        })
        .map(|write| format!("{} {}", text(&write, "record_kind"), text(&write, "record")))
        .collect()
}

fn find(list: &Value, member: &str, value: &str) -> Option<Value> {
    let list = list
        .as_array()
        .or_else(|| list.as_object()?.values().find_map(Value::as_array))?;
    list.iter().find(|one| one[member] == value).cloned()
}

fn arrive(
    stage: &Stage,
    customer: &str,
    city: &str,
    postal_code: &str,
    country: &str,
) -> anyhow::Result<String> {
    let referral = json!({
        "name": format!("{customer} asks for a workshop"),
        "customerProfile": { "name": customer, "address": { "addressLine1": "Main Street 1", "city": city, "postalCode": postal_code, "country": country },
            "team": [{ "firstName": "Eva", "lastName": "Muster", "email": format!("eva@{}.example", country.to_lowercase()), "phoneNumber": "+43 1 555 0100" }] },
        "consent": { "consentToToShareInfoWithOthers": true, "consentToContact": true, "consentToShareReferralWithMicrosoftSellers": true },
        "details": { "notes": "they called Microsoft", "dealValue": 40_000, "currency": "EUR", "closingDateTime": "2027-03-31T00:00:00Z",
            "requirements": { "solutions": [{ "type": "Name", "id": "SOL-12345-ABC", "name": "Contoso Data Platform" }] } },
    });
    let act = stage
        .control()
        .referral_arrives_as(Arrival::CoSell, &referral)?;
    Ok(id(&act.record))
}

async fn row_of(stage: &Stage, table: &str, referral: &str) -> anyhow::Result<Value> {
    stage
        .until(
            &format!("the {table} of a referral"),
            ARRIVES_MAX,
            |control| {
                control.rows(table).into_iter().find(|row| {
                    row[IDENTIFIER] == *referral
                        && (table == "lead" || row["_parentaccountid_value"].is_string())
                })
            },
        )
        .await
}
