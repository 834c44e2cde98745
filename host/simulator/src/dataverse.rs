//! Dataverse: the Web API v9.2 of one organisation, with its webhooks. (dataverse 1 to 4, 8)
//!
//! Reading order: [`schema`] (what tables there are), [`store`] (rows, versions, undo), [`route`] (what a request asks),
//! then one module for each thing that can be asked.

mod actions;
mod address;
mod batch;
mod cells;
mod metadata;
mod page;
mod prefer;
mod read;
mod refusal;
mod route;
mod rules;
mod schema;
mod seed;
mod session;
mod store;
mod tracking;
mod webhooks;
mod write;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use uuid::Uuid;

use crate::config::SimulatorConfig;
use crate::entra::Audience;
use crate::faults::Service;
use crate::ids::Ids;
use crate::ledger::{Caller, Entry, RefusedWrite};
use crate::odata::options::Options;
use crate::wire::{Reply, Request};
use crate::world::Shared;
pub(crate) use refusal::Refusal;
use session::Session;
use store::{Committed, Db};

/// Who there is in the organisation from the start.
#[derive(Clone, Debug)]
pub(crate) struct CrmUsers {
    pub(crate) organization: Uuid,
    pub(crate) business_unit: Uuid,
    pub(crate) app_user: Uuid,
    pub(crate) seller: Uuid,
    pub(crate) app_client_id: String,
    pub(crate) seller_mail: String,
}

/// The service.
pub(crate) struct Dataverse {
    shared: Shared,
    users: CrmUsers,
    /// Root of the tenant's authority, for `WWW-Authenticate`.
    authority: String,
    url: String,
    db: Arc<Mutex<Db>>,
}

impl Dataverse {
    pub(crate) fn new(
        shared: &Shared,
        config: &SimulatorConfig,
        users: CrmUsers,
        authority: String,
        url: String,
    ) -> Result<Self, String> {
        let db = Db::new(schema::Schema::new(config)?, Ids::new(shared.seed, 0xD7));
        let service = Self {
            shared: shared.clone(),
            users,
            authority,
            url,
            db: Arc::new(Mutex::new(db)),
        };
        let session = service.session_of(service.users.seller);
        let mut db = service.db();
        seed::plant(&mut db, &session, &service.users, config)?;
        db.commit();
        drop(db);
        Ok(service)
    }

    /// The same organisation in another world.
    pub(crate) fn copied(&self, shared: &Shared) -> Self {
        let db = self.db().copied(Ids::new(shared.seed, 0xD7));
        Self {
            shared: shared.clone(),
            users: self.users.clone(),
            authority: self.authority.clone(),
            url: self.url.clone(),
            db: Arc::new(Mutex::new(db)),
        }
    }

    fn db(&self) -> MutexGuard<'_, Db> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn session_of(&self, user: Uuid) -> Session {
        Session {
            user,
            behalf: None,
            client_id: String::new(),
            now: self.shared.clock.now(),
            origin: self.url.clone(),
            content_ids: BTreeMap::new(),
            organization: self.users.organization,
            business_unit: self.users.business_unit,
            assumptions: self.shared.assumptions.clone(),
        }
    }

    /// Answers a request to the organisation's host.
    pub(crate) fn handle(&self, request: &Request) -> Reply {
        let reply = match self.session(request) {
            Err(reply) => reply,
            Ok(session) => {
                let mut db = self.db();
                let (reply, done) = match request.path.ends_with("/$batch") {
                    true => batch::run(&mut db, &session, request),
                    false => {
                        let reply = route::alone(&mut db, &session, request);
                        (reply, vec![(session.clone(), db.commit())])
                    }
                };
                for (session, committed) in done {
                    self.settle(&db, &session, committed);
                }
                drop(db);
                self.note_refusal(request, &reply);
                reply
            }
        };
        reply
            .with("odata-version", "4.0")
            .with("x-ms-service-request-id", Uuid::new_v4().to_string())
    }

    /// Enters what was committed into the ledger and sends its webhooks.
    fn settle(&self, db: &Db, session: &Session, committed: Committed) {
        for write in committed.writes {
            self.shared.ledger.enter(Entry {
                sequence: 0,
                time_ms: 0,
                service: Service::Dataverse,
                caller: Caller {
                    client_id: session.client_id.clone(),
                    user: Some(session.user.to_string()),
                },
                method: write.method,
                url: write.url,
                precondition: write.precondition,
                operation: write.operation.to_owned(),
                kind: write.table,
                record: write.id.to_string(),
                changed: write.changed,
                tag: write.tag,
            });
        }
        if !committed.events.is_empty() {
            self.send(db, session, &committed.events);
        }
    }

    fn send(&self, db: &Db, session: &Session, events: &[store::Event]) {
        let are_posted = self.shared.deliveries.are_posted();
        for (step, delivery) in webhooks::deliveries(db, session, events, &self.url, are_posted) {
            let (db, clock) = (Arc::clone(&self.db), Arc::clone(&self.shared.clock));
            self.shared.deliveries.send(delivery, move |record| {
                if record.outcome == "failed" {
                    let mut db = db.lock().unwrap_or_else(PoisonError::into_inner);
                    webhooks::record_failure(&mut db, step, record, clock.now());
                    // A failed job is the platform's own business: no ledger entry, no webhook.
                    let _own_business = db.commit();
                }
            });
        }
    }

    fn note_refusal(&self, request: &Request, reply: &Reply) {
        if reply.status < 400 || request.method == http::Method::GET {
            return;
        }
        // Inside a batch answer the error stands in the middle of the text.
        let text = String::from_utf8_lossy(&reply.body);
        let body = text
            .find("{\"error\"")
            .map(|from| &text[from..])
            .unwrap_or_default();
        let error = serde_json::Deserializer::from_str(body)
            .into_iter::<Value>()
            .next()
            .and_then(Result::ok)
            .unwrap_or_default();
        let word = |name: &str| error["error"][name].as_str().unwrap_or_default().to_owned();
        self.shared.ledger.refuse(RefusedWrite {
            time_ms: 0,
            service: Service::Dataverse,
            method: request.method.to_string(),
            url: request.target(),
            status: reply.status,
            code: word("code"),
            message: word("message"),
        });
    }

    /// Who calls; refused callers get their answer here.
    fn session(&self, request: &Request) -> Result<Session, Reply> {
        let unauthorised = || {
            Refusal::new(401, "0x80041d50", "The OAuth token is invalid")
                .reply()
                .with(
                    "www-authenticate",
                    format!(
                        "Bearer authorization_uri={}/oauth2/authorize, resource_id={}/",
                        self.authority, request.origin
                    ),
                )
        };
        let identity = self
            .shared
            .entra
            .check(request.bearer(), Audience::Dataverse)
            .map_err(|_| unauthorised())?;
        if !identity
            .client_id
            .eq_ignore_ascii_case(&self.users.app_client_id)
        {
            return Err(Refusal::new(
                403,
                "0x80072560",
                "The user is not a member of the organization.",
            )
            .reply());
        }
        let mut session = self.session_of(self.users.app_user);
        session.client_id = identity.client_id;
        session.origin.clone_from(&request.origin);
        let db = self.db();
        for (header, column) in [
            ("callerobjectid", "azureactivedirectoryobjectid"),
            ("mscrmcallerid", "systemuserid"),
        ] {
            let Some(wanted) = request.header(header) else {
                continue;
            };
            let id = Uuid::try_parse(wanted.trim()).ok();
            let users = db
                .rows("systemuser")
                .into_iter()
                .flat_map(|rows| rows.live.values());
            let user = users.into_iter().find(|row| {
                id.is_some() && row.cells.get(column) == id.map(store::Cell::Guid).as_ref()
            });
            let user = user.ok_or_else(|| refusal::no_row("systemuser", wanted).reply())?;
            session.behalf = Some(self.users.app_user);
            session.user = user.id;
            break;
        }
        Ok(session)
    }

    // What control does as a seller: the same rules, no ledger entry.

    pub(crate) fn create_by_hand(&self, table: &str, values: &Value) -> Result<String, Refusal> {
        self.by_hand(|db, session| {
            let body = object(values)?;
            let table = known(db, table)?;
            write::create(db, session, &table, body, None, Vec::new(), 0).map(|id| id.to_string())
        })
    }

    pub(crate) fn update_by_hand(
        &self,
        table: &str,
        id: &str,
        values: &Value,
    ) -> Result<(), Refusal> {
        self.by_hand(|db, session| {
            let table = known(db, table)?;
            write::update(db, session, &table, guid(&table, id)?, object(values)?)
        })
    }

    pub(crate) fn delete_by_hand(&self, table: &str, id: &str) -> Result<(), Refusal> {
        self.by_hand(|db, _| {
            let table = known(db, table)?;
            write::delete(db, &table, guid(&table, id)?)
        })
    }

    pub(crate) fn close_by_hand(&self, id: &str, won: bool, close: &Value) -> Result<(), Refusal> {
        self.by_hand(|db, session| {
            let status = close["Status"].as_i64().unwrap_or(-1);
            actions::close(
                db,
                session,
                guid("opportunity", id)?,
                won,
                status,
                object(close)?,
            )
            .map(|_| ())
        })
    }

    fn by_hand<T>(
        &self,
        act: impl FnOnce(&mut Db, &Session) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let session = self.session_of(self.users.seller);
        let mut db = self.db();
        let mark = db.mark();
        match act(&mut db, &session) {
            Ok(done) => {
                let committed = db.commit();
                self.send(&db, &session, &committed.events);
                Ok(done)
            }
            Err(refusal) => {
                db.roll_back(mark);
                db.commit();
                Err(refusal)
            }
        }
    }

    /// Makes a column system-required, or not; false when there is none of that name.
    pub(crate) fn require(&self, table: &str, column: &str, required: bool) -> bool {
        let mut db = self.db();
        let held = Arc::make_mut(&mut db.schema)
            .tables
            .get_mut(table)
            .and_then(|table| table.columns.get_mut(column));
        let Some(column) = held else { return false };
        column.required = if required {
            schema::Required::System
        } else {
            schema::Required::No
        };
        true
    }

    pub(crate) fn count(&self, table: &str) -> usize {
        self.db().rows(table).map_or(0, |rows| rows.live.len())
    }

    pub(crate) fn row(&self, table: &str, id: &str) -> Option<Value> {
        let db = self.db();
        let held = db.schema.table(table)?;
        let row = db.row(table, Uuid::try_parse(id).ok()?)?;
        Some(Value::Object(read::render(
            &db,
            held,
            row,
            &Options::default(),
            &prefer::Prefer::default(),
        )))
    }

    pub(crate) fn rows(&self, table: &str) -> Vec<Value> {
        let db = self.db();
        let (Some(held), Some(rows)) = (db.schema.table(table), db.rows(table)) else {
            return Vec::new();
        };
        let show = |row: &Arc<store::Row>| {
            Value::Object(read::render(
                &db,
                held,
                row,
                &Options::default(),
                &prefer::Prefer::default(),
            ))
        };
        rows.live.values().map(show).collect()
    }

    /// Makes every delta link given out so far too old.
    pub(crate) fn expire_delta_links(&self) {
        let mut db = self.db();
        db.version += 1;
        db.tracking_floor = db.version;
    }
}

fn known(db: &Db, table: &str) -> Result<schema::Name, Refusal> {
    db.schema
        .table(table)
        .map(|table| table.logical.clone())
        .ok_or_else(|| refusal::no_segment(table))
}

fn object(value: &Value) -> Result<&serde_json::Map<String, Value>, Refusal> {
    value
        .as_object()
        .ok_or_else(|| refusal::payload("", json!("The body is not an object.")))
}

fn guid(table: &str, text: &str) -> Result<Uuid, Refusal> {
    Uuid::try_parse(text).map_err(|_| refusal::no_row(table, text))
}
