//! `[alerts.mail]`: who hears of alerts by mail, and through which server.

use lettre::message::Mailbox;
use secrecy::SecretString;

use super::page::Section;
use super::secret;

/// `[alerts.mail]`
#[derive(Debug, Clone)]
pub struct Mail {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the way there is protected.
    pub tls: MailTls,
    /// User and password; None: the server takes mail without.
    pub login: Option<(String, SecretString)>,
    /// Who writes.
    pub from: Mailbox,
    /// Who reads. At least one.
    pub to: Vec<Mailbox>,
}

/// How the way to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailTls {
    /// TLS after a greeting in clear text, and nothing before it but that.
    Starttls,
    /// TLS from the first byte.
    Tls,
    /// Not at all: only on this machine.
    None,
}

const ADDRESS: &str =
    "an address such as \"cosell@contoso.example\" or \"cosell <cosell@contoso.example>\"";

/// Not there, or empty: nobody is written to. The outer None: it is there and wrong.
pub(super) fn read(section: &Section<'_>) -> Option<Option<Mail>> {
    let server = section.optional("server", "a host name, or host:port", server);
    let tls = section.one_of(
        "tls",
        "starttls",
        &[
            ("starttls", MailTls::Starttls),
            ("tls", MailTls::Tls),
            ("none", MailTls::None),
        ],
    );
    let from = section.optional("from", ADDRESS, |text| text.parse::<Mailbox>().ok());
    let to = section.list("to", &[], ADDRESS, |text| text.parse::<Mailbox>().ok());
    let user = section.optional("username", "a user name", |text| {
        (!text.is_empty()).then(|| text.to_owned())
    });
    let password = secret::optional(section, "password");
    let (server, tls, from, to, user, password) = (server?, tls?, from?, to?, user?, password?);
    let is_there = server.is_some() || from.is_some() || !to.is_empty() || user.is_some();
    if !is_there && password.is_none() {
        return Some(None);
    }
    let mut is_whole = true;
    for (key, is_missing) in [
        ("server", server.is_none()),
        ("from", from.is_none()),
        ("to", to.is_empty()),
        ("username", user.is_none() && password.is_some()),
        ("password", user.is_some() && password.is_none()),
    ] {
        if is_missing {
            section.missing(
                key,
                "mail needs server, from and to, and username with password or neither",
            );
            is_whole = false;
        }
    }
    let (host, port) = server?;
    if let Some(value) = section.get("tls")
        && tls == MailTls::None
        && !is_this_machine(&host)
    {
        section.broken(
            "tls",
            value,
            format!("mail to {host} would go in clear text"),
            "without TLS only a server on this machine is spoken to (localhost, 127.0.0.1)",
        );
        return None;
    }
    let port = port.unwrap_or(match tls {
        MailTls::Starttls => 587,
        MailTls::Tls => 465,
        MailTls::None => 25,
    });
    is_whole.then_some(())?;
    Some(Some(Mail {
        host,
        port,
        tls,
        login: user.zip(password),
        from: from?,
        to,
    }))
}

fn server(text: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port.parse().ok()?)),
        None => (text, None),
    };
    let fits = !host.is_empty()
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    fits.then(|| (host.to_ascii_lowercase(), port))
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost"
        || host
            .parse()
            .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}
