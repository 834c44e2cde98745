//! What a collector hears of a run, and what becomes of deals when it hears nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use cosell_tests::fleet::people::People;
use cosell_tests::fleet::{Fleet, patiently};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::net::TcpListener;

use crate::{Told, order};

type Spans = Arc<Mutex<Vec<Span>>>;

/// An OTLP receiver, as far as traces go.
async fn collector() -> anyhow::Result<(String, Spans)> {
    let spans = Spans::default();
    let take = async |State(spans): State<Spans>, body: Bytes| {
        let request = ExportTraceServiceRequest::decode(body).expect("OTLP in protobuf");
        let scopes = request
            .resource_spans
            .into_iter()
            .flat_map(|one| one.scope_spans);
        let mut all = spans.lock().expect("nobody panics");
        all.extend(scopes.flat_map(|scope| scope.spans));
    };
    let router = Router::new()
        .route("/v1/traces", post(take))
        .with_state(Arc::clone(&spans));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok((address, spans))
}

async fn traced(endpoint: &str) -> anyhow::Result<Fleet> {
    let mut fleet = Fleet::start(order()).await?;
    fleet.hosts[0].stop().await?;
    let config = fleet.hosts[0].config.clone();
    let text = std::fs::read_to_string(&config)?;
    std::fs::write(
        &config,
        format!("{text}\n[traces]\nendpoint = \"{endpoint}\"\n"),
    )?;
    fleet.hosts[0].start().await?;
    Ok(fleet)
}

/// A span's attributes as texts.
fn about(span: &Span) -> BTreeMap<String, String> {
    let text = |value: &Value| match value {
        Value::StringValue(text) => text.clone(),
        other => format!("{other:?}"),
    };
    let mut all = BTreeMap::new();
    for one in &span.attributes {
        let value = one.value.as_ref().and_then(|value| value.value.as_ref());
        all.insert(one.key.clone(), value.map(text).unwrap_or_default());
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_is_one_run_with_every_call_and_its_ids() -> Told {
    let (endpoint, spans) = collector().await?;
    let mut fleet = traced(&endpoint).await?;
    let mut people = People::new(fleet.control(), 1)?;
    people.seller_begins()?;
    fleet.in_step(&people).await?;
    // What is left is sent when the host ends.
    fleet.stop().await?;
    let spans = spans.lock().expect("nobody panics").clone();
    let named = |name: &str| {
        spans
            .iter()
            .filter(|span| span.name == name)
            .collect::<Vec<_>>()
    };
    // The write that made the referral, in the run that made it.
    let writes = named("write");
    let write = writes
        .iter()
        .find(|span| {
            about(span)
                .get("kind")
                .is_some_and(|kind| kind == "create-referral")
        })
        .context("the referral was created in a write")?;
    ensure!(about(write).contains_key("intent"), "{:?}", about(write));
    let run = named("run");
    let run = run
        .iter()
        .find(|run| run.trace_id == write.trace_id)
        .context("a write belongs to a run")?;
    ensure!(run.parent_span_id.is_empty(), "a trace begins with its run");
    ensure!(about(run)["connection"] == "simulated");
    let inside = |name: &str| {
        let mut all = named(name).into_iter();
        all.any(|span| span.trace_id == run.trace_id)
    };
    ensure!(inside("look"), "a run looks");
    ensure!(inside("plugin"), "a run asks plugins");
    // Every write that a service has accepted is a call in a trace, with the ids under which it is known.
    let calls: Vec<&Span> = spans
        .iter()
        .filter(|span| about(span).contains_key("url.template"))
        .collect();
    let post = "POST /v1.0/engagements/referrals";
    let made = calls
        .iter()
        .find(|call| call.name == post && call.trace_id == run.trace_id)
        .context("the call that made the referral")?;
    let ids = about(made);
    ensure!(
        made.parent_span_id == write.span_id,
        "the call is the write's"
    );
    ensure!(
        ids.get("http.response.status_code")
            .is_some_and(|status| status.starts_with("20")),
        "{ids:?}"
    );
    ensure!(ids["ms-correlationid"] == about(write)["intent"], "{ids:?}");
    ensure!(
        ids.get("request-id").is_some_and(|id| id.len() == 36),
        "{ids:?}"
    );
    let row = calls
        .iter()
        .find(|call| call.name == "PATCH /api/data/v9.2/opportunities({id})")
        .context("the call that wrote the row")?;
    ensure!(
        about(row).contains_key("x-ms-service-request-id"),
        "{:?}",
        about(row)
    );
    // The bell that rang for it is linked.
    let bells = named("bell");
    let rang = spans
        .iter()
        .filter(|span| span.name == "run")
        .flat_map(|run| &run.links);
    ensure!(
        rang.clone().count() > 0
            && rang
                .clone()
                .all(|link| bells.iter().any(|bell| bell.span_id == link.span_id)),
        "runs are linked with bells"
    );
    // Nothing of a deal or a person.
    let all = format!("{spans:?}");
    for said in ["Deal", "Kft", "@", "Kovács", "Anna"] {
        ensure!(!all.contains(said), "a trace says {said:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_gone_keeps_nobody_waiting() -> Told {
    // A port that was free a moment ago: nobody answers there.
    let nobody = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let mut fleet = traced(&format!("http://{nobody}")).await?;
    let mut people = People::new(fleet.control(), 1)?;
    people.seller_begins()?;
    people.portal_begins()?;
    fleet.in_step(&people).await?;
    patiently("somebody to be told", async || {
        Ok(fleet.any_log_says("the collector takes no traces"))
    })
    .await?;
    fleet.judged(&people).await?;
    fleet.stop().await
}
