//! Partner Center → CRM: a deal that a partner's user makes in the portal, edits there, and loses there.

mod form;

use cosell_tests::{Setup, World, id};
use serde_json::json;

use crate::people::{
    IDENTIFIER, LINK, OPPORTUNITY_SETTINGS, PROGRAM, VISIBLE, find, mail, organisation, patch,
    person, referral, sold,
};
use crate::sheet::{Sheet, Sight, both, carried, check, only_if};
use form::{colleagues, column, contacts, currency, intent, owner, part, sold_with, stage, word};

pub(super) async fn play(sheet: &mut Sheet) -> anyhow::Result<()> {
    let world = World::set_up(Setup {
        simulator: organisation(12),
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
    let body = referral(
        "Rollout",
        "Fabrikam GmbH",
        &json!({
            "customerProfile": { "size": "51to250employees", "ids": [{ "profileType": "Duns", "id": "123456789" }],
                "team": [person("Anna", "Schmidt", "anna.schmidt@customer.example"), person("Bernd", "Meier", "bernd.meier@customer.example")] },
            "details": { "requirements": { "additionalRequirements": { "attributes": [
                { "type": "CustomerMarketplaceIntent", "id": "Yes" }, { "type": "PartnerRole", "id": "Services" },
                { "type": "SolutionArea", "id": "Data & AI" }, { "type": "SolutionPlay", "id": "Migrate" } ] } } },
            "team": [person("Sam", "Seller", &mail("Sam", "Seller")), person("Rita", "Reseller", &mail("Rita", "Reseller"))],
            "campaignId": "CMP-7", "salesStage": "Develop", "referralProgram": "Co-sell",
        }),
    );
    let referral = id(&world.control().partner_user_creates(&body)?.record);
    birth(sheet, &world, &referral).await?;
    edits(sheet, &world, &referral).await?;
    fixed(sheet, &world, &referral).await?;
    accepted_by_microsoft(sheet, &world, &referral).await?;
    lost(sheet, &world, &referral).await?;
    world.end().await
}

async fn birth(sheet: &mut Sheet, world: &World, deal: &str) -> anyhow::Result<()> {
    sheet
        .expect(
            world,
            &[
                check("name.in.create", |s| {
                    carried(&s.opportunity_of(deal)["name"], "✔ Rollout")
                }),
                check("value.in.create", |s| {
                    carried(&s.opportunity_of(deal)["estimatedvalue"], 10_000)
                }),
                check("currency.in.create", |s| {
                    carried(&currency(s, &s.opportunity_of(deal)), "EUR")
                }),
                check("close-date.in.create", |s| {
                    carried(&s.opportunity_of(deal)["estimatedclosedate"], "2027-03-31")
                }),
                check("notes.in.create", |s| {
                    carried(&s.opportunity_of(deal)["description"], "from the portal")
                }),
                check("status.in.create", |s| carried(&part(s, deal, 0), "Open")),
                check("substatus.in.create", |s| {
                    carried(&part(s, deal, 1), "In Progress")
                }),
                check("visibility.in.create", |s| {
                    carried(&s.opportunity_of(deal)[VISIBLE], false)
                }),
                check("customer.in.create", |s| {
                    let accounts = s.control.rows("account");
                    let [account] = accounts.as_slice() else {
                        return Err(format!("{} accounts", accounts.len()));
                    };
                    carried(
                        &s.opportunity_of(deal)["_parentaccountid_value"],
                        account["accountid"].clone(),
                    )?;
                    both(
                        carried(&column(s, "account", "name"), json!(["Fabrikam GmbH"])),
                        carried(
                            &column(s, "account", "address1_line1"),
                            json!(["Main Street 1"]),
                        ),
                    )
                }),
                check("country.in.create", |s| {
                    carried(&column(s, "account", "address1_country"), json!(["DE"]))
                }),
                check("contacts.in.create", |s| {
                    carried(
                        &contacts(s, &s.opportunity_of(deal)),
                        json!(["Anna Schmidt", "Bernd Meier"]),
                    )
                }),
                check("team.in.create", |s| {
                    both(
                        carried(&owner(s, &s.opportunity_of(deal)), "Sam Seller"),
                        carried(&colleagues(s), json!(["Rita Reseller"])),
                    )
                }),
                check("solutions.in.create", |s| {
                    carried(
                        &sold_with(s, &s.opportunity_of(deal)),
                        json!(["SOL-12345-ABC"]),
                    )
                }),
                check("external-reference.in.create", |s| {
                    let row = s.opportunity_of(deal)["opportunityid"].clone();
                    only_if(!row.is_null(), "", || "no row".to_owned())?;
                    carried(&s.referral(deal)["externalReferenceId"], row)
                }),
                check("identifier.in.create", |s| {
                    let row = s.opportunity_of(deal);
                    let link = row[LINK].as_str().unwrap_or_default();
                    both(
                        carried(&row[IDENTIFIER], deal),
                        only_if(link.ends_with(deal), "carried: and its link", || {
                            format!("the link is {link}")
                        }),
                    )
                }),
                check("program.in.create", |s| {
                    carried(&s.opportunity_of(deal)[PROGRAM], "Co-sell")
                }),
                check("campaign.in.create", |s| {
                    carried(&s.opportunity_of(deal)["new_campaign"], "CMP-7")
                }),
                check("sales-stage.in.create", |s| {
                    carried(&stage(s, deal), "Develop")
                }),
                check("newer.in.create", |s| {
                    let row = s.opportunity_of(deal);
                    both(
                        both(
                            carried(&word(s, "msft_partnerrole", &row), "Services"),
                            carried(&word(s, "msft_solutionarea", &row), "Data & AI"),
                        ),
                        both(
                            carried(&word(s, "msft_solutionplay", &row), "Migrate"),
                            carried(&intent(&row), "Yes"),
                        ),
                    )
                }),
            ],
        )
        .await
}

async fn edits(sheet: &mut Sheet, world: &World, deal: &str) -> anyhow::Result<()> {
    world.control().partner_user_patches(
        deal,
        &patch(&[
            ("/name", json!("Rollout, phase 2")),
            ("/details/dealValue", json!("20000.75")),
            ("/details/currency", json!("USD")),
            ("/details/closingDateTime", json!("2027-06-30T23:00:00Z")),
            ("/details/notes", json!("more from the portal")),
            (
                "/customerProfile/team",
                json!([
                    person("Anna", "Schmidt", "anna.schmidt@customer.example"),
                    person("Clara", "Huber", "clara.huber@customer.example")
                ]),
            ),
            (
                "/team",
                json!([
                    person("Tom", "Third", &mail("Tom", "Third")),
                    person("Rita", "Reseller", &mail("Rita", "Reseller"))
                ]),
            ),
            (
                "/details/requirements/solutions",
                json!([sold("SOL-23456-DEF"), sold("SOL-34567-GHI")]),
            ),
            ("/campaignId", json!("CMP-8")),
            ("/salesStage", json!("Propose")),
            ("/referralProgram", json!("Co-sell Prioritized")),
        ]),
    )?;
    sheet
        .expect(
            world,
            &[
                check("name.in.update", |s| {
                    carried(&s.opportunity_of(deal)["name"], "✔ Rollout, phase 2")
                }),
                check("value.in.update", |s| {
                    carried(&s.opportunity_of(deal)["estimatedvalue"], 20_000.75)
                }),
                check("currency.in.update", |s| {
                    carried(&currency(s, &s.opportunity_of(deal)), "USD")
                }),
                // An hour before midnight, UTC: the day stays the day.
                check("close-date.in.update", |s| {
                    carried(&s.opportunity_of(deal)["estimatedclosedate"], "2027-06-30")
                }),
                check("notes.in.update", |s| {
                    carried(
                        &s.opportunity_of(deal)["description"],
                        "more from the portal",
                    )
                }),
                check("contacts.in.update", |s| {
                    carried(
                        &contacts(s, &s.opportunity_of(deal)),
                        json!(["Anna Schmidt", "Clara Huber"]),
                    )
                }),
                check("team.in.update", |s| {
                    both(
                        carried(&owner(s, &s.opportunity_of(deal)), "Tom Third"),
                        carried(&colleagues(s), json!(["Rita Reseller"])),
                    )
                }),
                check("solutions.in.update", |s| {
                    carried(
                        &sold_with(s, &s.opportunity_of(deal)),
                        json!(["SOL-23456-DEF", "SOL-34567-GHI"]),
                    )
                }),
                check("program.in.update", |s| {
                    carried(&s.opportunity_of(deal)[PROGRAM], "Co-sell Prioritized")
                }),
                check("campaign.in.update", |s| {
                    carried(&s.opportunity_of(deal)["new_campaign"], "CMP-8")
                }),
                check("sales-stage.in.update", |s| {
                    carried(&stage(s, deal), "Propose")
                }),
            ],
        )
        .await?;
    // Handed over to somebody who was on the list already, and shown to Microsoft's sellers.
    world.control().partner_user_patches(
        deal,
        &patch(&[
            (
                "/team",
                json!([
                    person("Rita", "Reseller", &mail("Rita", "Reseller")),
                    person("Tom", "Third", &mail("Tom", "Third"))
                ]),
            ),
            (
                "/consent/consentToShareReferralWithMicrosoftSellers",
                json!(true),
            ),
        ]),
    )?;
    sheet
        .expect_one(world, "team.in.update", |s| {
            both(
                carried(&owner(s, &s.opportunity_of(deal)), "Rita Reseller"),
                carried(&colleagues(s), json!(["Tom Third"])),
            )
        })
        .await?;
    sheet
        .expect_one(world, "visibility.in.update", |s| {
            carried(&s.opportunity_of(deal)[VISIBLE], true)
        })
        .await
}

/// The customer cannot be changed in Partner Center; what a seller makes of the account is left alone.
async fn fixed(sheet: &mut Sheet, world: &World, deal: &str) -> anyhow::Result<()> {
    for (row, path, value) in [
        ("customer.in.update", "/customerProfile/name", "Fabrikam AG"),
        (
            "country.in.update",
            "/customerProfile/address/country",
            "AT",
        ),
    ] {
        let refused = world
            .control()
            .partner_user_patches(deal, &patch(&[(path, json!(value))]));
        let seen = match refused {
            Ok(_) => Err(format!("{path} could be changed")),
            Err(error) => Ok(format!(
                "Partner Center takes no change: {}",
                error.to_string().trim_end_matches('.')
            )),
        };
        sheet.put(row, seen);
    }
    let account = find(world, "account", "name", "Fabrikam GmbH")?;
    world.control().seller_updates(
        "account",
        &account,
        &json!({ "name": "Fabrikam Deutschland GmbH", "address1_country": "AT" }),
    )?;
    world.control().partner_user_patches(
        deal,
        &patch(&[("/details/notes", json!("after the account"))]),
    )?;
    let stays = |s: &Sight<'_>| {
        carried(&s.opportunity_of(deal)["description"], "after the account")?;
        carried(
            &column(s, "account", "name"),
            json!(["Fabrikam Deutschland GmbH"]),
        )?;
        carried(&column(s, "account", "address1_country"), json!(["AT"]))
    };
    sheet
        .expect(
            world,
            &[
                check("customer.in.update", |s| {
                    stays(s)?;
                    s.explained(deal, &["company-name stays"])
                }),
                check("country.in.update", |s| {
                    stays(s)?;
                    s.explained(deal, &["address stays"])
                }),
            ],
        )
        .await
}

/// Microsoft's id comes with its acceptance.
async fn accepted_by_microsoft(sheet: &mut Sheet, world: &World, deal: &str) -> anyhow::Result<()> {
    let row = world.row_of(deal).await?;
    let row = row["opportunityid"].as_str().unwrap_or_default().to_owned();
    crate::people::edit(world, &row, &json!({ crate::people::HELP: 299_600_005 }))?;
    let theirs = world
        .until("Microsoft's referral", |control| {
            control.microsoft_referral(deal)
        })
        .await?;
    let theirs = theirs["id"].as_str().unwrap_or_default().to_owned();
    world.control().microsoft_accepts(&theirs, "7-ABC123XYZ")?;
    sheet
        .expect_one(world, "microsoft-id.in.update", |s| {
            carried(
                &s.opportunity_of(deal)[crate::people::MICROSOFT_ID],
                "7-ABC123XYZ",
            )
        })
        .await
}

async fn lost(sheet: &mut Sheet, world: &World, deal: &str) -> anyhow::Result<()> {
    world
        .control()
        .partner_user_closes(deal, "Lost", Some("Canceled"))?;
    sheet
        .expect(
            world,
            &[
                check("status.in.update", |s| carried(&part(s, deal, 0), "Lost")),
                check("substatus.in.update", |s| {
                    carried(&part(s, deal, 1), "Canceled")
                }),
                check("status-reason.in.update", |s| {
                    carried(
                        &column(s, "opportunityclose", "subject"),
                        json!(["Lost in Partner Center: Canceled"]),
                    )
                }),
            ],
        )
        .await
}
