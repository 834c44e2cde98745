//! Secrets of every source and people with names are planted, a host is made to say as much as it can, and everything that it lets out of its hands is
//! searched: each line of its log at the level `trace`, its pages, its answers to webhooks, what lies beside a refused plugin, what the command line tells
//! programs, what it records, and the bytes of its store.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use anyhow::{Context as _, ensure};
use cosell::simulated::private;
use cosell_host::app;
use cosell_host::config::Config;
use cosell_host::verbs::recorded;
use cosell_simulator::{Fault, FaultKind, Service};
use cosell_tests::amend;
use cosell_tests::ask::ask;
use cosell_tests::fleet::people::People;
use cosell_tests::fleet::process::HostProcess;
use cosell_tests::fleet::{Fleet, Order, patiently};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::{Told, database, order};

const ALERT: &str = "T0PLANTED/B0PLANTED/alert-address-of-a-chat";
const PASSWORD: &str = "planted-database-password";
const WRONG: &str = "planted-wrong-webhook-secret";

/// Who is known to either side, and where they live.
const PEOPLE: [&str; 7] = [
    "Kovács",
    "anna.kovacs",
    "555 0100",
    "Contoso Kft",
    "Northwind",
    "sam.seller",
    "Main Street",
];
/// Begins everything that people note about a deal.
const NOTES: &str = "notes 100";

/// What was let out: where, and all of it.
type LetOut = BTreeMap<String, String>;

/// A word as it may be written: plain, in an address, in JSON, in a text that is quoted for a log.
fn forms(word: &str) -> BTreeSet<String> {
    let percent = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    let json = |letter: char| match letter {
        ' '..='~' => letter.to_string(),
        other => format!("\\u{:04x}", u32::from(other)),
    };
    BTreeSet::from([
        word.to_owned(),
        word.bytes().map(percent).collect(),
        word.chars().map(json).collect(),
        word.escape_default().to_string(),
    ])
}

/// Which words stand where.
fn found<'a>(out: &LetOut, words: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut found = Vec::new();
    for word in words {
        let forms = forms(word);
        for (place, text) in out {
            if let Some(at) = forms.iter().find_map(|form| text.find(form.as_str())) {
                let line = text[..at].matches('\n').count() + 1;
                // Not the whole word: what is told here goes into a log, too.
                let begins: String = word.chars().take(6).collect();
                found.push(format!("{place}, line {line}: {begins}…"));
            }
        }
    }
    found
}

fn read(path: &Path) -> anyhow::Result<String> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Everything that opens something: what the host was given, and every token that it got for it since.
fn secrets(fleet: &Fleet) -> anyhow::Result<BTreeSet<String>> {
    let mut secrets = BTreeSet::from([ALERT, PASSWORD].map(str::to_owned));
    for file in [
        "refresh-token",
        "partner-center-secret",
        "dataverse-secret",
        "webhook-secret",
        "store-key",
    ] {
        let text = read(&fleet.dir.join("host-0").join(file))?;
        secrets.insert(text.trim().to_owned());
    }
    let world: Value = serde_json::from_slice(&fleet.control().save()?)?;
    for kind in ["access", "refresh"] {
        let tokens = world["entra"][kind].as_object();
        let tokens = tokens.with_context(|| format!("the world knows no {kind} tokens"))?;
        secrets.extend(tokens.keys().cloned());
    }
    // And what stands in the place of an application's secret.
    let given = world["entra"]["federation"]["given"].as_array();
    let given = given.context("the world knows no assertions")?;
    secrets.extend(given.iter().filter_map(Value::as_str).map(str::to_owned));
    let header = world["entra"]["federation"]["header"].as_str();
    secrets.extend(header.map(str::to_owned));
    Ok(secrets)
}

/// The applications of the first host have no secret any more: one is proven by the identity of an app on Azure, the other by a token in a file. And it
/// is told of a proxy at which nobody answers, for everything in clear text.
fn without_secrets(fleet: &mut Fleet) -> Told {
    let control = fleet.control();
    let identity = control.assign_identity();
    let token = fleet.dir.join("host-0/azure-identity-token");
    let account = "system:serviceaccount:default:cosell";
    std::fs::write(&token, control.cluster_token(&json!({"sub": account}))?)?;
    let config = fleet.hosts[0].config.clone();
    let loaded = Config::load(&config)?;
    let connection = &loaded.connections[0];
    let mut text = std::fs::read_to_string(&config)?;
    for (client, file, identity, trusted) in [
        (
            &connection.partner_center.client_id,
            "partner-center-secret",
            format!("{{ token_file = \"{}\" }}", token.display()),
            control.trust_in_account(account),
        ),
        (
            &connection.dataverse.client_id,
            "dataverse-secret",
            "\"managed\"".to_owned(),
            control.trust_in(&identity),
        ),
    ] {
        control.trust(client, trusted)?;
        control.replace_secret(client, "nobody knows it")?;
        let path = fleet.dir.join("host-0").join(file).display().to_string();
        let before = format!("secret = {{ file = \"{path}\" }}");
        ensure!(text.contains(&before), "{text}");
        text = text.replace(&before, &format!("identity = {identity}"));
    }
    control.revoke_access_tokens();
    std::fs::write(&config, text)?;
    let endpoint = format!("{}/msi/token", fleet.metadata());
    let header = fleet.control().identity_header();
    let nobody = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    fleet.hosts[0].environment = [
        ("IDENTITY_ENDPOINT", endpoint),
        ("IDENTITY_HEADER", header),
        ("http_proxy", format!("http://{nobody}")),
        ("no_proxy", String::new()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec();
    Ok(())
}

/// The first host says all that it can, and has a place for its numbers and one for its alerts where nobody answers. Returns where its numbers are.
fn talkative(fleet: &Fleet) -> anyhow::Result<SocketAddr> {
    let free = || TcpListener::bind("127.0.0.1:0")?.local_addr();
    let (metrics, nobody) = (free()?, free()?);
    let alerts = fleet.dir.join("host-0/alerts-webhook");
    private(&alerts, &format!("http://{nobody}/services/{ALERT}"))?;
    let key = fleet.dir.join("host-0/store-key");
    private(&key, &"0123456789abcdef".repeat(4))?;
    let sections = format!(
        "[log]\nlevel = \"trace\"\n\n[recordings]\nenabled = true\n\n[metrics]\nlisten = \"{metrics}\"\n\n[alerts]\nwebhook = {{ file = \"{}\" }}\n\n[plugins]",
        alerts.display()
    );
    let config = &fleet.hosts[0].config;
    let keys = format!("[store]\nkeys = [{{ file = \"{}\" }}]\n", key.display());
    amend(config, &[("[plugins]", &sections), ("[store]\n", &keys)])?;
    Ok(metrics)
}

/// Refusals, throttles and answers that never come, while deals are begun and edited.
async fn a_bad_day(fleet: &Fleet, people: &mut People) -> Told {
    let control = fleet.control();
    let fault = |service, method: Option<&str>, kind| {
        control.fault(Fault {
            service,
            method: method.map(str::to_owned),
            path_prefix: String::new(),
            skip: 0,
            count: Some(1),
            kind,
        });
    };
    let answer = |status| FaultKind::Answer {
        status,
        code: None,
        retry_after_s: None,
    };
    fault(Service::Referrals, None, answer(401));
    fault(Service::Dataverse, None, answer(401));
    fault(Service::Entra, None, answer(500));
    fault(Service::Dataverse, Some("PATCH"), FaultKind::DropAfter);
    fault(Service::Referrals, Some("GET"), answer(503));
    people.seller_begins()?;
    people.portal_begins()?;
    fleet.in_step(people).await?;
    ensure!(
        people.seller_edits(0)? && people.portal_edits(1)?,
        "the deals are not linked"
    );
    fleet.in_step(people).await
}

/// Callers who show a secret in the wrong place or a person in a body, and what they hear.
async fn bad_callers(fleet: &Fleet) -> anyhow::Result<LetOut> {
    let secret = read(&fleet.dir.join("host-0/webhook-secret"))?;
    let token = read(&fleet.dir.join("host-0/refresh-token"))?;
    let (secret, token) = (secret.trim(), token.trim());
    let body = format!(
        "{{\"MessageName\":\"Update\",\"PrimaryEntityName\":\"contact\",\"PrimaryEntityId\":\"Anna Kovács\",\"x\":\"anna.kovacs@contoso.example {NOTES}\"}}"
    );
    let crm = "POST /webhooks/dataverse/simulated";
    let portal = "POST /webhooks/partner-center/simulated";
    let algorithm = "x-ms-signature-algorithm: rsa-sha256";
    let mut out = LetOut::new();
    for (what, head, status) in [
        (
            "proven",
            format!("{crm} HTTP/1.1\r\nx-cosell-key: {secret}"),
            400,
        ),
        (
            "proven by query",
            format!("{crm}?code={secret} HTTP/1.1"),
            400,
        ),
        (
            "wrong",
            format!("{crm} HTTP/1.1\r\nx-cosell-key: {WRONG}"),
            401,
        ),
        (
            "at the wrong door",
            format!("{portal}?code={secret} HTTP/1.1\r\nauthorization: Bearer {token}"),
            401,
        ),
        (
            "signed wrongly",
            format!("{portal} HTTP/1.1\r\nx-ms-signature: Signature {secret}"),
            401,
        ),
        (
            "with a wrong certificate url",
            format!(
                "{portal} HTTP/1.1\r\nauthorization: Signature AAAA\r\n{algorithm}\r\nx-ms-certificate-url: https://user:{secret}@evil.example/{token}"
            ),
            400,
        ),
        (
            "for nobody",
            format!("POST /webhooks/dataverse/{secret} HTTP/1.1"),
            404,
        ),
        (
            "by a wrong method",
            format!("PUT /webhooks/dataverse/simulated?code={secret} HTTP/1.1"),
            405,
        ),
        ("nowhere", format!("GET /{token} HTTP/1.1"), 404),
    ] {
        let answer = fleet.hosts[0].ask(&head, &body).await?;
        ensure!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "a webhook {what}: {answer}"
        );
        out.insert(format!("the answer to a webhook {what}"), answer);
    }
    Ok(out)
}

/// What the command line tells programs.
async fn told(host: &HostProcess, words: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_cosell"))
        .args(words)
        .env("COSELL_CONFIG", &host.config)
        .envs(host.environment.iter().cloned())
        .env("USER", "anna")
        .output()
        .await?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    ensure!(
        !said.is_empty(),
        "cosell {words:?} says nothing: {complained}"
    );
    Ok(said + &complained)
}

/// Numbers of all lanes.
async fn lanes(host: &HostProcess) -> anyhow::Result<Vec<String>> {
    let deals: Value = serde_json::from_str(&told(host, &["deals", "--json"]).await?)?;
    let deals = deals["deals"].as_array().cloned().unwrap_or_default();
    Ok(deals.iter().map(|deal| deal["lane"].to_string()).collect())
}

/// What goes to a plugin's author: recordings, with stand-ins for everybody in them.
async fn recorded_for_authors(fleet: &Fleet) -> anyhow::Result<LetOut> {
    let host = &fleet.hosts[0];
    let mut out = LetOut::new();
    for lane in lanes(host).await? {
        let file = fleet.dir.join(format!("recording-{lane}.json"));
        let name = file.display().to_string();
        told(host, &["plugin", "record", &lane, "--out", &name]).await?;
        out.insert(
            format!("the recording of lane {lane} that goes out"),
            read(&file)?,
        );
    }
    ensure!(!out.is_empty(), "nothing was recorded");
    Ok(out)
}

/// What the people of a deal may see: its values, and no secret.
async fn told_to_its_people(fleet: &Fleet) -> anyhow::Result<LetOut> {
    let host = &fleet.hosts[0];
    let mut out = LetOut::new();
    let desk = app::desk(&Config::load_in(&host.config, &|name| {
        let set = host.environment.iter().find(|(known, _)| known == name);
        set.map(|(_, value)| value.clone())
            .or_else(|| std::env::var(name).ok())
    })?)?;
    for lane in lanes(host).await? {
        for word in ["deal", "explain"] {
            let said = told(host, &[word, &lane, "--json"]).await?;
            out.insert(format!("cosell {word} {lane}"), said);
        }
        // As it is when the key has opened it.
        let recording = recorded(&desk, None, &lane).await?;
        out.insert(
            format!("the recording of lane {lane}"),
            json!(recording).to_string(),
        );
    }
    for verb in ["export", "backup"] {
        let file = fleet.dir.join(verb);
        let name = file.display().to_string();
        let words = match verb {
            "export" => &["store", verb, "--out", &name][..],
            _ => &["store", verb, &name],
        };
        told(host, words).await?;
        let written = read(&file)?;
        // As text, and as the hex of bytes.
        let marks = ["cosell-sealed-", "636f73656c6c2d7365616c65642d"];
        let is_sealed = marks.iter().any(|mark| written.contains(mark));
        ensure!(
            is_sealed == (verb == "backup"),
            "a backup stays sealed, and an export is opened: {verb}"
        );
        out.insert(format!("cosell store {verb}"), written);
    }
    for words in [
        &["status", "--json"][..],
        &["deals", "--json"],
        &["plan", "--all", "--json"],
        &["reconcile", "--json"],
        &["plugin", "list", "--json"],
        &["cards", "--json"],
        &["holds", "--json"],
        &["config", "check"],
        &["store", "check"],
    ] {
        out.insert(
            format!("cosell {}", words.join(" ")),
            told(host, words).await?,
        );
    }
    Ok(out)
}

async fn let_out_nothing(order: Order<'_>, prepare: fn(&mut Fleet) -> Told) -> Told {
    let mut fleet = Fleet::start(order).await?;
    fleet.stop().await?;
    let metrics = talkative(&fleet)?;
    prepare(&mut fleet)?;
    std::fs::write(fleet.dir.join("plugins/60-bad.wasm"), b"no component")?;
    fleet.hosts[0].start().await?;
    let mut people = People::new(fleet.control(), 1)?;
    a_bad_day(&fleet, &mut people).await?;
    // For whoever operates the host, or just calls it: nobody's name is their business.
    let mut public = bad_callers(&fleet).await?;
    patiently("an alert to be tried", async || {
        Ok(fleet.any_log_says("the alert did not arrive"))
    })
    .await?;
    let host = fleet.hosts[0].address;
    for (whose, address, path) in [
        ("the host's", host, "/healthz"),
        ("the host's", host, "/readyz"),
        ("the host's", host, "/metrics"),
        ("the operator's", metrics, "/metrics"),
    ] {
        let page = ask(address, &format!("GET {path} HTTP/1.1"), "").await?;
        public.insert(format!("{whose} {path}"), page);
    }
    ensure!(
        public["the operator's /metrics"].contains("cosell_linked_deals 2")
            && public["the host's /metrics"].starts_with("HTTP/1.1 404"),
        "numbers are read where they are configured, and not where the world calls"
    );
    let rejected = read(&fleet.dir.join("plugins/60-bad.rejected.json"))?;
    public.insert("60-bad.rejected.json".to_owned(), rejected);
    public.extend(recorded_for_authors(&fleet).await?);
    let mut private = told_to_its_people(&fleet).await?;
    fleet.stop().await?;
    // All of it, and the way to its end.
    public.insert("the log".to_owned(), fleet.hosts[0].log());
    for entry in std::fs::read_dir(fleet.dir.join("host-0"))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("cosell.db") || name == "cosell.toml" {
            private.insert(name.into_owned(), read(&path)?);
        }
    }

    let secrets = secrets(&fleet)?;
    ensure!(secrets.len() >= 10, "{} secrets are few", secrets.len());
    let secret = || secrets.iter().map(String::as_str).chain([WRONG]);
    let personal = || PEOPLE.into_iter().chain([NOTES]);
    the_search_finds(&public, &private, secret().chain(personal()))?;
    let mut leaks = found(&public, secret().chain(personal()));
    leaks.extend(found(&private, secret()));
    ensure!(leaks.is_empty(), "let out:\n{}", leaks.join("\n"));
    Ok(())
}

/// Or it would prove nothing. It finds each word in this very log with one line more, however that spells it; it finds people where their deals are
/// told; and the log is a whole one, of every part and level.
fn the_search_finds<'a>(
    public: &LetOut,
    private: &LetOut,
    words: impl Iterator<Item = &'a str>,
) -> Told {
    let log = &public["the log"];
    for word in words {
        for form in forms(word) {
            let leaky = format!("{log}TRACE value={form}\n");
            ensure!(
                found(&LetOut::from([("a log".to_owned(), leaky)]), [word]).len() == 1,
                "a planted word is not found"
            );
        }
    }
    for word in ["Contoso Kft", NOTES] {
        ensure!(
            !found(private, [word]).is_empty(),
            "no deal was told: {word}"
        );
    }
    for part in [
        "TRACE",
        "DEBUG",
        "cosell_remote",
        "cosell_webhook",
        "cosell_host",
        "refused a webhook",
        "stopped",
    ] {
        ensure!(log.contains(part), "the log has no {part}:\n{log}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_on_a_file_lets_out_no_secret_and_names_nobody() -> Told {
    let_out_nothing(order(), |_| Ok(())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_on_postgres_lets_out_no_secret_and_names_nobody() -> Told {
    let (_server, url) = database()?;
    let folder = tempfile::tempdir()?;
    let password = folder.path().join("password");
    private(&password, PASSWORD)?;
    let url = format!("{url}passfile={}", password.display());
    let order = Order {
        postgres: Some(url),
        ..order()
    };
    let_out_nothing(order, |_| Ok(())).await
}

/// Nobody answers at the proxy: deals are in step, so nobody was asked there.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_without_secrets_lets_out_no_assertion_and_asks_past_every_proxy() -> Told {
    let_out_nothing(order(), without_secrets).await
}
