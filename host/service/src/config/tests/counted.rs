//! Connections that the other side counts as one: what it has had enough of rests in all of them.

use std::time::Duration;

use cosell_remote::{Class, RemoteError, Service};

use super::*;
use crate::app;
use crate::desk::Desk;
use crate::throttle::rest;

const OTHER_CRM: &str = "https://fabrikam.crm4.dynamics.com";
const SLOW_DOWN: Class = Class::Transient {
    retry_after: Some(Duration::from_secs(90)),
    throttled: true,
};

/// Two connections of one tenant and one application, with these CRM environments.
fn desk_of(second_crm: Option<&str>) -> (Place, Desk) {
    let mut text = two_connections("fabrikam");
    if let Some(other) = second_crm {
        let at = text.rfind("url = \"").unwrap() + "url = \"".len();
        let end = at + text[at..].find('"').unwrap();
        text.replace_range(at..end, other);
    }
    let place = Place::new(&text);
    let desk = app::desk(&place.load().unwrap()).unwrap();
    (place, desk)
}

fn failed(service: Service, class: Class) -> RemoteError {
    RemoteError {
        class,
        ..RemoteError::changed_meanwhile(service, "read a deal")
    }
}

async fn resting(desk: &Desk, connection: &str) -> Vec<String> {
    let closed = desk.store.throttles(connection).await.unwrap();
    closed
        .into_iter()
        .map(|throttle| throttle.credential)
        .collect()
}

#[tokio::test]
async fn what_is_counted_as_one_rests_as_one() {
    for (second_crm, credentials) in [
        (None, &["dataverse", "partner-center"][..]),
        (Some(OTHER_CRM), &["partner-center"][..]),
    ] {
        let (_place, desk) = desk_of(second_crm);
        for service in [Service::Dataverse, Service::PartnerCenter] {
            rest(&desk, "contoso", &failed(service, SLOW_DOWN))
                .await
                .unwrap();
        }
        assert_eq!(
            resting(&desk, "contoso").await,
            ["dataverse", "partner-center"]
        );
        assert_eq!(resting(&desk, "fabrikam").await, credentials);
    }
}

#[tokio::test]
async fn a_credential_that_is_not_accepted_is_the_connections_own() {
    let (_place, desk) = desk_of(None);
    let refused = failed(Service::PartnerCenter, Class::Unauthorised);
    rest(&desk, "contoso", &refused).await.unwrap();
    assert_eq!(resting(&desk, "contoso").await, ["partner-center"]);
    assert!(resting(&desk, "fabrikam").await.is_empty());
}
