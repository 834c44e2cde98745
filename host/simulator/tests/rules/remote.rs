//! A simulator that is told what to do from another process.

use cosell_simulator::{Order, RemoteControl, RemoteError, SimulatorConfig};
use serde_json::json;

use super::harness::World;

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

#[tokio::test]
async fn every_word_of_a_deal_can_be_said_from_outside() {
    let world = World::with(SimulatorConfig::demo()).await;
    let ca = world.running.ca_pem.clone().unwrap();
    let remote = RemoteControl::new(&world.running.urls.control, &ca).unwrap();
    let act = async |text: &str| {
        let done = remote
            .order(&Order::act(&words(text), None).unwrap())
            .await
            .unwrap();
        done["record"].as_str().unwrap_or_default().to_owned()
    };
    let body = "customerProfile/name=Fabrikam customerProfile/address/country=DE consent={} details/dealValue=10";
    let deal = act(&format!(
        "partner create name=Pilot type=Independent {body}"
    ))
    .await;
    act(&format!("partner set {deal} details/notes=hello")).await;
    act(&format!("partner win {deal}")).await;
    let arrived = act(&format!(
        "microsoft send qualified-lead name=Lead type=Independent {body}"
    ))
    .await;
    act(&format!("partner decline {arrived} reason=busy")).await;
    let lead = act("seller create lead subject=Call lastname=B companyname=C").await;
    act(&format!("seller set lead {lead} subject=Called")).await;
    act(&format!("seller disqualify {lead}")).await;
    act("user role cosell@contoso.example role=referrals-user").await;
    assert_eq!(
        (
            world.referral(&deal)["substatus"].clone(),
            world.referral(&deal)["details"]["notes"].clone()
        ),
        (json!("Won"), json!("hello"))
    );
    assert_eq!(world.referral(&arrived)["statusReason"], "busy");
    assert_eq!(world.row("lead", &lead)["statecode"], 2);
    let found = remote.order(&Order::deals("pilot")).await.unwrap();
    assert_eq!(found[0]["referral"], json!(deal));
    let moved = remote
        .order(&Order::post(
            "/clock",
            json!({"now": "2030-01-01T00:00:00Z"}),
        ))
        .await
        .unwrap();
    assert!(
        moved["now"]
            .as_str()
            .unwrap()
            .starts_with("2030-01-01T00:00:0")
    );
    let file = remote.save().await.unwrap();
    act(&format!("seller delete lead {lead}")).await;
    remote.load(file).await.unwrap();
    assert_eq!(world.row("lead", &lead)["subject"], "Called");
}

#[tokio::test]
async fn what_a_side_refuses_is_refused_in_its_own_words_and_silence_is_told() {
    let world = World::with(SimulatorConfig::demo()).await;
    let ca = world.running.ca_pem.clone().unwrap();
    let remote = RemoteControl::new(&world.running.urls.control, &ca).unwrap();
    let order = Order::act(&words("partner win nobody"), None).unwrap();
    let refused = remote.order(&order).await.unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("There is no referral 'nobody'."),
        "{refused}"
    );
    assert!(matches!(
        RemoteControl::new(
            "https://127.0.0.1:1",
            "-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----"
        ),
        Err(RemoteError::Authority { .. })
    ));
    let nobody = RemoteControl::new("https://127.0.0.1:1", &ca).unwrap();
    let error = nobody.order(&Order::get("/clock")).await.unwrap_err();
    assert!(
        error.to_string().contains("`cosell simulator` starts one"),
        "{error}"
    );
}
