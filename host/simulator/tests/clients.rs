//! Clients that we did not write, at work against a world: Microsoft's `PowerPlatform-Dataverse-Client` for Python and the community's
//! `dynamics-web-api` for Node.
//!
//! Both are pinned, and installed below the build tree. What they do is told in `clients/python/story.py` and `clients/node/story.mjs`;
//! a story ends with a sentence that is not true, or with 0.

#![expect(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test, in helpers too"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use cosell_simulator::{Running, Simulator, SimulatorConfig};
use serde_json::json;

/// Which line to type when a program is missing.
const HOW_TO_GET: [(&str, &str); 2] = [
    ("python3", "apt-get install python3 python3-venv"),
    ("node", "apt-get install nodejs npm"),
];

fn story(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("clients")
        .join(name)
}

/// Where the packages of a story are installed: kept between runs, made anew when what is pinned has changed.
fn installed(name: &str, pins: &str, install: impl FnOnce(&Path)) -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("client-{name}"));
    let pinned = std::fs::read_to_string(story(name).join(pins)).unwrap();
    let mark = place.join("installed");
    if std::fs::read_to_string(&mark).is_ok_and(|held| held == pinned) {
        return place;
    }
    if place.exists() {
        std::fs::remove_dir_all(&place).unwrap();
    }
    std::fs::create_dir_all(&place).unwrap();
    install(&place);
    std::fs::write(mark, pinned).unwrap();
    place
}

/// The program must be there: a story that is skipped has proved nothing.
fn demand(program: &str) {
    let found = Command::new(program).arg("--version").output();
    let (_, line) = HOW_TO_GET
        .iter()
        .find(|(name, _)| *name == program)
        .unwrap();
    assert!(
        found.is_ok_and(|told| told.status.success()),
        "{program} is needed to run clients against the simulator; on Debian: {line}"
    );
}

fn run(command: &mut Command) {
    let done = command.stdin(Stdio::null()).output().unwrap();
    assert_success(&format!("{command:?}"), &done);
}

fn assert_success(what: &str, done: &Output) {
    assert!(
        done.status.success(),
        "{what}: {}\n{}\n{}",
        done.status,
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
}

/// Plays a story: one line of JSON tells it where the world is.
async fn plays(world: &Running, mut command: Command, place: &Path, trusts: &str) {
    let authority = place.join("authority.pem");
    std::fs::write(&authority, world.ca_pem.as_deref().unwrap()).unwrap();
    command
        .env(trusts, &authority)
        .current_dir(place)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let told = json!({"urls": world.urls, "crm": world.crm});
    let played = tokio::task::spawn_blocking(move || {
        use std::io::Write as _;
        let mut child = command.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        writeln!(input, "{told}").unwrap();
        drop(input);
        child.wait_with_output().unwrap()
    });
    assert_success("the story", &played.await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "installs Python and Node packages; cargo verify --all runs it"]
async fn microsofts_python_client_works_against_the_simulator() {
    demand("python3");
    let place = installed("python", "requirements.txt", |place| {
        run(Command::new("python3")
            .args(["-m", "venv"])
            .arg(place.join("venv")));
        run(Command::new(place.join("venv/bin/python"))
            .args(["-m", "pip", "install", "--quiet", "--requirement"])
            .arg(story("python/requirements.txt")));
    });
    let world = Simulator::start(SimulatorConfig::demo()).await.unwrap();
    let mut command = Command::new(place.join("venv/bin/python"));
    command.arg(story("python/story.py"));
    plays(&world, command, &place, "REQUESTS_CA_BUNDLE").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "installs Python and Node packages; cargo verify --all runs it"]
async fn the_javascript_client_works_against_the_simulator() {
    demand("node");
    let place = installed("node", "package-lock.json", |place| {
        for file in ["package.json", "package-lock.json"] {
            std::fs::copy(story("node").join(file), place.join(file)).unwrap();
        }
        run(Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund"])
            .current_dir(place));
    });
    // Node looks for packages beside the program that asks for them.
    std::fs::copy(story("node/story.mjs"), place.join("story.mjs")).unwrap();
    let world = Simulator::start(SimulatorConfig::demo()).await.unwrap();
    let mut command = Command::new("node");
    command.arg("story.mjs");
    plays(&world, command, &place, "NODE_EXTRA_CA_CERTS").await;
}
