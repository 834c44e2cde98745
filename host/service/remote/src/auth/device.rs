//! A person signs in without a browser on this machine: Entra gives a code, the person types it into a page anywhere, and we ask until that is done
//! (device authorization grant, RFC 8628; Microsoft: v2-oauth2-device-code).

use std::fmt;

use http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{Credential, Tokens, Wire, advice, kept, shown};
use crate::error::{Class, RemoteError, Service};
use crate::http::Answer;

/// What a poll asks for.
const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Entra knows the application as one that can keep no secret, and takes none from it.
const PUBLIC_CLIENT: &str = "AADSTS700025";

/// A sign-in that waits for a person.
#[derive(Deserialize)]
pub struct SignIn {
    /// What to do, in Entra's words: which page, which code.
    pub message: String,
    /// What the person types.
    pub user_code: String,
    /// Seconds within which it has to be done.
    pub expires_in: u64,
    /// Seconds between two polls.
    #[serde(default = "five")]
    pub interval: u64,
    /// What we ask with.
    #[serde(deserialize_with = "secret")]
    device_code: SecretString,
}

fn secret<'de, D: serde::Deserializer<'de>>(wire: D) -> Result<SecretString, D::Error> {
    String::deserialize(wire).map(SecretString::from)
}

const fn five() -> u64 {
    5
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignIn")
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}

/// What came of a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polled {
    /// The person has not finished.
    Pending,
    /// We ask too often: add five seconds to the interval.
    TooOften,
    /// The refresh token is kept.
    Done,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

impl Tokens {
    /// Begins a sign-in for the audience.
    ///
    /// # Errors
    /// [`RemoteError`]: Entra does not know the application or cannot be reached.
    pub async fn begin_sign_in(&self, audience: &str) -> Result<SignIn, RemoteError> {
        let credential = &self.0.credential;
        let path = format!("/{}/oauth2/v2.0/devicecode", credential.tenant());
        let scope = scope(audience);
        let form = [
            ("client_id", credential.client_id()),
            ("scope", scope.as_str()),
        ];
        let (call, answer) = self.0.post(&path, DOING.to_owned(), &form).await?;
        if !answer.status.is_success() {
            return Err(self.0.refusal(&call, &answer, &form));
        }
        serde_json::from_slice(&answer.body)
            .map_err(|_| answer.unreadable(&call, "the answer holds no code"))
    }

    /// Asks once whether the person has finished, and keeps the refresh token if so.
    ///
    /// # Errors
    /// [`RemoteError`]: the person declined, the time is over, Entra gives no refresh token, or it cannot be kept.
    pub async fn poll_sign_in(
        &self,
        audience: &str,
        begun: &SignIn,
    ) -> Result<Polled, RemoteError> {
        let Credential::RefreshToken {
            tenant,
            client_id,
            proof,
            keeper,
            ..
        } = &self.0.credential
        else {
            return Err(RemoteError::refused(
                Service::Entra,
                DOING,
                "this credential is an application's own, and nobody signs in for it",
            ));
        };
        let path = format!("/{tenant}/oauth2/v2.0/token");
        let fields = self.0.prove(proof, client_id, &path, audience).await?;
        let bare = [
            ("grant_type", GRANT),
            ("client_id", client_id.as_str()),
            ("device_code", begun.device_code.expose_secret()),
        ];
        let proved: Vec<_> = bare.iter().copied().chain(shown(&fields)).collect();
        let (mut call, mut answer) = self.0.post(&path, DOING.to_owned(), &proved).await?;
        if !fields.is_empty() && says(&answer, PUBLIC_CLIENT) {
            (call, answer) = self.0.post(&path, DOING.to_owned(), &bare).await?;
        }
        if answer.status == StatusCode::OK {
            let given: Wire = serde_json::from_slice(&answer.body)
                .map_err(|_| answer.unreadable(&call, "the answer holds no token"))?;
            let Some(token) = given.refresh_token.map(SecretString::from) else {
                return Err(RemoteError::new(
                    Class::Unauthorised,
                    Service::Entra,
                    DOING,
                    "Entra gave no refresh token (offline_access)",
                ));
            };
            let _one_at_a_time = self.0.rotation.lock().await;
            kept(keeper, audience, move |keeper| keeper.keep(&token)).await?;
            return Ok(Polled::Done);
        }
        let refusal = serde_json::from_slice::<Refusal>(&answer.body);
        let refused = refusal.map_or_else(|_| String::new(), |refusal| refusal.error);
        match refused.as_str() {
            "authorization_pending" => return Ok(Polled::Pending),
            "slow_down" => return Ok(Polled::TooOften),
            _ => {}
        }
        let mut error = self.0.refusal(&call, &answer, &proved);
        error.about.advice = match refused.as_str() {
            "authorization_declined" => Some(DECLINED.to_owned()),
            "expired_token" => Some(OVER.to_owned()),
            _ => error.about.advice,
        };
        Err(error)
    }
}

const DOING: &str = "sign a person in";
const DECLINED: &str = "whoever had the code declined; begin again";
const OVER: &str = "nobody finished in time; begin again";

/// The audience, and the right to come again without the person.
fn scope(audience: &str) -> String {
    format!("{audience}/.default offline_access openid")
}

fn says(answer: &Answer, code: &str) -> bool {
    advice::code_in(&String::from_utf8_lossy(&answer.body)).as_deref() == Some(code)
}
