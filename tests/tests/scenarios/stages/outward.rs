//! CRM → Partner Center: a deal is shared, edited, shown to Microsoft's sellers, handed to Microsoft, and won.

mod birth;

use cosell_tests::{Setup, World};
use serde_json::json;

use crate::people::{
    AUDIT, CONTACTS, HELP, OPPORTUNITY_SETTINGS, VISIBLE, bind, contact, draft, edit, find, mail,
    make, names, organisation, share, solution, solutions,
};
use crate::sheet::{Sheet, both, carried, check, holds, only_if, plain};

pub(super) async fn play(sheet: &mut Sheet) -> anyhow::Result<()> {
    let world = World::set_up(Setup {
        simulator: organisation(11),
        settings: &[
            ("10-opportunity.toml", OPPORTUNITY_SETTINGS),
            (
                "20-account.toml",
                "[settings]\nduns-column = \"new_duns\"\n",
            ),
        ],
        ..Setup::default()
    })
    .await?;
    let account = world.account("Contoso Kft.", "HU")?;
    incomplete(sheet, &world, &account).await?;
    let deal = Deal::born(&world, &account)?;
    birth::play(sheet, &world, &deal.row).await?;
    edits(sheet, &world, &deal).await?;
    nothing_to_send(sheet, &world, &deal).await?;
    shared(sheet, &world, &deal).await?;
    asked(sheet, &world, &deal).await?;
    born_asking(sheet, &world, &account).await?;
    won(sheet, &world, &deal).await?;
    world.end().await
}

/// The deal that goes all the way.
struct Deal {
    account: String,
    row: String,
    second: String,
    first_solution: String,
    reseller: String,
    third: String,
    colleague: String,
}

impl Deal {
    fn born(world: &World, account: &str) -> anyhow::Result<Self> {
        let user = |first: &str, last: &str| {
            find(
                world,
                "systemuser",
                "internalemailaddress",
                &mail(first, last),
            )
        };
        let (sam, rita, tom) = (
            user("Sam", "Seller")?,
            user("Rita", "Reseller")?,
            user("Tom", "Third")?,
        );
        let anna = contact(world, account, "Anna", "Kovács")?;
        let second = contact(world, account, "Béla", "Nagy")?;
        let words = |table: &str, word: &str| find(world, table, "msft_name", word);
        let row = draft(
            world,
            account,
            "Data platform",
            &json!({
                "parentcontactid@odata.bind": bind("contacts", &anna), "ownerid@odata.bind": bind("systemusers", &sam),
                "new_campaign": "CMP-1", "salesstage": 1, "msft_customerpurchaseintent": 299_600_002,
                "msft_PartnerRole@odata.bind": bind("msft_partnerroles", &words("msft_partnerrole", "Services")?),
                "msft_SolutionArea@odata.bind": bind("msft_solutionareas", &words("msft_solutionarea", "Data & AI")?),
                "msft_SolutionPlay@odata.bind": bind("msft_solutionplays", &words("msft_solutionplay", "Migrate")?),
            }),
        )?;
        let first_solution = solution(world, &row, "SOL-12345-ABC")?;
        let colleague = seller(world, &row, &rita)?;
        share(world, &row)?;
        Ok(Self {
            account: account.to_owned(),
            row,
            second,
            first_solution,
            reseller: rita,
            third: tom,
            colleague,
        })
    }
}

fn seller(world: &World, row: &str, user: &str) -> anyhow::Result<String> {
    let values = json!({
        "new_name": "seller", "new_OpportunityId@odata.bind": bind("opportunities", row), "new_UserId@odata.bind": bind("systemusers", user),
    });
    make(world, crate::people::TEAM, &values)
}

/// What a deal cannot cross without is waited for, without a cross.
async fn incomplete(sheet: &mut Sheet, world: &World, account: &str) -> anyhow::Result<()> {
    let nowhere = world.account("Nowhere Ltd.", "")?;
    let without_solution = draft(world, account, "No solution yet", &json!({}))?;
    let without_country = draft(world, &nowhere, "No country yet", &json!({}))?;
    let without_contact = draft(
        world,
        account,
        "No contact yet",
        &json!({ HELP: 299_600_005 }),
    )?;
    for row in [&without_country, &without_contact] {
        solution(world, row, "SOL-12345-ABC")?;
    }
    for row in [&without_solution, &without_country, &without_contact] {
        share(world, row)?;
    }
    let waits = |row: &str, words: &'static str| {
        let row = row.to_owned();
        move |sight: &crate::sheet::Sight<'_>| {
            let lane = sight.lane(&row)?;
            let name = sight.opportunity(&row)["name"].clone();
            let so = lane.state == "waiting"
                && lane.reason.contains(words)
                && name.as_str().is_some_and(|name| name.starts_with("No "));
            only_if(so, format!("waits: {}", plain(&lane.reason)), || {
                format!("{} ({}), topic {name}", lane.state, lane.reason)
            })
        }
    };
    sheet
        .expect(
            world,
            &[
                check(
                    "solutions.out.required",
                    waits(&without_solution, "no solution"),
                ),
                check(
                    "country.out.required",
                    waits(&without_country, "no country"),
                ),
                check(
                    "contacts.out.required",
                    waits(&without_contact, "no contact"),
                ),
            ],
        )
        .await?;
    for row in [&without_solution, &without_country, &without_contact] {
        edit(world, row, &json!({ crate::people::GATE: false }))?;
    }
    Ok(())
}

/// Everything that can be changed is changed in one go, and what cannot be is told.
async fn edits(sheet: &mut Sheet, world: &World, deal: &Deal) -> anyhow::Result<()> {
    let row = deal.row.as_str();
    let dollars = find(world, "transactioncurrency", "isocurrencycode", "USD")?;
    world
        .control()
        .seller_associates("opportunity", row, CONTACTS, &deal.second)?;
    world.control().seller_updates(
        "account",
        &deal.account,
        &json!({ "name": "Contoso Zrt.", "address1_line1": "Side Street 2", "address1_country": "AT" }),
    )?;
    solution(world, row, "SOL-23456-DEF")?;
    world
        .control()
        .seller_deletes("msft_partnercentersolution", &deal.first_solution)?;
    // Tom comes in Rita's place: the list is as long as before.
    world.control().seller_updates(
        crate::people::TEAM,
        &deal.colleague,
        &json!({ "new_UserId@odata.bind": bind("systemusers", &deal.third) }),
    )?;
    edit(
        world,
        row,
        &json!({
            "name": "Data platform, phase 2", "estimatedvalue": 150_000.5, "estimatedclosedate": "2027-01-31", "description": "new notes",
            "transactioncurrencyid@odata.bind": bind("transactioncurrencies", &dollars), "new_campaign": "CMP-2", "salesstage": 2,
            "msft_customerpurchaseintent": 299_600_000,
        }),
    )?;
    sheet
        .expect(
            world,
            &[
                check("name.out.update", |s| {
                    s.explained(row, &["name stays", "phase 2"])?;
                    carried(&s.referral_of(row)["name"], "Data platform")?;
                    s.explained(row, &["name stays"])
                }),
                check("value.out.update", |s| {
                    carried(&s.referral_of(row)["details"]["dealValue"], 150_000.5)
                }),
                check("currency.out.update", |s| {
                    carried(&s.referral_of(row)["details"]["currency"], "USD")
                }),
                check("close-date.out.update", |s| {
                    holds(
                        &s.referral_of(row)["details"]["closingDateTime"],
                        "2027-01-31T00:00:00",
                    )
                }),
                check("notes.out.update", |s| {
                    carried(&s.referral_of(row)["details"]["notes"], "new notes")
                }),
                check("customer.out.update", |s| {
                    carried(
                        &s.referral_of(row)["customerProfile"]["name"],
                        "Contoso Kft.",
                    )?;
                    s.explained(row, &["company-name stays"])
                }),
                check("country.out.update", |s| {
                    let address = s.referral_of(row)["customerProfile"]["address"].clone();
                    carried(&address["country"], "HU")?;
                    s.explained(row, &["address stays"])
                }),
                check("contacts.out.update", |s| {
                    carried(
                        &names(&s.referral_of(row)["customerProfile"]["team"]),
                        json!(["Anna Kovács", "Béla Nagy"]),
                    )
                }),
                check("swap.out.update", |s| {
                    carried(
                        &names(&s.referral_of(row)["team"]),
                        json!(["Sam Seller", "Tom Third"]),
                    )
                }),
                check("solutions.out.update", |s| {
                    carried(&solutions(&s.referral_of(row)), json!(["SOL-23456-DEF"]))
                }),
                check("campaign.out.update", |s| {
                    carried(&s.referral_of(row)["campaignId"], "CMP-2")
                }),
                check("sales-stage.out.update", |s| {
                    carried(&s.referral_of(row)["salesStage"], "Propose")
                }),
                check("newer.out.update", |s| {
                    s.explained(row, &["more:marketplace-intent stays"])
                }),
            ],
        )
        .await?;
    edit(
        world,
        row,
        &json!({ "ownerid@odata.bind": bind("systemusers", &deal.reseller), "description": "newer notes" }),
    )?;
    sheet
        .expect(
            world,
            &[
                check("team.out.update", |s| {
                    carried(
                        &names(&s.referral_of(row)["team"]),
                        json!(["Rita Reseller", "Tom Third"]),
                    )
                }),
                // Saved once more, and told no second time.
                check("name.told-once", |s| {
                    carried(&s.referral_of(row)["details"]["notes"], "newer notes")?;
                    s.explained(row, &["name stays"])?;
                    Ok("told once".to_owned())
                }),
            ],
        )
        .await
}

/// A spelling is no change.
async fn nothing_to_send(sheet: &mut Sheet, world: &World, deal: &Deal) -> anyhow::Result<()> {
    let before = world.control().ledger(0).len();
    edit(
        world,
        &deal.row,
        &json!({ "estimatedvalue": 150_000.500, "estimatedclosedate": "2027-01-31" }),
    )?;
    world.quiet().await?;
    let writes = world.control().ledger(0).split_off(before);
    sheet.put(
        "format.same",
        only_if(writes.is_empty(), "nothing is written", || {
            format!("{writes:?}")
        }),
    );
    Ok(())
}

/// Visible is for good, and fixes the contacts.
async fn shared(sheet: &mut Sheet, world: &World, deal: &Deal) -> anyhow::Result<()> {
    let row = deal.row.as_str();
    let visible = |s: &crate::sheet::Sight<'_>, wanted: bool| {
        carried(
            &s.referral_of(row)["consent"]["consentToShareReferralWithMicrosoftSellers"],
            wanted,
        )
    };
    edit(world, row, &json!({ VISIBLE: true }))?;
    sheet
        .expect_one(world, "visibility.out.update", |s| visible(s, true))
        .await?;
    world
        .control()
        .seller_disassociates("opportunity", row, CONTACTS, &deal.second)?;
    edit(world, row, &json!({ VISIBLE: false }))?;
    sheet
        .expect(
            world,
            &[
                check("visibility.out.back", |s| {
                    visible(s, true)?;
                    s.explained(row, &["visibility stays"])
                }),
                check("contacts.out.shared", |s| {
                    carried(
                        &names(&s.referral_of(row)["customerProfile"]["team"]),
                        json!(["Anna Kovács", "Béla Nagy"]),
                    )?;
                    s.explained(row, &["contacts stays"])
                }),
            ],
        )
        .await
}

/// Help can be asked for later, and not be taken back.
async fn asked(sheet: &mut Sheet, world: &World, deal: &Deal) -> anyhow::Result<()> {
    let row = deal.row.as_str();
    let theirs = |s: &crate::sheet::Sight<'_>| {
        let own = s.referral_of(row)["id"].clone();
        let id = own.as_str().unwrap_or_default();
        s.control.microsoft_referral(id).unwrap_or_default()
    };
    let help = |s: &crate::sheet::Sight<'_>| {
        carried(
            &theirs(s)["inviteContext"]["assistanceRequestCode"],
            "ProofOfConceptOrDemo",
        )
    };
    edit(world, row, &json!({ HELP: 299_600_002 }))?;
    sheet.expect_one(world, "help.out.update", help).await?;
    edit(world, row, &json!({ HELP: 299_600_003 }))?;
    sheet
        .expect_one(world, "help.out.back", |s| {
            help(s)?;
            s.explained(row, &["help stays", "QuotesOrLicensing"])
        })
        .await?;
    edit(world, row, &json!({ HELP: null }))?;
    sheet
        .expect_one(world, "help.out.back", |s| {
            help(s)?;
            s.explained(row, &["help stays", "nothing"])
        })
        .await
}

/// A deal that asks for help at once is born as a co-sell deal.
async fn born_asking(sheet: &mut Sheet, world: &World, account: &str) -> anyhow::Result<()> {
    let anna = find(world, "contact", "lastname", "Kovács")?;
    let row = draft(
        world,
        account,
        "Co-sell from the start",
        &json!({ HELP: 299_600_005, "parentcontactid@odata.bind": bind("contacts", &anna) }),
    )?;
    solution(world, &row, "SOL-12345-ABC")?;
    share(world, &row)?;
    sheet
        .expect_one(world, "help.out.create", |s| {
            let own = s.referral_of(&row);
            let id = own["id"].as_str().unwrap_or_default();
            let theirs = s.control.microsoft_referral(id).unwrap_or_default();
            both(
                carried(
                    &theirs["inviteContext"]["assistanceRequestCode"],
                    "GeneralOrOther",
                ),
                carried(&own["type"], "Shared"),
            )
        })
        .await
}

async fn won(sheet: &mut Sheet, world: &World, deal: &Deal) -> anyhow::Result<()> {
    let row = deal.row.as_str();
    world.control().seller_wins(row, &json!({}))?;
    sheet
        .expect(
            world,
            &[
                check("status.out.update", |s| {
                    carried(&s.referral_of(row)["status"], "Closed")
                }),
                check("substatus.out.update", |s| {
                    carried(&s.referral_of(row)["substatus"], "Won")
                }),
            ],
        )
        .await?;
    let told = world.control().row("opportunity", row).unwrap_or_default();
    anyhow::ensure!(told[AUDIT].is_string(), "the row tells nothing");
    Ok(())
}
