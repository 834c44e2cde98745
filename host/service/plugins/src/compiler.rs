//! Compiling in a process of its own that can be killed.
//!
//! A valid component of half a megabyte can keep a compiler busy for twenty seconds and fill gigabytes, and the engine's authors say that this is no
//! security bug of theirs. So the host starts itself once more, with no environment and with limits on memory and processor time, hands the bytes
//! over and waits for so long and no longer. What comes back is machine code from our own program over our own pipe; it is never read from a file
//! that others can write.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::engine::bare_engine;
use crate::limits::{COMPILED_BYTES_MAX, FILE_BYTES_MAX};

/// Where plugins are compiled.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Compiler {
    /// In this process: for benches and for tests of other things. What a hostile file costs, the host pays.
    #[default]
    Here,
    /// In a process of its own.
    Process(CompilerProcess),
}

/// The process that compiles, and what it may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompilerProcess {
    /// A program that calls [`serve`] when it is started with these arguments.
    pub program: PathBuf,
    /// See there.
    pub arguments: Vec<OsString>,
    /// Address space, in bytes.
    pub memory_bytes: u64,
    /// Of processor time it may use so much on each of two processors. By the clock on the wall it may take four times as long: a busy machine makes
    /// no good plugin a bad one.
    pub time: Duration,
}

/// CPython as a component takes 0.8 GB and 6 s; what takes more than this is an attack or a mistake.
pub const COMPILE_MEMORY_BYTES: u64 = 3 << 30;
/// See [`COMPILE_MEMORY_BYTES`].
pub const COMPILE_TIME: Duration = Duration::from_secs(30);

impl CompilerProcess {
    /// This program, with the usual limits.
    #[must_use]
    pub fn new(program: PathBuf, arguments: Vec<OsString>) -> Self {
        Self {
            program,
            arguments,
            memory_bytes: COMPILE_MEMORY_BYTES,
            time: COMPILE_TIME,
        }
    }
}

/// Why there is no code.
#[derive(Debug)]
pub(crate) enum CompileError {
    /// The component is not valid, or uses what this host does not offer; the chain of causes.
    Invalid(Vec<String>),
    /// It took longer than this.
    Time(Duration),
    /// It wanted more memory than this; what the process said last.
    Memory(u64, String),
    /// The process could not be started, or did not do its work.
    Process(String),
}

/// A machine that is busier than this many times compiles nothing.
const BUSY: u32 = 4;

/// First byte of the answer.
const CODE: u8 = b'c';
const CAUSES: u8 = b'e';

/// The argument in which the parent says how much memory and processor time the child may take: bytes and seconds.
fn limits_of(process: &CompilerProcess) -> [OsString; 2] {
    let seconds = process.time.as_secs().max(1) * 2;
    [
        process.memory_bytes.to_string().into(),
        seconds.to_string().into(),
    ]
}

/// The work of the child: takes limits upon itself, reads a component from standard input and writes the compiled code to standard output.
///
/// `arguments` are the two that the parent has added to its own: memory in bytes, and processor time in seconds.
///
/// # Errors
/// Standard input or output are gone, or the limits cannot be set: then nothing is compiled.
pub fn serve(arguments: &[OsString]) -> io::Result<()> {
    let number = |place: usize| -> io::Result<u64> {
        arguments
            .get(place)
            .and_then(|text| text.to_str()?.parse().ok())
            .ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "started by hand? this is for the host itself: it takes the bytes of memory and the seconds of processor time that it may use",
                )
            })
    };
    limit(number(0)?, number(1)?)?;
    let mut wasm = Vec::new();
    io::stdin()
        .lock()
        .take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut wasm)?;
    let compiled = bare_engine().and_then(|engine| engine.precompile_component(&wasm));
    let mut out = io::stdout().lock();
    match compiled {
        Ok(code) => {
            out.write_all(&[CODE])?;
            out.write_all(&code)?;
        }
        Err(error) => {
            out.write_all(&[CAUSES])?;
            out.write_all(crate::load::causes(&error).join("\n").as_bytes())?;
        }
    }
    out.flush()
}

#[cfg(unix)]
fn limit(memory: u64, seconds: u64) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let limits = [
        (Resource::As, memory),
        (Resource::Cpu, seconds),
        // What it was fed is nobody's to find in a core file.
        (Resource::Core, 0),
    ];
    for (resource, at_most) in limits {
        let limit = Rlimit {
            current: Some(at_most),
            maximum: Some(at_most),
        };
        setrlimit(resource, limit)?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn limit(_memory: u64, _seconds: u64) -> io::Result<()> {
    // Elsewhere the parent's clock has to do.
    Ok(())
}

impl CompilerProcess {
    /// Compiles in the process, and kills it when the time is over.
    pub(crate) fn compile(&self, wasm: &[u8]) -> Result<Vec<u8>, CompileError> {
        let broken = |what: &str, error: &io::Error| {
            CompileError::Process(format!("{what} {}: {error}", self.program.display()))
        };
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .args(limits_of(self))
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| broken("cannot start", &error))?;
        let ended = self.converse(&mut child, wasm);
        // Whatever happened: nothing of it is left running.
        let _ = child.kill();
        let _ = child.wait();
        let Conversation {
            status,
            answer,
            complaint,
        } = ended.map_err(|error| broken("cannot talk to", &error))?;
        let Some(status) = status else {
            return Err(CompileError::Time(self.time));
        };
        match answer.split_first() {
            Some((&CODE, code)) if status.success() => Ok(code.to_vec()),
            Some((&CAUSES, causes)) if status.success() => Err(CompileError::Invalid(
                String::from_utf8_lossy(causes)
                    .lines()
                    .map(str::to_owned)
                    .collect(),
            )),
            _ => Err(self.ended_badly(status, &complaint)),
        }
    }

    fn ended_badly(&self, status: ExitStatus, complaint: &str) -> CompileError {
        let last = complaint
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty())
            .unwrap_or_default()
            .to_owned();
        #[cfg(unix)]
        if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
            use rustix::process::Signal;
            if [Signal::XCPU, Signal::KILL]
                .iter()
                .any(|timely| timely.as_raw() == signal)
            {
                return CompileError::Time(self.time);
            }
            return CompileError::Memory(self.memory_bytes, last);
        }
        let is_short = [
            "memory allocation",
            "out of memory",
            "Cannot allocate memory",
        ]
        .iter()
        .any(|words| complaint.contains(words));
        if is_short {
            return CompileError::Memory(self.memory_bytes, last);
        }
        CompileError::Process(format!(
            "{} ended with {status}: {last}",
            self.program.display()
        ))
    }

    /// Hands the bytes over and collects what is said, each on a thread of its own, so that a full pipe holds up nobody.
    fn converse(&self, child: &mut Child, wasm: &[u8]) -> io::Result<Conversation> {
        let missing = || io::Error::other("a pipe is missing");
        let mut stdin = child.stdin.take().ok_or_else(missing)?;
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let stderr = child.stderr.take().ok_or_else(missing)?;
        let until = Instant::now() + self.time * BUSY;
        std::thread::scope(|scope| {
            scope.spawn(move || {
                // A child that ended before it had read everything says why in its answer.
                let _ = stdin.write_all(wasm);
            });
            let answer = scope.spawn(move || all_of(stdout, COMPILED_BYTES_MAX));
            let complaint = scope.spawn(move || all_of(stderr, 64 << 10));
            let status = loop {
                if let Some(status) = child.try_wait()? {
                    break Some(status);
                }
                if Instant::now() >= until {
                    child.kill()?;
                    break None;
                }
                std::thread::sleep(Duration::from_millis(2));
            };
            let heard = |bytes: std::thread::Result<io::Result<Vec<u8>>>| {
                bytes.map_err(|_| io::Error::other("a reader panicked"))?
            };
            let complaint = heard(complaint.join())?;
            Ok(Conversation {
                status,
                answer: heard(answer.join())?,
                complaint: String::from_utf8_lossy(&complaint).into_owned(),
            })
        })
    }
}

struct Conversation {
    /// None: its time was over.
    status: Option<ExitStatus>,
    answer: Vec<u8>,
    complaint: String,
}

fn all_of(pipe: impl Read, at_most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    pipe.take(at_most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > at_most {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it says more than {} MiB", at_most >> 20),
        ));
    }
    Ok(bytes)
}
