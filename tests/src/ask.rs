//! One request and its whole answer, as they are on the wire: for what a client would hide.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Sends one request and returns status line, headers and body of its answer. `head` is the request line, `GET /readyz HTTP/1.1`, and below it, each
/// after a line's end, the headers that the caller wants beside the usual ones.
///
/// # Errors
/// When nobody answers there.
pub async fn ask(address: SocketAddr, head: &str, body: &str) -> std::io::Result<String> {
    let length = body.len();
    let request = format!(
        "{head}\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    let mut socket = TcpStream::connect(address).await?;
    socket.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
