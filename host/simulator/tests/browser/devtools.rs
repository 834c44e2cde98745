//! A Chromium without a window, spoken to by its DevTools protocol over a WebSocket of our own.

use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// Names under which distributions install it.
const PROGRAMS: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "chromium-headless-shell",
];
const MISSING: &str = "this test needs Chromium, and none was found; install it with:\n\n    apt-get install -y chromium\n";
/// How long a page may take to come to what is waited for.
const PATIENCE: Duration = Duration::from_secs(20);
/// Stops of the keyboard on a page, at most.
const STOPS_MAX: usize = 150;

/// A running browser. Dropping it ends it.
pub(crate) struct Browser {
    _process: Child,
    _profile: Profile,
    socket_url: String,
}

/// A folder that goes when it is dropped.
struct Profile(std::path::PathBuf);

impl Drop for Profile {
    fn drop(&mut self) {
        // Chromium's other processes end when they miss the first, and write into the folder until then.
        for _ in 0..20 {
            let _may_be_gone = std::fs::remove_dir_all(&self.0);
            std::thread::sleep(Duration::from_millis(50));
            if !self.0.exists() {
                break;
            }
        }
    }
}

impl Browser {
    pub(crate) async fn start() -> Self {
        let name = format!("cosell-browser-{:016x}", rand::random::<u64>());
        let profile = Profile(std::env::temp_dir().join(name));
        let mut started = None;
        for program in PROGRAMS {
            let command = Command::new(program)
                .args([
                    "--headless",
                    "--no-sandbox",
                    "--disable-gpu",
                    "--disable-dev-shm-usage",
                    "--no-first-run",
                ])
                .args([
                    "--remote-debugging-port=0",
                    "--force-device-scale-factor=1",
                    "about:blank",
                ])
                .arg(format!("--user-data-dir={}", profile.0.display()))
                .stderr(Stdio::piped())
                .stdout(Stdio::null())
                .kill_on_drop(true)
                .spawn();
            if let Ok(process) = command {
                started = Some(process);
                break;
            }
        }
        let mut process = started.expect(MISSING);
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let address = async {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(url) = line.strip_prefix("DevTools listening on ") {
                    return url.to_owned();
                }
            }
            panic!(
                "Chromium ended before it listened; it is there and does not start:\n\n    chromium --headless --no-sandbox --dump-dom about:blank\n"
            );
        };
        let socket_url = tokio::time::timeout(PATIENCE, address)
            .await
            .expect("Chromium should listen");
        // Who does not read on blocks it once the pipe is full.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self {
            _process: process,
            _profile: profile,
            socket_url,
        }
    }

    /// Opens a page and waits until it is there.
    pub(crate) async fn open(&self, url: &str) -> Tab {
        let mut tab = Tab {
            socket: connect(&self.socket_url).await,
            session: String::new(),
            sent: 0,
            complaints: Vec::new(),
        };
        let target = tab
            .call("Target.createTarget", json!({"url": "about:blank"}))
            .await;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = tab.call("Target.attachToTarget", attach).await;
        tab.session = attached["sessionId"].as_str().unwrap().to_owned();
        tab.call("Page.enable", json!({})).await;
        tab.call("Log.enable", json!({})).await;
        tab.call("Page.navigate", json!({ "url": url })).await;
        tab.until(&format!(
            "location.href === {url:?} && document.readyState === 'complete'"
        ))
        .await;
        tab
    }
}

/// A page in it.
pub(crate) struct Tab {
    socket: TcpStream,
    session: String,
    sent: u64,
    complaints: Vec<String>,
}

impl Tab {
    async fn call(&mut self, method: &str, params: Value) -> Value {
        self.sent += 1;
        let mut message = json!({"id": self.sent, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        send(&mut self.socket, message.to_string().as_bytes()).await;
        loop {
            let answer = tokio::time::timeout(PATIENCE, receive(&mut self.socket)).await;
            let answer: Value =
                serde_json::from_slice(&answer.expect("Chromium should answer")).unwrap();
            if answer["method"] == "Log.entryAdded" {
                let entry = &answer["params"]["entry"];
                // A refused form is an answer like another; the browser notes its status all the same.
                if entry["level"] == "error" && entry["source"] != "network" {
                    self.complaints.push(entry["text"].to_string());
                }
            }
            if answer["id"] == self.sent {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].clone();
            }
        }
    }

    /// What the browser complained of: violations of the content policy, and the like.
    pub(crate) fn complaints(&self) -> Vec<String> {
        self.complaints.clone()
    }

    /// The value of an expression as text.
    pub(crate) async fn ask(&mut self, expression: &str) -> String {
        let params = json!({"expression": format!("String({expression})"), "returnByValue": true});
        let answer = self.call("Runtime.evaluate", params).await;
        answer["result"]["value"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Waits until an expression holds.
    pub(crate) async fn until(&mut self, expression: &str) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while self.ask(&format!("!!({expression})")).await != "true" {
            assert!(
                tokio::time::Instant::now() < deadline,
                "the page never came to {expression}: {}",
                self.ask("document.body.innerText").await
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.ask("new Promise(done => document.readyState === 'complete' ? done() : addEventListener('load', done))").await;
    }

    pub(crate) async fn resize(&mut self, width: u32, height: u32) {
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// Presses and lets go a key.
    pub(crate) async fn press(&mut self, key: &str) {
        let (code, number, text) = match key {
            "Tab" => ("Tab", 9, ""),
            "Enter" => ("Enter", 13, "\r"),
            " " => ("Space", 32, " "),
            other => panic!("no such key here: {other}"),
        };
        for kind in ["keyDown", "keyUp"] {
            let text = if kind == "keyDown" { text } else { "" };
            let event = json!({"type": kind, "key": key, "code": code, "text": text,
                "windowsVirtualKeyCode": number, "nativeVirtualKeyCode": number});
            self.call("Input.dispatchKeyEvent", event).await;
        }
    }

    /// Goes by Tab to the link, button or labelled field of these words.
    pub(crate) async fn tab_to(&mut self, words: &str) {
        let here = "(() => { const held = document.activeElement; return held.labels?.length ? held.labels[0].textContent.trim() : held.textContent.trim() })()";
        for _ in 0..STOPS_MAX {
            self.press("Tab").await;
            if self.ask(here).await == words {
                return;
            }
        }
        panic!("the keyboard never reaches {words:?}");
    }

    /// Replaces what is in the field that has the focus.
    pub(crate) async fn type_over(&mut self, text: &str) {
        self.ask("document.activeElement.select()").await;
        self.call("Input.insertText", json!({ "text": text })).await;
    }

    /// Takes a picture of the whole page into the build tree, for who wants to look.
    pub(crate) async fn picture(&mut self, name: &str) {
        let taken = self
            .call(
                "Page.captureScreenshot",
                json!({"captureBeyondViewport": true}),
            )
            .await;
        let png = base64::engine::general_purpose::STANDARD
            .decode(taken["data"].as_str().unwrap())
            .unwrap();
        assert!(png.starts_with(b"\x89PNG"));
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), png).unwrap();
    }
}

async fn connect(url: &str) -> TcpStream {
    let rest = url.strip_prefix("ws://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut socket = TcpStream::connect(host).await.unwrap();
    let key = base64::engine::general_purpose::STANDARD.encode(rand::random::<[u8; 16]>());
    let request = format!(
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.unwrap());
    }
    assert!(
        head.starts_with(b"HTTP/1.1 101"),
        "{}",
        String::from_utf8_lossy(&head)
    );
    socket
}

/// One text frame; a client's are masked, and a mask of zeros is one.
async fn send(socket: &mut TcpStream, text: &[u8]) {
    let mut frame = vec![0x81];
    match text.len() {
        short @ 0..=125 => frame.push(0x80 | short as u8),
        middle @ 126..=0xFFFF => {
            frame.push(0x80 | 126);
            frame.extend((middle as u16).to_be_bytes());
        }
        long => {
            frame.push(0x80 | 127);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(text);
    socket.write_all(&frame).await.unwrap();
}

/// One whole message; pings and the like are passed over.
async fn receive(socket: &mut TcpStream) -> Vec<u8> {
    let mut message = Vec::new();
    loop {
        let first = socket.read_u8().await.unwrap();
        let length = match socket.read_u8().await.unwrap() & 0x7F {
            126 => u64::from(socket.read_u16().await.unwrap()),
            127 => socket.read_u64().await.unwrap(),
            short => u64::from(short),
        };
        let mut part = vec![0; usize::try_from(length).unwrap()];
        socket.read_exact(&mut part).await.unwrap();
        if first & 0x0F <= 2 {
            message.extend(part);
            if first & 0x80 != 0 {
                return message;
            }
        }
    }
}
