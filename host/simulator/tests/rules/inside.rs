//! Worlds without listeners.

use bytes::Bytes;
use cosell_simulator::{Carried, Fault, FaultKind, Inside, Service, SimulatorConfig};
use serde_json::{Value, json};

const NOW: &str = "2026-06-01T08:00:00Z";

fn world() -> Inside {
    Inside::new(SimulatorConfig::default(), NOW.parse().unwrap()).unwrap()
}

fn ask(world: &Inside, method: &str, address: &str, bearer: &str, body: &str) -> Carried {
    let request = http::Request::builder()
        .method(method)
        .uri(address)
        .header("authorization", format!("Bearer {bearer}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::copy_from_slice(body.as_bytes()))
        .unwrap();
    world.handle(request)
}

fn json_of(carried: Carried) -> (u16, Value) {
    let Carried::Answered(response) = carried else {
        panic!("{carried:?}");
    };
    let status = response.status().as_u16();
    (
        status,
        serde_json::from_slice(response.body()).unwrap_or_default(),
    )
}

fn token(world: &Inside) -> String {
    let crm = world.crm();
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&scope={}/.default",
        crm.client_id, crm.client_secret, world.urls.dataverse
    );
    let address = format!("{}/{}/oauth2/v2.0/token", world.urls.entra, crm.tenant_id);
    let (status, body) = json_of(ask(world, "POST", &address, "", &form));
    assert_eq!(status, 200, "{body}");
    body["access_token"].as_str().unwrap().to_owned()
}

fn who(world: &Inside, bearer: &str) -> Carried {
    let address = format!("{}/api/data/v9.2/WhoAmI", world.urls.dataverse);
    ask(world, "GET", &address, bearer, "")
}

#[test]
fn a_world_without_listeners_has_the_same_services() {
    let world = world();
    let (status, body) = json_of(who(&world, &token(&world)));
    assert_eq!(status, 200);
    assert_eq!(body["OrganizationId"], world.crm().organization_id.as_str());
    assert_eq!(json_of(who(&world, "stranger")).0, 401);
    let nowhere = ask(&world, "GET", "https://elsewhere.example/", "", "");
    assert!(matches!(nowhere, Carried::Lost));
}

#[test]
fn a_request_may_be_lost_before_or_after_it_is_handled() {
    let world = world();
    let bearer = token(&world);
    for (kind, handled) in [(FaultKind::DropBefore, false), (FaultKind::DropAfter, true)] {
        world.control().fault(Fault {
            service: Service::Dataverse,
            method: None,
            path_prefix: String::new(),
            skip: 0,
            count: Some(1),
            kind,
        });
        let carried = who(&world, &bearer);
        assert_eq!(
            matches!(carried, Carried::Unanswered),
            handled,
            "{carried:?}"
        );
        assert!(!matches!(carried, Carried::Answered(_)));
    }
    assert_eq!(json_of(who(&world, &bearer)).0, 200);
}

#[test]
fn a_clock_that_stands_stamps_no_two_things_alike_and_moves_only_by_hand() {
    let world = world();
    let control = world.control();
    let (first, second) = (control.now(), control.now());
    assert!(first < second && second.duration_since(first).as_millis() < 1);
    let later = control.advance_ms(60_000);
    assert_eq!(later.duration_since(first).as_secs(), 60);
    assert_eq!(first.to_string()[..19], NOW[..19]);
}

#[test]
fn a_copy_goes_on_by_itself() {
    let world = world();
    let bearer = token(&world);
    let account = json!({ "name": "Contoso" });
    world.control().seller_creates("account", &account).unwrap();
    let (one, two) = (world.copied(1), world.copied(2));
    assert_eq!(json_of(who(&one, &bearer)).0, 200, "tokens go along");
    assert_eq!(one.control().acts().len(), 0, "what was done does not");
    let [made, other] = [&one, &two].map(|copy| {
        let made = copy.control().seller_creates("account", &account).unwrap();
        assert_eq!(copy.control().rows("account").len(), 2);
        made.record
    });
    assert_ne!(made, other, "another seed, other ids");
    assert_eq!(world.control().rows("account").len(), 1);
    let again = world.copied(1);
    let same = again.control().seller_creates("account", &account).unwrap();
    assert_eq!(same.record, made, "the same seed, the same ids");
}

#[test]
fn webhooks_wait_in_the_outbox_in_the_order_in_which_they_were_sent() {
    let world = world();
    let control = world.control();
    let endpoint = json!({
        "name": "here", "url": "https://host.example/hook", "contract": 8, "authtype": 4, "authvalue": "secret",
    });
    let endpoint = control
        .seller_creates("serviceendpoint", &endpoint)
        .unwrap();
    let message = control
        .rows("sdkmessage")
        .into_iter()
        .find(|row| row["name"] == "Create")
        .unwrap();
    let step = json!({
        "name": "creates", "mode": 1, "rank": 1, "stage": 40, "asyncautodelete": true, "supporteddeployment": 0,
        "sdkmessageid@odata.bind": format!("/sdkmessages({})", message["sdkmessageid"].as_str().unwrap()),
        "eventhandler_serviceendpoint@odata.bind": format!("/serviceendpoints({})", endpoint.record),
    });
    control
        .seller_creates("sdkmessageprocessingstep", &step)
        .unwrap();
    let _set_up = world.outbox();
    for name in ["first", "second"] {
        control
            .seller_creates("account", &json!({ "name": name }))
            .unwrap();
    }
    let waiting = world.outbox();
    let told: Vec<&str> = waiting.iter().map(|one| one.event.as_str()).collect();
    assert_eq!(told, ["Create account", "Create account"]);
    assert!(waiting[0].number < waiting[1].number);
    assert_eq!(waiting[0].service, Service::Dataverse);
    assert!(world.outbox().is_empty(), "it was emptied");
}
