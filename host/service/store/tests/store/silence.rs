//! A database whose machine falls silent: no packet comes back, and nobody says so.

use std::sync::Arc;
use std::time::Duration;

use cosell_local_postgres::{LocalPostgres, Network, Wanted};
use cosell_store::{PostgresStore, PostgresUrl, Store, StoreError, StoreUrl};
use tokio::task::JoinSet;

use crate::stage::*;

/// What the socket is given until it is believed to be dead, a try to make a new one, and a slow machine. Linux by itself gives it a quarter of an hour.
const BOUND: Duration = Duration::from_secs(45);

/// Within [`BOUND`], or it hangs.
async fn accept(store: &PostgresStore, id: &str) -> Result<usize, StoreError> {
    let events = vec![event_once(&referral(id), id)];
    let accepted = tokio::time::timeout(BOUND, store.accept(events, None)).await;
    accepted
        .unwrap_or_else(|_| panic!("{id} hangs: nobody answered for {BOUND:?}"))
        .map(|accepted| accepted.len())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "lays a cable, which takes root: cargo verify --all plays it"]
async fn a_database_that_falls_silent_is_an_error_and_its_return_is_enough() {
    let network = Arc::new(Network::lay().unwrap());
    let wanted = Wanted {
        network: Some(Arc::clone(&network)),
        ..Wanted::default()
    };
    let server = LocalPostgres::start(&wanted).unwrap();
    let url: PostgresUrl = match server.url_through(&network, "schema=silence").parse() {
        Ok(StoreUrl::Postgres(url)) => *url,
        other => panic!("{other:?}"),
    };
    let store = Arc::new(PostgresStore::open(&url, None).await.unwrap());
    accept(&store, "r1").await.unwrap();

    // A request that is under way: it has arrived, and is even done, but its answer is lost.
    network.fall_silent().unwrap();
    let lost = accept(&store, "r2").await;
    assert!(lost.is_err(), "{lost:?}");
    // Nor is there a new connection, and nobody waits for those before him to find that out.
    let many: Vec<String> = (3..9).map(|number| format!("r{number}")).collect();
    let mut waiting = JoinSet::new();
    for id in many.clone() {
        let store = Arc::clone(&store);
        waiting.spawn(async move { accept(&store, &id).await });
    }
    for lost in waiting.join_all().await {
        assert!(lost.is_err(), "{lost:?}");
    }
    assert!(store.next_due().await.is_err());

    network.speak_again().unwrap();
    for id in ["r1", "r2"]
        .into_iter()
        .chain(many.iter().map(String::as_str))
    {
        accept(&store, id).await.unwrap();
    }
    let lanes = store.lanes(HERE, 10).await.unwrap();
    let unanswered: i64 = lanes.iter().map(|lane| lane.unanswered).sum();
    assert_eq!(
        (lanes.len(), unanswered),
        (8, 8),
        "each is there once: {lanes:?}"
    );
}
