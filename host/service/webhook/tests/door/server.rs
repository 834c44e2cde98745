//! The server's limits on time and number.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use cosell_webhook::{ServerLimits, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;

use crate::world::{World, event};

const QUICK: Duration = Duration::from_millis(100);
/// Long enough that only a hang reaches it.
const HANG: Duration = Duration::from_secs(20);

async fn start(
    limits: ServerLimits,
    router: Router,
) -> (String, oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(serve(listener, router, limits, async {
        let _ = stopped.await;
    }));
    (address, stop, served)
}

#[tokio::test]
async fn half_a_header_and_an_idle_socket_are_closed() {
    let limits = ServerLimits {
        header_time: QUICK,
        ..ServerLimits::default()
    };
    let (address, _stop, _served) =
        start(limits, Router::new().route("/", get(|| async { "here" }))).await;
    for sent in ["", "GET / HTTP/1.1\r\nhost: x\r\nx-slow: "] {
        let mut socket = TcpStream::connect(&address).await.unwrap();
        socket.write_all(sent.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        tokio::time::timeout(HANG, socket.read_to_end(&mut rest))
            .await
            .expect("the server closes it")
            .unwrap();
    }
    // Idle after a request that was answered.
    let mut socket = TcpStream::connect(&address).await.unwrap();
    socket
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    tokio::time::timeout(HANG, socket.read_to_string(&mut answer))
        .await
        .expect("the server closes it")
        .unwrap();
    assert!(answer.ends_with("here"), "{answer}");
}

#[tokio::test]
async fn callers_beyond_the_limit_wait_their_turn() {
    let limits = ServerLimits {
        connections: 1,
        ..ServerLimits::default()
    };
    let (address, _stop, _served) =
        start(limits, Router::new().route("/", get(|| async { "here" }))).await;
    let first = TcpStream::connect(&address).await.unwrap();
    let mut second = TcpStream::connect(&address).await.unwrap();
    second
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut byte = [0; 1];
    assert!(
        tokio::time::timeout(QUICK, second.read(&mut byte))
            .await
            .is_err(),
        "answered although the only place is taken"
    );
    drop(first);
    let mut answer = String::new();
    tokio::time::timeout(HANG, second.read_to_string(&mut answer))
        .await
        .expect("its turn comes")
        .unwrap();
    assert!(answer.ends_with("here"), "{answer}");
}

/// A socket from this address of the loopback network.
async fn socket_from(own: &str, address: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{own}:0").parse().unwrap()).unwrap();
    socket.connect(address.parse().unwrap()).await.unwrap()
}

async fn asked(mut socket: TcpStream) -> std::io::Result<String> {
    socket
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await?;
    let mut answer = String::new();
    tokio::time::timeout(HANG, socket.read_to_string(&mut answer))
        .await
        .expect("there is an answer")?;
    Ok(answer)
}

#[tokio::test]
async fn an_address_that_holds_all_its_sockets_takes_no_place_of_others() {
    let limits = ServerLimits {
        connections: 4,
        connections_of_one: Some(2),
        ..ServerLimits::default()
    };
    let (address, _stop, _served) =
        start(limits, Router::new().route("/", get(|| async { "here" }))).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        held.push(socket_from("127.0.0.2", &address).await);
    }
    for _ in 0..5 {
        // It says nothing, so that nothing unread turns the end of the socket into a reset.
        let mut beyond = socket_from("127.0.0.2", &address).await;
        let mut answer = String::new();
        tokio::time::timeout(HANG, beyond.read_to_string(&mut answer))
            .await
            .expect("it is closed")
            .unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 5"),
            "{answer}"
        );
    }
    let other = socket_from("127.0.0.3", &address).await;
    assert!(asked(other).await.unwrap().ends_with("here"));
    // What it gives back it may have again, once the server has noticed; until then it is turned away.
    held.pop();
    let again = tokio::time::timeout(HANG, async {
        loop {
            let socket = socket_from("127.0.0.2", &address).await;
            match asked(socket).await {
                Ok(answer) if answer.ends_with("here") => return,
                _ => tokio::task::yield_now().await,
            }
        }
    });
    again.await.expect("a place comes free");
}

#[tokio::test]
async fn without_a_number_one_address_may_have_all_sockets() {
    let (address, _stop, _served) = start(
        ServerLimits::default(),
        Router::new().route("/", get(|| async { "here" })),
    )
    .await;
    let mut held = Vec::new();
    for _ in 0..40 {
        held.push(socket_from("127.0.0.2", &address).await);
    }
    for socket in held {
        assert!(asked(socket).await.unwrap().ends_with("here"));
    }
}

#[tokio::test]
async fn stopping_lets_running_requests_end() {
    let (arrived, mut waiting) = tokio::sync::mpsc::channel::<oneshot::Sender<()>>(1);
    let slow = get(move || {
        let arrived = arrived.clone();
        async move {
            let (release, released) = oneshot::channel();
            arrived.send(release).await.unwrap();
            let _ = released.await;
            "done"
        }
    });
    let (address, stop, served) =
        start(ServerLimits::default(), Router::new().route("/", slow)).await;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let request = tokio::spawn(reqwest::get(format!("http://{address}/")));
    let release = waiting.recv().await.unwrap();
    stop.send(()).unwrap();
    assert!(!served.is_finished());
    release.send(()).unwrap();
    assert_eq!(
        request.await.unwrap().unwrap().text().await.unwrap(),
        "done"
    );
    tokio::time::timeout(HANG, served)
        .await
        .expect("the server ends")
        .unwrap();
    assert!(TcpStream::connect(&address).await.is_err());
}

#[tokio::test]
async fn the_door_stops_with_its_server() {
    let mut world = World::start().await;
    world
        .taken(
            world.signed(&event("referral-updated"), "chain.pem"),
            "accepted",
        )
        .await;
    world.stop();
    let ended = tokio::time::timeout(HANG, async {
        while world
            .signed(&event("referral-updated"), "chain.pem")
            .send()
            .await
            .is_ok()
        {}
    })
    .await;
    assert!(ended.is_ok());
}
