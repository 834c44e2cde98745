//! Control over HTTP: JSON in, JSON out, on its own listener. [`ROUTES`] lists what there is.

use http::Method;
use serde_json::{Value, json};

use super::page::page;
use super::routes::ROUTES;
use super::words::words;
use super::{Arrival, Control, ControlError};
use crate::standing::Hidden;
use crate::wire::{Reply, Request, decode_segment};

impl Control {
    /// Answers a request to the control listener.
    pub(crate) fn answer(&self, request: &Request) -> Reply {
        // A person in front of a terminal reads a page; a program says that it wants JSON.
        let is_front = request.method == Method::GET && request.path == "/";
        let wants_json = request
            .header("accept")
            .is_some_and(|accept| accept.contains("json"));
        let is_browser = request
            .header("accept")
            .is_some_and(|accept| accept.contains("text/html"));
        if is_front && is_browser {
            return Reply::empty(303).with("location", "/partner-center");
        }
        if is_front && !wants_json {
            let page = page(self.about());
            return Reply::bytes(200, "text/plain; charset=utf-8", page.into_bytes());
        }
        // A page of another site may not play the people here.
        let from_elsewhere = request.header("sec-fetch-site") == Some("cross-site");
        if from_elsewhere && request.method != Method::GET {
            let body = json!({"error": "control takes no requests that another site's page sends"});
            return Reply::json(403, &body);
        }
        if let Some(reply) = crate::pages::answer(self, request) {
            return reply;
        }
        let reply = match (&request.method, request.path.as_str()) {
            // A world may be large: it is not taken through a tree of values.
            (&Method::GET, "/world") => self
                .save()
                .map(|file| Reply::bytes(200, "application/json", file)),
            (&Method::PUT, "/world") => self
                .load(&request.body)
                .map(|()| Reply::json(200, &json!({ "done": true }))),
            _ => self.route(request).map(|body| Reply::json(200, &body)),
        };
        reply.unwrap_or_else(|error| {
            let status = match &error {
                ControlError::Refused { .. } => 422,
                ControlError::Unknown { .. } => 404,
                ControlError::Malformed { .. } => 400,
            };
            Reply::json(status, &json!({ "error": error.to_string() }))
        })
    }

    fn route(&self, request: &Request) -> Result<Value, ControlError> {
        let segments: Vec<String> = request
            .path
            .split('/')
            .filter(|part| !part.is_empty())
            .map(decode_segment)
            .collect();
        let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
        let body = || -> Result<Value, ControlError> {
            if request.body.is_empty() {
                return Ok(json!({}));
            }
            request.json().map_err(|error| malformed(&error))
        };
        match (&request.method, parts.as_slice()) {
            (&Method::GET, ["referrals", ..]) => self.look_at_referrals(&parts[1..]),
            (_, ["referrals", rest @ ..]) => self.touch_referrals(&request.method, rest, &body()?),
            (method, ["rows", rest @ ..]) => self.rows_route(method, rest, &body()?),
            (&Method::GET, _) => self.look(&parts, request),
            (method, _) => self.circumstances(method, &parts, &body()?),
        }
    }

    fn look(&self, parts: &[&str], request: &Request) -> Result<Value, ControlError> {
        match parts {
            [] => {
                let mut about = self.about().clone();
                about["routes"] = json!(ROUTES);
                about["crm"]["organization_id"] = json!(self.organization_id());
                Ok(about)
            }
            ["deals"] => {
                let pairs = request.pairs();
                let find = pairs.iter().find(|(name, _)| name == "find");
                plain(&self.deals(find.map_or("", |(_, find)| find)))
            }
            ["counts"] => plain(&self.counts()),
            ["audit"] => plain(&self.audit()),
            ["ledger"] => {
                let pairs = request.pairs();
                let after = pairs
                    .iter()
                    .find(|(name, _)| name == "after")
                    .map_or(Ok(0), |(_, value)| value.parse());
                let after = after.map_err(|_| ControlError::Malformed {
                    reason: "`after` is not a number".to_owned(),
                })?;
                plain(&self.ledger(after))
            }
            ["refused"] => plain(&self.refused()),
            ["assumptions"] => plain(&self.assumptions()),
            ["acts"] => plain(&self.acts()),
            ["deliveries"] => Ok(
                json!({"waiting": self.deliveries_waiting(), "ended": plain(&self.deliveries())?}),
            ),
            ["device-codes"] => plain(&self.device_codes()),
            ["identity-header"] => Ok(json!({ "identity_header": self.identity_header() })),
            ["clock"] => Ok(json!({ "now": self.now().to_string() })),
            _ => Err(unknown(parts)),
        }
    }

    fn circumstances(
        &self,
        method: &Method,
        parts: &[&str],
        body: &Value,
    ) -> Result<Value, ControlError> {
        let done = Ok(json!({ "done": true }));
        match (method, parts) {
            (&Method::POST, ["clock"]) => {
                if let Some(ms) = body["advance_ms"].as_i64() {
                    self.advance_ms(ms);
                } else {
                    let now = body["now"].as_str().and_then(|text| text.parse().ok());
                    let reason = "`advance_ms` or `now` (RFC 3339) expected".to_owned();
                    self.set_clock(now.ok_or(ControlError::Malformed { reason })?);
                }
                Ok(json!({ "now": self.now().to_string() }))
            }
            (&Method::POST, ["seed"]) => plain(&self.seed(&read(body)?)?),
            (&Method::POST, ["latency"]) => {
                let reason = "`ms` expected".to_owned();
                self.set_latency_ms(
                    body["ms"]
                        .as_u64()
                        .ok_or(ControlError::Malformed { reason })?,
                );
                done
            }
            (&Method::POST, ["faults"]) => {
                let (fault, chance) = with_chance(body)?;
                self.fault_by_chance(fault, chance);
                done
            }
            (&Method::POST, ["fault-scripts"]) => {
                self.fault_script(read(body)?);
                done
            }
            (&Method::POST, ["webhook-faults"]) => {
                let (fault, chance) = with_chance(body)?;
                self.webhook_fault_by_chance(fault, chance);
                done
            }
            (&Method::DELETE, ["faults"]) => {
                self.clear_faults();
                done
            }
            (&Method::POST, ["tokens", "revoke-refresh"]) => {
                self.revoke_refresh_tokens();
                done
            }
            (&Method::POST, ["tokens", "revoke-access"]) => {
                self.revoke_access_tokens();
                done
            }
            (&Method::POST, ["delta", "expire"]) => {
                self.expire_delta_links();
                done
            }
            (&Method::POST, ["users", mail, what]) => self.user_route(mail, what, body),
            (&Method::POST, ["apps", client_id, what]) => self.app_route(client_id, what, body),
            (&Method::POST, ["identities"]) => plain(&match body["system"].as_bool() {
                Some(true) => self.assign_system_identity(),
                _ => self.assign_identity(),
            }),
            (&Method::DELETE, ["identities"]) => plain(&self.unassign_identities()),
            (&Method::POST, ["cluster-tokens"]) => {
                Ok(json!({ "token": self.cluster_token(body)? }))
            }
            (&Method::POST, ["device-codes", code, "sign-in"]) => {
                plain(&self.approve_device(code, &text(body, "user"))?)
            }
            (&Method::POST, ["device-codes", code, "decline"]) => {
                plain(&self.decline_device(code)?)
            }
            (&Method::POST, ["webhook-certificate", "rotate"]) => {
                plain(&self.rotate_webhook_certificate()?)
            }
            (&Method::POST, ["crm", "copy"]) => {
                Ok(json!({ "organization_id": self.copy_environment() }))
            }
            (&Method::POST, ["crm", "account"]) => {
                plain(&self.set_crm_account(read(&body["account"])?))
            }
            (&Method::POST, ["registration", "take"]) => {
                plain(&self.take_registration(&text(body, "url"))?)
            }
            (&Method::POST, ["statuses", table]) => {
                let (value, state) = (read(&body["value"])?, read(&body["state"])?);
                plain(&self.add_status(table, value, &text(body, "label"), state)?)
            }
            (&Method::DELETE, ["statuses", table, value]) => {
                let reason = "the status is not a number".to_owned();
                let value = value.parse();
                let value = value.map_err(|_| ControlError::Malformed { reason })?;
                plain(&self.retire_status(table, value)?)
            }
            (&Method::POST, ["columns", table, column]) => {
                let reason = "`required` (true or false) expected".to_owned();
                let required = body["required"]
                    .as_bool()
                    .ok_or(ControlError::Malformed { reason })?;
                plain(&self.require_column(table, column, required)?)
            }
            _ => Err(unknown(parts)),
        }
    }

    fn user_route(&self, mail: &str, what: &str, body: &Value) -> Result<Value, ControlError> {
        match what {
            "password-expires" => plain(&self.expire_password(mail)?),
            "consents" => Ok(json!({ "refresh_token": self.consent_again(mail)? })),
            "role" => plain(&self.set_role(mail, read(&body["role"])?)),
            _ => Err(unknown(&["users", mail, what])),
        }
    }

    fn app_route(&self, client_id: &str, what: &str, body: &Value) -> Result<Value, ControlError> {
        match what {
            "certificates" => {
                let thumbprint = self.add_certificate(client_id, &text(body, "pem"))?;
                Ok(json!({ "x5t#S256": thumbprint }))
            }
            "authorize" => Ok(json!({ "code": self.authorize(client_id, &text(body, "user"))? })),
            "trusts" => plain(&self.trust(client_id, read(body)?)?),
            "trusts-nobody" => plain(&self.trust_nobody(client_id)?),
            "secret-expires" => plain(&self.expire_secret(client_id, true)?),
            "secret-renewed" => plain(&self.expire_secret(client_id, false)?),
            _ => Err(unknown(&["apps", client_id, what])),
        }
    }

    fn look_at_referrals(&self, parts: &[&str]) -> Result<Value, ControlError> {
        let found = match parts {
            [] => return plain(&self.referrals()),
            [id] => self.referral(id),
            [id, "microsoft"] => self.microsoft_referral(id),
            _ => None,
        };
        found.ok_or_else(|| unknown(parts))
    }

    fn touch_referrals(
        &self,
        method: &Method,
        parts: &[&str],
        body: &Value,
    ) -> Result<Value, ControlError> {
        let act = match (method, parts) {
            (&Method::POST, []) => self.partner_user_creates(body),
            (&Method::POST, ["inbound"]) => self.referral_arrives(body),
            (&Method::POST, ["inbound", kind]) => {
                let kind: Arrival = read(&json!(kind))?;
                self.referral_arrives_as(kind, body)
            }
            (&Method::PATCH, [id]) => self.partner_user_patches(id, body),
            (&Method::PATCH, [id, "microsoft"]) => self.microsoft_patches(id, body),
            (&Method::POST, [id, "partner", "accept"]) => self.partner_user_accepts(id),
            (&Method::POST, [id, "partner", "decline"]) => {
                self.partner_user_declines(id, &text(body, "reason"))
            }
            (&Method::POST, [id, "partner", "close"]) => {
                let reason = body["reason"].as_str();
                self.partner_user_closes(id, &text(body, "substatus"), reason)
            }
            (&Method::POST, [id, "accept"]) => self.microsoft_accepts(id, &text(body, "msx_id")),
            (&Method::POST, [id, "decline"]) => self.microsoft_declines(id, &text(body, "reason")),
            (&Method::POST, [id, "win"]) => self.microsoft_wins(id),
            (&Method::POST, [id, "lose"]) => self.microsoft_loses(id, &text(body, "reason")),
            (&Method::POST, [id, "registration"]) => {
                self.microsoft_reviews_registration(id, &text(body, "status"))
            }
            (&Method::POST, [id, "error"]) => self.referral_fails(id, true),
            (&Method::POST, [id, "mended"]) => self.referral_fails(id, false),
            (&Method::POST, [id, "hide"]) => self.hide_record("referral", id, hidden(body)?),
            (&Method::POST, [id, "show"]) => self.show_record("referral", id),
            _ => Err(unknown(parts)),
        };
        plain(&act?)
    }

    fn rows_route(
        &self,
        method: &Method,
        parts: &[&str],
        body: &Value,
    ) -> Result<Value, ControlError> {
        let act = match (method, parts) {
            (&Method::GET, [table]) => return plain(&self.rows(table)),
            (&Method::GET, [table, id]) => {
                return self.row(table, id).ok_or_else(|| unknown(parts));
            }
            (&Method::POST, [table]) => self.seller_creates(table, body),
            (&Method::PATCH, [table, id]) => self.seller_updates(table, id, body),
            (&Method::DELETE, [table, id]) => self.seller_deletes(table, id),
            (&Method::POST, ["opportunity", id, "win"]) => self.seller_wins(id, body),
            (&Method::POST, ["opportunity", id, "lose"]) => self.seller_loses(id, body),
            (&Method::POST, ["opportunity", id, "reopen"]) => self.seller_reopens(id),
            (&Method::POST, ["lead", id, "qualify"]) => self.seller_qualifies(id, body),
            (&Method::POST, ["lead", id, "disqualify"]) => {
                self.seller_disqualifies(id, body["status"].as_i64().unwrap_or(-1))
            }
            (&Method::POST, ["lead", id, "reactivate"]) => self.seller_reactivates(id),
            (&Method::POST, [table, id, "merge"]) => {
                self.seller_merges(table, id, &text(body, "loser"))
            }
            (&Method::POST, [table, id, "links", relationship, other]) => {
                self.seller_associates(table, id, relationship, other)
            }
            (&Method::DELETE, [table, id, "links", relationship, other]) => {
                self.seller_disassociates(table, id, relationship, other)
            }
            (&Method::POST, [table, id, "hide"]) => self.hide_record(table, id, hidden(body)?),
            (&Method::POST, [table, id, "show"]) => self.show_record(table, id),
            _ => Err(unknown(parts)),
        };
        plain(&act?)
    }
}

fn plain(value: &impl serde::Serialize) -> Result<Value, ControlError> {
    serde_json::to_value(value).map_err(|error| malformed(&error))
}

fn read<T: serde::de::DeserializeOwned>(body: &Value) -> Result<T, ControlError> {
    serde_json::from_value(body.clone()).map_err(|error| malformed(&error))
}

/// A fault, and the probability that is said beside it.
fn with_chance<T: serde::de::DeserializeOwned>(body: &Value) -> Result<(T, f64), ControlError> {
    let mut fault = body.clone();
    let said = fault
        .as_object_mut()
        .and_then(|fields| fields.remove("chance"));
    let chance = said.map_or(Some(1.0), |said| said.as_f64());
    let chance = chance.filter(|chance| (0.0..=1.0).contains(chance));
    let chance = chance.ok_or_else(|| ControlError::Malformed {
        reason: "`chance` is a number from 0 to 1".to_owned(),
    })?;
    Ok((read(&fault)?, chance))
}

fn malformed(error: &serde_json::Error) -> ControlError {
    ControlError::Malformed {
        reason: format!("{}; GET / lists the routes, with examples", words(error)),
    }
}

fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_default().to_owned()
}

/// How a hidden record answers; as if there were none when nothing is said.
fn hidden(body: &Value) -> Result<Hidden, ControlError> {
    match &body["answer"] {
        Value::Null => Ok(Hidden::default()),
        said => read(said),
    }
}

fn unknown(parts: &[&str]) -> ControlError {
    ControlError::Unknown {
        what: format!("'/{}' here; GET / lists the routes", parts.join("/")),
    }
}
