//! Loads a receiver: prepared requests over kept-alive sockets, at a rate or as fast as answers come. The receiver is a process of its own, so that
//! its processor time and memory can be told from the generator's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Clock ticks of a second in `/proc`: fixed by Linux's interface to programs.
const TICKS_PER_SECOND: u64 = 100;
/// Bytes of a memory page on every machine that this runs on.
const PAGE_BYTES: u64 = 4096;

/// What came of a load.
#[derive(Debug)]
pub struct Loaded {
    /// From when a request was due (or sent, without a rate) until its answer, sorted.
    pub latencies: Vec<Duration>,
    /// Answers that were no success, by status.
    pub refused: Vec<u16>,
    /// From the first request to the last answer.
    pub took: Duration,
}

impl Loaded {
    /// So many of a thousand answers came within this time.
    #[must_use]
    pub fn within(&self, of_thousand: usize) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        let place = (self.latencies.len() * of_thousand).div_ceil(1_000);
        let latency = self.latencies.get(place.saturating_sub(1).min(last));
        latency.copied().unwrap_or_default()
    }

    /// Answers a second.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "shown without digits")]
    pub fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.took.as_secs_f64()
    }
}

/// The one in the middle, when they are sorted.
///
/// # Panics
/// Without any.
#[must_use]
pub fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Sends every request, `per_second` of them (all at once without it), over so many sockets. A request that is due waits for a free socket, and
/// the wait counts.
///
/// # Errors
/// When a socket breaks, or an answer is no HTTP.
pub async fn load(
    address: SocketAddr,
    requests: Arc<Vec<Bytes>>,
    per_second: Option<u32>,
    sockets: usize,
) -> anyhow::Result<Loaded> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut callers = JoinSet::new();
    let began = Instant::now();
    for _ in 0..sockets {
        let (next, requests) = (Arc::clone(&next), Arc::clone(&requests));
        callers.spawn(async move {
            let mut line = Line::open(address).await?;
            let (mut latencies, mut refused) = (Vec::new(), Vec::new());
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(request) = requests.get(number) else {
                    return anyhow::Ok((latencies, refused));
                };
                let mut due = Instant::now();
                if let Some(rate) = per_second {
                    #[allow(clippy::cast_precision_loss, reason = "some thousands")]
                    let after = Duration::from_secs_f64(number as f64 / f64::from(rate));
                    due = began + after;
                    tokio::time::sleep_until(due.into()).await;
                }
                let status = line.ask(request).await?;
                latencies.push(due.elapsed());
                if !(200..300).contains(&status) {
                    refused.push(status);
                }
            }
        });
    }
    let mut loaded = Loaded {
        latencies: Vec::with_capacity(requests.len()),
        refused: Vec::new(),
        took: Duration::ZERO,
    };
    while let Some(ended) = callers.join_next().await {
        let (latencies, refused) = ended??;
        loaded.latencies.extend(latencies);
        loaded.refused.extend(refused);
    }
    loaded.took = began.elapsed();
    loaded.latencies.sort_unstable();
    Ok(loaded)
}

/// One socket that is kept open.
struct Line {
    socket: TcpStream,
    read: BytesMut,
}

impl Line {
    async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        Ok(Self {
            socket,
            read: BytesMut::with_capacity(4096),
        })
    }

    /// Sends a request and reads the whole answer; its status.
    async fn ask(&mut self, request: &[u8]) -> anyhow::Result<u16> {
        self.socket.write_all(request).await?;
        loop {
            if let Some((status, length)) = answer(&self.read)? {
                self.read.advance(length);
                return Ok(status);
            }
            let read = self.socket.read_buf(&mut self.read).await?;
            ensure!(read > 0, "the receiver closed a socket before it answered");
        }
    }
}

/// Status and length of an answer, once all of it is there.
fn answer(bytes: &[u8]) -> anyhow::Result<Option<(u16, usize)>> {
    let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = head + 4;
    let text = std::str::from_utf8(&bytes[..head]).context("an answer's head is no text")?;
    let status = text.get(9..12).and_then(|status| status.parse().ok());
    let body = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, length)| length.trim().parse::<usize>().ok());
    let (Some(status), Some(body)) = (status, body) else {
        bail!("an answer without status or length: {text}");
    };
    Ok((bytes.len() >= head + body).then_some((status, head + body)))
}

/// Sockets that cost attention and bring nothing: some say nothing, some say a request one byte at a time. Whoever is hung up on comes again.
/// Dropping it ends them.
pub struct Crowd(#[allow(dead_code, reason = "its drop is what it is for")] JoinSet<()>);

impl Crowd {
    /// So many of each, all of them connected when it returns.
    ///
    /// # Errors
    /// When they cannot connect.
    pub async fn gather(
        address: SocketAddr,
        idle: usize,
        slow: usize,
        path: &str,
    ) -> anyhow::Result<Self> {
        let mut crowd = JoinSet::new();
        let words: Arc<str> = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\nx-slow: ").into();
        for number in 0..idle + slow {
            let mut socket = TcpStream::connect(address).await?;
            let words = (number >= idle).then(|| Arc::clone(&words));
            crowd.spawn(async move {
                loop {
                    linger(&mut socket, words.as_deref()).await;
                    match TcpStream::connect(address).await {
                        Ok(again) => socket = again,
                        Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                    }
                }
            });
        }
        Ok(Self(crowd))
    }
}

/// Until the other side hangs up.
async fn linger(socket: &mut TcpStream, words: Option<&str>) {
    let mut byte = [0];
    match words {
        None => while socket.read(&mut byte).await.is_ok_and(|read| read > 0) {},
        Some(words) => {
            for byte in words.bytes().chain(std::iter::repeat(b'x')) {
                if socket.write_all(&[byte]).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
    }
}

/// Processor time that a process has used so far, in itself and the kernel; this one's without an id.
///
/// # Errors
/// Where there is no `/proc`, or no such process.
pub fn processor_time(pid: Option<u32>) -> anyhow::Result<Duration> {
    let who = pid.map_or_else(|| "self".to_owned(), |pid| pid.to_string());
    let text = std::fs::read_to_string(format!("/proc/{who}/stat"))
        .with_context(|| format!("/proc does not tell the processor time of {who}"))?;
    // The name may hold anything; fields are counted from behind it.
    let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<u64>().ok())
        .sum();
    Ok(Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND))
}

/// Memory that a process has resident, bytes.
///
/// # Errors
/// As [`processor_time`].
pub fn resident(pid: u32) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm"))?;
    let pages = text.split_whitespace().nth(1).context("an empty statm")?;
    Ok(pages.parse::<u64>()? * PAGE_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_body_is() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\nHTTP";
        assert_eq!(answer(&whole[..whole.len() - 5]).unwrap(), None);
        assert_eq!(answer(whole).unwrap(), Some((200, whole.len() - 4)));
        assert!(answer(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }

    #[test]
    fn a_percentile_is_an_answer_that_was_given() {
        let loaded = Loaded {
            latencies: (1..=100).map(Duration::from_millis).collect(),
            refused: Vec::new(),
            took: Duration::from_secs(2),
        };
        assert_eq!(loaded.within(990), Duration::from_millis(99));
        assert_eq!(loaded.within(1_000), Duration::from_millis(100));
        assert!((loaded.rate() - 50.0).abs() < f64::EPSILON);
    }

    #[test]
    fn this_process_has_used_some_time_and_memory() {
        let mut sum = 0_u64;
        while processor_time(None).unwrap().is_zero() {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(resident(std::process::id()).unwrap() > PAGE_BYTES);
    }
}
