//! Dataverse: the Web API v9.2 of one organisation, with its webhooks. (dataverse 1 to 4, 8)
//!
//! Reading order: [`schema`] (what tables there are), [`store`] (rows, versions, undo), [`route`] (what a request asks),
//! then one module for each thing that can be asked.

mod actions;
mod address;
mod answering;
mod associate;
mod batch;
mod bulk;
mod by_hand;
mod cells;
mod changes;
mod environment;
mod glance;
mod index;
mod limits;
mod merge;
mod metadata;
mod organization;
mod page;
mod payload;
mod prefer;
mod property;
mod qualify;
mod read;
mod refusal;
mod route;
mod row;
mod rules;
mod saved;
mod schema;
mod seed;
mod session;
mod store;
mod subject;
mod tracking;
mod twins;
mod unbound;
mod webhooks;
mod write;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use uuid::Uuid;

use crate::config::SimulatorConfig;
use crate::entra::Audience;
use crate::faults::Service;
use crate::ids::{Ids, Traces};
use crate::ledger::{Caller, Entry, RefusedWrite};
use crate::odata::options::Options;
use crate::standing::CrmAccount;
use crate::wire::{Reply, Request};
use crate::world::Shared;
pub(crate) use answering::injected;
pub(crate) use refusal::Refusal;
pub(crate) use saved::SavedDataverse;
use session::Session;
use store::{Asked, Committed, Db};

/// How long other servers take to hear of a change of metadata.
const METADATA_LAG: jiff::SignedDuration = jiff::SignedDuration::from_secs(30);

/// The stream of ids that name requests.
const TRACES: u64 = 0xD8;

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
    /// `OrganizationId`: another one once the environment was copied.
    organization: Mutex<Uuid>,
    account: Mutex<CrmAccount>,
    limits: Arc<limits::Limits>,
    traces: Arc<Traces>,
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
        let traces = Arc::new(Traces::new(shared.seed, TRACES));
        let schema = schema::Schema::new(config)?;
        let db = Db::new(schema, Ids::new(shared.seed, 0xD7), Arc::clone(&traces));
        let service = Self {
            shared: shared.clone(),
            organization: Mutex::new(users.organization),
            account: Mutex::default(),
            limits: Arc::new(limits::Limits::new(config.service_protection.clone())),
            users,
            authority,
            url,
            traces,
            db: Arc::new(Mutex::new(db)),
        };
        let session = service.session_of(service.users.seller);
        let mut db = service.db();
        seed::plant(&mut db, &session, &service.users, config)?;
        db.commit();
        drop(db);
        Ok(service)
    }

    /// Root of the tenant's authority.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// The same organisation in another world.
    pub(crate) fn copied(&self, shared: &Shared) -> Self {
        let traces = Arc::new(Traces::new(shared.seed, TRACES));
        let ids = Ids::new(shared.seed, 0xD7);
        let db = self.db().copied(ids, Arc::clone(&traces));
        Self {
            shared: shared.clone(),
            organization: Mutex::new(self.organization()),
            limits: Arc::new(self.limits.fresh()),
            account: Mutex::new(*self.account.lock().unwrap_or_else(PoisonError::into_inner)),
            users: self.users.clone(),
            authority: self.authority.clone(),
            url: self.url.clone(),
            traces,
            db: Arc::new(Mutex::new(db)),
        }
    }

    fn db(&self) -> MutexGuard<'_, Db> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The `OrganizationId` of now.
    pub(crate) fn organization(&self) -> Uuid {
        let held = self.organization.lock();
        *held.unwrap_or_else(PoisonError::into_inner)
    }

    fn session_of(&self, user: Uuid) -> Session {
        Session {
            user,
            behalf: None,
            client_id: String::new(),
            now: self.shared.clock.now(),
            origin: self.url.clone(),
            content_ids: BTreeMap::new(),
            organization: self.organization(),
            business_unit: self.users.business_unit,
            assumptions: self.shared.assumptions.clone(),
        }
    }

    /// A request comes in: what is returned is held until it is answered. Too many at a time are refused.
    pub(crate) fn begin(&self, request: &Request) -> Result<Option<limits::Running>, Reply> {
        if !self.limits.are_kept() {
            return Ok(None);
        }
        // Who is not let in at all is refused later, with the right words.
        match self
            .shared
            .entra
            .check(request.bearer(), Audience::Dataverse)
        {
            Ok(identity) => {
                let begun = self.limits.begin(&identity.client_id);
                begun.map_err(|refused| {
                    answering::outgoing(&self.shared.assumptions, refused)
                        .with("req_id", self.traces.guid_text())
                })
            }
            Err(_) => Ok(None),
        }
    }

    /// Answers a request to the organisation's host.
    pub(crate) fn handle(&self, request: &Request) -> Reply {
        let began = std::time::Instant::now();
        let reply = match self.admitted(request) {
            Err(reply) => reply,
            Ok(session) => {
                let (reply, operations) = self.answer(&session, request);
                let (user, now) = (&session.client_id, session.now);
                self.limits
                    .count(user, now, operations, began.elapsed(), reply)
            }
        };
        let reply = answering::outgoing(&self.shared.assumptions, reply);
        let reply = match reply.header("req_id") {
            None if reply.status >= 400 => reply.with("req_id", self.traces.guid_text()),
            _ => reply,
        };
        reply
            .with("odata-version", "4.0")
            .with("x-ms-service-request-id", self.traces.guid_text())
    }

    fn admitted(&self, request: &Request) -> Result<Session, Reply> {
        let session = self.session(request)?;
        self.limits.admit(&session.client_id, session.now)?;
        route::refuse_long(request, 1).map_err(|refusal| refusal.reply())?;
        Ok(session)
    }

    /// The reply, and how many operations it took.
    fn answer(&self, session: &Session, request: &Request) -> (Reply, u64) {
        let mut db = self.db();
        db.watched = true;
        db.asked = Asked {
            now: session.now,
            caller: session.user,
            origin: session.origin.clone(),
            readings: session.assumptions.clone(),
        };
        let known = self.yesterdays_schema(&mut db, request);
        let (reply, done) = match request.path.ends_with("/$batch") {
            true => batch::run(&mut db, session, request),
            false => {
                let reply = route::alone(&mut db, session, request);
                (reply, vec![(session.clone(), db.commit())])
            }
        };
        if let Some(known) = known {
            db.schema = known;
        }
        db.watched = false;
        let operations = u64::try_from(done.len()).unwrap_or(u64::MAX);
        for (session, committed) in done {
            self.settle(&db, &session, committed);
        }
        drop(db);
        self.note_refusal(request, &reply);
        (reply, operations)
    }

    /// Puts the schema in place that a server knows which has not heard of the last change, and returns the real one. Metadata itself is
    /// changed where it is true, and so is a batch.
    fn yesterdays_schema(&self, db: &mut Db, request: &Request) -> Option<Arc<schema::Schema>> {
        let strong = request
            .header("consistency")
            .is_some_and(|value| value.eq_ignore_ascii_case("strong"));
        let writes_metadata = request.method != http::Method::GET
            && metadata::changed_at().any(|place| request.path.contains(place));
        let exempt = strong || writes_metadata || request.path.ends_with("/$batch");
        if exempt {
            return None;
        }
        let (before, changed) = db.stale.clone()?;
        let fresh = db.asked.now.duration_since(changed) < METADATA_LAG;
        (fresh && self.shared.assumptions.metadata_lags())
            .then(|| std::mem::replace(&mut db.schema, before))
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
                overwrote: write.overwrote,
                merged_away: write.merged_away,
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
                if record.outcome != "dropped" {
                    let mut db = db.lock().unwrap_or_else(PoisonError::into_inner);
                    webhooks::record_job(&mut db, step, record, clock.now());
                    // A job is the platform's own business: no ledger entry, no webhook.
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
        let shut_out = |mut refusal: Refusal| {
            if self.shared.assumptions.shut_out_is_401() {
                refusal.status = 401;
            }
            refusal.reply()
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
            return Err(shut_out(refusal::stranger()));
        }
        let standing = *self.account.lock().unwrap_or_else(PoisonError::into_inner);
        let app_user = self.users.app_user;
        match standing {
            CrmAccount::Enabled => {}
            CrmAccount::Disabled => return Err(shut_out(refusal::disabled(app_user))),
            CrmAccount::WithoutRole => return Err(shut_out(refusal::without_role(app_user))),
        }
        let mut session = self.session_of(app_user);
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

    /// systemuserid of the host's app.
    pub(crate) fn app_user(&self) -> String {
        self.users.app_user.to_string()
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

    /// Rows that a many-to-many relationship connects with this one.
    pub(crate) fn linked(&self, table: &str, id: &str, relationship: &str) -> Vec<String> {
        let db = self.db();
        let found = match (
            db.schema.navigation(table, relationship),
            Uuid::try_parse(id),
        ) {
            (
                Some(schema::Navigation::Many {
                    relationship,
                    here_is_first,
                    ..
                }),
                Ok(id),
            ) => db.linked(*relationship, id, *here_is_first),
            _ => Vec::new(),
        };
        found.iter().map(Uuid::to_string).collect()
    }

    /// Makes every delta link given out so far too old.
    pub(crate) fn expire_delta_links(&self) {
        let mut db = self.db();
        db.version += 1;
        db.tracking_floor = db.version;
    }
}
