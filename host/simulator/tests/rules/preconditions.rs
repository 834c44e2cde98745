//! The matrix of preconditions: what each conditional request answers when the row exists, and when it does not. One test for each row.

use serde_json::{Value, json};

use super::harness::{Answer, REPRESENTATION, World};

/// The id of no row.
const MISSING: &str = "dead0000-0000-4000-8000-00000000dead";
const STALE: &str = "W/\"1\"";

/// A row to meet, its current etag, and the address of none.
struct Scene {
    world: World,
    here: String,
    etag: String,
    gone: String,
}

impl Scene {
    async fn set() -> Self {
        let world = World::start().await;
        let id = world.create("accounts", json!({"name": "A"})).await;
        let here = format!("accounts({id})");
        let read = world.crm("GET", &here, &[], None).await;
        Self {
            here,
            etag: read.header("etag").to_owned(),
            gone: format!("accounts({MISSING})"),
            world,
        }
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let body = match method {
            "PATCH" => Some(json!({"telephone1": "1"})),
            "PUT" => Some(json!({"value": "1"})),
            _ => None,
        };
        self.world.crm(method, path, headers, body).await
    }

    async fn expect(
        &self,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        expected: (u16, &str),
    ) -> Answer {
        let answer = self.send(method, path, headers).await;
        assert_eq!(
            (answer.status, answer.code()),
            expected,
            "{method} {path} {headers:?}: {}",
            answer.text
        );
        answer
    }

    fn rows(&self) -> usize {
        self.world.control().rows("account").len()
    }

    fn telephone(&self) -> Value {
        self.world.control().rows("account")[0]["telephone1"].clone()
    }
}

#[tokio::test]
async fn patch_without_condition_updates_or_creates_with_that_guid() {
    let scene = Scene::set().await;
    scene.expect(("PATCH", &scene.here), &[], (204, "")).await;
    assert_eq!((scene.rows(), scene.telephone()), (1, json!("1")));
    // "Do not serve it from a cache" is no condition.
    let uncached = [("if-none-match", "null")];
    scene
        .expect(("PATCH", &scene.here), &uncached, (204, ""))
        .await;
    let made = scene.expect(("PATCH", &scene.gone), &[], (204, "")).await;
    assert_eq!((made.entity_id().as_str(), scene.rows()), (MISSING, 2));
}

#[tokio::test]
async fn patch_if_match_star_updates_and_never_creates() {
    let scene = Scene::set().await;
    let any = [("if-match", "*")];
    scene.expect(("PATCH", &scene.here), &any, (204, "")).await;
    let refused = scene
        .expect(("PATCH", &scene.gone), &any, (404, "0x80040217"))
        .await;
    let message = refused.body["error"]["message"].as_str().unwrap();
    assert_eq!(
        message,
        format!("account With Id = {MISSING} Does Not Exist")
    );
    assert_eq!(scene.rows(), 1);
}

#[tokio::test]
async fn patch_if_match_equal_etag_updates_once() {
    let scene = Scene::set().await;
    let current = [("if-match", scene.etag.as_str())];
    scene
        .expect(("PATCH", &scene.here), &current, (204, ""))
        .await;
    scene
        .expect(("PATCH", &scene.here), &current, (412, "0x80060882"))
        .await;
    scene
        .expect(("PATCH", &scene.gone), &current, (404, "0x80040217"))
        .await;
    assert_eq!(scene.rows(), 1);
}

#[tokio::test]
async fn patch_if_match_different_etag_is_412_or_404() {
    let scene = Scene::set().await;
    let stale = [("if-match", STALE)];
    let refused = scene
        .expect(("PATCH", &scene.here), &stale, (412, "0x80060882"))
        .await;
    assert_eq!(
        refused.body["error"]["message"],
        "The version of the existing record doesn't match the RowVersion property provided."
    );
    assert_eq!(scene.telephone(), Value::Null);
    scene
        .expect(("PATCH", &scene.gone), &stale, (404, "0x80040217"))
        .await;
}

#[tokio::test]
async fn patch_if_none_match_star_never_updates_and_creates() {
    let scene = Scene::set().await;
    let new = [("if-none-match", "*")];
    let refused = scene
        .expect(("PATCH", &scene.here), &new, (412, "0x80040237"))
        .await;
    assert_eq!(
        refused.body["error"]["message"],
        "A record with matching key values already exists."
    );
    assert_eq!(scene.telephone(), Value::Null);
    scene.expect(("PATCH", &scene.gone), &new, (204, "")).await;
    assert_eq!(scene.rows(), 2);
}

#[tokio::test]
async fn patch_with_representation_is_200_and_etag_or_201() {
    let scene = Scene::set().await;
    let shown = scene
        .expect(("PATCH", &scene.here), &[REPRESENTATION], (200, ""))
        .await;
    assert_eq!(shown.body["telephone1"], "1");
    assert_eq!(shown.header("etag"), shown.body["@odata.etag"]);
    assert_ne!(shown.header("etag"), scene.etag);
    let made = scene
        .expect(("PATCH", &scene.gone), &[REPRESENTATION], (201, ""))
        .await;
    assert_eq!(made.body["accountid"], MISSING);
}

#[tokio::test]
async fn delete_is_204_or_404() {
    let scene = Scene::set().await;
    scene.expect(("DELETE", &scene.here), &[], (204, "")).await;
    assert_eq!(scene.rows(), 0);
    scene
        .expect(("DELETE", &scene.here), &[], (404, "0x80040217"))
        .await;
}

#[tokio::test]
async fn delete_if_match_different_etag_is_412_or_404() {
    let scene = Scene::set().await;
    let stale = [("if-match", STALE)];
    scene
        .expect(("DELETE", &scene.here), &stale, (412, "0x80060882"))
        .await;
    assert_eq!(scene.rows(), 1);
    scene
        .expect(("DELETE", &scene.gone), &stale, (404, "0x80040217"))
        .await;
    let current = [("if-match", scene.etag.as_str())];
    scene
        .expect(("DELETE", &scene.here), &current, (204, ""))
        .await;
}

#[tokio::test]
async fn put_of_a_property_is_204_or_404() {
    let scene = Scene::set().await;
    let property = |row: &str| format!("{row}/telephone1");
    scene
        .expect(("PUT", &property(&scene.here)), &[], (204, ""))
        .await;
    assert_eq!(scene.telephone(), "1");
    scene
        .expect(("PUT", &property(&scene.gone)), &[], (404, "0x80040217"))
        .await;
}

#[tokio::test]
async fn delete_of_a_property_is_204_or_404_and_not_for_lookups() {
    let scene = Scene::set().await;
    let put = format!("{}/telephone1", scene.here);
    scene.expect(("PUT", &put), &[], (204, "")).await;
    scene.expect(("DELETE", &put), &[], (204, "")).await;
    assert_eq!(scene.telephone(), Value::Null);
    let gone = format!("{}/telephone1", scene.gone);
    scene
        .expect(("DELETE", &gone), &[], (404, "0x80040217"))
        .await;
    let lookup = format!("{}/_primarycontactid_value", scene.here);
    assert_eq!(scene.send("DELETE", &lookup, &[]).await.status, 405);
}

#[tokio::test]
async fn patch_or_delete_of_a_collection_is_405() {
    let scene = Scene::set().await;
    for method in ["PATCH", "DELETE"] {
        assert_eq!(scene.send(method, "accounts", &[]).await.status, 405);
    }
    assert_eq!(scene.rows(), 1);
}

#[tokio::test]
async fn an_etag_needs_a_table_with_optimistic_concurrency() {
    let scene = Scene::set().await;
    let world = &scene.world;
    let body = json!({"name": "hook", "contract": 8, "authtype": 4});
    let id = world.create("serviceendpoints", body).await;
    let path = format!("serviceendpoints({id})");
    let sent = || Some(json!({"description": "d"}));
    let etag = world.crm("GET", &path, &[], None).await;
    let current = [("if-match", etag.header("etag"))];
    let refused = world.crm("PATCH", &path, &current, sent()).await;
    assert_eq!((refused.status, refused.code()), (400, "0x8006088d"));
    let any = [("if-match", "*")];
    assert_eq!(world.crm("PATCH", &path, &any, sent()).await.status, 204);
}
