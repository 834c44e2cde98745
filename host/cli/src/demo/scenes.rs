//! The scenes, as a person would tell them. Each one plays a part and then looks at the other side.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::Serialize;
use serde_json::{Value, json};

use super::people;
use super::stage::Stage;
use super::traffic::{Traffic, comes};

/// A change arrives within a second; a loaded machine may take longer.
pub(super) const ARRIVES_MAX: Duration = Duration::from_secs(20);
/// Changes each way whose arrival is measured.
const SAMPLES: usize = 20;

type Scene = for<'a> fn(
    &'a mut Stage,
    &'a mut Samples,
) -> Pin<Box<dyn Future<Output = anyhow::Result<()>> + 'a>>;

/// Name and play.
pub(super) const SCENES: [(&str, Scene); 9] = [
    (
        "(a) a seller's opportunity becomes a co-sell deal, and Microsoft is invited",
        |stage, samples| Box::pin(born(stage, samples)),
    ),
    (
        "(b) value and close date cross, both ways",
        |stage, samples| Box::pin(edited(stage, samples)),
    ),
    (
        "(c) Microsoft accepts, and its id and status arrive",
        |stage, samples| Box::pin(accepted(stage, samples)),
    ),
    (
        "(d) while deals flow, a partner's plugin is dropped in, and then a broken one",
        |stage, samples| Box::pin(dropped_in(stage, samples)),
    ),
    (
        "(e) a referral arrives as a lead, is accepted, and becomes an opportunity",
        |stage, samples| Box::pin(people::accepted_lead(stage, samples)),
    ),
    (
        "(f) both sides edit at once: different fields survive, the same field is decided",
        |stage, samples| Box::pin(people::both_edit(stage, samples)),
    ),
    (
        "(i) a preview shows exactly what then happens",
        |stage, samples| Box::pin(people::previewed(stage, samples)),
    ),
    ("twenty changes each way, measured", |stage, samples| {
        Box::pin(measured(stage, samples))
    }),
    (
        "(g, h) a win is held, released, and final",
        |stage, samples| Box::pin(people::won(stage, samples)),
    ),
];

/// How long changes took to arrive, by the simulator's own clock.
#[derive(Debug, Default)]
pub(super) struct Samples {
    ms: Vec<u64>,
    /// The deal of the first scene: row and referral.
    deal: Option<(String, String)>,
}

/// Latencies in milliseconds, change on one side → accepted write on the other.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Latencies {
    pub(super) p50: u64,
    pub(super) p95: u64,
    pub(super) max: u64,
}

impl Samples {
    pub(super) fn figures(&self) -> Latencies {
        let mut sorted = self.ms.clone();
        sorted.sort_unstable();
        let at = |percent: usize| {
            sorted
                .get((sorted.len() * percent).div_ceil(100).saturating_sub(1))
                .copied()
                .unwrap_or(0)
        };
        Latencies {
            p50: at(50),
            p95: at(95),
            max: sorted.last().copied().unwrap_or(0),
        }
    }

    pub(super) fn deal(&self) -> anyhow::Result<(String, String)> {
        self.deal.clone().context("the first scene left no deal")
    }
}

async fn born(stage: &mut Stage, samples: &mut Samples) -> anyhow::Result<()> {
    let control = stage.control();
    let account = id(&control
        .seller_creates("account", &json!({
            "name": "Contoso Kft.", "address1_line1": "Váci út 1.", "address1_city": "Budapest", "address1_postalcode": "1051", "address1_country": "Hungary",
        }))?
        .record);
    let contact = id(&control
        .seller_creates("contact", &json!({
            "firstname": "Anna", "lastname": "Kovács", "emailaddress1": "anna.kovacs@contoso.example", "telephone1": "+36 1 555 0100",
            "parentcustomerid_account@odata.bind": format!("/accounts({account})"),
        }))?
        .record);
    let row = id(&control
        .seller_creates("opportunity", &json!({
            "name": "Data platform for Contoso", "estimatedvalue": 125_000, "estimatedclosedate": "2026-12-15", "description": "Lakehouse on Azure",
            "parentaccountid@odata.bind": format!("/accounts({account})"), "parentcontactid@odata.bind": format!("/contacts({contact})"),
            "msft_microsoftpartnercenterreferralsync": true, "msft_microsoftpartnercenterhelp": 299_600_005,
        }))?
        .record);
    stage.teller.does("seller", "creates an opportunity for Contoso Kft., 125 000 EUR, asks Microsoft for help and switches sync on");
    control.seller_creates("msft_partnercentersolution", &json!({
        "msft_name": "Contoso Data Platform", "msft_solutionidentifier": "SOL-12345-ABC", "msft_type": "3P",
        "msft_OpportunityId@odata.bind": format!("/opportunities({row})"),
    }))?;
    stage
        .teller
        .does("seller", "adds the solution SOL-12345-ABC");
    let referral = stage
        .until("a referral in Partner Center", ARRIVES_MAX, |control| {
            control.referrals().into_iter().find(|referral| {
                referral["organizationId"] != "msft"
                    && referral["externalReferenceId"] == row.as_str()
            })
        })
        .await?;
    let referral_id = text(&referral, "id");
    stage.teller.sees(&format!(
        "Partner Center has referral {referral_id}, {} in country {}",
        text(&referral, "type"),
        referral["customerProfile"]["address"]["country"]
    ));
    let microsoft = stage
        .until("Microsoft's own referral", ARRIVES_MAX, |control| {
            control.microsoft_referral(&referral_id)
        })
        .await?;
    ensure!(
        microsoft["engagementId"] == referral["engagementId"],
        "Microsoft's referral is in another engagement"
    );
    stage.teller.sees(&format!(
        "Microsoft is invited and asked for {}",
        microsoft["inviteContext"]["assistanceRequestCode"]
    ));
    let dressed = stage
        .until(
            "identifier, link, mark and audit line in the CRM",
            ARRIVES_MAX,
            |control| {
                control.row("opportunity", &row).filter(|row| {
                    row["msft_microsoftpartnercenterreferralidentifier"] == referral_id.as_str()
                })
            },
        )
        .await?;
    stage
        .teller
        .sees(&format!("the CRM shows \"{}\"", text(&dressed, "name")));
    stage.teller.sees(&format!(
        "its link is {}",
        text(&dressed, "msft_microsoftpartnercenterreferrallink")
    ));
    let audit = text(&dressed, "msft_microsoftpartnercenterreferralsyncaudit");
    ensure!(
        text(&dressed, "name").starts_with('✔'),
        "the name has no mark: {}",
        dressed["name"]
    );
    ensure!(!audit.is_empty(), "the audit column is empty");
    stage.teller.sees(&format!(
        "its audit says: {}",
        audit.lines().next().unwrap_or_default()
    ));
    samples.deal = Some((row, referral_id));
    Ok(())
}

async fn edited(stage: &mut Stage, samples: &mut Samples) -> anyhow::Result<()> {
    let (row, referral) = samples.deal()?;
    stage.teller.does(
        "seller",
        "raises the value to 150 000 EUR and moves the close date to 2027-01-31",
    );
    stage.control().seller_updates(
        "opportunity",
        &row,
        &json!({ "estimatedvalue": 150_000, "estimatedclosedate": "2027-01-31" }),
    )?;
    stage
        .until("the new value in Partner Center", ARRIVES_MAX, |control| {
            let referral = control.referral(&referral)?;
            let day = text(&referral["details"], "closingDateTime");
            (amount(&referral["details"]["dealValue"]) == Some(150_000.0)
                && day.starts_with("2027-01-31"))
            .then_some(())
        })
        .await?;
    stage.teller.sees("Partner Center has both");
    stage.teller.does(
        "partner user",
        "sets the value to 160 000 and writes notes in Partner Center",
    );
    let patch = json!([
        { "op": "replace", "path": "/details/dealValue", "value": 160_000 },
        { "op": "replace", "path": "/details/notes", "value": "Budget approved" },
    ]);
    stage.control().partner_user_patches(&referral, &patch)?;
    stage
        .until("value and notes in the CRM", ARRIVES_MAX, |control| {
            let row = control.row("opportunity", &row)?;
            (amount(&row["estimatedvalue"]) == Some(160_000.0)
                && row["description"] == "Budget approved")
                .then_some(())
        })
        .await?;
    stage.teller.sees("the CRM has both");
    Ok(())
}

async fn accepted(stage: &mut Stage, samples: &mut Samples) -> anyhow::Result<()> {
    let (row, referral) = samples.deal()?;
    let microsoft = stage
        .control()
        .microsoft_referral(&referral)
        .context("Microsoft was never invited")?;
    stage.teller.does(
        "Microsoft",
        "accepts the deal as 7-ABC123XYZ in its own CRM",
    );
    stage
        .control()
        .microsoft_accepts(&text(&microsoft, "id"), "7-ABC123XYZ")?;
    let seen = stage
        .until("Microsoft's id in the CRM", ARRIVES_MAX, |control| {
            control
                .row("opportunity", &row)
                .filter(|row| row["msft_microsoftcrmidentifier"] == "7-ABC123XYZ")
        })
        .await?;
    let audit = text(&seen, "msft_microsoftpartnercenterreferralsyncaudit");
    let line = audit.lines().next().unwrap_or_default().to_owned();
    ensure!(
        line.contains("Accepted"),
        "the audit does not say that Microsoft accepted: {line}"
    );
    stage.teller.sees("the CRM has Microsoft's id");
    stage.teller.sees(&format!("its audit says: {line}"));
    Ok(())
}

async fn dropped_in(stage: &mut Stage, _samples: &mut Samples) -> anyhow::Result<()> {
    let stage = &*stage;
    let before = arrive(stage, "Adventure Works", "AT").await?;
    ensure!(
        before["new_dealtype"].is_null(),
        "the partner's column is filled before the partner's plugin is there"
    );
    stage
        .teller
        .sees("a deal from Partner Center crosses with the stock mapping");
    let traffic = Traffic::on(stage);
    tokio::select! {
        stopped = traffic.pour() => match stopped? {},
        played = while_deals_flow(stage, &traffic) => played?,
    }
    traffic.all_through(ARRIVES_MAX).await?;
    stage.teller.sees(&format!(
        "{} deals came in meanwhile, and every one crossed",
        traffic.came()
    ));
    stage
        .control()
        .require_column("opportunity", "new_dealtype", false)?;
    Ok(std::fs::remove_file(stage.folder.join("60-broken.wasm"))?)
}

/// Everything that happens to the folder while deals are under way.
async fn while_deals_flow(stage: &Stage, traffic: &Traffic<'_>) -> anyhow::Result<()> {
    let partner = stage.examples.join("50-acme.wasm");
    let under_way = deals_under_way(stage, traffic).await?;
    std::fs::copy(&partner, stage.folder.join("50-acme.wasm")).with_context(|| {
        format!(
            "the partner's plugin {} is not there; `cargo xtask plugins` builds it",
            partner.display()
        )
    })?;
    stage.teller.does("partner", &format!("drops 50-acme.wasm into the folder while {under_way} deals are under way: country in a lookup table, a deal type on every new opportunity"));
    let after = stage
        .until("a deal that met the partner's plugin", ARRIVES_MAX, |_| {
            traffic
                .crossed()
                .into_iter()
                .find(|row| !row["new_dealtype"].is_null())
        })
        .await?;
    let account = text(&after, "_parentaccountid_value");
    let account = stage
        .control()
        .row("account", &account)
        .context("the new opportunity has no account")?;
    ensure!(
        !account["_new_countryid_value"].is_null(),
        "the account has no country in the lookup"
    );
    let country = stage
        .control()
        .row("new_country", &text(&account, "_new_countryid_value"))
        .context("the lookup points to nothing")?;
    stage.teller.sees(&format!(
        "the next deal uses it: deal type {}, country lookup → {}",
        after["new_dealtype"], country["new_name"]
    ));
    // A run keeps the set that it began with: those of the old one end first.
    traffic.all_through(ARRIVES_MAX).await?;
    stage
        .control()
        .require_column("opportunity", "new_dealtype", true)?;
    stage.teller.does(
        "CRM admin",
        "makes the deal type mandatory: from now on the CRM refuses an opportunity without one",
    );
    deals_go_on(stage, traffic).await?;
    stage
        .teller
        .sees("deals go on arriving, because the partner's plugin fills it");

    let under_way = deals_under_way(stage, traffic).await?;
    std::fs::write(
        stage.folder.join("60-broken.wasm"),
        b"\0asm this is not a component",
    )?;
    stage.teller.does(
        "partner",
        &format!(
            "drops a broken 60-broken.wasm into the folder while {under_way} deals are under way"
        ),
    );
    let rejection = stage.folder.join("60-broken.rejected.json");
    let why = stage
        .until("the refusal beside the file", ARRIVES_MAX, |_| {
            let text = std::fs::read(&rejection).ok()?;
            serde_json::from_slice::<Value>(&text).ok()
        })
        .await?;
    stage
        .teller
        .sees(&format!("refused: {}", text(&why, "message")));
    deals_go_on(stage, traffic).await?;
    stage
        .teller
        .sees("deals go on flowing through the set that works");
    Ok(())
}

/// So many deals at least are under way when something happens to the folder.
const UNDER_WAY_MIN: usize = 2;

/// Waits until deals are under way, and says how many.
async fn deals_under_way(stage: &Stage, traffic: &Traffic<'_>) -> anyhow::Result<usize> {
    stage
        .until("deals under way", ARRIVES_MAX, |_| {
            Some(traffic.under_way()).filter(|under_way| *under_way >= UNDER_WAY_MIN)
        })
        .await
}

/// Waits until deals cross that had not come yet.
async fn deals_go_on(stage: &Stage, traffic: &Traffic<'_>) -> anyhow::Result<()> {
    let enough = traffic.came() + 2;
    stage
        .until("deals to go on", ARRIVES_MAX, |_| {
            (traffic.came() >= enough).then_some(())
        })
        .await?;
    traffic.all_through(ARRIVES_MAX).await
}

/// A referral of ours arrives from Partner Center's portal and becomes an opportunity.
async fn arrive(stage: &Stage, customer: &str, country: &str) -> anyhow::Result<Value> {
    let referral = comes(stage, customer, country, 0)?;
    stage
        .until("the opportunity of a referral", ARRIVES_MAX, |control| {
            control.rows("opportunity").into_iter().find(|row| {
                row["msft_microsoftpartnercenterreferralidentifier"] == referral.as_str()
            })
        })
        .await
}

async fn measured(stage: &mut Stage, samples: &mut Samples) -> anyhow::Result<()> {
    let (row, referral) = samples.deal()?;
    for number in 0..SAMPLES {
        let value = 200_000 + number;
        let act = stage.control().seller_updates(
            "opportunity",
            &row,
            &json!({ "estimatedvalue": value }),
        )?;
        samples.ms.push(
            arrival(
                stage,
                act.time_ms,
                &referral,
                |control| amount(&control.referral(&referral)?["details"]["dealValue"]),
                value,
            )
            .await?,
        );
        let value = 300_000 + number;
        let patch = json!([{ "op": "replace", "path": "/details/dealValue", "value": value }]);
        let act = stage.control().partner_user_patches(&referral, &patch)?;
        samples.ms.push(
            arrival(
                stage,
                act.time_ms,
                &row,
                |control| amount(&control.row("opportunity", &row)?["estimatedvalue"]),
                value,
            )
            .await?,
        );
    }
    let figures = samples.figures();
    stage.teller.sees(&format!(
        "median {} ms, p95 {} ms",
        figures.p50, figures.p95
    ));
    Ok(())
}

/// How long after `since` the ledger accepted the write that brought the value to `record`.
async fn arrival(
    stage: &Stage,
    since: i64,
    record: &str,
    look: impl Fn(&cosell_simulator::Control) -> Option<f64>,
    value: usize,
) -> anyhow::Result<u64> {
    #[allow(clippy::cast_precision_loss, reason = "small whole numbers")]
    let wanted = value as f64;
    stage
        .until("a change on the other side", ARRIVES_MAX, |control| {
            (look(control)? == wanted).then_some(())
        })
        .await?;
    let written = stage
        .control()
        .ledger(0)
        .into_iter()
        .filter(|entry| entry.record.contains(record))
        .map(|entry| entry.time_ms)
        .max();
    let written = written.context("the ledger has no write for the change")?;
    Ok(u64::try_from(written - since).unwrap_or(0))
}

/// The GUID of a record such as `opportunity(7f3c…)`.
pub(super) fn id(record: &str) -> String {
    record
        .rsplit(['(', '/', ' '])
        .next()
        .unwrap_or(record)
        .trim_end_matches(')')
        .to_owned()
}

pub(super) fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

pub(super) fn amount(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}
