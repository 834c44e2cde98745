//! The two pages for people, as far as no browser is needed.

use cosell_simulator::SeedOrder;
use serde_json::json;

use super::harness::{Answer, World, deal, read};

async fn get(world: &World, path: &str) -> Answer {
    let url = format!("{}{path}", world.running.urls.control);
    read(world.client.get(url).send().await.unwrap()).await
}

async fn post(world: &World, path: &str, form: &[(&str, &str)]) -> Answer {
    let url = format!("{}{path}", world.running.urls.control);
    read(world.client.post(url).form(form).send().await.unwrap()).await
}

/// What the form of a page sends when nobody types anything.
fn fields(page: &Answer) -> Vec<(String, String)> {
    let form = page.text.split("<h2>Change</h2>").nth(1).unwrap();
    let form = form.split("</form>").next().unwrap();
    let unescape = |text: &str| {
        let plain = text
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"");
        plain.replace("&#39;", "'").replace("&amp;", "&")
    };
    let mut fields = Vec::new();
    for tag in form.split('<').skip(1) {
        let attribute = |name: &str| {
            let rest = tag.split(&format!(" {name}=\"")).nth(1)?;
            Some(unescape(rest.split('"').next()?))
        };
        let Some(name) = attribute("name") else {
            continue;
        };
        let value = match tag.split([' ', '>']).next() {
            Some("textarea") => unescape(tag.split(">\n").nth(1).unwrap()),
            Some("select") => {
                let options = form.split(&format!("name=\"{name}\">")).nth(1).unwrap();
                let chosen = options.split("</select>").next().unwrap();
                let chosen = chosen
                    .split("<option ")
                    .find(|option| option.contains("selected"));
                chosen.map_or_else(String::new, |option| {
                    option.split('"').nth(1).unwrap().to_owned()
                })
            }
            _ if tag.contains("checkbox") && !tag.contains("checked") => continue,
            _ => attribute("value").unwrap(),
        };
        fields.push((name, value));
    }
    fields
}

async fn save(world: &World, path: &str, change: &[(&str, &str)]) -> Answer {
    let mut form = fields(&get(world, path).await);
    for (name, value) in change {
        form.retain(|(held, _)| held != name);
        form.push(((*name).to_owned(), (*value).to_owned()));
    }
    let form: Vec<(&str, &str)> = form
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    post(world, path, &form).await
}

#[tokio::test]
async fn a_deal_is_listed_opened_edited_and_played_to_its_end() {
    let world = World::start().await;
    let made = world.control().partner_user_creates(&deal()).unwrap();
    let path = format!("/partner-center/{}", made.record);
    let list = get(&world, "/partner-center").await;
    assert!(list.text.contains(&path) && list.text.contains("Northwind pilot"));
    // What nobody touched is sent as it is, and changes nothing.
    let before = world.referral(&made.record)["eTag"].clone();
    let same = save(&world, &path, &[]).await;
    assert!(same.text.contains("Nothing was changed."), "{}", same.text);
    assert_eq!(world.referral(&made.record)["eTag"], before);
    let saved = save(
        &world,
        &path,
        &[
            ("details-dealValue", "6000.5"),
            ("details-notes", "two\r\nlines"),
        ],
    )
    .await;
    assert!(saved.text.contains("Saved."), "{}", saved.text);
    let referral = world.referral(&made.record);
    assert_eq!(
        (
            &referral["details"]["dealValue"],
            &referral["details"]["notes"]
        ),
        (&json!(6000.5), &json!("two\nlines"))
    );
    let invite = [
        ("inviteContext-assistanceRequestCode", "GeneralOrOther"),
        ("inviteContext-notes", "please"),
    ];
    let invited = post(&world, &format!("{path}/invite"), &invite).await;
    assert!(
        invited.text.contains("Microsoft accepts"),
        "{}",
        invited.text
    );
    post(
        &world,
        &format!("{path}/microsoft-accept"),
        &[("msx", "7-XYZ")],
    )
    .await;
    let theirs = world.control().microsoft_referral(&made.record).unwrap();
    assert_eq!(
        (
            &theirs["substatus"],
            &theirs["trackingInfo"]["microsoftMsxId"]
        ),
        (&json!("Accepted"), &json!("7-XYZ"))
    );
    post(&world, &format!("{path}/win"), &[]).await;
    assert_eq!(world.referral(&made.record)["substatus"], "Won");
    let frozen = save(&world, &path, &[("details-notes", "too late")]).await;
    assert!(
        frozen.status == 422
            && frozen.text.contains("role=\"alert\"")
            && frozen.text.contains("A closed referral cannot be changed."),
        "{}",
        frozen.text
    );
}

#[tokio::test]
async fn a_wrong_edit_shows_the_apis_own_error_and_what_was_typed() {
    let world = World::start().await;
    let made = world.control().partner_user_creates(&deal()).unwrap();
    let path = format!("/partner-center/{}", made.record);
    let refused = save(&world, &path, &[("details-dealValue", "twelve <k>")]).await;
    let same = world
        .pc(
            "PATCH",
            &format!("/{}", made.record),
            &[],
            Some(json!([{"op": "replace", "path": "/details/dealValue", "value": "twelve <k>"}])),
        )
        .await;
    let message = same.body["error"]["message"].as_str().unwrap();
    let message = message
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    assert_eq!(refused.status, 422);
    assert!(
        refused.text.contains(&message) && refused.text.contains("value=\"twelve &lt;k&gt;\""),
        "{message}\n{}",
        refused.text
    );
    let account = world.create("accounts", json!({"name": "A"})).await;
    let row = world.create("opportunities", json!({"name": "Pilot", "customerid_account@odata.bind": format!("/accounts({account})")})).await;
    let path = format!("/dynamics/opportunity/{row}");
    let long = "x".repeat(301);
    let refused = save(&world, &path, &[("name", &long)]).await;
    let same = world
        .crm(
            "PATCH",
            &format!("opportunities({row})"),
            &[],
            Some(json!({ "name": long })),
        )
        .await;
    assert!(
        refused.status == 422 && refused.text.contains(same.code()),
        "{}",
        refused.text
    );
    let unknown = save(
        &world,
        &path,
        &[("column", "no_such_column"), ("value", "1")],
    )
    .await;
    assert!(
        unknown.status == 422 && unknown.text.contains("no_such_column"),
        "{}",
        unknown.text
    );
}

#[tokio::test]
async fn an_edit_of_what_was_changed_meanwhile_is_not_saved() {
    let world = World::start().await;
    let made = world.control().partner_user_creates(&deal()).unwrap();
    let path = format!("/partner-center/{}", made.record);
    let mut form = fields(&get(&world, &path).await);
    save(&world, &path, &[("details-notes", "first")]).await;
    form.iter_mut()
        .find(|(name, _)| name == "details-notes")
        .unwrap()
        .1 = "second".to_owned();
    let form: Vec<(&str, &str)> = form
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let late = post(&world, &path, &form).await;
    assert!(
        late.status == 409 && late.text.contains("second</textarea>"),
        "{}",
        late.text
    );
    assert_eq!(world.referral(&made.record)["details"]["notes"], "first");
}

#[tokio::test]
async fn everything_that_comes_from_outside_is_escaped() {
    let world = World::start().await;
    let script = "\"'><script>alert(1)</script>";
    let mut body = deal();
    body["name"] = json!(script);
    body["customerProfile"]["name"] = json!(script);
    body["details"]["notes"] = json!(format!("</textarea>{script}"));
    body["team"][0]["firstName"] = json!(script);
    let made = world.control().partner_user_creates(&body).unwrap();
    let account = world.create("accounts", json!({ "name": script })).await;
    let row = world.create("opportunities", json!({"name": script, "description": script, "msft_microsoftpartnercenterreferralsyncaudit": script,
        "customerid_account@odata.bind": format!("/accounts({account})")})).await;
    let query = "?find=%22%27%3E%3Cscript%3Ealert(1)%3C/script%3E&done=%22%27%3E%3Cscript%3Ealert(1)%3C/script%3E";
    for path in [
        "/partner-center".to_owned(),
        "/dynamics".to_owned(),
        format!("/partner-center/{}", made.record),
        format!("/dynamics/opportunity/{row}"),
        "/partner-center/<script>alert(1)</script>".to_owned(),
    ] {
        let page = get(&world, &format!("{path}{query}")).await;
        assert!(!page.text.contains("<script"), "{path}: {}", page.text);
        assert!(
            page.header("content-security-policy")
                .starts_with("default-src 'none'")
        );
    }
    let refused = post(
        &world,
        "/partner-center/new",
        &[("name", script), ("details-notes", "</textarea><script>")],
    )
    .await;
    assert!(
        refused.status == 422 && !refused.text.contains("<script"),
        "{}",
        refused.text
    );
}

#[tokio::test]
async fn deals_are_created_on_both_pages_and_a_referral_arrives() {
    let world = World::start().await;
    let form = [
        ("name", "From the page"),
        ("type", "Independent"),
        ("customerProfile-name", "Fabrikam"),
        ("customerProfile-address-country", "DE"),
        ("details-dealValue", "100"),
        ("details-currency", "EUR"),
        ("details-closingDateTime", "2027-05-01"),
        ("details-requirements-solutions-0-id", "SOL-1-A"),
    ];
    let made = post(&world, "/partner-center/new", &form).await;
    assert!(
        made.text.contains("<h1>From the page</h1>") && made.text.contains("Active/Accepted"),
        "{}",
        made.text
    );
    let arrived = post(
        &world,
        "/partner-center/arrive",
        &[&form[..], &[("kind", "lead")]].concat(),
    )
    .await;
    assert!(
        arrived.text.contains("New/Pending") && arrived.text.contains("Answer due"),
        "{}",
        arrived.text
    );
    let bare = post(
        &world,
        "/partner-center/new",
        &[("name", "No country"), ("type", "Independent")],
    )
    .await;
    assert!(
        bare.status == 422
            && bare.text.contains("two-letter country code")
            && bare.text.contains("value=\"No country\""),
        "{}",
        bare.text
    );
    let row = post(
        &world,
        "/dynamics/opportunity/new",
        &[
            ("name", "Pilot"),
            ("estimatedvalue", "500"),
            ("customer", "Tailspin"),
            ("country", "US"),
        ],
    )
    .await;
    assert!(
        row.text.contains("<h1>Pilot</h1>") && row.text.contains("Tailspin"),
        "{}",
        row.text
    );
    let lead = post(
        &world,
        "/dynamics/lead/new",
        &[
            ("subject", "A lead"),
            ("lastname", "B"),
            ("companyname", "C"),
        ],
    )
    .await;
    assert!(lead.text.contains("Qualify"), "{}", lead.text);
    assert_eq!(world.control().rows("lead").len(), 1);
}

#[tokio::test]
async fn pages_that_are_not_there_say_so_and_another_sites_page_is_refused() {
    let world = World::start().await;
    for path in [
        "/partner-center/nobody",
        "/dynamics/account/1",
        "/dynamics/opportunity/x",
        "/partner-center/a/b/c",
    ] {
        assert_eq!(get(&world, path).await.status, 404, "{path}");
        assert_eq!(post(&world, path, &[]).await.status, 404, "{path}");
    }
    let url = format!("{}/partner-center/new", world.running.urls.control);
    let forged = world
        .client
        .post(url)
        .header("sec-fetch-site", "cross-site")
        .form(&[("name", "x")]);
    assert_eq!(forged.send().await.unwrap().status(), 403);
    assert!(world.control().referrals().is_empty());
    let front = world
        .client
        .get(&world.running.urls.control)
        .header("accept", "text/html")
        .send()
        .await
        .unwrap();
    assert!(front.url().path() == "/partner-center");
}

#[tokio::test]
async fn data_of_any_size_is_seeded_and_listed_page_by_page() {
    let world = World::start().await;
    let order = json!({"opportunities": 40, "leads": 30, "referrals": 60, "inbound": 20});
    let url = format!("{}/seed", world.running.urls.control);
    let made = world.send("POST", &url, "", &[], Some(order)).await;
    assert_eq!(
        made.body,
        json!({"referrals": 80, "opportunities": 40, "leads": 30, "accounts": 14, "contacts": 14})
    );
    let first = get(&world, "/partner-center").await;
    assert!(first.text.contains("1 to 50 of 80 deals") && first.text.contains(">Later</a>"));
    assert!(
        get(&world, "/partner-center?from=50")
            .await
            .text
            .contains("51 to 80 of 80 deals")
    );
    assert!(
        get(&world, "/dynamics?from=x")
            .await
            .text
            .contains("1 to 50 of 70")
    );
    let again = World::start().await;
    let order = SeedOrder {
        opportunities: 40,
        leads: 30,
        referrals: 60,
        inbound: 20,
    };
    again.control().seed(&order).unwrap();
    let names = |world: &World| {
        world
            .control()
            .deals("")
            .into_iter()
            .map(|deal| (deal.name, deal.value))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&world), names(&again), "the same seed and order");
    again.control().seed(&order).unwrap();
    assert_eq!(again.control().counts().opportunities, 80);
    for bad in [
        json!({"opportunities": -1}),
        json!({"opportunities": 2_000_000}),
        json!({"deals": 1}),
        json!("x"),
    ] {
        assert_eq!(
            world
                .send("POST", &url, "", &[], Some(bad.clone()))
                .await
                .status,
            400,
            "{bad}"
        );
    }
}

#[tokio::test]
async fn a_deal_joins_the_referral_the_row_and_microsofts_part() {
    let world = World::start().await;
    let account = world.create("accounts", json!({"name": "A"})).await;
    let row = world.create("opportunities", json!({"name": "Pilot", "customerid_account@odata.bind": format!("/accounts({account})")})).await;
    let mut body = deal();
    body["externalReferenceId"] = json!(row);
    let made = world.control().partner_user_creates(&body).unwrap();
    world
        .create(
            "leads",
            json!({"subject": "Alone", "lastname": "L", "companyname": "Alone Ltd"}),
        )
        .await;
    let deals = world.control().deals("");
    assert_eq!(deals.len(), 2);
    assert_eq!(
        (deals[0].referral.as_deref(), deals[0].row.as_deref()),
        (Some(made.record.as_str()), Some(row.as_str()))
    );
    assert_eq!(
        (deals[1].referral.as_deref(), deals[1].customer.as_str()),
        (None, "Alone Ltd")
    );
    let url = format!("{}/deals?find=alone", world.running.urls.control);
    assert_eq!(
        world
            .send("GET", &url, "", &[], None)
            .await
            .body
            .as_array()
            .unwrap()
            .len(),
        1
    );
}
