//! Alerts by mail, through a server that speaks the protocol as servers do: a greeting, STARTTLS, a login, a message.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use cosell_tests::World;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::Told;

/// `AUTH PLAIN` of user "cosell" and password "mail-password".
const LOGIN: &str = "AUTH PLAIN AGNvc2VsbABtYWlsLXBhc3N3b3Jk";

struct Server {
    port: u16,
    /// PEM of the certificate that it shows.
    certificate: String,
    mails: mpsc::UnboundedReceiver<String>,
}

/// Takes mail by TLS only, and is out of order for the first that comes.
async fn server() -> anyhow::Result<Server> {
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)?;
    let tls = TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let (put, mails) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut is_first = true;
        while let Ok((mut socket, _)) = listener.accept().await {
            if std::mem::take(&mut is_first) {
                drop(socket.write_all(b"421 come again\r\n").await);
                continue;
            }
            let (tls, put) = (tls.clone(), put.clone());
            tokio::spawn(async move {
                if let Ok(mail) = take(socket, tls).await {
                    drop(put.send(mail));
                }
            });
        }
    });
    Ok(Server {
        port,
        certificate: own.cert.pem(),
        mails,
    })
}

async fn take(socket: tokio::net::TcpStream, tls: TlsAcceptor) -> anyhow::Result<String> {
    let mut clear = BufReader::new(socket);
    say(&mut clear, "220 mail.example ESMTP").await?;
    expect(&mut clear, "EHLO ").await?;
    say(&mut clear, "250-mail.example\r\n250 STARTTLS").await?;
    expect(&mut clear, "STARTTLS").await?;
    say(&mut clear, "220 go on").await?;
    let mut secret = BufReader::new(tls.accept(clear.into_inner()).await?);
    expect(&mut secret, "EHLO ").await?;
    say(&mut secret, "250-mail.example\r\n250 AUTH PLAIN").await?;
    expect(&mut secret, LOGIN).await?;
    say(&mut secret, "235 welcome").await?;
    expect(&mut secret, "MAIL FROM:<cosell@contoso.example>").await?;
    say(&mut secret, "250 ok").await?;
    expect(&mut secret, "RCPT TO:<operations@contoso.example>").await?;
    say(&mut secret, "250 ok").await?;
    expect(&mut secret, "DATA").await?;
    say(&mut secret, "354 go on").await?;
    let mut mail = String::new();
    while !mail.ends_with("\r\n.\r\n") {
        ensure!(secret.read_line(&mut mail).await? > 0, "cut off");
    }
    say(&mut secret, "250 taken").await?;
    Ok(mail)
}

async fn say<S: AsyncWrite + Unpin>(stream: &mut S, words: &str) -> Told {
    stream.write_all(format!("{words}\r\n").as_bytes()).await?;
    stream.flush().await?;
    Ok(())
}

async fn expect<S: AsyncRead + Unpin>(stream: &mut BufReader<S>, words: &str) -> Told {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    ensure!(line.starts_with(words), "{line:?} instead of {words:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_are_mailed_once_when_they_begin_and_once_when_they_end() -> Told {
    let mut server = server().await?;
    let mut world = World::start().await?;
    world.stop_host().await;
    let dir = world.config.parent().context("a folder")?.to_owned();
    let password = dir.join("mail-password");
    std::fs::write(&password, "mail-password")?;
    std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o600))?;
    let roots = dir.join(cosell::simulated::CA_FILE);
    let known = std::fs::read_to_string(&roots)?;
    std::fs::write(&roots, format!("{known}\n{}", server.certificate))?;
    let config = std::fs::read_to_string(&world.config)?;
    let mail = format!(
        "[alerts.mail]\nserver = \"localhost:{}\"\nfrom = \"cosell <cosell@contoso.example>\"\nto = [\"operations@contoso.example\"]\n\
         username = \"cosell\"\npassword = {{ file = {:?} }}\n",
        server.port,
        password.display().to_string()
    );
    std::fs::write(&world.config, format!("{config}\n{mail}"))?;
    world.start_host().await?;
    let bad = world.folder.join("60-bad.wasm");
    std::fs::write(&bad, b"no component")?;
    let begins = next(&mut server.mails).await?;
    ensure!(
        begins.contains("Subject: cosell: plugin-refused:60-bad.wasm (firing)")
            && begins.contains("not WebAssembly"),
        "{begins}"
    );
    std::fs::remove_file(&bad)?;
    let ends = next(&mut server.mails).await?;
    ensure!(
        ends.contains("Subject: cosell: plugin-refused:60-bad.wasm (resolved)"),
        "told twice, or never over: {ends}"
    );
    world.end().await?;
    if let Ok(mail) = server.mails.try_recv() {
        bail!("one more: {mail}");
    }
    Ok(())
}

async fn next(mails: &mut mpsc::UnboundedReceiver<String>) -> anyhow::Result<String> {
    tokio::time::timeout(cosell_tests::PATIENCE, mails.recv())
        .await
        .context("no mail came")?
        .context("the server is gone")
}
