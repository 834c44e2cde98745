//! Accounts and contacts: found, made once, asked about; and people who do not cross before their consent.

use cosell_simulator::SimulatorConfig;
use cosell_tests::{Setup, World, amend, id};
use serde_json::{Value, json};

use crate::people::{
    HELP, bind, contact, draft, edit, find, make, names, organisation, person, referral, share,
    solution,
};
use crate::sheet::{Seen, Sheet, Sight, both, carried, check, only_if, plain};

const ACCOUNT_SETTINGS: &str =
    "[settings]\nduns-column = \"new_duns\"\nexternal-id-column = \"new_externalid\"\n";
const OPPORTUNITY_SETTINGS: &str =
    "[settings]\nduns-column = \"new_duns\"\nexternal-id-column = \"new_externalid\"\n";

pub(super) async fn play(sheet: &mut Sheet) -> anyhow::Result<()> {
    let world = World::set_up(Setup {
        simulator: organisation(15),
        settings: &[
            ("10-opportunity.toml", OPPORTUNITY_SETTINGS),
            ("20-account.toml", ACCOUNT_SETTINGS),
        ],
        ..Setup::default()
    })
    .await?;
    found(sheet, &world).await?;
    made(sheet, &world).await?;
    asked(sheet, &world).await?;
    merged(sheet, &world).await?;
    people(sheet, &world).await?;
    outward(sheet, &world).await?;
    world.end().await?;
    consent(sheet).await
}

/// An account at the address that referrals of ours name; `more` is laid over it.
fn account(world: &World, name: &str, more: &Value) -> anyhow::Result<String> {
    let mut values = json!({ "name": name, "address1_line1": "Main Street 1", "address1_city": "Berlin", "address1_postalcode": "10115", "address1_country": "DE" });
    for (column, value) in more.as_object().into_iter().flatten() {
        values[column] = value.clone();
    }
    make(world, "account", &values)
}

/// A referral of this customer; the id.
fn arrives(world: &World, customer: &str, more: &Value) -> anyhow::Result<String> {
    let body = referral(&format!("Deal of {customer}"), customer, more);
    Ok(id(&world.control().partner_user_creates(&body)?.record))
}

/// The deal's account is this one, and no other of that name was made.
fn uses(sight: &Sight<'_>, deal: &str, account: &str) -> Seen {
    let row = sight.opportunity_of(deal);
    carried(&row["_parentaccountid_value"], account)?;
    let accounts = sight.control.rows("account");
    let own = accounts.iter().find(|one| one["accountid"] == account);
    let name = own.map(|one| one["name"].clone()).unwrap_or_default();
    Ok(format!("used: {}", name.as_str().unwrap_or_default()))
}

async fn found(sheet: &mut Sheet, world: &World) -> anyhow::Result<()> {
    let plain_name = account(world, "Fabrikam GmbH", &json!({}))?;
    let escaped = account(world, "Smith & Sons", &json!({}))?;
    let numbered = account(
        world,
        "Another name altogether",
        &json!({ "new_duns": "123456789" }),
    )?;
    let known = account(
        world,
        "Yet another name",
        &json!({ "new_externalid": "1-2ABC" }),
    )?;
    let domain = account(
        world,
        "Wingtip Toys",
        &json!({ "address1_postalcode": null, "websiteurl": "https://www.wingtip.example" }),
    )?;
    let inactive = account(world, "Consolidated Messenger", &json!({}))?;
    world.control().seller_updates(
        "account",
        &inactive,
        &json!({ "statecode": 1, "statuscode": 2 }),
    )?;
    let active = account(world, "Consolidated Messenger", &json!({}))?;
    let number = |kind: &str, number: &str| json!({ "customerProfile": { "ids": [{ "profileType": kind, "id": number }] } });
    let by_name = arrives(world, "Fabrikam GmbH", &json!({}))?;
    let by_escaped = arrives(world, "Smith & Sons", &json!({}))?;
    let by_duns = arrives(world, "Adventure Works", &number("Duns", "123456789"))?;
    let by_external = arrives(world, "Northwind Traders", &number("External", "1-2ABC"))?;
    let by_domain = arrives(
        world,
        "Wingtip Toys",
        &json!({ "customerProfile": { "address": { "postalCode": null }, "team": [person("Dora", "Klein", "dora.klein@wingtip.example")] } }),
    )?;
    let past_inactive = arrives(world, "Consolidated Messenger", &json!({}))?;
    sheet
        .expect(
            world,
            &[
                check("account.name-and-postcode", |s| {
                    uses(s, &by_name, &plain_name)
                }),
                check("account.escaped", |s| uses(s, &by_escaped, &escaped)),
                check("account.duns", |s| uses(s, &by_duns, &numbered)),
                check("account.external", |s| uses(s, &by_external, &known)),
                check("account.domain", |s| uses(s, &by_domain, &domain)),
                check("account.inactive", |s| {
                    uses(s, &past_inactive, &active)?;
                    Ok("the active account of that name is used".to_owned())
                }),
            ],
        )
        .await
}

async fn made(sheet: &mut Sheet, world: &World) -> anyhow::Result<()> {
    let one = arrives(world, "Litware & Partner AG", &json!({}))?;
    let other = arrives(world, "Litware & Partner AG", &json!({}))?;
    sheet
        .expect(
            world,
            &[
                check("account.new", |s| {
                    let accounts = s.control.rows("account");
                    let own = accounts
                        .iter()
                        .find(|one| one["name"] == "Litware & Partner AG")
                        .cloned()
                        .unwrap_or_default();
                    both(
                        carried(&own["name"], "Litware & Partner AG"),
                        both(
                            carried(&own["address1_postalcode"], "10115"),
                            carried(&own["address1_country"], "DE"),
                        ),
                    )
                }),
                check("account.same-moment", |s| {
                    let accounts = s.control.rows("account");
                    let count = accounts
                        .iter()
                        .filter(|one| one["name"] == "Litware & Partner AG")
                        .count();
                    let of = |deal: &str| s.opportunity_of(deal)["_parentaccountid_value"].clone();
                    let together = of(&one) == of(&other) && !of(&one).is_null();
                    only_if(
                        count == 1 && together,
                        "one account, two opportunities",
                        || format!("{count} accounts; the same: {together}"),
                    )
                }),
            ],
        )
        .await
}

/// What cannot be told apart is asked, and nothing is made until a person has answered.
async fn asked(sheet: &mut Sheet, world: &World) -> anyhow::Result<()> {
    let chosen = account(world, "Trey Research", &json!({}))?;
    account(world, "Trey Research", &json!({}))?;
    account(
        world,
        "Lucerne Publishing",
        &json!({ "address1_country": null }),
    )?;
    let nowhere = json!({ "customerProfile": { "address": { "postalCode": null } } });
    let before = world.control().rows("account").len();
    let several = arrives(world, "Trey Research", &json!({}))?;
    let by_name_alone = arrives(world, "Lucerne Publishing", &nowhere)?;
    let asks = |s: &Sight<'_>, customer: &str| {
        let lanes = s.lanes();
        let lane = lanes
            .iter()
            .find(|lane| lane.state == "held" && lane.reason.contains(customer));
        let lane = lane.ok_or("nobody is asked")?;
        let accounts = s.control.rows("account").len();
        only_if(
            accounts == before,
            format!("asks: {}", plain(&lane.reason)),
            || format!("{} accounts were made", accounts - before),
        )
    };
    sheet
        .expect(
            world,
            &[
                check("account.several", |s| {
                    only_if(s.opportunity_of(&several).is_null(), "", || {
                        "the opportunity was made".to_owned()
                    })?;
                    asks(s, "Trey Research")
                }),
                check("account.without-postcode", |s| {
                    only_if(s.opportunity_of(&by_name_alone).is_null(), "", || {
                        "the opportunity was made".to_owned()
                    })?;
                    asks(s, "Lucerne Publishing")
                }),
            ],
        )
        .await?;
    let desk = world.desk()?;
    for card in desk.store.cards(None, true, 100).await? {
        let choice = if card.body.contains(&chosen) {
            chosen.as_str()
        } else {
            "new"
        };
        desk.store
            .answer_card(&card.connection, card.card, choice, "operator")
            .await?;
    }
    desk.rope.notify_one();
    sheet
        .expect_one(world, "account.several.answered", |s| {
            only_if(!s.opportunity_of(&by_name_alone).is_null(), "", || {
                "the other deal was not made".to_owned()
            })?;
            uses(s, &several, &chosen)
        })
        .await
}

async fn merged(sheet: &mut Sheet, world: &World) -> anyhow::Result<()> {
    let winner = account(world, "Graphic Design Institute", &json!({}))?;
    let loser = account(world, "Graphic Design Inst.", &json!({}))?;
    world.control().seller_merges("account", &winner, &loser)?;
    let after = arrives(world, "Graphic Design Inst.", &json!({}))?;
    sheet
        .expect_one(world, "account.merged", |s| uses(s, &after, &winner))
        .await?;
    // The deal's account loses a merge: the CRM moves the row, and nothing is written.
    let master = account(world, "School of Fine Art", &json!({}))?;
    let before = world.control().ledger(0).len();
    world.control().seller_merges("account", &master, &winner)?;
    world.control().partner_user_patches(
        &after,
        &crate::people::patch(&[("/details/notes", json!("after the merge"))]),
    )?;
    sheet
        .expect_one(world, "account.merged", |s| {
            carried(&s.opportunity_of(&after)["description"], "after the merge")?;
            let writes = s.control.ledger(0).split_off(before);
            let accounts = writes.iter().filter(|entry| entry.kind == "account");
            only_if(accounts.count() == 0, "", || {
                "an account was written".to_owned()
            })?;
            uses(s, &after, &master)
        })
        .await
}

async fn people(sheet: &mut Sheet, world: &World) -> anyhow::Result<()> {
    let account = find(world, "account", "name", "Fabrikam GmbH")?;
    let by_mail = contact(world, &account, "Eva", "Braun")?;
    let by_name = make(
        world,
        "contact",
        &json!({ "firstname": "Felix", "lastname": "Ohne", "parentcustomerid_account@odata.bind": bind("accounts", &account) }),
    )?;
    let team = |first: &str, last: &str, mail: &str| json!({ "customerProfile": { "team": [person(first, last, mail)] } });
    let same_mail = arrives(
        world,
        "Fabrikam GmbH",
        &team("Evi", "Braun-Meier", "EVA.BRAUN@customer.example"),
    )?;
    let same_name = arrives(
        world,
        "Fabrikam GmbH",
        &team("Felix", "Ohne", "felix@other.example"),
    )?;
    let one = arrives(
        world,
        "Fabrikam GmbH",
        &team("Greta", "Neu", "greta.neu@customer.example"),
    )?;
    let other = arrives(
        world,
        "Fabrikam GmbH",
        &team("Greta", "Neu", "greta.neu@customer.example"),
    )?;
    let main = |s: &Sight<'_>, deal: &str| s.opportunity_of(deal)["_parentcontactid_value"].clone();
    sheet
        .expect(
            world,
            &[
                check("contact.mail", |s| {
                    carried(&main(s, &same_mail), by_mail.as_str())?;
                    Ok("used: the contact with that mail address".to_owned())
                }),
                check("contact.name", |s| {
                    carried(&main(s, &same_name), by_name.as_str())?;
                    Ok("used: the contact of that name at the account".to_owned())
                }),
                check("contact.new", |s| {
                    let made = s
                        .control
                        .rows("contact")
                        .into_iter()
                        .filter(|one| one["emailaddress1"] == "greta.neu@customer.example");
                    let made: Vec<_> = made.map(|one| one["contactid"].clone()).collect();
                    let so =
                        made.len() == 1 && main(s, &one) == made[0] && main(s, &other) == made[0];
                    only_if(so, "one contact, two opportunities", || format!("{made:?}"))
                }),
            ],
        )
        .await
}

/// What a seller's deal takes along, and what it cannot do without.
async fn outward(sheet: &mut Sheet, world: &World) -> anyhow::Result<()> {
    let account = find(world, "account", "new_duns", "123456789")?;
    let numbered = draft(world, &account, "With a number", &json!({}))?;
    let alone = draft(
        world,
        &account,
        "Nobody to call",
        &json!({ HELP: 299_600_005 }),
    )?;
    let half = make(
        world,
        "contact",
        &json!({ "lastname": "Halb", "parentcustomerid_account@odata.bind": bind("accounts", &account) }),
    )?;
    let incomplete = draft(
        world,
        &account,
        "Half a person",
        &json!({ HELP: 299_600_005, "parentcontactid@odata.bind": bind("contacts", &half) }),
    )?;
    for row in [&numbered, &alone, &incomplete] {
        solution(world, row, "SOL-12345-ABC")?;
        share(world, row)?;
    }
    let waits = |s: &Sight<'_>, row: &str| {
        let lane = s.lane(row)?;
        let so = lane.state == "waiting" && lane.reason.contains("contact");
        only_if(so, format!("waits: {}", plain(&lane.reason)), || {
            format!("{}: {}", lane.state, lane.reason)
        })
    };
    sheet
        .expect(
            world,
            &[
                check("account.duns.out", |s| {
                    let ids = s.referral_of(&numbered)["customerProfile"]["ids"].clone();
                    both(
                        carried(&ids[0]["profileType"], "Duns"),
                        carried(&ids[0]["id"], "123456789"),
                    )
                }),
                check("contact.required", |s| waits(s, &alone)),
                check("contact.complete", |s| waits(s, &incomplete)),
                check("campaign.unasked", |s| {
                    nothing(&s.referral_of(&numbered)["campaignId"])
                }),
                check("sales-stage.unasked", |s| {
                    nothing(&s.referral_of(&numbered)["salesStage"])
                }),
                check("newer.unasked", |s| {
                    let requirements = &s.referral_of(&numbered)["details"]["requirements"];
                    let list = &requirements["additionalRequirements"]["attributes"];
                    nothing(list)
                }),
            ],
        )
        .await?;
    for row in [&alone, &incomplete] {
        edit(world, row, &json!({ crate::people::GATE: false }))?;
    }
    Ok(())
}

fn nothing(value: &Value) -> Seen {
    let empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    only_if(empty, "stays at home", || format!("{value} has crossed"))
}

/// Without a declaration no person crosses, and everything else does.
async fn consent(sheet: &mut Sheet) -> anyhow::Result<()> {
    let mut world = World::with(
        SimulatorConfig {
            seed: 16,
            ..SimulatorConfig::demo()
        },
        &[("contacts_may_be_shared", "false")],
    )
    .await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let anna = contact(&world, &account, "Anna", "Kovács")?;
    let row = draft(
        &world,
        &account,
        "Before consent",
        &json!({ "parentcontactid@odata.bind": bind("contacts", &anna) }),
    )?;
    solution(&world, &row, "SOL-12345-ABC")?;
    share(&world, &row)?;
    sheet
        .expect_one(&world, "contact.consent", |s| {
            let deal = s.referral_of(&row);
            carried(&deal["name"], "Before consent")?;
            carried(&deal["customerProfile"]["team"], json!([]))?;
            s.explained(&row, &["contacts is not written"])
        })
        .await?;
    world.stop_host().await;
    let withheld = "contacts_may_be_shared = false";
    let declared = "contacts_may_be_shared = true";
    amend(&world.config, &[(withheld, declared)])?;
    world.start_host().await?;
    edit(&world, &row, &json!({ "description": "consent declared" }))?;
    sheet
        .expect_one(&world, "contact.consent.given", |s| {
            carried(
                &names(&s.referral_of(&row)["customerProfile"]["team"]),
                json!(["Anna Kovács"]),
            )
        })
        .await?;
    world.end().await
}
