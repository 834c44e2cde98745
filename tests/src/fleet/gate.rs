//! What stands before several hosts: a load balancer, and a bad one. It hands webhooks to any of them, late, more than once, or not at all.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A host that does not answer within this time is left for another.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// A webhook has some KiB.
const BYTES_MAX: usize = 1 << 20;

/// How webhooks come.
#[derive(Debug, Clone)]
pub struct Manners {
    /// Which share is lost: answered, and handed to nobody.
    pub lost: f64,
    /// How often each one comes that is not.
    pub times: RangeInclusive<u32>,
    /// How late at most. Those that come together overtake each other.
    pub late: Duration,
    /// What is drawn from.
    pub seed: u64,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            lost: 0.0,
            times: 1..=1,
            late: Duration::ZERO,
            seed: 1,
        }
    }
}

/// An open gate. Dropping it closes it.
pub struct Gate {
    /// Where it is reached.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    listening: JoinHandle<()>,
}

struct Shared {
    hosts: Mutex<Vec<SocketAddr>>,
    manners: Mutex<Manners>,
    dice: Mutex<StdRng>,
    under_way: AtomicUsize,
    lost: AtomicUsize,
    handed: AtomicUsize,
}

impl Gate {
    /// Opens it; it leads nowhere yet.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn open(manners: Manners) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            hosts: Mutex::default(),
            dice: Mutex::new(StdRng::seed_from_u64(manners.seed)),
            manners: Mutex::new(manners),
            under_way: AtomicUsize::new(0),
            lost: AtomicUsize::new(0),
            handed: AtomicUsize::new(0),
        });
        let gate = Arc::clone(&shared);
        let listening = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let gate = Arc::clone(&gate);
                tokio::spawn(async move {
                    let turn = gate.begin();
                    // A caller that goes away comes again.
                    let _gone = gate.take(socket).await;
                    drop(turn);
                });
            }
        });
        Ok(Self {
            address,
            shared,
            listening,
        })
    }

    /// The hosts behind it, from now on.
    pub fn lead_to(&self, hosts: impl Iterator<Item = SocketAddr>) {
        *lock(&self.shared.hosts) = hosts.collect();
    }

    /// How webhooks come, from now on.
    pub fn behave(&self, manners: Manners) {
        *lock(&self.shared.manners) = manners;
    }

    /// Webhooks that are in it.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.shared.under_way.load(Ordering::Acquire)
    }

    /// How many were handed over so far, and how many were lost.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let count = |number: &AtomicUsize| number.load(Ordering::Relaxed);
        (count(&self.shared.handed), count(&self.shared.lost))
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// Counts one that is under way, until it is dropped.
struct Turn(Arc<Shared>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Shared {
    fn begin(self: &Arc<Self>) -> Turn {
        self.under_way.fetch_add(1, Ordering::AcqRel);
        Turn(Arc::clone(self))
    }

    /// One webhook, from its arrival to its answer.
    async fn take(self: &Arc<Self>, mut socket: TcpStream) -> std::io::Result<()> {
        let request = read_request(&mut socket).await?;
        let manners = lock(&self.manners).clone();
        let (is_lost, copies) = {
            let mut dice = lock(&self.dice);
            let times = dice.random_range(manners.times.clone());
            (dice.random_bool(manners.lost), times.saturating_sub(1))
        };
        if is_lost {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return answer(&mut socket, 200).await;
        }
        self.dawdle(manners.late).await;
        let status = self.hand_over(&request).await;
        if (200..300).contains(&status) {
            for _ in 0..copies {
                let (gate, request, turn) = (Arc::clone(self), request.clone(), self.begin());
                // Later than whatever has come meanwhile.
                let late = manners.late * 4;
                tokio::spawn(async move {
                    gate.dawdle(late).await;
                    gate.hand_over(&request).await;
                    drop(turn);
                });
            }
        }
        answer(&mut socket, status).await
    }

    async fn dawdle(&self, at_most: Duration) {
        let share = lock(&self.dice).random_range(0.0..=1.0);
        tokio::time::sleep(at_most.mul_f64(share)).await;
    }

    /// To any host; to the next one when it does not answer, or has no room.
    async fn hand_over(&self, request: &Bytes) -> u16 {
        let mut hosts = lock(&self.hosts).clone();
        hosts.shuffle(&mut *lock(&self.dice));
        let mut status = 503;
        for host in hosts {
            let posted = tokio::time::timeout(ANSWER_MAX, post(host, request)).await;
            let Ok(Ok(said)) = posted else { continue };
            status = said;
            if said < 500 {
                self.handed.fetch_add(1, Ordering::Relaxed);
                return said;
            }
        }
        status
    }
}

async fn post(host: SocketAddr, request: &Bytes) -> std::io::Result<u16> {
    let mut socket = TcpStream::connect(host).await?;
    socket.write_all(request).await?;
    let mut said = Vec::new();
    // `HTTP/1.1 200`
    while said.len() < 12 {
        if socket.read_buf(&mut said).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    let status = String::from_utf8_lossy(&said[9..12]).parse();
    status.map_err(|_| std::io::ErrorKind::InvalidData.into())
}

async fn answer(socket: &mut TcpStream, status: u16) -> std::io::Result<()> {
    let text = format!("HTTP/1.1 {status} -\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    socket.write_all(text.as_bytes()).await?;
    socket.shutdown().await
}

/// The bytes of one request, as they came.
async fn read_request(socket: &mut TcpStream) -> std::io::Result<Bytes> {
    let mut bytes = BytesMut::new();
    loop {
        if let Some(length) = length(&bytes)
            && bytes.len() >= length
        {
            return Ok(bytes.freeze());
        }
        if bytes.len() > BYTES_MAX || socket.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
    }
}

/// How long the request is, once its headers are there.
fn length(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let body = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .and_then(|length| length.trim().parse().ok());
    Some(head + body.unwrap_or(0))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
