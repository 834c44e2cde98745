//! Types every command of `examples/tutorial.md`, writes every file that it shows, and compares what the program says with what the page says it says.
//!
//! A block of `sh` is typed; of `sh fails`, and has to end badly. A block with a file's name is written there. A block of `text` is part of what the
//! commands since the last one said, line by line and in this order; `…` stands for anything.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(missing_docs, reason = "tests are read by their names")]

use std::path::{Path, PathBuf};
use std::process::Command;

use cosell_tests::World;

const TUTORIAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/tutorial.md");

enum Block<'a> {
    Types { commands: &'a str, fails: bool },
    Writes { file: &'a str, text: &'a str },
    Shows(&'a str),
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut rest = page;
    while let Some((_, after)) = rest.split_once("\n```") {
        let (info, after) = after.split_once('\n').unwrap();
        let (text, after) = after.split_once("\n```\n").unwrap();
        rest = after;
        // The next block may begin at once.
        let words: Vec<&str> = info.split(' ').collect();
        blocks.push(match words.as_slice() {
            ["sh"] => Block::Types {
                commands: text,
                fails: false,
            },
            ["sh", "fails"] => Block::Types {
                commands: text,
                fails: true,
            },
            ["text"] => Block::Shows(text),
            [_, file] => Block::Writes { file, text },
            other => panic!("nobody knows what to do with a block of {other:?}"),
        });
    }
    blocks
}

/// Whether a line says what the page says, `…` standing for anything.
fn is(line: &str, told: &str) -> bool {
    let mut pieces = told.trim().split('…');
    let line = line.trim();
    let Some(mut rest) = pieces.next().and_then(|first| line.strip_prefix(first)) else {
        return false;
    };
    for piece in pieces {
        let Some(at) = rest.find(piece) else {
            return false;
        };
        rest = &rest[at + piece.len()..];
    }
    rest.is_empty() || told.trim().ends_with('…')
}

/// Every line of the page, in this order, with others between them.
fn shows(said: &str, told: &str) -> Result<(), String> {
    let mut lines = said.lines();
    for wanted in told.lines().filter(|line| line.trim() != "…") {
        if !lines.any(|line| is(line, wanted)) {
            return Err(format!(
                "the page shows\n  {wanted}\nand the commands said\n{said}"
            ));
        }
    }
    Ok(())
}

#[test]
fn lines_are_compared_as_a_reader_would() {
    assert!(is(
        "  memory    1.3 MiB    (limit: 64.0 MiB)",
        "  memory    … MiB    (limit: 64.0 MiB)"
    ));
    assert!(!is(
        "  memory    1.3 MiB    (limit: 32.0 MiB)",
        "  memory    … MiB    (limit: 64.0 MiB)"
    ));
    assert!(is("anything", "…") && is("a b", "a …") && !is("b a", "a …"));
    assert!(shows("a\nb\nc", "a\n…\nc").is_ok());
    assert!(shows("a\nb\nc", "c\na").is_err());
}

/// A shell that remembers where it is.
struct Shell {
    here: PathBuf,
    path: String,
    config: PathBuf,
    target: PathBuf,
}

impl Shell {
    fn types(&mut self, commands: &str, fails: bool) -> String {
        let place = self.target.join("tutorial-place");
        let script = format!("{commands}\npwd > '{}'\n", place.display());
        let ended = Command::new("sh")
            .args(["-eu", "-c", &script])
            .current_dir(&self.here)
            .env("PATH", &self.path)
            .env("COSELL_CONFIG", &self.config)
            .env_remove("COSELL_ENGINES")
            // What the program compiled, and not in the home of who runs the tests.
            .env(
                "XDG_CACHE_HOME",
                concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"),
            )
            // Kept between runs, so that the guest SDK's generator is built once.
            .env("CARGO_TARGET_DIR", self.target.join("tutorial-target"))
            // Whatever this workspace was built from is here already.
            .env("CARGO_NET_OFFLINE", "true")
            .output()
            .unwrap();
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&ended.stdout),
            String::from_utf8_lossy(&ended.stderr)
        );
        assert_eq!(
            ended.status.success(),
            !fails,
            "typed:\n{commands}\nsaid:\n{said}"
        );
        if !fails {
            self.here = PathBuf::from(std::fs::read_to_string(&place).unwrap().trim());
        }
        said
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_tutorial_does_what_the_page_says() {
    let world = World::start().await.unwrap();
    let account = world.account("Contoso Kft.", "HU").unwrap();
    let row = world.opportunity(&account, &serde_json::json!({})).unwrap();
    world.referral_of(&row).await.unwrap();
    world.quiet().await.unwrap();
    // Of deals and customers: a host renews its subscriptions every few minutes, and building takes longer on a machine that is slow.
    let before = world.control().counts().writes;

    let program = Path::new(env!("CARGO_BIN_EXE_cosell"));
    let dir = tempfile::tempdir().unwrap();
    let mut shell = Shell {
        here: dir.path().to_owned(),
        path: format!(
            "{}:{}",
            program.parent().unwrap().display(),
            std::env::var("PATH").unwrap()
        ),
        config: world.config.clone(),
        target: PathBuf::from(env!("CARGO_TARGET_TMPDIR")),
    };
    tokio::task::spawn_blocking(move || {
        let mut said = String::new();
        let mut count = 0;
        let page = std::fs::read_to_string(TUTORIAL).unwrap();
        for block in blocks(&page) {
            match block {
                Block::Types { commands, fails } => {
                    said.push_str(&shell.types(commands, fails));
                    count += commands.lines().count();
                }
                Block::Writes { file, text } => {
                    std::fs::write(shell.here.join(file), format!("{text}\n")).unwrap();
                }
                Block::Shows(told) => {
                    if let Err(why) = shows(&said, told) {
                        panic!("{why}");
                    }
                    said.clear();
                }
            }
        }
        assert!(count > 15, "the page was read: {count} commands");
    })
    .await
    .unwrap();
    assert_eq!(
        world.control().counts().writes,
        before,
        "nothing that the page types writes to either side"
    );
    world.end().await.unwrap();
}
