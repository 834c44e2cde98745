//! `cosell simulator` makes room for itself, and for nobody else's deals.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Stdio};

use cosell::simulated::FIRST_LINE;

use crate::{binary, cosell, stderr};

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

/// Six ports in a row that were free a moment ago, and another one.
fn free_ports() -> (u16, u16) {
    loop {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = first.local_addr().unwrap().port();
        let Some(last) = base.checked_add(6) else {
            continue;
        };
        if (base + 1..=last).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return (base, last);
        }
    }
}

/// A simulator that runs until the test ends.
struct Simulation(Child);

impl Drop for Simulation {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts one in this folder and waits until it says that it is there. None when it ended instead: a port was taken.
fn start(dir: &Path) -> Option<Simulation> {
    let (port, listen) = free_ports();
    let mut child = binary()
        .args(["simulator", "--port", &port.to_string()])
        .args(["--listen", &format!("127.0.0.1:{listen}")])
        .arg("--dir")
        .arg(dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stdout.take().unwrap());
    let is_there = said
        .lines()
        .map_while(Result::ok)
        .any(|line| line.starts_with("Ctrl-C ends it"));
    let simulation = Simulation(child);
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
