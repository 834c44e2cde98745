//! What a request asks for: a set, a row, a property, a navigation, an action. (dataverse 2.1 to 2.6)

use http::Method;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::address::{self, Key, Segment};
use super::prefer::Prefer;
use super::read;
use super::refusal::{self, Refusal};
use super::schema::{Name, Table};
use super::session::Session;
use super::store::{Db, Row};
use super::{actions, cells, metadata, page, tracking, unbound};
use crate::odata::options::Options;
use crate::standing::Hidden;
use crate::wire::{Reply, Request};

/// Where the Web API begins, up to the minor version.
const ROOT: &str = "/api/data/v9.";

/// Longest address of a request that stands by itself; inside a batch it may be twice as long.
const ADDRESS_MAX: usize = 32_768;

/// Answers a request that stands by itself: all of it happens, or nothing.
pub(super) fn alone(db: &mut Db, session: &Session, request: &Request) -> Reply {
    let mark = db.mark();
    let answered = answer(db, session, request);
    answered.unwrap_or_else(|refusal| {
        db.roll_back(mark);
        let reply = refusal.annotated(&Prefer::of(request));
        reply.with("req_id", db.traces.guid_text())
    })
}

/// Answers a request, or refuses it with changes half made: the caller takes them back.
pub(super) fn answer(db: &mut Db, session: &Session, request: &Request) -> Result<Reply, Refusal> {
    let (events, writes) = (db.events.len(), db.writes.len());
    let reply = dispatch(db, session, request)?;
    let tag = request
        .pairs()
        .into_iter()
        .find(|(name, _)| name == "tag")
        .map(|(_, tag)| tag);
    let correlation = db.traces.guid();
    for event in &mut db.events[events..] {
        (event.tag, event.correlation) = (tag.clone(), correlation);
    }
    for write in &mut db.writes[writes..] {
        write.tag.clone_from(&tag);
    }
    Ok(reply)
}

/// An address that is longer than the service takes is refused before anybody reads it.
pub(super) fn refuse_long(request: &Request, times: usize) -> Result<(), Refusal> {
    let length = request.origin.len() + request.path.len() + 1 + request.query.len();
    if length <= ADDRESS_MAX * times {
        return Ok(());
    }
    Err(Refusal::new(
        414,
        "0x80060888",
        format!(
            "The address has {length} characters; at most {} are read.",
            ADDRESS_MAX * times
        ),
    ))
}

fn dispatch(db: &mut Db, session: &Session, request: &Request) -> Result<Reply, Refusal> {
    let rest = request
        .path
        .strip_prefix(ROOT)
        .and_then(|rest| rest.split_once('/'))
        .filter(|(minor, _)| matches!(*minor, "0" | "1" | "2"))
        .map(|(_, rest)| rest)
        .ok_or_else(|| refusal::no_segment(&request.path))?;
    let segments = address::segments(rest);
    let Some(first) = segments.first() else {
        return Ok(Reply::json(
            200,
            &json!({"@odata.context": format!("{}/api/data/v9.2/$metadata", request.origin), "value": []}),
        ));
    };
    if metadata::ROOTS.contains(&first.name.as_str()) {
        return metadata::answer(db, session, request, &segments);
    }
    if let Some(operation) = unbound::operation(&request.method, &first.name) {
        return operation(db, session, request, first);
    }
    let table = db
        .schema
        .of_set(&first.name)
        .ok_or_else(|| refusal::no_segment(&first.name))?
        .logical
        .clone();
    let call = Call {
        session,
        request,
        table,
        prefer: Prefer::of(request),
        pairs: request.pairs(),
    };
    call.answer(db, &segments)
}

/// A JSON reply in the Web API's own content type.
pub(super) fn json_reply(status: u16, body: &Value) -> Reply {
    Reply::json(status, body).with("content-type", "application/json; odata.metadata=minimal")
}

/// A request about rows of a table.
pub(super) struct Call<'a> {
    pub(super) session: &'a Session,
    pub(super) request: &'a Request,
    pub(super) table: Name,
    pub(super) prefer: Prefer,
    pub(super) pairs: Vec<(String, String)>,
}

impl Call<'_> {
    fn answer(&self, db: &mut Db, segments: &[Segment]) -> Result<Reply, Refusal> {
        read::refuse_unsupported(&self.pairs)?;
        let method = &self.request.method;
        let key = match &segments[0].arguments {
            Some(arguments) => Some(address::key(arguments, self.table(db)?)?),
            None => None,
        };
        let reply = match (key, &segments[1..]) {
            (None, []) => match *method {
                Method::GET => self.query(db),
                Method::POST => self.create(db),
                _ => Err(refusal::method(method)),
            },
            (None, [action])
                if action.name.starts_with("Microsoft.Dynamics.CRM.")
                    && *method == Method::POST =>
            {
                self.multiple(db, &action.name)
            }
            (None, [count]) if count.name == "$count" && *method == Method::GET => self.count(db),
            (Some(key), []) => match *method {
                Method::GET => self.retrieve(db, &key),
                Method::PATCH => self.patch(db, &key),
                Method::DELETE => self.delete(db, &key),
                _ => Err(refusal::method(method)),
            },
            (Some(key), [action])
                if action.name.starts_with("Microsoft.Dynamics.CRM.")
                    && *method == Method::POST =>
            {
                let id = self.locate(db, &key)?;
                actions::bound(
                    db,
                    self.session,
                    self.request,
                    &self.table,
                    id,
                    &action.name,
                )
            }
            (Some(key), [property]) => self.property(db, &key, property),
            (Some(key), [property, value]) if value.name == "$value" && *method == Method::GET => {
                let id = self.locate(db, &key)?;
                let column = self
                    .table(db)?
                    .property(&property.name)
                    .cloned()
                    .ok_or_else(|| refusal::no_segment(&property.name))?;
                let cell = read::existing(db, self.table(db)?, id)?
                    .cells
                    .get(&column.logical)
                    .cloned();
                Ok(match cells::write(cell.as_ref()) {
                    Value::Null => Reply::empty(204),
                    Value::String(text) => Reply::bytes(200, "text/plain", text.into_bytes()),
                    other => Reply::bytes(200, "text/plain", other.to_string().into_bytes()),
                })
            }
            (Some(key), [navigation, reference]) if reference.name == "$ref" => {
                self.reference(db, &key, navigation)
            }
            (_, rest) => Err(refusal::no_segment(&rest[0].name)),
        }?;
        Ok(if self.prefer.applied.is_empty() {
            reply
        } else {
            reply.with("preference-applied", self.prefer.applied.join(","))
        })
    }

    pub(super) fn table<'d>(&self, db: &'d Db) -> Result<&'d Table, Refusal> {
        db.schema
            .table(&self.table)
            .ok_or_else(|| refusal::no_segment(&self.table))
    }

    /// The row that a key names, or the documented 404.
    pub(super) fn locate(&self, db: &Db, key: &Key) -> Result<Uuid, Refusal> {
        let found = address::locate(db, self.table(db)?, key)?.ok_or_else(|| self.missing(key))?;
        self.refuse_hidden(db, found, key)?;
        Ok(found)
    }

    pub(super) fn refuse_hidden(&self, db: &Db, id: Uuid, key: &Key) -> Result<(), Refusal> {
        match db.hidden.get(&id) {
            None => Ok(()),
            Some(Hidden::NotFound) => Err(self.missing(key)),
            Some(Hidden::Forbidden) => Err(refusal::denied(self.session.user, &self.table)),
        }
    }

    pub(super) fn missing(&self, key: &Key) -> Refusal {
        match key {
            Key::Id(id) => refusal::no_row(&self.table, id),
            Key::Alternate(_) => refusal::no_row_by_key(&self.table),
        }
    }

    fn options(&self, db: &Db) -> Result<Options, Refusal> {
        let options = Options::read(&self.pairs).map_err(|error| refusal::query(error.message))?;
        read::check(db, self.table(db)?, &options)?;
        Ok(options)
    }

    fn query(&self, db: &Db) -> Result<Reply, Refusal> {
        let table = self.table(db)?;
        let has = |name: &str| self.pairs.iter().any(|(held, _)| held == name);
        let tracked_page = page::Cookie::read(&self.pairs)?.tracking.is_some();
        if self.prefer.track || has("$deltatoken") || tracked_page {
            let options = self.options(db)?;
            if has("$deltatoken")
                && self.session.assumptions.delta_link_refuses_prefer()
                && self.prefer.track
            {
                return Err(refusal::query(
                    "The preference odata.track-changes isn't supported with a delta token.",
                ));
            }
            return tracking::answer(
                db,
                self.session,
                table,
                &options,
                self.request,
                &self.prefer,
            );
        }
        let options = self.options(db)?;
        let rows = db
            .rows(&self.table)
            .into_iter()
            .flat_map(|rows| rows.live.values().map(AsRef::as_ref))
            .filter(|row: &&Row| db.shows(row.id))
            .collect();
        page::collection(db, table, rows, &options, self.request, &self.prefer)
            .map(|body| json_reply(200, &body))
    }

    fn count(&self, db: &Db) -> Result<Reply, Refusal> {
        let table = self.table(db)?;
        let options = self.options(db)?;
        let number = match self.pairs.iter().find(|(name, _)| name == "$deltatoken") {
            Some((_, token)) => tracking::changes(db, self.session, table, token, &options)?.len(),
            None => {
                let rows = db
                    .rows(&self.table)
                    .into_iter()
                    .flat_map(|rows| rows.live.values());
                rows.filter(|row| db.shows(row.id) && read::fits(db, table, row, &options))
                    .count()
            }
        };
        // The real answer begins with a byte order mark.
        Ok(Reply::bytes(
            200,
            "text/plain",
            format!("\u{feff}{number}").into_bytes(),
        ))
    }

    fn retrieve(&self, db: &Db, key: &Key) -> Result<Reply, Refusal> {
        let options = self.options(db)?;
        let id = self.locate(db, key)?;
        let row = read::existing(db, self.table(db)?, id)?;
        let unchanged = self
            .request
            .header("if-none-match")
            .is_some_and(|tag| tag == row.etag());
        if unchanged
            && self.table(db)?.versioned
            && options.expand.is_empty()
            && !self.prefer.annotates()
        {
            return Ok(Reply::empty(304).with("etag", row.etag()));
        }
        self.representation(db, 200, id, &options)
    }

    fn representation(
        &self,
        db: &Db,
        status: u16,
        id: Uuid,
        options: &Options,
    ) -> Result<Reply, Refusal> {
        let table = self.table(db)?;
        let row = read::existing(db, table, id)?;
        let mut body = Map::new();
        let context = read::context(&self.request.origin, table, options);
        body.insert(
            "@odata.context".to_owned(),
            json!(format!("{context}/$entity")),
        );
        body.extend(read::render(db, table, row, options, &self.prefer));
        Ok(json_reply(status, &Value::Object(body)).with("etag", row.etag()))
    }

    fn entity_id(&self, db: &Db, id: Uuid) -> Result<String, Refusal> {
        Ok(format!(
            "{}/api/data/v9.2/{}({id})",
            self.request.origin,
            self.table(db)?.set
        ))
    }

    pub(super) fn written(&self, db: &Db, id: Uuid, created: bool) -> Result<Reply, Refusal> {
        let address = self.entity_id(db, id)?;
        if self.prefer.representation {
            let mut options = self.options(db)?;
            if self.request.method == Method::PATCH {
                // `$expand` is not honoured on the answer of a PATCH.
                options.expand.clear();
            }
            let reply = self.representation(db, if created { 201 } else { 200 }, id, &options)?;
            return Ok(if created {
                reply.with("location", address)
            } else {
                reply
            });
        }
        let reply = Reply::empty(204).with("odata-entityid", address.clone());
        Ok(if created {
            reply.with("location", address)
        } else {
            reply
        })
    }

    pub(super) fn body(&self) -> Result<Map<String, Value>, Refusal> {
        match self.request.json() {
            Ok(Value::Object(body)) => Ok(body),
            Ok(_) => Err(refusal::payload(
                &self.table,
                "A node of type 'StartObject' was expected.",
            )),
            Err(error) => Err(refusal::payload(
                &self.table,
                format_args!("The body is not valid JSON: {error}"),
            )),
        }
    }
}
