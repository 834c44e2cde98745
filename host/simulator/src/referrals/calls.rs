//! Getting, creating and changing one referral: body, precondition, rules, ledger, webhooks and representation, in this order.

use http::Method;
use serde_json::Value;

use super::book::Book;
use super::outward::outward;
use super::patch::Applied;
use super::{COLLECTION, Referrals, Refusal, Viewer, create, patch};
use crate::faults::Service;
use crate::ledger::Entry;
use crate::wire::{Reply, Request};

impl Referrals {
    pub(super) fn get(
        &self,
        request: &Request,
        id: &str,
        viewer: &Viewer,
    ) -> Result<Reply, Refusal> {
        let mut book = self.book();
        let reply = self.representation(200, self.visible(&book, id, viewer)?, request);
        book.sight.show(&id.to_lowercase(), None);
        Ok(reply)
    }

    pub(super) fn create(&self, request: &Request, viewer: &Viewer) -> Result<Reply, Refusal> {
        viewer.may_write(&self.assumptions)?;
        let body = body(request)?;
        let via = request.header("x-caller-id").map(str::to_owned);
        let mut book = self.book();
        let created = create::create(
            &mut book,
            &body,
            viewer.organization,
            &self.assumptions,
            self.clock.now(),
            create::Origin::Api(via),
        )?;
        let named = keys(&body);
        self.enter(request, viewer, "create", &created.id, named, Vec::new());
        for change in &created.changes {
            self.notify(&book, change, Some(viewer.organization));
        }
        let status = if self.assumptions.create_answers_201() {
            201
        } else {
            200
        };
        self.shown(&mut book, status, &created.id, request)
    }

    /// A referral that the caller may see. What is there but not for him is not told from what is not there at all, unless the world does.
    fn visible<'b>(&self, book: &'b Book, id: &str, viewer: &Viewer) -> Result<&'b Value, Refusal> {
        book.visible(id, viewer).map_err(|refusal| {
            let is_there = book.get(&id.to_lowercase()).is_some();
            if is_there && self.assumptions.hidden_referrals_are_403() {
                Refusal::denied("You do not have permission to see this referral.")
            } else {
                refusal
            }
        })
    }

    /// A patch, or the obsolete replacement.
    pub(super) fn change(
        &self,
        request: &Request,
        id: &str,
        viewer: &Viewer,
    ) -> Result<Reply, Refusal> {
        let is_put = request.method == Method::PUT;
        let body = body(request)?;
        let mut book = self.book();
        let before = self.visible(&book, id, viewer)?.clone();
        viewer.may_write(&self.assumptions)?;
        if before["organizationId"] != viewer.organization.id.as_str() {
            return Err(Refusal::denied(
                "Only the organisation that owns a referral may change it.",
            ));
        }
        match request.header("if-match") {
            None if is_put => {
                return Err(Refusal::invalid(
                    "ifMatchRequired",
                    "A PUT needs If-Match with the eTag of the referral.",
                ));
            }
            Some(expected) if expected != "*" && before["eTag"] != expected => {
                return Err(Refusal {
                    status: 412,
                    code: "preconditionFailed",
                    inner: "resourceModified",
                    message: "The eTag in If-Match is not that of the referral: it was changed meanwhile."
                        .to_owned(),
                });
            }
            _ => {}
        }
        let via = request.header("x-caller-id").map(str::to_owned);
        let (now, assumptions) = (self.clock.now(), &self.assumptions);
        let applied = if is_put {
            let change = patch::replace(&mut book, id, &body, assumptions, now, via)?;
            Applied::whole(change, keys(&body))
        } else {
            let operations = patch::operations(&body)?;
            let actor = patch::Actor::Partner;
            patch::apply(&mut book, id, &operations, actor, assumptions, now, via)?
        };
        if let Some(change) = &applied.change {
            let overwrote = overwritten(&book, &change.id, &before);
            self.enter(
                request,
                viewer,
                "update",
                &change.id,
                applied.paths,
                overwrote,
            );
            self.notify(&book, change, Some(viewer.organization));
        }
        if let Some(refusal) = applied.refusal {
            return Err(refusal);
        }
        let id = id.to_lowercase();
        let prefer = request.header("prefer").unwrap_or_default();
        let asked = prefer
            .split(',')
            .any(|part| part.trim().eq_ignore_ascii_case("return=representation"))
            && !self.assumptions.representations_are_never_returned();
        match (is_put, asked) {
            (false, false) => Ok(Reply::empty(204)),
            (true, false) => self.shown(&mut book, 200, &id, request),
            (_, true) => {
                let reply = self.shown(&mut book, 200, &id, request)?;
                Ok(reply.with("preference-applied", "return=representation"))
            }
        }
    }

    /// The representation of a referral that the caller just wrote.
    fn shown(
        &self,
        book: &mut Book,
        status: u16,
        id: &str,
        request: &Request,
    ) -> Result<Reply, Refusal> {
        let referral = book
            .get(id)
            .ok_or_else(|| Refusal::missing("The referral is gone."))?;
        let reply = self.representation(status, referral, request);
        book.sight.show(id, None);
        Ok(reply)
    }

    fn representation(&self, status: u16, referral: &Value, request: &Request) -> Reply {
        let mut body = outward(referral, &self.assumptions, &request.origin);
        if let Value::Object(fields) = &mut body {
            let context = format!("{}{COLLECTION}/$metadata#Referrals/$entity", request.origin);
            fields.insert("@odata.context".to_owned(), Value::String(context));
        }
        let etag = referral["eTag"].as_str().unwrap_or_default().to_owned();
        Reply::json(status, &body).with("etag", etag)
    }

    fn enter(
        &self,
        request: &Request,
        viewer: &Viewer,
        operation: &str,
        id: &str,
        changed: Vec<String>,
        overwrote: Vec<String>,
    ) {
        self.ledger.enter(Entry {
            sequence: 0,
            time_ms: 0,
            service: Service::Referrals,
            caller: viewer.identity.caller(),
            method: request.method.to_string(),
            url: request.target(),
            precondition: request.precondition(),
            operation: operation.to_owned(),
            kind: "referral".to_owned(),
            record: id.to_owned(),
            changed,
            tag: None,
            overwrote,
            merged_away: false,
        });
    }
}

fn body(request: &Request) -> Result<Value, Refusal> {
    let kind = request.header("content-type").unwrap_or("application/json");
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(Refusal {
            status: 415,
            code: "invalidRequest",
            inner: "unsupportedMediaType",
            message: format!("The content type is '{kind}', and 'application/json' is expected."),
        });
    }
    request.json().map_err(|error| {
        Refusal::invalid(
            "malformedJson",
            format!("The body is not valid JSON: {error}"),
        )
    })
}

/// Paths that a person changed, that no caller was shown since, and that now hold another value.
fn overwritten(book: &Book, id: &str, before: &Value) -> Vec<String> {
    let after = book.get(id);
    let unseen = book.sight.unseen(id).into_iter();
    unseen
        .filter(|path| before.pointer(path) != after.and_then(|after| after.pointer(path)))
        .map(str::to_owned)
        .collect()
}

fn keys(body: &Value) -> Vec<String> {
    body.as_object()
        .map(|fields| fields.keys().cloned().collect())
        .unwrap_or_default()
}
