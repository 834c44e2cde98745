//! Many rows in one call: `CreateMultiple`, `UpdateMultiple`, `UpsertMultiple`, `BulkDelete`. (dataverse 2.8)

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::address::{self, Key};
use super::refusal::{self, Refusal};
use super::route::{Call, json_reply};
use super::schema::Name;
use super::session::Session;
use super::store::{Cell, Db, Event, Member, Row, Write};
use super::{twins, write};
use crate::wire::{Reply, Request};

/// The row that a target became.
type Written = Result<Uuid, Refusal>;

impl Call<'_> {
    /// An action bound to a set of rows. All of its targets or none: the request is taken back as a whole.
    pub(super) fn multiple(&self, db: &mut Db, action: &str) -> Result<Reply, Refusal> {
        let act: fn(&Self, &mut Db, &Map<String, Value>) -> Written = match action {
            "Microsoft.Dynamics.CRM.CreateMultiple" => Self::create_target,
            "Microsoft.Dynamics.CRM.UpdateMultiple" => Self::update_target,
            "Microsoft.Dynamics.CRM.UpsertMultiple" => Self::upsert_target,
            _ => return Err(refusal::no_segment(action)),
        };
        let events = db.events.len();
        let body = self.body()?;
        let targets = body.get("Targets").and_then(Value::as_array);
        let targets = targets.ok_or_else(|| self.wrong("The parameter 'Targets' is missing."))?;
        let mut ids = Vec::new();
        for target in targets {
            let target = target
                .as_object()
                .ok_or_else(|| self.wrong("A target is not an object."))?;
            self.refuse_foreign(target)?;
            ids.push(act(self, db, target)?.to_string());
        }
        self.raise_multiple(db, events);
        if !action.ends_with("CreateMultiple") {
            return Ok(Reply::empty(204));
        }
        let context = format!(
            "{}/api/data/v9.2/$metadata#Microsoft.Dynamics.CRM.CreateMultipleResponse",
            self.request.origin
        );
        Ok(json_reply(
            200,
            &json!({"@odata.context": context, "Ids": ids}),
        ))
    }

    /// One message about all rows that were created, and one about all that were updated, beside those of each row.
    fn raise_multiple(&self, db: &mut Db, from: usize) {
        for (each, all) in [("Create", "CreateMultiple"), ("Update", "UpdateMultiple")] {
            let here = |event: &&Event| event.message == each && event.table == self.table;
            let single = db.events[from..].iter().filter(here);
            let members: Vec<Member> = single
                .map(|event| (event.id, event.target.clone()))
                .collect();
            if !members.is_empty() {
                db.events.push(Event {
                    members,
                    ..Event::new(all, self.table.clone(), Uuid::nil())
                });
            }
        }
    }

    /// A target says which table it belongs to; another one than that of the address is a mistake.
    fn refuse_foreign(&self, target: &Map<String, Value>) -> Result<(), Refusal> {
        let Some(told) = target.get("@odata.type").and_then(Value::as_str) else {
            return Err(self.wrong("A target has no '@odata.type'."));
        };
        let told = told.trim_start_matches('#');
        if told.strip_prefix("Microsoft.Dynamics.CRM.") == Some(&*self.table) {
            return Ok(());
        }
        Err(self.wrong(&format!(
            "A target of the type '{told}' does not belong to '{}'.",
            self.table
        )))
    }

    fn wrong(&self, message: &str) -> Refusal {
        refusal::payload(&self.table, message)
    }

    fn create_target(&self, db: &mut Db, target: &Map<String, Value>) -> Written {
        let session = self.session;
        twins::detect(db, session, self.request, &self.table, target, None)?;
        let id = write::create(db, session, &self.table, target, None, Vec::new(), 0)?;
        self.enter(db, "create", id, Some(target));
        Ok(id)
    }

    fn update_target(&self, db: &mut Db, target: &Map<String, Value>) -> Written {
        let key = self.table(db)?.key.clone();
        let id = target.get(&*key).and_then(Value::as_str);
        let id = match (id, target.get("@odata.id").and_then(Value::as_str)) {
            (Some(id), _) => self.locate(db, &address::key(id, self.table(db)?)?)?,
            (None, Some(address)) => self.locate(db, &self.key_of(db, address)?)?,
            (None, None) => return Err(self.wrong(&format!("A target has no '{key}'."))),
        };
        let mut sent = target.clone();
        sent.remove(&*key);
        self.change(db, id, &sent, &sent)?;
        Ok(id)
    }

    fn upsert_target(&self, db: &mut Db, target: &Map<String, Value>) -> Written {
        let column = self.table(db)?.key.clone();
        let id = target.get(&*column).and_then(Value::as_str);
        let key = match (target.get("@odata.id").and_then(Value::as_str), id) {
            (Some(address), _) => self.key_of(db, address)?,
            (None, Some(id)) => address::key(id, self.table(db)?)?,
            (None, None) => return Err(self.wrong("A target has neither '@odata.id' nor its key.")),
        };
        let mut sent = target.clone();
        sent.remove(&*column);
        match address::locate(db, self.table(db)?, &key)? {
            Some(id) => {
                self.locate(db, &key)?;
                if let Key::Alternate(parts) = &key {
                    sent.retain(|name, _| !parts.iter().any(|(column, _)| column == name));
                }
                self.change(db, id, &sent, target)?;
                Ok(id)
            }
            None => {
                let extra = address::key_cells(self.table(db)?, &key);
                let id = match key {
                    Key::Id(id) => Some(id),
                    Key::Alternate(_) => None,
                };
                let id = write::create(db, self.session, &self.table, &sent, id, extra, 0)?;
                self.enter(db, "create", id, Some(target));
                Ok(id)
            }
        }
    }

    fn key_of(&self, db: &Db, address: &str) -> Result<Key, Refusal> {
        let table = self.table(db)?;
        let named = address::reference(address).filter(|segment| segment.name == table.set);
        let arguments = named.and_then(|segment| segment.arguments);
        let arguments = arguments.ok_or_else(|| {
            self.wrong(&format!(
                "The '@odata.id' '{address}' does not lead to a row of '{}'.",
                table.set
            ))
        })?;
        address::key(&arguments, table)
    }
}

/// `POST /BulkDelete`: a job that deletes the rows of queries. Of queries it knows those that name rows by their key.
pub(super) fn delete(db: &mut Db, session: &Session, request: &Request) -> Result<Reply, Refusal> {
    let wrong = |message: String| refusal::payload("BulkDelete", message);
    let body = request
        .json()
        .map_err(|error| wrong(format!("The body is not valid JSON: {error}")))?;
    let queries = body["QuerySet"].as_array();
    let queries =
        queries.ok_or_else(|| wrong("The parameter 'QuerySet' is missing.".to_owned()))?;
    for query in queries {
        let name = query["EntityName"].as_str().unwrap_or_default();
        let table = db
            .schema
            .table(name)
            .ok_or_else(|| wrong(format!("There is no table '{name}'.")))?;
        let (logical, key) = (table.logical.clone(), table.key.clone());
        for id in named_by_key(query, &key)? {
            // A job deletes what it finds: a row that is gone already is no failure.
            if db.row(&logical, id).is_none() {
                continue;
            }
            write::delete(db, &logical, id)?;
            db.writes.push(Write {
                method: request.method.to_string(),
                url: request.target(),
                precondition: None,
                operation: "delete",
                table: logical.to_string(),
                id,
                changed: Vec::new(),
                tag: None,
                overwrote: Vec::new(),
                merged_away: false,
            });
        }
    }
    let job = job_row(
        db,
        session,
        body["JobName"].as_str().unwrap_or("Bulk delete"),
    );
    let context = format!(
        "{}/api/data/v9.2/$metadata#Microsoft.Dynamics.CRM.BulkDeleteResponse",
        request.origin
    );
    Ok(json_reply(
        200,
        &json!({"@odata.context": context, "JobId": job.to_string()}),
    ))
}

fn named_by_key(query: &Value, key: &Name) -> Result<Vec<Uuid>, Refusal> {
    let other = || {
        Refusal::new(
            501,
            "0x80040203",
            format!("This simulator deletes in bulk by '{key}' with the operators In and Equal."),
        )
    };
    let conditions = query["Criteria"]["Conditions"].as_array();
    let Some([condition]) = conditions.map(Vec::as_slice) else {
        return Err(other());
    };
    let by_key = condition["AttributeName"] == **key;
    if !by_key || !matches!(condition["Operator"].as_str(), Some("In" | "Equal")) {
        return Err(other());
    }
    let values = condition["Values"].as_array();
    let ids = values.into_iter().flatten().map(|held| {
        let text = held["Value"].as_str().or(held.as_str());
        Uuid::try_parse(text.unwrap_or_default()).map_err(|_| other())
    });
    ids.collect()
}

/// The job has already succeeded when its id is told.
fn job_row(db: &mut Db, session: &Session, name: &str) -> Uuid {
    let id = db.ids.guid();
    let cells = [
        ("asyncoperationid", Cell::Guid(id)),
        ("name", Cell::text(name)),
        ("statecode", Cell::Int(3)),
        ("statuscode", Cell::Int(30)),
        ("createdon", Cell::Time(session.now)),
    ];
    let row = Row {
        id,
        version: 0,
        cells: cells
            .into_iter()
            .map(|(name, cell)| (name.into(), cell))
            .collect(),
    };
    db.put(&"asyncoperation".into(), row);
    id
}
