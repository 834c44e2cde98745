//! Partner Center → CRM: a deal that a partner's user makes in the portal, edits there, and loses there.

use cosell_tests::{Setup, World, id};
use serde_json::json;

use crate::people::{
    IDENTIFIER, LINK, OPPORTUNITY_SETTINGS, PROGRAM, TEAM, VISIBLE, find, mail, organisation,
    patch, person, referral, sold,
};
use crate::sheet::{Sheet, Sight, both, carried, check, only_if};

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

/// The values of a column in the rows of a table.
fn column(sight: &Sight<'_>, table: &str, name: &str) -> serde_json::Value {
    let rows = sight.control.rows(table);
    sorted(rows.iter().map(|row| row[name].clone()))
}

/// Rows come in the order of their ids.
fn sorted(values: impl Iterator<Item = serde_json::Value>) -> serde_json::Value {
    let mut values: Vec<_> = values.collect();
    values.sort_by_key(ToString::to_string);
    json!(values)
}

/// Mail addresses of the sellers that stand beside the owner.
fn colleagues(sight: &Sight<'_>) -> serde_json::Value {
    let users = sight.control.rows("systemuser");
    let mail_of = |row: &serde_json::Value| {
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

fn owner(sight: &Sight<'_>, row: &serde_json::Value) -> serde_json::Value {
    let users = sight.control.rows("systemuser");
    let own = users
        .iter()
        .find(|user| user["systemuserid"] == row["_ownerid_value"]);
    own.map(|user| user["fullname"].clone()).unwrap_or_default()
}

fn currency(sight: &Sight<'_>, row: &serde_json::Value) -> serde_json::Value {
    let all = sight.control.rows("transactioncurrency");
    let own = all
        .iter()
        .find(|one| one["transactioncurrencyid"] == row["_transactioncurrencyid_value"]);
    own.map(|one| one["isocurrencycode"].clone())
        .unwrap_or_default()
}

/// The word of a row that a lookup points to.
fn word(sight: &Sight<'_>, table: &str, row: &serde_json::Value) -> serde_json::Value {
    let key = format!("{table}id");
    let points_to = &row[format!("_{table}_value")];
    let rows = sight.control.rows(table);
    let own = rows.iter().find(|one| one[&key] == *points_to);
    own.map(|one| one["msft_name"].clone()).unwrap_or_default()
}

/// Who the opportunity's main contact is, and who is linked beside it.
fn contacts(sight: &Sight<'_>, row: &serde_json::Value) -> serde_json::Value {
    let all = sight.control.rows("contact");
    let main = all
        .iter()
        .find(|one| one["contactid"] == row["_parentcontactid_value"]);
    let others = sight.control.linked(
        "opportunity",
        row["opportunityid"].as_str().unwrap_or_default(),
        crate::people::CONTACTS,
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
fn sold_with(sight: &Sight<'_>, row: &serde_json::Value) -> serde_json::Value {
    let rows = sight.control.rows("msft_partnercentersolution");
    let own = rows
        .iter()
        .filter(|one| one["_msft_opportunityid_value"] == row["opportunityid"]);
    sorted(own.map(|one| one["msft_solutionidentifier"].clone()))
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
                check("status.in.create", |s| {
                    carried(&s.opportunity_of(deal)["statecode"], 0)
                }),
                check("substatus.in.create", |s| {
                    carried(&s.opportunity_of(deal)["statuscode"], 1)
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
                    carried(&s.opportunity_of(deal)["salesstage"], 1)
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
                            carried(&row["msft_customerpurchaseintent"], 299_600_000),
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
                    carried(&s.opportunity_of(deal)["salesstage"], 2)
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
            Err(error) => Ok(format!("{error}; the account stays")),
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
                check("status.in.update", |s| {
                    carried(&s.opportunity_of(deal)["statecode"], 2)
                }),
                check("substatus.in.update", |s| {
                    carried(&s.opportunity_of(deal)["statuscode"], 4)
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
