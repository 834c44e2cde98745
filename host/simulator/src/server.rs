//! The listeners: sockets, TLS, HTTP/1.1, latency and the faults that act on a whole request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::faults::{Service, Strike};
use crate::wire::{Reply, Request};
use crate::world::World;

/// Largest request body: far above any documented payload, far below what would hurt.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Largest body to control: a whole world.
const WORLD_BYTES_MAX: usize = 1024 * 1024 * 1024;
/// A client that does not finish its headers in this time is gone.
const HEADER_WAIT: Duration = Duration::from_secs(30);

/// A connection that is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("connection dropped on purpose")]
struct Dropped;

/// Accepts connections for one service until `stop` turns true.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    service: Service,
    world: Arc<World>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => return,
        };
        let Ok((stream, _)) = accepted else {
            // Out of descriptors or a connection that died in the queue: the next accept may work.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let (tls, world, stop) = (tls.clone(), Arc::clone(&world), stop.clone());
        tokio::spawn(async move { connection(stream, tls, service, world, stop).await });
    }
}

async fn connection(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    service: Service,
    world: Arc<World>,
    mut stop: watch::Receiver<bool>,
) {
    // Small answers wait for no one.
    let _ = stream.set_nodelay(true);
    let https = tls.is_some();
    let handler = service_fn(move |request: hyper::Request<Incoming>| {
        let world = Arc::clone(&world);
        async move { answer(request, https, service, &world).await }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADER_WAIT);
    let ended = match tls {
        None => {
            let served = http.serve_connection(TokioIo::new(stream), handler);
            tokio::select! { ended = served => ended, _ = stop.changed() => return }
        }
        Some(tls) => {
            let Ok(stream) = tls.accept(stream).await else {
                return;
            };
            let served = http.serve_connection(TokioIo::new(stream), handler);
            tokio::select! { ended = served => ended, _ = stop.changed() => return }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(service = ?service, %error, "a connection ended early");
    }
}

async fn answer(
    request: hyper::Request<Incoming>,
    https: bool,
    service: Service,
    world: &Arc<World>,
) -> Result<hyper::Response<Full<Bytes>>, Dropped> {
    let came = Instant::now();
    let (head, body) = request.into_parts();
    let bytes_max = match service {
        Service::Control => WORLD_BYTES_MAX,
        _ => BODY_BYTES_MAX,
    };
    let Ok(body) = Limited::new(body, bytes_max).collect().await else {
        return Ok(whole(Reply::empty(413)));
    };
    let host = head
        .headers
        .get("host")
        .and_then(|host| host.to_str().ok())
        .unwrap_or("127.0.0.1");
    let target = head.uri.clone();
    let request = Request {
        origin: format!("{}://{host}", if https { "https" } else { "http" }),
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body: body.to_bytes(),
    };
    if service == Service::Control {
        return Ok(whole(world.handle(service, &request)));
    }
    world.requests.came(came, service, &request.method, &target);
    let under_way = match world.begin(service, &request) {
        Ok(under_way) => under_way,
        Err(refused) => return Ok(whole(refused)),
    };
    // A service goes on with what it was asked for, whether or not the client still waits for the answer.
    let world = Arc::clone(world);
    let handled = tokio::spawn(async move {
        let handled = handle(&world, service, &request).await;
        drop(under_way);
        handled
    });
    handled.await.unwrap_or(Err(Dropped))
}

async fn handle(
    world: &Arc<World>,
    service: Service,
    request: &Request,
) -> Result<hyper::Response<Full<Bytes>>, Dropped> {
    let latency_ms = world.latency_ms();
    if latency_ms > 0 {
        tokio::time::sleep(Duration::from_millis(latency_ms)).await;
    }
    match world.strike(service, request) {
        None => Ok(whole(world.handle(service, request))),
        Some(Strike::Answer(reply)) => Ok(whole(reply)),
        Some(Strike::DropBefore) => Err(Dropped),
        Some(Strike::DropAfter) => {
            let _lost = world.handle(service, request);
            Err(Dropped)
        }
        Some(Strike::WrongClock(ms)) => {
            let reply = crate::clock::skewed(ms, || world.handle(service, request));
            let date = crate::clock::skewed(ms, || world.clock.now());
            let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
            Ok(whole(reply.with("date", date)))
        }
        Some(Strike::Delay(ms)) => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            Ok(whole(world.handle(service, request)))
        }
    }
}

fn whole(reply: Reply) -> hyper::Response<Full<Bytes>> {
    respond(reply).map(Full::new)
}

/// A reply as a response.
pub(crate) fn respond(reply: Reply) -> http::Response<Bytes> {
    let mut response = http::Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name.as_ref(), value);
    }
    response.body(Bytes::from(reply.body)).unwrap_or_else(|_| {
        let mut broken = http::Response::new(Bytes::from_static(b"a header could not be written"));
        *broken.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
        broken
    })
}
