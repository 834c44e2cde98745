//! Leads, both ways, and what becomes of them.

use cosell_simulator::Arrival;
use cosell_tests::{Setup, World, id};
use serde_json::{Value, json};

use crate::people::{GATE, IDENTIFIER, MICROSOFT_ID, names, patch, person, referral, solutions};
use crate::sheet::{Sheet, Sight, both, carried, check, only_if};

const SETTINGS: &str = "[settings]\nkeep-own-leads = true\ndefault-solution = \"SOL-12345-ABC\"\n";
/// Nobody has answered for a day longer than Microsoft waits.
const FIFTEEN_DAYS_MS: i64 = 15 * 24 * 3_600 * 1_000;

pub(super) async fn play(sheet: &mut Sheet) -> anyhow::Result<()> {
    let world = World::set_up(Setup {
        simulator: crate::people::organisation(13),
        settings: &[("15-lead.toml", SETTINGS)],
        ..Setup::default()
    })
    .await?;
    inward(sheet, &world).await?;
    outward(sheet, &world).await?;
    accepted(sheet, &world).await?;
    declined(sheet, &world).await?;
    expired(sheet, &world).await?;
    world.end().await
}

fn arrives(world: &World, kind: Arrival, name: &str, customer: &str) -> anyhow::Result<String> {
    let people = json!({ "customerProfile": { "team": [
        person("Anna", "Schmidt", "anna.schmidt@customer.example"), person("Bernd", "Meier", "bernd.meier@customer.example") ] } });
    let body = referral(name, customer, &people);
    Ok(id(&world
        .control()
        .referral_arrives_as(kind, &body)?
        .record))
}

async fn inward(sheet: &mut Sheet, world: &World) -> anyhow::Result<()> {
    let deal = arrives(world, Arrival::QualifiedLead, "Interested", "Fabrikam GmbH")?;
    let deal = deal.as_str();
    let shared = arrives(world, Arrival::CoSell, "From Microsoft", "Tailspin AG")?;
    sheet
        .expect(
            world,
            &[
                check("lead.subject.in.create", |s| {
                    carried(&s.lead_of(deal)["subject"], "Interested")
                }),
                check("lead.company.in.create", |s| {
                    carried(&s.lead_of(deal)["companyname"], "Fabrikam GmbH")
                }),
                check("lead.contact.in.create", |s| {
                    let lead = s.lead_of(deal);
                    both(
                        both(
                            carried(&lead["firstname"], "Anna"),
                            carried(&lead["lastname"], "Schmidt"),
                        ),
                        both(
                            carried(&lead["emailaddress1"], "anna.schmidt@customer.example"),
                            carried(&lead["telephone1"], "+36 1 555 0100"),
                        ),
                    )
                }),
                check("lead.value.in.create", |s| {
                    carried(&s.lead_of(deal)["estimatedamount"], 10_000)
                }),
                check("lead.notes.in.create", |s| {
                    carried(&s.lead_of(deal)["description"], "from the portal")
                }),
                check("lead.address.in.create", |s| {
                    let lead = s.lead_of(deal);
                    both(
                        both(
                            carried(&lead["address1_line1"], "Main Street 1"),
                            carried(&lead["address1_postalcode"], "10115"),
                        ),
                        both(
                            carried(&lead["address1_city"], "Berlin"),
                            carried(&lead["address1_country"], "DE"),
                        ),
                    )
                }),
                check("lead.constants.in.create", constants(deal)),
                check("lead.external-reference.in.create", |s| {
                    let lead = s.lead_of(deal)["leadid"].clone();
                    only_if(!lead.is_null(), "", || "no lead".to_owned())?;
                    carried(&s.referral(deal)["externalReferenceId"], lead)
                }),
                check("lead.identifier.in.create", |s| {
                    carried(&s.lead_of(deal)[IDENTIFIER], deal)
                }),
                check("state.pending.in", |s| {
                    let none = s.opportunity_of(deal).is_null();
                    only_if(none, "", || "it is an opportunity".to_owned())?;
                    let lead = s.lead_of(deal);
                    both(
                        carried(&lead["statecode"], 0),
                        carried(&lead["statuscode"], 1),
                    )
                }),
                check("microsoft-id.in.create", |s| {
                    let theirs = s.control.microsoft_referral(&shared).unwrap_or_default();
                    let msx = theirs["trackingInfo"]["microsoftMsxId"].clone();
                    only_if(msx.is_string(), "", || "Microsoft has no id".to_owned())?;
                    carried(&s.lead_of(&shared)[MICROSOFT_ID], msx)
                }),
            ],
        )
        .await?;
    world.control().partner_user_patches(
        deal,
        &patch(&[
            ("/name", json!("Very interested")),
            ("/details/dealValue", json!(12_000)),
            ("/details/notes", json!("called twice")),
        ]),
    )?;
    sheet
        .expect(
            world,
            &[
                check("lead.subject.in.update", |s| {
                    carried(&s.lead_of(deal)["subject"], "Very interested")
                }),
                check("lead.value.in.update", |s| {
                    carried(&s.lead_of(deal)["estimatedamount"], 12_000)
                }),
                check("lead.notes.in.update", |s| {
                    carried(&s.lead_of(deal)["description"], "called twice")
                }),
            ],
        )
        .await?;
    let lead = lead_of(world, deal)?;
    world
        .control()
        .seller_updates("lead", &lead, &json!({ "statuscode": 2 }))?;
    sheet
        .expect_one(world, "state.received.out", |s| {
            let now = s.referral(deal);
            both(
                carried(&now["status"], "New"),
                carried(&now["substatus"], "Received"),
            )
        })
        .await
}

/// The CRM's own defaults are what the package of 2019 wrote as constants.
fn constants(deal: &str) -> impl Fn(&Sight<'_>) -> crate::sheet::Seen + Send + Sync {
    const DO_NOTS: [&str; 5] = [
        "donotemail",
        "donotbulkemail",
        "donotphone",
        "donotfax",
        "donotpostalmail",
    ];
    let deal = deal.to_owned();
    move |s| {
        let lead = s.lead_of(&deal);
        for mark in DO_NOTS {
            carried(&lead[mark], false)?;
        }
        carried(&lead["followemail"], true)?;
        carried(&lead["leadqualitycode"], 2)?;
        Ok("the CRM's defaults: warm, may be contacted, mail followed".to_owned())
    }
}

fn lead_of(world: &World, deal: &str) -> anyhow::Result<String> {
    crate::people::find(world, "lead", IDENTIFIER, deal)
}

async fn outward(sheet: &mut Sheet, world: &World) -> anyhow::Result<()> {
    let euro = crate::people::find(world, "transactioncurrency", "isocurrencycode", "EUR")?;
    let values = json!({
        "subject": "From the fair", "companyname": "Litware Kft.", "firstname": "Csilla", "lastname": "Szabó",
        "emailaddress1": "csilla.szabo@litware.example", "telephone1": "+36 1 555 0155", "estimatedamount": 7_500,
        "transactioncurrencyid@odata.bind": crate::people::bind("transactioncurrencies", &euro),
        "estimatedclosedate": "2027-02-28", "description": "met at the fair",
        "address1_line1": "Fő utca 1", "address1_city": "Budapest", "address1_postalcode": "1011", "address1_country": "Hungary",
        GATE: true,
    });
    let lead = crate::people::make(world, "lead", &values)?;
    let lead = lead.as_str();
    sheet
        .expect(
            world,
            &[
                check("lead.subject.out.create", |s| {
                    carried(&s.referral_of(lead)["name"], "From the fair")
                }),
                check("lead.company.out.create", |s| {
                    carried(
                        &s.referral_of(lead)["customerProfile"]["name"],
                        "Litware Kft.",
                    )
                }),
                check("lead.contact.out.create", |s| {
                    carried(
                        &names(&s.referral_of(lead)["customerProfile"]["team"]),
                        json!(["Csilla Szabó"]),
                    )
                }),
                check("lead.value.out.create", |s| {
                    carried(&s.referral_of(lead)["details"]["dealValue"], 7_500)
                }),
                check("lead.notes.out.create", |s| {
                    carried(&s.referral_of(lead)["details"]["notes"], "met at the fair")
                }),
                check("lead.address.out.create", |s| {
                    let address = s.referral_of(lead)["customerProfile"]["address"].clone();
                    both(
                        carried(&address["city"], "Budapest"),
                        carried(&address["country"], "HU"),
                    )
                }),
                check("lead.external-reference.out.create", |s| {
                    carried(&s.referral_of(lead)["externalReferenceId"], lead)
                }),
                check("lead.identifier.out.create", |s| {
                    let id = s.referral_of(lead)["id"].clone();
                    only_if(!id.is_null(), "", || "no referral".to_owned())?;
                    carried(&row(s, lead)[IDENTIFIER], id)
                }),
                check("lead.solutions.out.create", |s| {
                    carried(&solutions(&s.referral_of(lead)), json!(["SOL-12345-ABC"]))
                }),
            ],
        )
        .await?;
    world.control().seller_updates(
        "lead",
        lead,
        &json!({ "subject": "From the spring fair", "estimatedamount": 8_000, "description": "met twice" }),
    )?;
    sheet
        .expect(
            world,
            &[
                check("lead.subject.out.update", |s| {
                    carried(&s.referral_of(lead)["name"], "From the fair")?;
                    s.explained(lead, &["name stays"])
                }),
                check("lead.value.out.update", |s| {
                    carried(&s.referral_of(lead)["details"]["dealValue"], 8_000)
                }),
                check("lead.notes.out.update", |s| {
                    carried(&s.referral_of(lead)["details"]["notes"], "met twice")
                }),
            ],
        )
        .await
}

fn row(sight: &Sight<'_>, lead: &str) -> Value {
    sight.control.row("lead", lead).unwrap_or_default()
}

async fn accepted(sheet: &mut Sheet, world: &World) -> anyhow::Result<()> {
    let deal = arrives(
        world,
        Arrival::QualifiedLead,
        "To be accepted",
        "Woodgrove Bank",
    )?;
    let deal = deal.as_str();
    linked(world, deal).await?;
    world.control().partner_user_accepts(deal)?;
    sheet
        .expect_one(world, "state.accepted.lead", |s| {
            let opportunity = s.opportunity_of(deal);
            only_if(!opportunity.is_null(), "", || {
                format!("no opportunity yet: {:?}", s.lane(deal))
            })?;
            let lead = row(
                s,
                opportunity["_originatingleadid_value"]
                    .as_str()
                    .unwrap_or_default(),
            );
            carried(&lead["statecode"], 1)?;
            carried(
                &s.referral(deal)["externalReferenceId"],
                opportunity["opportunityid"].clone(),
            )?;
            both(
                carried(&opportunity["statecode"], 0),
                carried(&opportunity["statuscode"], 1),
            )
        })
        .await
}

async fn declined(sheet: &mut Sheet, world: &World) -> anyhow::Result<()> {
    let there = arrives(world, Arrival::QualifiedLead, "Declined there", "Adatum AG")?;
    let here = arrives(
        world,
        Arrival::QualifiedLead,
        "Declined here",
        "Proseware AG",
    )?;
    for deal in [&there, &here] {
        linked(world, deal).await?;
    }
    world
        .control()
        .partner_user_declines(&there, "No capacity")?;
    // No Longer Interested.
    world
        .control()
        .seller_disqualifies(&lead_of(world, &here)?, 6)?;
    sheet
        .expect(
            world,
            &[
                check("state.declined.in", |s| {
                    let lead = s.lead_of(&there);
                    both(
                        carried(&lead["statecode"], 2),
                        carried(&lead["statuscode"], 7),
                    )
                }),
                check("state.declined.out", |s| {
                    let now = s.referral(&here);
                    both(
                        carried(&now["substatus"], "Declined"),
                        carried(&now["statusReason"], "No Longer Interested"),
                    )
                }),
            ],
        )
        .await
}

async fn expired(sheet: &mut Sheet, world: &World) -> anyhow::Result<()> {
    let deal = arrives(
        world,
        Arrival::MarketplaceLead,
        "Forgotten",
        "Fourth Coffee",
    )?;
    linked(world, &deal).await?;
    world.control().advance_ms(FIFTEEN_DAYS_MS);
    sheet
        .expect_one(world, "state.expired.in", |s| {
            carried(&s.referral(&deal)["substatus"], "Expired")?;
            let lead = s.lead_of(&deal);
            both(
                carried(&lead["statecode"], 2),
                carried(&lead["statuscode"], 7),
            )
        })
        .await
}

/// The lead is there, and Partner Center knows its id.
async fn linked(world: &World, deal: &str) -> anyhow::Result<()> {
    world
        .until("the lead of a referral", |control| {
            let known = !control.referral(deal)?["externalReferenceId"].is_null();
            known.then_some(())
        })
        .await?;
    world.quiet().await.map(drop)
}
