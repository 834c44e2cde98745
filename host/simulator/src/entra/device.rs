//! Device codes: an app without a browser asks, a person types a short code elsewhere, and the app polls until that is done.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::failure::Failure;
use super::form::Form;
use super::grants::{as_user, no_tenant};
use super::{App, Audience, Entra, Version, after};
use crate::wire::{Reply, Request};

/// `grant_type` of a poll, in the endpoints' two generations.
pub(super) const DEVICE_GRANTS: [&str; 2] = [
    "urn:ietf:params:oauth:grant-type:device_code",
    "device_code",
];
/// Life of a code, seconds.
const DEVICE_CODE_S: i64 = 900;
/// Seconds between two polls.
const INTERVAL_S: i64 = 5;
/// Letters that cannot be taken for others.
const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ";

/// What the person said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Answer {
    Signed { user: String },
    Declined,
}

/// A code that was given out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Pending {
    client_id: String,
    user_code: String,
    expires: Timestamp,
    /// What was asked for, and by which name.
    wants: (Audience, String),
    answer: Option<Answer>,
    redeemed: bool,
}

/// A code that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceCode {
    /// What the person types.
    pub user_code: String,
    /// The app that asks.
    pub client_id: String,
    /// Until when, by the simulated clock.
    pub expires: String,
}

impl Entra {
    pub(super) fn device_code(
        &self,
        request: &Request,
        tenant: &str,
        version: Version,
    ) -> Result<Reply, Failure> {
        let form = Form::of(request);
        let client_id = form.need("client_id")?;
        if !self.known_tenant(tenant) {
            return Err(no_tenant(tenant));
        }
        let app = self.app_of(client_id, tenant)?;
        let wants = self.audience(&form, version, false)?;
        let now = self.clock.now();
        let mut books = self.books();
        books
            .devices
            .retain(|_, held| after(held.expires, DEVICE_CODE_S) > now);
        let device_code = books.ids.secret(48);
        let user_code: String = (0..9)
            .map(|_| char::from(LETTERS[books.ids.word() as usize % LETTERS.len()]))
            .collect();
        let pending = Pending {
            client_id: app.client_id.clone(),
            user_code: user_code.clone(),
            expires: after(now, DEVICE_CODE_S),
            wants,
            answer: None,
            redeemed: false,
        };
        books.devices.insert(device_code.clone(), pending);
        let page = format!("{}/common/oauth2/deviceauth", request.origin);
        let message = format!(
            "To sign in, use a web browser to open the page {page} and enter the code {user_code} to authenticate."
        );
        let body = match version {
            Version::V1 => json!({
                "user_code": user_code, "device_code": device_code, "verification_url": page,
                "expires_in": DEVICE_CODE_S.to_string(), "interval": INTERVAL_S.to_string(), "message": message,
            }),
            Version::V2 => json!({
                "user_code": user_code, "device_code": device_code, "verification_uri": page,
                "expires_in": DEVICE_CODE_S, "interval": INTERVAL_S, "message": message,
            }),
        };
        Ok(Reply::json(200, &body).with("cache-control", "no-store"))
    }

    /// One poll. In v1 the code is called `code`.
    pub(super) fn redeem_device(
        &self,
        form: &Form,
        app: &App,
        version: Version,
    ) -> Result<Reply, Failure> {
        let code = match form.get("code") {
            Some(code) => code,
            None => form.need("device_code")?,
        };
        let now = self.clock.now();
        let mut books = self.books();
        let held = books.devices.get_mut(code);
        let Some(held) = held.filter(|held| held.client_id == app.client_id) else {
            return Err(device_failure(
                "bad_verification_code",
                70_018,
                "Invalid verification code due to User typing in wrong user code for device code flow.",
            ));
        };
        if held.redeemed {
            return Err(Failure::grant(
                54_005,
                "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.",
            ));
        }
        if held.expires <= now && held.answer.is_none() {
            return Err(device_failure(
                "expired_token",
                70_019,
                "Verification code expired. Have the user retry the sign-in.",
            ));
        }
        let user = match held.answer.clone() {
            None => {
                return Err(device_failure(
                    "authorization_pending",
                    70_016,
                    "OAuth 2.0 device flow error. Authorization is pending. Continue polling.",
                ));
            }
            Some(Answer::Declined) => {
                return Err(device_failure(
                    "authorization_declined",
                    65_004,
                    "User declined to consent to access the app.",
                ));
            }
            Some(Answer::Signed { user }) => user,
        };
        held.redeemed = true;
        let (audience, resource) = held.wants.clone();
        let refresh = books.refresh_token(app, &user, audience, now, true);
        drop(books);
        Ok(self.issue(
            as_user(app, &user),
            audience,
            &resource,
            version,
            Some(refresh),
        ))
    }

    /// Codes that wait for a person.
    pub(crate) fn device_codes(&self) -> Vec<DeviceCode> {
        let now = self.clock.now();
        let books = self.books();
        let waiting = books.devices.values();
        waiting
            .filter(|held| held.answer.is_none() && held.expires > now)
            .map(|held| DeviceCode {
                user_code: held.user_code.clone(),
                client_id: held.client_id.clone(),
                expires: held.expires.to_string(),
            })
            .collect()
    }

    /// A person types the code and signs in, or declines where there is no `user`; false when no such code waits.
    pub(crate) fn answer_device(&self, user_code: &str, user: Option<&str>) -> bool {
        let now = self.clock.now();
        let typed = |held: &&mut Pending| {
            let plain = user_code.replace('-', "");
            held.user_code.eq_ignore_ascii_case(plain.trim())
        };
        let mut books = self.books();
        let waiting = books.devices.values_mut();
        let mut waiting = waiting.filter(|held| held.answer.is_none() && held.expires > now);
        let Some(held) = waiting.find(typed) else {
            return false;
        };
        held.answer = Some(match user {
            Some(user) => Answer::Signed {
                user: user.to_owned(),
            },
            None => Answer::Declined,
        });
        true
    }

    /// The page that a device code sends people to: a code, a mail, and two buttons.
    pub(super) fn sign_in_page(&self, request: &Request) -> Reply {
        let form = Form::of(request);
        let said = match (form.get("code"), form.get("answer")) {
            (Some(code), Some("decline")) => Some(self.answer_device(code, None)),
            (Some(code), _) => form
                .get("user")
                .map(|user| self.answer_device(code, Some(user))),
            _ => None,
        };
        let said = match said {
            Some(true) => {
                "<p role=\"status\">Done. The device goes on by itself; you may close this page.</p>"
            }
            Some(false) => {
                "<p role=\"alert\">No device waits for this code. Codes are good for 15 minutes and for one use.</p>"
            }
            None => "",
        };
        let page = include_str!("device.html").replace("<!-- said -->", said);
        Reply::bytes(200, "text/html; charset=utf-8", page.into_bytes())
    }
}

fn device_failure(error: &'static str, code: u32, message: &str) -> Failure {
    Failure::new(400, error, code, message)
}
