//! What the new referral says.

use cosell_tests::World;
use serde_json::json;

use crate::people::{IDENTIFIER, LINK, names, solutions};
use crate::sheet::{Sheet, both, carried, check, holds, only_if};

pub(super) async fn play(sheet: &mut Sheet, world: &World, row: &str) -> anyhow::Result<()> {
    sheet
        .expect(
            world,
            &[
                check("name.out.create", |s| {
                    carried(&s.referral_of(row)["name"], "Data platform")
                }),
                check("value.out.create", |s| {
                    carried(&s.referral_of(row)["details"]["dealValue"], 125_000)
                }),
                check("currency.out.create", |s| {
                    carried(&s.referral_of(row)["details"]["currency"], "EUR")
                }),
                check("close-date.out.create", |s| {
                    holds(&s.referral_of(row)["details"]["closingDateTime"], "2026-12-15T00:00:00")
                }),
                check("notes.out.create", |s| {
                    carried(&s.referral_of(row)["details"]["notes"], "first notes")
                }),
                check("status.out.create", |s| {
                    carried(&s.referral_of(row)["status"], "Active")
                }),
                check("substatus.out.create", |s| {
                    carried(&s.referral_of(row)["substatus"], "Accepted")
                }),
                check("visibility.out.create", |s| {
                    carried(
                        &s.referral_of(row)["consent"]["consentToShareReferralWithMicrosoftSellers"],
                        false,
                    )
                }),
                check("customer.out.create", |s| {
                    let profile = s.referral_of(row)["customerProfile"].clone();
                    both(
                        carried(&profile["name"], "Contoso Kft."),
                        carried(&profile["address"]["addressLine1"], "Main Street 1"),
                    )
                }),
                check("country.out.create", |s| {
                    carried(&s.referral_of(row)["customerProfile"]["address"]["country"], "HU")
                }),
                check("contacts.out.create", |s| {
                    carried(
                        &names(&s.referral_of(row)["customerProfile"]["team"]),
                        json!(["Anna Kovács"]),
                    )
                }),
                check("team.out.create", |s| {
                    carried(
                        &names(&s.referral_of(row)["team"]),
                        json!(["Sam Seller", "Rita Reseller"]),
                    )
                }),
                check("solutions.out.create", |s| {
                    carried(&solutions(&s.referral_of(row)), json!(["SOL-12345-ABC"]))
                }),
                check("external-reference.out.create", |s| {
                    carried(&s.referral_of(row)["externalReferenceId"], row)
                }),
                check("identifier.out.create", |s| {
                    let id = s.referral_of(row)["id"].clone();
                    let shown = s.opportunity(row);
                    let link = shown[LINK].as_str().unwrap_or_default().to_owned();
                    let ends = id.as_str().is_some_and(|id| link.ends_with(id));
                    both(
                        carried(&shown[IDENTIFIER], id),
                        only_if(ends, "carried: and its link", || format!("the link is {link}")),
                    )
                }),
                check("campaign.out.create", |s| {
                    carried(&s.referral_of(row)["campaignId"], "CMP-1")
                }),
                check("sales-stage.out.create", |s| {
                    carried(&s.referral_of(row)["salesStage"], "Develop")
                }),
                check("newer.out.create", |s| {
                    let requirements = &s.referral_of(row)["details"]["requirements"];
                    let list = requirements["additionalRequirements"]["attributes"].clone();
                    let said = |kind: &str| {
                        let all = list.as_array().into_iter().flatten();
                        let mut of_kind = all.filter(|one| one["type"] == kind);
                        of_kind.next().map(|one| one["id"].clone()).unwrap_or_default()
                    };
                    both(
                        both(
                            carried(&said("PartnerRole"), "Services"),
                            carried(&said("SolutionArea"), "Data & AI"),
                        ),
                        both(
                            carried(&said("SolutionPlay"), "Migrate"),
                            carried(&said("CustomerMarketplaceIntent"), "HaveNotDecided"),
                        ),
                    )
                }),
            ],
        )
        .await
}
