//! The page where a person signs in and consents, and the code that the app gets of it.

use super::failure::Failure;
use super::form::Form;
use super::grants::no_tenant;
use super::{App, Entra};
use crate::html::escape;
use crate::wire::{Reply, Request, encode, pairs};

/// What an app says on the way to the page; the form carries it on.
const CARRIED: [&str; 4] = ["client_id", "redirect_uri", "response_mode", "state"];

impl Entra {
    pub(super) fn authorize_page(&self, request: &Request, tenant: &str) -> Result<Reply, Failure> {
        let said = match request.method {
            http::Method::POST => pairs(&String::from_utf8_lossy(&request.body)),
            _ => request.pairs(),
        };
        let form = Form::from(said);
        if !self.known_tenant(tenant) {
            return Err(no_tenant(tenant));
        }
        let app = self.app_of(form.need("client_id")?, tenant)?;
        let back = form.need("redirect_uri")?;
        let known = url::Url::parse(back).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if !known {
            let message = format!(
                "The redirect URI '{back}' specified in the request does not match the redirect URIs configured for the application."
            );
            return Err(Failure::new(400, "invalid_request", 50_011, &message));
        }
        match form.get("user") {
            Some(user) if request.method == http::Method::POST => {
                Ok(self.signed_in(app, &form, back, user))
            }
            _ => Ok(ask(&form)),
        }
    }

    /// Sends the person back to the app with a code.
    fn signed_in(&self, app: &App, form: &Form, back: &str, user: &str) -> Reply {
        let code = self.authorize(app, user);
        let state = form.get("state").unwrap_or_default();
        if form.get("response_mode") != Some("form_post") {
            let sign = if back.contains('?') { '&' } else { '?' };
            let place = format!("{back}{sign}code={}&state={}", encode(&code), encode(state));
            return Reply::empty(302).with("location", place);
        }
        // A page that posts itself needs a script; a button does as well, and says where it leads.
        html(format!(
            r#"<h1>Signed in</h1>
<form method="post" action="{back}">
<input type="hidden" name="code" value="{code}">
<input type="hidden" name="state" value="{state}">
<button autofocus>Continue to {back}</button>
</form>"#,
            back = escape(back),
            code = escape(&code),
            state = escape(state),
        ))
    }
}

fn ask(form: &Form) -> Reply {
    let mut hidden = String::new();
    for name in CARRIED {
        let value = escape(form.get(name).unwrap_or_default());
        hidden.push_str(&format!(
            "<input type=\"hidden\" name=\"{name}\" value=\"{value}\">\n"
        ));
    }
    html(format!(
        r#"<h1>Sign in and consent</h1>
<form method="post">
{hidden}<label for="user">Your mail address</label>
<input id="user" name="user" type="email" required autocomplete="username" autofocus>
<button>Accept</button>
</form>"#
    ))
}

fn html(inside: String) -> Reply {
    let page = format!(
        r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Sign in · simulator</title>
<main>
{inside}
</main>
</html>
"#
    );
    Reply::bytes(200, "text/html; charset=utf-8", page.into_bytes())
}
