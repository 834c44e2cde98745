//! A place that takes whatever is posted to it, for alerts.

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// Opens one: its address, and what is posted to it.
///
/// # Errors
/// No socket is free.
pub async fn mailbox() -> anyhow::Result<(String, mpsc::UnboundedReceiver<Value>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}/alerts", listener.local_addr()?);
    let (put, posts) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            // A caller that breaks off has posted nothing.
            if let Ok(post) = take(socket).await {
                drop(put.send(post));
            }
        }
    });
    Ok((address, posts))
}

async fn take(mut socket: TcpStream) -> anyhow::Result<Value> {
    let mut text = String::new();
    let mut bytes = [0; 4096];
    loop {
        let count = socket.read(&mut bytes).await?;
        ensure!(count > 0, "cut off");
        text.push_str(std::str::from_utf8(&bytes[..count])?);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length: ")?
                    .parse::<usize>()
                    .ok()
            })
            .context("a post has a length")?;
        if body.len() >= length {
            let post = serde_json::from_str(body)?;
            socket
                .write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
                .await?;
            return Ok(post);
        }
    }
}

/// The next alert of this name; others are let go.
///
/// # Errors
/// None comes.
pub async fn next(
    posts: &mut mpsc::UnboundedReceiver<Value>,
    alert: &str,
) -> anyhow::Result<Value> {
    tokio::time::timeout(crate::PATIENCE, async {
        loop {
            let post = posts.recv().await.context("the mailbox is gone")?;
            if post["alert"] == alert {
                return Ok(post);
            }
        }
    })
    .await
    .with_context(|| format!("no alert \"{alert}\" came"))?
}
