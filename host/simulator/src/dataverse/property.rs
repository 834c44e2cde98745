//! One property of a row, and what a navigation leads to. (dataverse 2.3, 2.5)

use http::Method;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::address::{Key, Segment};
use super::refusal::{self, Refusal};
use super::route::{Call, json_reply};
use super::schema::{Kind, Navigation};
use super::store::Db;
use super::{cells, page, read, subject};
use crate::odata::options::Options;
use crate::wire::Reply;

impl Call<'_> {
    /// One property, or what a navigation leads to.
    pub(super) fn property(
        &self,
        db: &mut Db,
        key: &Key,
        segment: &Segment,
    ) -> Result<Reply, Refusal> {
        let id = self.locate(db, key)?;
        let name = segment.name.as_str();
        let column = self.table(db)?.property(name).cloned();
        let Some(column) = column else {
            return self.navigate(db, id, segment);
        };
        match self.request.method {
            Method::GET => {
                let cell = read::existing(db, self.table(db)?, id)?
                    .cells
                    .get(&column.logical)
                    .cloned();
                let Some(cell) = cell else {
                    return Ok(Reply::empty(204));
                };
                let context = format!(
                    "{}/api/data/v9.2/$metadata#{}({id})/{name}",
                    self.request.origin,
                    self.table(db)?.set
                );
                Ok(json_reply(
                    200,
                    &json!({"@odata.context": context, "value": cells::write(Some(&cell))}),
                ))
            }
            Method::PUT | Method::DELETE => {
                if matches!(column.kind, Kind::Lookup(_)) {
                    return Err(refusal::method(&self.request.method));
                }
                let value = if self.request.method == Method::PUT {
                    self.body()?.get("value").cloned().unwrap_or_default()
                } else {
                    Value::Null
                };
                let mut body = Map::new();
                body.insert(name.to_owned(), value);
                self.check_version(db, id)?;
                self.change(db, id, &body, &body)?;
                Ok(Reply::empty(204))
            }
            _ => Err(refusal::method(&self.request.method)),
        }
    }

    fn navigate(&self, db: &Db, id: Uuid, segment: &Segment) -> Result<Reply, Refusal> {
        if self.request.method != Method::GET {
            return Err(refusal::method(&self.request.method));
        }
        let row = read::existing(db, self.table(db)?, id)?;
        let navigation = db
            .schema
            .navigation(&self.table, &segment.name)
            .ok_or_else(|| refusal::no_segment(&segment.name))?;
        let (target, rows) = subject::related(db, &self.table, row, navigation);
        let target = db
            .schema
            .table(target)
            .ok_or_else(|| refusal::no_segment(target))?;
        let options = Options::read(&self.pairs).map_err(|error| refusal::query(error.message))?;
        read::check(db, target, &options)?;
        if matches!(navigation, Navigation::One { .. }) {
            let Some(row) = rows.first() else {
                return Ok(Reply::empty(204));
            };
            let mut body = read::render(db, target, row, &options, &self.prefer);
            body.insert(
                "@odata.context".to_owned(),
                json!(format!(
                    "{}/$entity",
                    read::context(&self.request.origin, target, &options)
                )),
            );
            return Ok(json_reply(200, &Value::Object(body)));
        }
        let rows = rows.into_iter().map(AsRef::as_ref).collect();
        page::collection(db, target, rows, &options, self.request, &self.prefer)
            .map(|body| json_reply(200, &body))
    }
}
