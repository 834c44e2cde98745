//! Rows that refer to each other, and what the platform writes into a row by itself.

use serde_json::{Value, json};

use super::harness::World;

const REPRESENTATION: (&str, &str) = ("prefer", "return=representation");
const NOBODY: &str = "0a0a0a0a-0000-4000-8000-00000000dead";

#[tokio::test]
async fn binds_set_clear_and_must_lead_to_a_row() {
    let world = World::start().await;
    let account = world.create("accounts", json!({"name": "A"})).await;
    let contact = world
        .create("contacts", json!({"firstname": "Ada", "lastname": "Byron"}))
        .await;
    let url = format!(
        "{}/api/data/v9.2/accounts({account})",
        world.running.urls.dataverse
    );
    for bind in [
        format!("/accounts({account})"),
        format!("accounts({account})"),
        url,
    ] {
        world
            .create(
                "opportunities",
                json!({"name": "O", "customerid_account@odata.bind": bind}),
            )
            .await;
    }
    let id = world
        .create(
            "opportunities",
            json!({"name": "O", "customerid_account@odata.bind": format!("/accounts({account})")}),
        )
        .await;
    let path = format!("opportunities({id})");
    let switch = json!({"customerid_contact@odata.bind": format!("/contacts({contact})")});
    let after = world
        .crm("PATCH", &path, &[REPRESENTATION], Some(switch))
        .await
        .body;
    assert_eq!(
        after["_customerid_value"],
        contact.as_str(),
        "one target replaces the other"
    );
    let cleared = world
        .crm(
            "PATCH",
            &path,
            &[REPRESENTATION],
            Some(json!({"customerid_contact@odata.bind": null})),
        )
        .await;
    assert!(cleared.body["_customerid_value"].is_null());
    let nowhere = json!({"parentaccountid@odata.bind": format!("/accounts({NOBODY})")});
    let refused = world.crm("PATCH", &path, &[], Some(nowhere)).await;
    assert_eq!((refused.status, refused.code()), (404, "0x80040217"));
    for wrong in [
        json!({"customerid@odata.bind": format!("/accounts({account})")}),
        json!({"Customerid_account@odata.bind": format!("/accounts({account})")}),
        json!({"_customerid_value": account}),
        json!({"parentaccountid@odata.bind": format!("/contacts({contact})")}),
    ] {
        let answer = world.crm("PATCH", &path, &[], Some(wrong.clone())).await;
        assert_eq!(
            (answer.status, answer.code()),
            (400, "0x80048d19"),
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn a_custom_lookup_keeps_the_casing_of_its_schema_name() {
    let world = World::start().await;
    let found = world
        .crm("GET", "new_countries?$filter=new_iso2 eq 'HU'", &[], None)
        .await
        .body;
    let hungary = found["value"][0]["new_countryid"].as_str().unwrap();
    let right =
        json!({"name": "A", "new_CountryId@odata.bind": format!("/new_countries({hungary})")});
    let id = world.create("accounts", right).await;
    let read = world.crm("GET", &format!("accounts({id})?$select=_new_countryid_value&$expand=new_CountryId($select=new_iso2)"), &[], None).await;
    assert_eq!(
        read.body["new_CountryId"]["new_iso2"], "HU",
        "{}",
        read.text
    );
    let wrong =
        json!({"name": "B", "new_countryid@odata.bind": format!("/new_countries({hungary})")});
    assert_eq!(
        world.crm("POST", "accounts", &[], Some(wrong)).await.code(),
        "0x80048d19"
    );
    // The table has an alternate key, which binds and addresses may use.
    let by_key = json!({"name": "C", "new_CountryId@odata.bind": "/new_countries(new_iso2='DE')"});
    world.create("accounts", by_key).await;
    assert_eq!(
        world
            .crm("GET", "new_countries(new_iso2='DE')", &[], None)
            .await
            .body["new_name"],
        "Germany"
    );
}

#[tokio::test]
async fn stamps_and_impersonation() {
    let world = World::start().await;
    let id = world
        .create(
            "accounts",
            json!({"name": "A", "createdon": "2001-01-01T00:00:00Z"}),
        )
        .await;
    let path = format!("accounts({id})");
    let made = world.crm("GET", &path, &[], None).await.body;
    assert_eq!(
        made["_createdby_value"],
        world.running.crm.app_user_id.as_str()
    );
    assert!(
        made["createdon"].as_str().unwrap() > "2020",
        "read-only columns are ignored"
    );
    let caller = [("mscrmcallerid", world.running.crm.seller_id.as_str())];
    assert_eq!(
        world
            .crm("PATCH", &path, &caller, Some(json!({"telephone1": "1"})))
            .await
            .status,
        204
    );
    let after = world.control().row("account", &id).unwrap();
    assert_eq!(
        after["_modifiedby_value"],
        world.running.crm.seller_id.as_str()
    );
    assert_eq!(
        after["_modifiedonbehalfby_value"],
        world.running.crm.app_user_id.as_str()
    );
}

#[tokio::test]
async fn a_deep_insert_makes_all_rows_or_none() {
    let world = World::start().await;
    let body = json!({"name": "Deep", "primarycontactid": {"firstname": "A", "lastname": "B"},
        "opportunity_customer_accounts": [{"name": "O1"}, {"name": "O2"}]});
    let id = world.create("accounts", body).await;
    let read = world.crm("GET", &format!("accounts({id})?$expand=primarycontactid($select=fullname),opportunity_customer_accounts($select=name;$orderby=name desc)"), &[], None).await.body;
    assert_eq!(read["primarycontactid"]["fullname"], "A B");
    assert_eq!(read["opportunity_customer_accounts"][0]["name"], "O2");
    let bad = json!({"name": "Bad", "primarycontactid": {"lastname": "C"}, "opportunity_customer_accounts": [{"nonsense": 1}]});
    assert_eq!(
        world.crm("POST", "accounts", &[], Some(bad)).await.status,
        400
    );
    assert_eq!(
        (
            world.control().counts().accounts,
            world.control().counts().contacts
        ),
        (1, 1)
    );
}

#[tokio::test]
async fn ref_connects_and_disconnects() {
    let world = World::start().await;
    let account = world.create("accounts", json!({"name": "A"})).await;
    let opportunity = world.create("opportunities", json!({"name": "O"})).await;
    let lead = world
        .create("leads", json!({"subject": "L", "lastname": "N"}))
        .await;
    let contact = world.create("contacts", json!({"lastname": "C"})).await;
    let at = |set: &str, id: &str| {
        Some(
            json!({"@odata.id": format!("{}/api/data/v9.2/{set}({id})", world.running.urls.dataverse)}),
        )
    };
    let one = format!("opportunities({opportunity})/parentaccountid/$ref");
    assert_eq!(
        world
            .crm("PUT", &one, &[], at("accounts", &account))
            .await
            .status,
        204
    );
    assert_eq!(
        world.control().row("opportunity", &opportunity).unwrap()["_parentaccountid_value"],
        account.as_str()
    );
    assert_eq!(world.crm("DELETE", &one, &[], None).await.status, 204);
    assert!(
        world.control().row("opportunity", &opportunity).unwrap()["_parentaccountid_value"]
            .is_null()
    );
    let children = format!("accounts({account})/opportunity_parent_account/$ref");
    assert_eq!(
        world
            .crm("POST", &children, &[], at("opportunities", &opportunity))
            .await
            .status,
        204
    );
    assert_eq!(
        world.control().row("opportunity", &opportunity).unwrap()["_parentaccountid_value"],
        account.as_str()
    );
    let many = format!("leads({lead})/contactleads_association");
    assert_eq!(
        world
            .crm(
                "POST",
                &format!("{many}/$ref"),
                &[],
                at("contacts", &contact)
            )
            .await
            .status,
        204
    );
    let listed = async || {
        world
            .crm("GET", &format!("{many}?$select=lastname"), &[], None)
            .await
            .body["value"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(listed().await, 1);
    assert_eq!(
        world
            .crm(
                "DELETE",
                &format!("leads({lead})/contactleads_association({contact})/$ref"),
                &[],
                None
            )
            .await
            .status,
        204
    );
    assert_eq!(listed().await, 0);
}

#[tokio::test]
async fn money_has_the_precision_of_its_currency_and_a_base_amount() {
    let world = World::start().await;
    let usd = world.currency("USD").await;
    let body = json!({"name": "O", "estimatedvalue": 1080.005, "estimatedvalue_base": 1,
        "transactioncurrencyid@odata.bind": format!("/transactioncurrencies({usd})")});
    let made = world
        .crm("POST", "opportunities", &[REPRESENTATION], Some(body))
        .await
        .body;
    assert_eq!(
        made["estimatedvalue"].as_f64(),
        Some(1080.01),
        "half away from zero"
    );
    assert_eq!(
        made["estimatedvalue_base"].as_f64(),
        Some(1000.0093),
        "value / exchange rate, four decimals; read-only"
    );
    assert_eq!(made["exchangerate"].as_f64(), Some(1.08));
    let plain = world
        .crm(
            "POST",
            "opportunities",
            &[REPRESENTATION],
            Some(json!({"name": "P", "estimatedvalue": 7})),
        )
        .await
        .body;
    assert_eq!(
        plain["_transactioncurrencyid_value"],
        world.currency("EUR").await.as_str(),
        "the organisation's currency by default"
    );
    let none = json!({"transactioncurrencyid@odata.bind": Value::Null});
    let path = format!(
        "opportunities({})",
        plain["opportunityid"].as_str().unwrap()
    );
    assert_eq!(
        world.crm("PATCH", &path, &[], Some(none)).await.code(),
        "0x80048cfb"
    );
}

#[tokio::test]
async fn a_calculated_revenue_overwrites_what_is_sent() {
    let world = World::start().await;
    // What a person enters stands for product lines.
    let body = json!({"name": "O", "estimatedvalue": 5, "isrevenuesystemcalculated": true});
    let id = world
        .control()
        .seller_creates("opportunity", &body)
        .unwrap()
        .record;
    let path = format!("opportunities({id})");
    let after = world
        .crm(
            "PATCH",
            &path,
            &[REPRESENTATION],
            Some(json!({"estimatedvalue": 99, "description": "d"})),
        )
        .await
        .body;
    assert_eq!(
        (
            after["estimatedvalue"].as_f64(),
            after["description"].as_str()
        ),
        (Some(5.0), Some("d"))
    );
    // A value that comes with the switch does not stick either, and stays once the switch is off.
    let given = json!({"name": "P", "estimatedvalue": 7, "isrevenuesystemcalculated": true});
    let made = world.create("opportunities", given).await;
    assert_eq!(
        world.row("opportunity", &made)["estimatedvalue"].as_f64(),
        Some(0.0)
    );
    for (body, value) in [
        (
            json!({"isrevenuesystemcalculated": false, "estimatedvalue": 11}),
            11.0,
        ),
        (json!({"isrevenuesystemcalculated": true}), 5.0),
    ] {
        let told = world
            .crm("PATCH", &path, &[REPRESENTATION], Some(body))
            .await
            .body;
        assert_eq!(told["estimatedvalue"].as_f64(), Some(value));
    }
    let lines = json!({"estimatedvalue": 80});
    world
        .control()
        .seller_updates("opportunity", &id, &lines)
        .unwrap();
    assert_eq!(
        world.row("opportunity", &id)["estimatedvalue"].as_f64(),
        Some(80.0)
    );
}
