//! `cosell simulator` makes room for itself, and for nobody else's deals.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Stdio};

use cosell::simulated::FIRST_LINE;

use crate::{binary, cosell, stderr, stdout};

const STORE: &str = "what a host remembers of its deals";

/// A folder with a store, and with a configuration that begins like this.
fn folder(first_line: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("cosell.toml"), format!("{first_line}\n")).unwrap();
    std::fs::write(dir.path().join("cosell.db"), STORE).unwrap();
    dir
}

fn store(dir: &Path) -> Option<String> {
    std::fs::read_to_string(dir.join("cosell.db")).ok()
}

/// Seven ports in a row that were free a moment ago, and another one.
fn free_ports() -> (u16, u16) {
    loop {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = first.local_addr().unwrap().port();
        let Some(last) = base.checked_add(7) else {
            continue;
        };
        if (base + 1..=last).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return (base, last);
        }
    }
}

/// A simulator that runs until the test ends.
struct Simulation {
    child: Child,
    /// What it has said before it was there.
    said: Vec<String>,
}

impl Drop for Simulation {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts one in this folder and waits until it says that it is there. None when it ended instead: a port was taken.
fn start(dir: &Path) -> Option<Simulation> {
    start_with(dir, &[])
}

fn start_with(dir: &Path, options: &[&str]) -> Option<Simulation> {
    let (port, listen) = free_ports();
    let mut child = binary()
        .args(["simulator", "--port", &port.to_string()])
        .args(["--listen", &format!("127.0.0.1:{listen}")])
        .arg("--dir")
        .arg(dir)
        .args(options)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = Vec::new();
    let is_there = loop {
        match lines.next() {
            Some(Ok(line)) if line.starts_with("Ctrl-C ends it") => break true,
            Some(Ok(line)) => said.push(line),
            _ => break false,
        }
    };
    let simulation = Simulation { child, said };
    is_there.then_some(simulation)
}

#[test]
fn a_real_hosts_folder_is_refused_and_its_store_stays() {
    let dir = folder("# Our production host. Do not touch.");
    let path = dir.path().to_str().unwrap();
    let ended = cosell(["simulator", "--dir", path]);
    assert_eq!(ended.status.code(), Some(1));
    assert!(
        stderr(&ended).contains("cosell.toml is not a simulation's, so its store is left alone"),
        "{}",
        stderr(&ended)
    );
    assert_eq!(store(dir.path()).as_deref(), Some(STORE));
}

#[test]
fn a_folder_with_other_files_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("cosell.db"), STORE).unwrap();
    let ended = cosell(["simulator", "--dir", dir.path().to_str().unwrap()]);
    assert_eq!(ended.status.code(), Some(1));
    assert!(
        stderr(&ended).contains("give a new or an empty folder under --dir"),
        "{}",
        stderr(&ended)
    );
    assert_eq!(store(dir.path()).as_deref(), Some(STORE));
}

#[test]
fn a_simulator_that_cannot_start_removes_nothing_and_names_the_option() {
    let dir = folder(FIRST_LINE);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ended = cosell([
        "simulator",
        "--port",
        &port,
        "--dir",
        dir.path().to_str().unwrap(),
    ]);
    assert_eq!(ended.status.code(), Some(1));
    assert!(
        stderr(&ended).contains("choose others with --port"),
        "{}",
        stderr(&ended)
    );
    assert_eq!(store(dir.path()).as_deref(), Some(STORE));
}

#[test]
fn a_simulator_leaves_the_store_alone_while_something_listens_in_its_hosts_place() {
    let dir = folder(FIRST_LINE);
    let host = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = host.local_addr().unwrap().to_string();
    // Another program may take one of the free ports meanwhile: that is told before.
    let told = (0..20).any(|_| {
        let port = free_ports().0.to_string();
        let path = dir.path().to_str().unwrap();
        let ended = cosell([
            "simulator",
            "--port",
            &port,
            "--listen",
            &listen,
            "--dir",
            path,
        ]);
        assert_eq!(ended.status.code(), Some(1));
        stderr(&ended).contains("choose another address with --listen")
    });
    assert!(told, "it never spoke of --listen");
    assert_eq!(store(dir.path()).as_deref(), Some(STORE));
}

#[test]
fn a_new_simulation_forgets_the_deals_of_the_one_before() {
    let dir = folder(FIRST_LINE);
    let running = (0..20).find_map(|_| start(dir.path()));
    assert!(running.is_some(), "the simulator never started");
    assert_eq!(store(dir.path()), None);
    let config = std::fs::read_to_string(dir.path().join("cosell.toml")).unwrap();
    assert!(config.starts_with(FIRST_LINE) && config.contains("[[connection]]"));
}

/// Whoever takes the line as it is trusts the simulator, and nobody else: the file is there, and holds a certificate.
#[test]
fn a_simulator_says_how_to_trust_it() {
    let dir = tempfile::tempdir().unwrap();
    let running = (0..20)
        .find_map(|_| start(dir.path()))
        .expect("the simulator never started");
    let lines = running.said.iter();
    let told: Vec<&str> = lines
        .filter_map(|line| {
            line.split_once("export SSL_CERT_FILE=")
                .map(|(_, rest)| rest)
        })
        .collect();
    let [told] = told[..] else {
        panic!("{:?}", running.said)
    };
    let mut words = told.split(' ');
    let file = words.next().unwrap();
    let pem = std::fs::read_to_string(file).unwrap();
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----"), "{pem}");
    let others: Vec<&str> = words.collect();
    assert_eq!(
        others,
        [
            "CURL_CA_BUNDLE",
            "REQUESTS_CA_BUNDLE",
            "NODE_EXTRA_CA_CERTS"
        ]
        .map(|name| format!("{name}={file}"))
    );
}

/// Says something to the simulator of a folder; it must be done.
fn tell(dir: &Path, words: &[&str]) -> String {
    let path = dir.to_str().unwrap();
    let place = ["--dir", path];
    let words = ["simulator"].iter().chain(words).chain(&place);
    let ended = cosell(words.copied());
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    stdout(&ended)
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_running_simulator_is_told_what_to_do_saved_and_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let running = (0..20)
        .find_map(|_| start(at))
        .expect("the simulator never started");
    let seeded = tell(
        at,
        &[
            "seed",
            "--opportunities",
            "3",
            "--referrals",
            "2",
            "--inbound",
            "1",
        ],
    );
    assert!(
        seeded.contains("3 referrals") && seeded.contains("3 opportunities"),
        "{seeded}"
    );
    let deals = json(&tell(at, &["deals", "--json"]));
    let waiting = deals
        .as_array()
        .unwrap()
        .iter()
        .find(|deal| deal["referral_state"] == "New/Pending");
    let waiting = waiting.unwrap()["referral"].as_str().unwrap();
    let said = tell(at, &["act", "partner", "accept", waiting]);
    assert!(
        said.contains(&format!("partner-user: accept referral {waiting}")),
        "{said}"
    );
    let found = tell(at, &["deals", waiting]);
    assert!(
        found.contains("Active/Accepted") && found.lines().count() == 2,
        "{found}"
    );
    let file = at.join("world.json");
    tell(at, &["save", file.to_str().unwrap()]);
    tell(at, &["act", "partner", "lose", waiting, "reason=No budget"]);
    assert!(tell(at, &["deals", waiting]).contains("Closed/Lost"));
    tell(at, &["load", file.to_str().unwrap()]);
    assert!(tell(at, &["deals", waiting]).contains("Active/Accepted"));
    assert!(
        tell(at, &["clock", "--set", "2030-01-31T00:00:00Z"]).starts_with("2030-01-31T00:00:0")
    );
    assert!(
        json(&tell(at, &["clock", "--advance", "1d", "--json"]))["now"]
            .as_str()
            .unwrap()
            .starts_with("2030-02-01")
    );
    tell(
        at,
        &[
            "fault",
            "referrals",
            "answer",
            "--status",
            "503",
            "--chance",
            "0.5",
        ],
    );
    tell(at, &["fault", "partner-center", "reorder", "--webhook"]);
    let script = at.join("steps.json");
    std::fs::write(
        &script,
        r#"{"service": "referrals", "steps": [null, {"do": "drop-after"}]}"#,
    )
    .unwrap();
    tell(at, &["fault", "--script", script.to_str().unwrap()]);
    tell(at, &["fault", "--clear"]);
    assert_eq!(tell(at, &["ledger"]), "no writes\n");
    assert!(tell(at, &["audit"]).contains("duplicates: none"));
    let secret = std::fs::read_to_string(at.join("refresh-token")).unwrap();
    drop(running);

    let options = ["--load", file.to_str().unwrap()];
    std::fs::write(at.join("cosell.db"), STORE).unwrap();
    let again = (0..20).find_map(|_| start_with(at, &options));
    assert!(again.is_some(), "the simulator never started from its file");
    assert!(tell(at, &["deals", waiting]).contains("Active/Accepted"));
    assert_eq!(
        std::fs::read_to_string(at.join("refresh-token")).unwrap(),
        secret
    );
    assert_eq!(
        store(at).as_deref(),
        Some(STORE),
        "its host goes on with what it remembers"
    );
}

#[test]
fn what_a_simulator_cannot_be_told_is_said_why() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    let nobody = cosell(["simulator", "deals", "--dir", path]);
    assert_eq!(nobody.status.code(), Some(1));
    assert!(
        stderr(&nobody).contains("a running `cosell simulator` writes it"),
        "{}",
        stderr(&nobody)
    );
    let running = (0..20).find_map(|_| start(dir.path()));
    assert!(running.is_some(), "the simulator never started");
    for (words, says) in [
        (
            &["act", "partner", "dance", "7"][..],
            "partner can create, set, accept",
        ),
        (
            &["act", "partner", "accept", "7"],
            "There is no referral '7'.",
        ),
        (
            &["act", "partner", "create"],
            "The field 'type' is required.",
        ),
        (
            &["fault", "referrals", "explode"],
            "no word that is known here",
        ),
        (&["load", "no-such-file"], "cannot read no-such-file"),
        (&["seed", "--leads", "9000000"], "at most 1000000 of a kind"),
    ] {
        let place = ["--dir", path];
        let words = ["simulator"].iter().chain(words).chain(&place);
        let ended = cosell(words.copied());
        assert_eq!(ended.status.code(), Some(1), "{says}");
        assert!(stderr(&ended).contains(says), "{says}: {}", stderr(&ended));
    }
    for wrong in [
        &["clock", "--advance", "soon"][..],
        &["fault"],
        &["fault", "nowhere", "drop-before"],
        &["act"],
    ] {
        let words = ["simulator"].iter().chain(wrong).copied();
        assert_eq!(cosell(words).status.code(), Some(2), "{wrong:?}");
    }
}
