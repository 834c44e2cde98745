//! Where a deal stands, both ways, with an organisation's own status reasons.

use cosell_simulator::{Arrival, Assumptions, Control, SimulatorConfig, StatusConfig};
use cosell_tests::{Setup, World, id};
use serde_json::{Value, json};

use crate::people::{GATE, IDENTIFIER, draft, edit, patch, referral, share, solution};
use crate::sheet::{Sheet, Sight, both, carried, check, only_if, plain};

const NEGOTIATING: i32 = 727_000_001;
const PRICE: i32 = 727_000_002;
const NO_CAPACITY: i32 = 727_000_003;
const ON_HOLD: i32 = 2;
const CANCELED: i32 = 4;
const OUT_SOLD: i32 = 5;

const SETTINGS: &str = r#"
[settings]
on-hold-is-not-accepted = true
loss-reasons = { "4" = "Canceled", "5" = "Out-Sold", "727000002" = "Price | PriceTooHigh", "727000003" = "declined: No capacity" }
"#;

fn organisation() -> SimulatorConfig {
    let own = |value: i32, label: &str, state| StatusConfig {
        table: "opportunity".to_owned(),
        value,
        label: label.to_owned(),
        state,
    };
    SimulatorConfig {
        seed: 14,
        statuses: vec![
            own(NEGOTIATING, "Negotiating", 0),
            own(PRICE, "Price", 2),
            own(NO_CAPACITY, "No capacity", 2),
        ],
        assumptions: Assumptions {
            // As the bulk upload does: lost and declined need a reason.
            closing_needs_reason: true,
            ..Assumptions::default()
        },
        ..SimulatorConfig::demo()
    }
}

pub(super) async fn play(sheet: &mut Sheet) -> anyhow::Result<()> {
    let world = World::set_up(Setup {
        simulator: organisation(),
        policy: &[("on_link", "\"partner-center\"")],
        settings: &[
            ("40-status.toml", SETTINGS),
            // Without it, what nobody has accepted waits for an opportunity that a seller opens.
            ("15-lead.toml", "enabled = false\n"),
        ],
        ..Setup::default()
    })
    .await?;
    accepted(sheet, &world).await?;
    ended_there(sheet, &world).await?;
    ended_here(sheet, &world).await?;
    on_hold(sheet, &world).await?;
    the_end(sheet, &world).await?;
    // A reopened row waits for a person.
    world
        .end_in(&["settled", "retired", "paused", "held"])
        .await
}

/// A deal that a seller shares; the row's id.
async fn shared(world: &World, name: &str) -> anyhow::Result<String> {
    let account = world.account(&format!("Customer of {name}"), "HU")?;
    let row = draft(world, &account, name, &json!({}))?;
    solution(world, &row, "SOL-12345-ABC")?;
    share(world, &row)?;
    let deal = world.referral_of(&row).await?;
    world
        .row_of(deal["id"].as_str().unwrap_or_default())
        .await?;
    Ok(row)
}

/// A deal that comes from the portal; the referral's id.
async fn from_portal(world: &World, name: &str) -> anyhow::Result<String> {
    let body = referral(name, &format!("Customer of {name}"), &json!({}));
    let deal = id(&world.control().partner_user_creates(&body)?.record);
    world.row_of(&deal).await?;
    Ok(deal)
}

/// A deal that nobody has accepted, with the opportunity on hold that a seller has opened for it: referral and row.
async fn pending(world: &World, name: &str) -> anyhow::Result<(String, String)> {
    let customer = format!("Customer of {name}");
    let body = referral(name, &customer, &json!({}));
    let arrival = world
        .control()
        .referral_arrives_as(Arrival::QualifiedLead, &body)?;
    let deal = id(&arrival.record);
    let account = world.account(&customer, "DE")?;
    let row = draft(
        world,
        &account,
        name,
        &json!({ "statuscode": ON_HOLD, IDENTIFIER: deal }),
    )?;
    solution(world, &row, "SOL-12345-ABC")?;
    share(world, &row)?;
    world
        .until("the opportunity of a pending deal", |control| {
            (control.referral(&deal)?["externalReferenceId"] == row.as_str()).then_some(())
        })
        .await?;
    world.quiet().await?;
    Ok((deal, row))
}

fn state(row: &Value) -> crate::sheet::Seen {
    Ok(format!(
        "carried: {} / {}",
        row["statecode"], row["statuscode"]
    ))
}

fn is(row: &Value, statecode: i32, statuscode: i32) -> crate::sheet::Seen {
    carried(&row["statecode"], statecode)?;
    carried(&row["statuscode"], statuscode)?;
    state(row)
}

fn stands(referral: &Value, status: &str, substatus: &str) -> crate::sheet::Seen {
    both(
        carried(&referral["status"], status),
        carried(&referral["substatus"], substatus),
    )
}

async fn accepted(sheet: &mut Sheet, world: &World) -> anyhow::Result<()> {
    let there = from_portal(world, "Accepted there").await?;
    let here = shared(world, "Accepted here").await?;
    edit(world, &here, &json!({ "statuscode": NEGOTIATING }))?;
    let own = world.referral_of(&here).await?;
    let own = own["id"].as_str().unwrap_or_default();
    world.control().partner_user_patches(
        own,
        &patch(&[("/details/notes", json!("still negotiating"))]),
    )?;
    sheet
        .expect(
            world,
            &[
                check("state.accepted.in", |s| is(&s.opportunity_of(&there), 0, 1)),
                check("state.accepted.out", |s| {
                    stands(&s.referral_of(&here), "Active", "Accepted")
                }),
                check("state.accepted.own-reason", |s| {
                    let row = s.opportunity(&here);
                    carried(&row["description"], "still negotiating")?;
                    stands(&s.referral_of(&here), "Active", "Accepted")?;
                    is(&row, 0, NEGOTIATING)
                }),
            ],
        )
        .await?;
    // Back to where nobody has accepted it: the deal cannot go there.
    edit(world, &here, &json!({ "statuscode": ON_HOLD }))?;
    sheet
        .expect_one(world, "state.back", |s| {
            stands(&s.referral_of(&here), "Active", "Accepted")?;
            s.explained(&here, &["state stays"])
        })
        .await
}

async fn ended_there(sheet: &mut Sheet, world: &World) -> anyhow::Result<()> {
    let mut deals = Vec::new();
    for name in ["Won there", "Too expensive there", "No budget there"] {
        deals.push(from_portal(world, name).await?);
    }
    world.quiet().await?;
    let portal = world.control();
    portal.partner_user_closes(&deals[0], "Won", None)?;
    portal.partner_user_closes(&deals[1], "Lost", Some("PriceTooHigh"))?;
    portal.partner_user_closes(&deals[2], "Lost", Some("No budget"))?;
    sheet
        .expect(
            world,
            &[
                check("state.won.in", |s| is(&s.opportunity_of(&deals[0]), 1, 3)),
                check("state.lost.in", |s| {
                    is(&s.opportunity_of(&deals[1]), 2, PRICE)
                }),
                check("state.lost.in.other", |s| {
                    let row = s.opportunity_of(&deals[2]);
                    both(
                        is(&row, 2, OUT_SOLD),
                        carried(
                            &closing(s.control, &row),
                            "Lost in Partner Center: No budget",
                        ),
                    )
                }),
            ],
        )
        .await
}

/// The subject of the closing activity of a row.
fn closing(control: &Control, row: &Value) -> Value {
    let all = control.rows("opportunityclose");
    let own = all
        .iter()
        .find(|one| one["_opportunityid_value"] == row["opportunityid"]);
    own.map(|one| one["subject"].clone()).unwrap_or_default()
}

async fn ended_here(sheet: &mut Sheet, world: &World) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for name in ["Won here", "Out-sold here", "Too expensive here"] {
        rows.push(shared(world, name).await?);
    }
    world.quiet().await?;
    let seller = world.control();
    seller.seller_wins(&rows[0], &json!({}))?;
    seller.seller_loses(&rows[1], &json!({ "Status": OUT_SOLD }))?;
    seller.seller_loses(&rows[2], &json!({ "Status": PRICE }))?;
    let lost = |s: &Sight<'_>, row: &str, reason: &str| {
        let now = s.referral_of(row);
        both(
            carried(&now["substatus"], "Lost"),
            carried(&now["statusReason"], reason),
        )
    };
    sheet
        .expect(
            world,
            &[
                check("state.won.out", |s| {
                    stands(&s.referral_of(&rows[0]), "Closed", "Won")
                }),
                check("state.won.one-patch", |s| {
                    let own = s.referral_of(&rows[0])["id"].clone();
                    let closes = s.control.ledger(0).into_iter().filter(|entry| {
                        own == entry.record.as_str()
                            && entry.changed.iter().any(|path| path == "/status")
                    });
                    let closes: Vec<_> = closes.map(|entry| entry.changed).collect();
                    match closes.as_slice() {
                        [one] if one.iter().any(|path| path == "/substatus") => {
                            Ok(format!("one patch: {}", one.join(", ")))
                        }
                        other => Err(format!("{other:?}")),
                    }
                }),
                check("state.lost.out", |s| lost(s, &rows[1], "Out-Sold")),
                check("status-reason.out.update", |s| {
                    lost(s, &rows[1], "Out-Sold")
                }),
                check("state.lost.own-reason", |s| lost(s, &rows[2], "Price")),
            ],
        )
        .await
}

async fn on_hold(sheet: &mut Sheet, world: &World) -> anyhow::Result<()> {
    let (taken, taken_row) = pending(world, "Taken up").await?;
    let (left, left_row) = pending(world, "No capacity").await?;
    let (won, won_row) = pending(world, "Won at once").await?;
    edit(world, &taken_row, &json!({ "statuscode": 1 }))?;
    world
        .control()
        .seller_loses(&left_row, &json!({ "Status": NO_CAPACITY }))?;
    let before = world.control().ledger(0).len();
    world.control().seller_wins(&won_row, &json!({}))?;
    sheet
        .expect(
            world,
            &[
                check("state.on-hold.out", |s| {
                    stands(&s.referral(&taken), "Active", "Accepted")
                }),
                check("state.lost.declined-reason", |s| {
                    let now = s.referral(&left);
                    both(
                        carried(&now["substatus"], "Declined"),
                        carried(&now["statusReason"], "No capacity"),
                    )
                }),
                check("state.won.on-the-way", |s| {
                    carried(&s.referral(&won)["substatus"], "Won")?;
                    let steps = s.control.ledger(0).split_off(before);
                    let steps = steps.iter().filter(|entry| {
                        entry.record == won && entry.changed.iter().any(|path| path == "/status")
                    });
                    only_if(steps.count() == 2, "carried: Accepted, then Won", || {
                        "not in two steps".to_owned()
                    })
                }),
            ],
        )
        .await
}

/// Terminal is terminal.
async fn the_end(sheet: &mut Sheet, world: &World) -> anyhow::Result<()> {
    let paused = shared(world, "Edited too late").await?;
    world.quiet().await?;
    let deal = world.referral_of(&paused).await?;
    let deal = deal["id"].as_str().unwrap_or_default();
    edit(world, &paused, &json!({ GATE: false }))?;
    world.quiet().await?;
    world
        .control()
        .partner_user_closes(deal, "Lost", Some("Canceled"))?;
    edit(world, &paused, &json!({ "description": "too late" }))?;
    edit(world, &paused, &json!({ GATE: true }))?;
    sheet
        .expect_one(world, "state.terminal.out", |s| {
            carried(&s.referral(deal)["details"]["notes"], "first notes")?;
            is(&s.opportunity(&paused), 2, CANCELED)?;
            s.explained(&paused, &["notes stays"])
        })
        .await?;
    let reopened = shared(world, "Taken up again").await?;
    world.quiet().await?;
    world.control().seller_wins(&reopened, &json!({}))?;
    world
        .until("the win in Partner Center", |control| {
            let own = |one: &Value| one["externalReferenceId"] == reopened.as_str();
            let all = control.referrals();
            (all.iter().find(|one| own(one))?["substatus"] == "Won").then_some(())
        })
        .await?;
    world.quiet().await?;
    world.control().seller_reopens(&reopened)?;
    sheet
        .expect_one(world, "state.terminal.reopened", |s| {
            carried(&s.referral_of(&reopened)["substatus"], "Won")?;
            let lane = s.lane(&reopened)?;
            only_if(
                lane.state == "held",
                format!("asks: {}", plain(&lane.reason)),
                || format!("{}: {}", lane.state, lane.reason),
            )
        })
        .await
}
