//! A server with time limits, for whoever composes the host: axum's own has none for headers and idle sockets.

use std::future::Future;
use std::io::Write as _;
use std::net::Shutdown;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use hyper::Request;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::caller::Caller;
use crate::crowd::Crowd;
use crate::refusal::RETRY_AFTER_S;

/// Headers of one request, bytes. A signature and a url take 1 KiB.
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// After a failed `accept` (no file handles left): long enough not to spin, short enough not to be noticed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Time and number limits of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerLimits {
    /// A request's headers must have arrived within this time after the connection opened or the request before ended; idle sockets end with it.
    pub header_time: Duration,
    /// Sockets open at once; further callers wait in the system's queue.
    pub connections: usize,
    /// Of those, as many as one address (of IPv6 a /64) may have; what it opens beyond is closed at once. None: all of them, as it has to be behind a
    /// gateway, where everybody calls from one address.
    pub connections_of_one: Option<usize>,
    /// How long running requests may take to end when the server stops.
    pub drain_time: Duration,
}

impl Default for ServerLimits {
    /// 10 s for headers, 4096 sockets (a thousand idle ones must not matter) whoever has them, 10 s to drain.
    fn default() -> Self {
        Self {
            header_time: Duration::from_secs(10),
            connections: 4096,
            connections_of_one: None,
            drain_time: Duration::from_secs(10),
        }
    }
}

/// Serves `router` on `listener` until `stop` resolves, then lets running requests end. Each request says who sent it: its extensions hold a [`Caller`].
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ServerLimits,
    stop: impl Future<Output = ()> + Send,
) {
    let sockets = Arc::new(Semaphore::new(limits.connections));
    let crowd = Crowd::new(limits.connections_of_one);
    let (stopping, stopped) = watch::channel(());
    let mut running = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let permit = tokio::select! {
            () = &mut stop => break,
            permit = Arc::clone(&sockets).acquire_owned() => permit.expect("the semaphore is never closed"),
        };
        let (socket, caller) = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok((socket, address)) => (socket, Caller::from(address.ip())),
                Err(error) => {
                    tracing::warn!(server.error = %error, "could not accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        let Some(place) = crowd.enter(caller) else {
            if let Some(sockets) = crowd.news(Instant::now()) {
                tracing::warn!(
                    server.turned_away = sockets,
                    server.sockets_per_address = limits.connections_of_one,
                    "an address has as many sockets open as one may have; what it opens beyond is closed"
                );
            }
            turn_away(socket);
            continue;
        };
        // Answers are small and written at once; waiting to fill a packet only delays them.
        let _ = socket.set_nodelay(true);
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_time)
            .max_buf_size(HEADER_BYTES_MAX);
        let routes = TowerToHyperService::new(router.clone());
        let routes = service_fn(move |mut request: Request<_>| {
            request.extensions_mut().insert(caller);
            routes.call(request)
        });
        let connection = builder.serve_connection(TokioIo::new(socket), routes);
        let mut stopped = stopped.clone();
        running.spawn(async move {
            let mut connection = pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                _ = stopped.changed() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                // A caller that goes away is no event worth more.
                tracing::debug!(server.error = %error, "a connection ended early");
            }
            drop((permit, place));
        });
        while running.try_join_next().is_some() {}
    }
    drop(listener);
    drop(stopping);
    let drained = tokio::time::timeout(limits.drain_time, async {
        while running.join_next().await.is_some() {}
    })
    .await;
    if drained.is_err() {
        tracing::warn!(
            server.connections = running.len(),
            "requests were still running when the time to drain was over"
        );
    }
}

/// Says why and closes, without waiting for anything: what fits into an empty socket is written at once. Dataverse comes again after 503. Whoever was
/// sending already may see only that the socket is closed.
fn turn_away(socket: TcpStream) {
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nretry-after: {RETRY_AFTER_S}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    );
    if let Ok(mut socket) = socket.into_std() {
        let _ = socket.write_all(answer.as_bytes());
        let _ = socket.shutdown(Shutdown::Write);
    }
}
