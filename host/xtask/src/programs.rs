//! The tests, as `cargo test --workspace` runs them, only several programs at a time: hosts and stories wait for clocks, leases and each other, so one
//! program after the other leaves half of the processors idle.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::steps::{Workspace, answer, cargo, quiet_about_us, step};

/// A program of tests that is not through by then hangs; on a busy machine the longest takes three minutes.
const PATIENCE: Duration = Duration::from_secs(20 * 60);

/// In a clean clone this one waits for cargo, for minutes: it begins first.
const BUILDS: &str = "tutorial";

/// Between two looks whether one has ended.
const LOOK: Duration = Duration::from_millis(20);

/// What cargo says of something that it built; of its other messages, none of this.
#[derive(serde::Deserialize)]
struct Message {
    target: Option<Target>,
    profile: Option<Profile>,
    executable: Option<PathBuf>,
    manifest_path: Option<PathBuf>,
}

#[derive(serde::Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(serde::Deserialize)]
struct Profile {
    test: bool,
}

/// A program of tests.
#[derive(Debug, PartialEq, Eq)]
struct Program {
    name: String,
    kind: String,
    file: PathBuf,
    /// Of its package, where cargo would start it.
    folder: PathBuf,
}

impl Program {
    /// As a person types it.
    fn command(&self) -> String {
        match self.kind.as_str() {
            kind @ ("test" | "bin" | "example" | "bench") => {
                format!("cargo test --workspace --{kind} {}", self.name)
            }
            _ => "cargo test --workspace --lib".to_owned(),
        }
    }

    /// Runs it to its end, or to the end of our patience.
    fn run(&self, threads: usize, patience: Duration) -> Result<Ended> {
        let started = Instant::now();
        // Into files: a pipe would be held open by what it leaves behind.
        let (out, err) = (
            tempfile::NamedTempFile::new()?,
            tempfile::NamedTempFile::new()?,
        );
        let mut command = Command::new(&self.file);
        quiet_about_us(&mut command);
        let mut child = command
            .current_dir(&self.folder)
            .env("CARGO_MANIFEST_DIR", &self.folder)
            .env("RUST_TEST_THREADS", threads.to_string())
            .stdout(out.reopen()?)
            .stderr(err.reopen()?)
            .spawn()
            .with_context(|| format!("cannot start {}", self.file.display()))?;
        let status = wait(&mut child, started + patience)?;
        let mut said = String::new();
        for file in [&out, &err] {
            said.push_str(&String::from_utf8_lossy(&fs::read(file.path())?));
        }
        if status.is_none() {
            let minutes = patience.as_secs() / 60;
            said.push_str(&format!(
                "\nended by force: it hung for {minutes} minutes\n"
            ));
        }
        Ok(Ended {
            holds: status.is_some_and(|status| status.success()),
            seconds: started.elapsed().as_secs_f32(),
            said,
        })
    }
}

/// Waits for it. None: it was ended by force at that moment.
fn wait(child: &mut Child, until: Instant) -> Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() > until {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(LOOK);
    }
}

/// What came of one.
struct Ended {
    holds: bool,
    seconds: f32,
    said: String,
}

impl Ended {
    /// The line in which a runner sums up.
    fn result(&self) -> &str {
        self.said
            .lines()
            .rev()
            .find_map(|line| line.split_once("result: ").map(|(_, result)| result))
            // What nobody measures and filters, and how long it took, is the same or told anyway.
            .map(|result| result.split("; 0 measured").next().unwrap_or(result))
            .map(|result| result.split("; finished in").next().unwrap_or(result))
            .unwrap_or("it came to no result")
    }
}

/// Builds them all, runs them all, and says of each that fails everything that it said.
///
/// # Errors
/// Something does not build, a test fails, or there was none.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let told = answer(
        "tests to be run",
        cargo(workspace)
            .args(["test", "--quiet", "--workspace", "--no-run"])
            .arg("--message-format=json-render-diagnostics"),
    )?;
    let mut programs = programs(&told)?;
    ensure!(!programs.is_empty(), "cargo has built no tests");
    // What links the most does the most: nobody waits at the end for one that began last.
    programs.sort_by_key(|program| {
        let size = fs::metadata(&program.file).map_or(0, |file| file.len());
        (program.name == BUILDS, size)
    });
    let started = Instant::now();
    eprintln!("── {} programs of tests", programs.len());
    let failed = alone(at_once(programs)?)?;
    ensure!(
        failed.is_empty(),
        "tests: failed. To repeat them:\n  {}",
        failed.join("\n  ")
    );
    eprintln!("   tests: {:.1} s", started.elapsed().as_secs_f32());
    step(
        "tests in documentation",
        cargo(workspace).args(["test", "--quiet", "--workspace", "--doc"]),
    )
}

/// Runs them. Answers those that failed.
fn at_once(programs: Vec<Program>) -> Result<Vec<Program>> {
    let threads = threads();
    let ended = side_by_side(programs, |program| {
        let ended = program.run(threads, PATIENCE)?;
        tell(&program, &ended)?;
        Ok((!ended.holds).then_some(program))
    })?;
    Ok(ended.into_iter().flatten().collect())
}

/// Runs those that failed beside others once more, with the machine to themselves: that the others disturbed them is our doing, and not a mistake
/// of what they test. It is told all the same. Answers how to repeat those that failed again.
fn alone(failed: Vec<Program>) -> Result<Vec<String>> {
    let mut again = Vec::new();
    for program in failed {
        eprintln!("── {} once more, alone", program.name);
        let ended = program.run(threads(), PATIENCE)?;
        tell(&program, &ended)?;
        if ended.holds {
            eprintln!(
                "   {} holds alone, and did not beside others: make it robust",
                program.name
            );
        } else {
            again.push(program.command());
        }
    }
    Ok(again)
}

/// Within a program, too, they wait more than they compute.
fn threads() -> usize {
    let said = std::env::var("RUST_TEST_THREADS").ok();
    said.and_then(|said| said.parse().ok())
        .unwrap_or(2 * processors())
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
}

/// Does as many at a time as there are processors, the last one first. Answers what came of them, in the order in which they ended.
///
/// # Errors
/// The first that there was; what has begun comes to its end.
pub(crate) fn side_by_side<T: Send, R: Send>(
    waiting: Vec<T>,
    work: impl Fn(T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let waiting = Mutex::new(waiting);
    let done = Mutex::new(Vec::new());
    let worker = || -> Result<()> {
        loop {
            // In a statement of its own: whoever works does not hold the list.
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(next) = next else {
                return Ok(());
            };
            let result = work(next).inspect_err(|_| {
                // Nothing more is begun.
                let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
                waiting.clear();
            })?;
            done.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(result);
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..processors()).map(|_| scope.spawn(worker)).collect();
        for worker in workers {
            match worker.join() {
                Ok(ended) => ended?,
                Err(_) => bail!("who worked beside others has panicked"),
            }
        }
        Ok(())
    })?;
    Ok(done.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// One line of what holds; everything of what does not. As one piece, since others tell meanwhile.
fn tell(program: &Program, ended: &Ended) -> Result<()> {
    let Program { name, kind, .. } = program;
    let result = ended.result();
    let mut told = if ended.holds && result == "ok. 0 passed; 0 failed; 0 ignored" {
        String::new()
    } else {
        format!("   {name} ({kind}): {result} ({:.0} s)\n", ended.seconds)
    };
    if !ended.holds {
        told.push_str(&ended.said);
    }
    let mut stderr = std::io::stderr().lock();
    stderr.write_all(told.as_bytes()).context("nobody listens")
}

/// Those that cargo says it built.
fn programs(told: &str) -> Result<Vec<Program>> {
    let mut programs = Vec::new();
    for line in told.lines() {
        let message: Message = serde_json::from_str(line)
            .with_context(|| format!("cargo says what nobody understands: {line}"))?;
        if let (Some(target), Some(Profile { test: true }), Some(file), Some(manifest)) = (
            message.target,
            message.profile,
            message.executable,
            message.manifest_path,
        ) {
            programs.push(Program {
                name: target.name,
                kind: target.kind.into_iter().next().unwrap_or_default(),
                file,
                folder: manifest.parent().unwrap_or(Path::new("/")).to_owned(),
            });
        }
    }
    Ok(programs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_of_tests_are_told_from_what_else_cargo_built() {
        let told = concat!(
            r#"{"reason":"compiler-artifact","manifest_path":"/w/host/cli/Cargo.toml","target":{"kind":["bin"],"name":"cosell"},"profile":{"test":false},"executable":"/t/cosell"}"#,
            "\n",
            r#"{"reason":"compiler-artifact","manifest_path":"/w/host/sync/Cargo.toml","target":{"kind":["lib"],"name":"cosell_sync"},"profile":{"test":false},"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","manifest_path":"/w/tests/Cargo.toml","target":{"kind":["test"],"name":"stories"},"profile":{"test":true},"executable":"/t/stories-1"}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        let found = programs(told).unwrap();
        assert_eq!(
            found,
            [Program {
                name: "stories".to_owned(),
                kind: "test".to_owned(),
                file: "/t/stories-1".into(),
                folder: "/w/tests".into(),
            }]
        );
        assert_eq!(found[0].command(), "cargo test --workspace --test stories");
    }

    #[test]
    fn a_program_that_fails_is_told_with_all_that_it_said() {
        let of = |file: &str| Program {
            name: file.to_owned(),
            kind: "test".to_owned(),
            file: file.into(),
            folder: std::env::temp_dir(),
        };
        let failed = at_once(vec![of("true"), of("false"), of("true")]).unwrap();
        assert_eq!(failed, [of("false")]);
        let again = alone(failed).unwrap();
        assert_eq!(again, ["cargo test --workspace --test false"]);
        assert!(alone(vec![of("true")]).unwrap().is_empty());
        assert!(at_once(vec![of("/nowhere/at-all")]).is_err());
    }

    #[test]
    fn a_program_that_hangs_is_ended_and_says_so() {
        let hangs = Program {
            name: "hangs".to_owned(),
            kind: "test".to_owned(),
            // Waits for what nobody says.
            file: "yes".into(),
            folder: std::env::temp_dir(),
        };
        let ended = hangs.run(1, Duration::ZERO).unwrap();
        assert!(!ended.holds);
        assert!(
            ended
                .said
                .ends_with("ended by force: it hung for 0 minutes\n")
        );
    }

    #[test]
    fn what_a_runner_sums_up_is_its_last_result() {
        let ended = Ended {
            holds: true,
            seconds: 1.0,
            said: "rows\nrows result: ok. 3 answered; 0 failed; finished in 1.02s\nbye".to_owned(),
        };
        assert_eq!(ended.result(), "ok. 3 answered; 0 failed");
    }
}
