//! Credentials end: a secret on its day, a certificate by itself, the refresh token 90 days after it was used last. It is counted down, so that
//! nobody finds out by deals that wait.

use std::path::Path;
use std::time::UNIX_EPOCH;

use cosell_store::Millis;
use serde::Serialize;

use crate::config::{AppProof, Config};

const DAY_MS: Millis = 24 * 3_600_000;
/// A refresh token that nobody uses dies after so long. (partner-center 1.2)
const REFRESH_TOKEN_MS: Millis = 90 * DAY_MS;

/// A credential that ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Expiry {
    /// Whose.
    pub connection: String,
    /// `partner-center-secret`, `partner-center-certificate`, `refresh-token`, `dataverse-secret`, `dataverse-certificate`.
    pub credential: String,
    /// When, milliseconds since the epoch.
    pub expires_at: Millis,
}

impl Expiry {
    /// Whole days that are left; negative when it is over.
    #[must_use]
    pub fn days_left(&self, now: Millis) -> i64 {
        (self.expires_at - now).div_euclid(DAY_MS)
    }

    /// `is over`, `ends in 12 days`, where so many whole days are left.
    #[must_use]
    pub fn in_words(days_left: i64) -> String {
        match days_left {
            ..0 => "is over".to_owned(),
            0 => "ends within a day".to_owned(),
            1 => "ends in 1 day".to_owned(),
            days => format!("ends in {days} days"),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self.credential.as_str() {
            "refresh-token" => {
                "let the referrals admin sign in again and replace the refresh token, or let the host use it: it counts from its last use"
            }
            "partner-center-certificate" | "dataverse-certificate" => {
                "register a new certificate with the application and replace the file; the host reads it again by itself"
            }
            _ => {
                "make a new secret in the Entra admin center, replace the file, and correct secret_expires; the host reads the file again by itself"
            }
        }
    }
}

/// Everything of which it is known when it ends, by connection. Reads files.
#[must_use]
pub fn expiries(config: &Config) -> Vec<Expiry> {
    let mut all = Vec::new();
    for connection in &config.connections {
        let mut add = |credential: String, at: Option<Millis>| {
            if let Some(expires_at) = at {
                all.push(Expiry {
                    connection: connection.id.clone(),
                    credential,
                    expires_at,
                });
            }
        };
        for (side, app) in [
            ("partner-center", &connection.partner_center.app),
            ("dataverse", &connection.dataverse.app),
        ] {
            let (kind, at) = of_app(app);
            add(format!("{side}-{kind}"), at);
        }
        add(
            "refresh-token".to_owned(),
            last_use(&connection.partner_center.refresh_token).map(|used| used + REFRESH_TOKEN_MS),
        );
    }
    all
}

/// What somebody else renews has no end that could be counted down to.
fn of_app(app: &AppProof) -> (&'static str, Option<Millis>) {
    match app.proof.not_after() {
        Some(end) => ("certificate", Some(end.as_millisecond())),
        None => ("secret", app.secret_expires.map(|end| end.as_millisecond())),
    }
}

/// Each use replaces the token, and with it the file.
fn last_use(file: &Path) -> Option<Millis> {
    let modified = std::fs::metadata(file).ok()?.modified().ok()?;
    let since = modified.duration_since(UNIX_EPOCH).ok()?;
    Millis::try_from(since.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_whole_and_what_is_over_is_negative() {
        let secret = Expiry {
            connection: "contoso".into(),
            credential: "dataverse-secret".into(),
            expires_at: 10 * DAY_MS,
        };
        assert_eq!(secret.days_left(0), 10);
        assert_eq!(secret.days_left(1), 9);
        assert_eq!(secret.days_left(10 * DAY_MS + 1), -1);
        let told = [10, 1, 0, -1].map(Expiry::in_words);
        assert_eq!(
            told,
            [
                "ends in 10 days",
                "ends in 1 day",
                "ends within a day",
                "is over"
            ]
        );
    }
}
