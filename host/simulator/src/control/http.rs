//! Control over HTTP: JSON in, JSON out, on its own listener. `GET /` lists the routes.

use http::Method;
use serde_json::{Value, json};

use super::{Control, ControlError};
use crate::wire::{Reply, Request, decode_segment};

/// The routes, as `GET /` lists them.
const ROUTES: [&str; 31] = [
    "GET /                                      addresses, seeded ids, these routes",
    "GET /counts                                how many of each record",
    "GET /audit                                 duplicates, one-sided links, writes to closed deals",
    "GET /ledger?after=N                        accepted writes after entry N",
    "GET /refused                               refused writes",
    "GET /acts                                  what was done through control",
    "GET /deliveries                            webhooks and what became of them",
    "GET /clock                                 the simulated now",
    "POST /clock {\"advance_ms\"} or {\"now\"}  moves the clock",
    "POST /latency {\"ms\"}                     added to every API call",
    "POST /faults {service, kind, …}            injects a fault on requests",
    "POST /webhook-faults {service, kind, …}    injects a fault on webhooks",
    "DELETE /faults                             takes all faults away",
    "POST /tokens/revoke-refresh                as a changed password does",
    "POST /tokens/revoke-access                 every access token becomes invalid",
    "POST /delta/expire                         every delta link becomes too old",
    "GET /referrals                             every referral, Microsoft's too",
    "GET /referrals/{id}                        one referral",
    "POST /referrals {…}                        a partner's user creates a deal",
    "PATCH /referrals/{id} [{op,path,value}]    a partner's user changes a deal",
    "POST /referrals/inbound {…}                a referral from Microsoft arrives",
    "GET /referrals/{id}/microsoft              Microsoft's referral of that engagement",
    "POST /referrals/{id}/accept {\"msx_id\"}   Microsoft accepts",
    "POST /referrals/{id}/decline {\"reason\"}  Microsoft declines",
    "POST /referrals/{id}/win                   Microsoft wins",
    "POST /referrals/{id}/lose {\"reason\"}     Microsoft loses",
    "GET /rows/{table}                          every row",
    "GET|PATCH|DELETE /rows/{table}/{id}        one row; changes are a seller's",
    "POST /rows/{table} {…}                     a seller creates a row",
    "POST /rows/opportunity/{id}/win or /lose   a seller closes an opportunity",
    "POST /columns/{table}/{column} {\"required\"}  makes a column required or optional",
];

impl Control {
    /// Answers a request to the control listener.
    pub(crate) fn answer(&self, request: &Request) -> Reply {
        match self.route(request) {
            Ok(body) => Reply::json(200, &body),
            Err(error) => {
                let status = match &error {
                    ControlError::Refused { .. } => 422,
                    ControlError::Unknown { .. } => 404,
                    ControlError::Malformed { .. } => 400,
                };
                Reply::json(status, &json!({ "error": error.to_string() }))
            }
        }
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
            request.json().map_err(|error| ControlError::Malformed {
                reason: error.to_string(),
            })
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
                Ok(about)
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
            ["acts"] => plain(&self.acts()),
            ["deliveries"] => Ok(
                json!({"waiting": self.deliveries_waiting(), "ended": plain(&self.deliveries())?}),
            ),
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
                self.fault(read(body)?);
                done
            }
            (&Method::POST, ["webhook-faults"]) => {
                self.webhook_fault(read(body)?);
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
        let word = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let act = match (method, parts) {
            (&Method::POST, []) => self.partner_user_creates(body),
            (&Method::POST, ["inbound"]) => self.referral_arrives(body),
            (&Method::PATCH, [id]) => self.partner_user_patches(id, body),
            (&Method::POST, [id, "accept"]) => self.microsoft_accepts(id, &word("msx_id")),
            (&Method::POST, [id, "decline"]) => self.microsoft_declines(id, &word("reason")),
            (&Method::POST, [id, "win"]) => self.microsoft_wins(id),
            (&Method::POST, [id, "lose"]) => self.microsoft_loses(id, &word("reason")),
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
            _ => Err(unknown(parts)),
        };
        plain(&act?)
    }
}

fn plain(value: &impl serde::Serialize) -> Result<Value, ControlError> {
    serde_json::to_value(value).map_err(|error| ControlError::Malformed {
        reason: error.to_string(),
    })
}

fn read<T: serde::de::DeserializeOwned>(body: &Value) -> Result<T, ControlError> {
    serde_json::from_value(body.clone()).map_err(|error| ControlError::Malformed {
        reason: error.to_string(),
    })
}

fn unknown(parts: &[&str]) -> ControlError {
    ControlError::Unknown {
        what: format!("'/{}' here; GET / lists the routes", parts.join("/")),
    }
}
