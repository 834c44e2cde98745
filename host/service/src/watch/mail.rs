//! Alerts by mail: one message when something begins, one when it ends. Handed to one server, which does the rest; its certificate is verified.

use std::time::Duration;

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use secrecy::ExposeSecret as _;

use crate::config::{Mail, MailTls};

/// A server that takes longer is tried again with the next look.
const TIME_MAX: Duration = Duration::from_secs(30);

/// Why a message was not handed over.
#[derive(Debug, thiserror::Error)]
pub(super) enum MailError {
    /// It cannot be written.
    #[error("the message cannot be written: {0}")]
    Message(#[from] lettre::error::Error),
    /// The server did not take it.
    #[error("the mail server did not take it: {0}")]
    Server(#[from] lettre::transport::smtp::Error),
}

/// Hands messages to a server.
pub(super) struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Mailer {
    /// Connects nothing yet. `roots` are PEM, and trusted beside the system's.
    ///
    /// # Errors
    /// The roots cannot be read.
    pub(super) fn new(settings: &Mail, roots: Option<&str>) -> Result<Self, MailError> {
        // Err means that someone has chosen already, which is as good.
        let _chosen_before = rustls::crypto::ring::default_provider().install_default();
        let tls = match settings.tls {
            MailTls::None => Tls::None,
            MailTls::Starttls | MailTls::Tls => {
                let mut parameters = TlsParameters::builder(settings.host.clone());
                if let Some(roots) = roots {
                    parameters =
                        parameters.add_root_certificate(Certificate::from_pem(roots.as_bytes())?);
                }
                let parameters = parameters.build()?;
                if settings.tls == MailTls::Tls {
                    Tls::Wrapper(parameters)
                } else {
                    Tls::Required(parameters)
                }
            }
        };
        let mut transport =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(settings.host.as_str())
                .port(settings.port)
                .tls(tls)
                .timeout(Some(TIME_MAX));
        if let Some((user, password)) = &settings.login {
            transport = transport.credentials(Credentials::new(
                user.clone(),
                password.expose_secret().to_owned(),
            ));
        }
        Ok(Self {
            transport: transport.build(),
            from: settings.from.clone(),
            to: settings.to.clone(),
        })
    }

    /// One message to everybody. What the subject says is the alert's name; the words are below.
    ///
    /// # Errors
    /// It was not taken.
    pub(super) async fn send(&self, subject: &str, words: &str) -> Result<(), MailError> {
        let mut message = Message::builder()
            .from(self.from.clone())
            .subject(subject)
            .header(ContentType::TEXT_PLAIN);
        for one in &self.to {
            message = message.to(one.clone());
        }
        let message = message.body(format!("{words}\r\n"))?;
        self.transport.send(message).await?;
        Ok(())
    }
}
