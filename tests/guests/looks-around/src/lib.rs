//! A mapping that is built for a system, `wasm32-wasip2`, and looks around in it: the standard library of its language asks for an environment, files,
//! clocks, chance and a network, and this guest tries all of them. What it finds it states as the notes of the deal; its setting `deed` has it refuse a
//! deal with one thing that it found, or misbehave.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what becomes of it is what this guest is for"
)]

use std::collections::HashMap;
use std::fmt::{Debug, Write as _};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{BufRead as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _, UdpSocket};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cosell_guest_sdk::parts::called;
use cosell_guest_sdk::prelude::*;

/// The guest.
pub struct LooksAround;

/// Looks somewhere, and tells what is there.
type Look = fn() -> String;

/// What it finds, by the deed that tells it alone.
const FINDS: [(&str, Look); 6] = [
    ("environment", environment),
    ("files", files),
    ("network", network),
    ("clocks", clocks),
    ("sleep", sleep),
    ("input", input),
];

const DEEDS: [&str; 10] = [
    "nothing",
    "environment",
    "files",
    "network",
    "clocks",
    "sleep",
    "input",
    "chance",
    "exit",
    "flood",
];

impl Plugin for LooksAround {
    fn manifest() -> PluginManifest {
        PluginManifest::new(
            "looks-around",
            env!("CARGO_PKG_VERSION"),
            "Looks around in the system that it was built for.",
        )
        .setting(SettingSpec::one_of("deed", DEEDS, "What it does."))
    }

    fn describe(_: Settings<'_>) -> Result<Vec<Need>, Vec<Reason>> {
        Ok(vec![Need::reads("opportunity", ["name"])])
    }
}

impl Opportunity for LooksAround {
    fn to_deal(context: &Context, _: &Seen, _: &[Fact]) -> Answer<Vec<Fact>> {
        if context.setting_text("deed").unwrap_or_default() == "chance" {
            return Ok(vec![Fact::Notes(Some(chance()))]);
        }
        println!("it is out");
        eprintln!("and so is this");
        eprint!("without an end");
        let found = FINDS.map(|(name, look)| format!("{name}: {}", look()));
        Ok(vec![Fact::Notes(Some(found.join("\n")))])
    }

    fn to_row(context: &Context, order: &Order, _: &[Cell]) -> Answer<Vec<Change>> {
        match context.setting_text("deed").unwrap_or_default() {
            "exit" => std::process::exit(3),
            "flood" => {
                let line = "x".repeat(2_000);
                for number in 0..10_000_000 {
                    println!("{number}\u{1b}[2J {line}");
                    eprint!("no end of it {line}");
                }
            }
            deed => {
                let asked = FINDS.iter().find(|(name, _)| *name == deed);
                if let Some((_, look)) = asked {
                    return Err(Reason::new("looks-around", look()).into());
                }
            }
        }
        // What anybody does with a standard library, and what needs chance: a map whose keys hash differently in every process.
        let mut words: HashMap<String, usize> = HashMap::new();
        for word in called(&order.deal).unwrap_or_default().split(' ') {
            *words.entry(word.to_lowercase()).or_default() += 1;
        }
        std::io::stdout()
            .flush()
            .map_err(|error| Reason::new("stdout", said(error)))?;
        Ok(Vec::new())
    }
}

fn environment() -> String {
    format!(
        "{} variables, {} arguments, current directory {}",
        std::env::vars().count(),
        std::env::args().count(),
        outcome(std::env::current_dir())
    )
}

fn files() -> String {
    let mut told = String::new();
    let tried: [(&str, Result<String, std::io::Error>); 4] = [
        (
            "list /",
            std::fs::read_dir("/").map(|entries| entries.count().to_string()),
        ),
        ("read /etc/passwd", std::fs::read_to_string("/etc/passwd")),
        (
            "write here",
            std::fs::write("here", "x").map(|()| "done".to_owned()),
        ),
        (
            "remove /",
            std::fs::remove_dir_all("/").map(|()| "done".to_owned()),
        ),
    ];
    for (what, came) in tried {
        let _ = write!(told, "{what}: {}; ", outcome(came));
    }
    told.trim_end_matches("; ").to_owned()
}

fn network() -> String {
    format!(
        "connect: {}; bind: {}; look up: {}",
        outcome(TcpStream::connect("127.0.0.1:80")),
        outcome(UdpSocket::bind("0.0.0.0:0")),
        outcome(
            ("example.com", 443)
                .to_socket_addrs()
                .map(|all| all.count())
        )
    )
}

fn clocks() -> String {
    let wall = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    format!("{} ms since 1970", wall.as_millis())
}

fn sleep() -> String {
    let (began, wall) = (Instant::now(), SystemTime::now());
    std::thread::sleep(Duration::from_secs(3_600));
    format!(
        "after an hour {} s had passed, and {} s on the wall",
        began.elapsed().as_secs(),
        wall.elapsed().unwrap_or_default().as_secs()
    )
}

fn input() -> String {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    outcome(read.map(|bytes| format!("{bytes} bytes")))
}

/// Where an entry of a map lands in this instance.
fn chance() -> String {
    format!("{:016x}", RandomState::new().hash_one("deal"))
}

fn outcome<T: Debug>(came: Result<T, std::io::Error>) -> String {
    match came {
        Ok(value) => format!("{value:?}"),
        Err(error) => said(error),
    }
}

/// By kind: numbers and words of a system are its own.
fn said(error: std::io::Error) -> String {
    format!("{:?}", error.kind())
}

plugin!(LooksAround: opportunity);
