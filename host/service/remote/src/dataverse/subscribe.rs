//! Webhooks of the CRM: one endpoint of ours, and a step for every message and table that shall ring.

use http::Method;

use crate::dataverse::client::{Dataverse, refused, rows};
use crate::dataverse::metadata::is_logical_name;
use crate::dataverse::query::member;
use crate::error::{Class, RemoteError};
use crate::http::{guid, query_text};
use crate::json::{self, Object, Raw, raw};

/// `contract` of a webhook.
const WEBHOOK: i32 = 8;

/// `authtype`: the secret comes as `?code=`.
const WEBHOOK_KEY: i32 = 4;

/// `authtype`: the secret comes as a header of its own.
const HTTP_HEADER: i32 = 5;

/// `stage` after the transaction; the only one for asynchronous steps.
const POST_OPERATION: i32 = 40;

/// What rings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the doc")]
pub enum Message {
    Create,
    Update,
    Delete,
    Associate,
    Disassociate,
    Win,
    Lose,
}

impl Message {
    /// As the CRM spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "Create",
            Self::Update => "Update",
            Self::Delete => "Delete",
            Self::Associate => "Associate",
            Self::Disassociate => "Disassociate",
            Self::Win => "Win",
            Self::Lose => "Lose",
        }
    }
}

/// One thing that shall ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What happens.
    pub message: Message,
    /// To rows of this table, by logical name.
    pub table: String,
    /// [`Message::Update`] only: when one of these columns is written. Empty: at every update.
    pub columns: Vec<String>,
}

/// A step that is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// GUID.
    pub id: String,
    /// Its name, by which it is found again.
    pub name: String,
    /// Columns that ring, sorted.
    pub columns: Vec<String>,
    /// Switched on.
    pub enabled: bool,
}

impl Dataverse {
    /// Makes sure that there is one endpoint of this name, with this address and secret. The secret cannot be read back, so it is
    /// written again each time. Returns the endpoint's GUID.
    ///
    /// The secret arrives in the header `header` of every event. With an empty `header` it arrives as `?code=`: the form in which the CRM is told of
    /// headers is reported and not documented, and that of a key is plain text.
    ///
    /// # Errors
    /// [`RemoteError`]; forbidden when the application user may not register webhooks.
    pub async fn ensure_endpoint(
        &self,
        name: &str,
        url: &str,
        header: &str,
        secret: &secrecy::SecretString,
    ) -> Result<String, RemoteError> {
        use secrecy::ExposeSecret;
        let doing = format!("register the webhook endpoint {name}");
        let (kind, auth) = if header.is_empty() {
            (WEBHOOK_KEY, secret.expose_secret().to_owned())
        } else {
            let settings = format!(
                "<settings><setting name=\"{}\" value=\"{}\"/></settings>",
                xml_escaped(header),
                xml_escaped(secret.expose_secret())
            );
            (HTTP_HEADER, settings)
        };
        let mut body = Object::from([
            ("url".to_owned(), raw(url)),
            ("authtype".to_owned(), raw(&kind)),
            ("authvalue".to_owned(), raw(&auth)),
        ]);
        let filter = format!("contract eq {WEBHOOK} and name eq '{}'", quoted(name));
        let there = self
            .ids("serviceendpoints", "serviceendpointid", &filter, &doing)
            .await?;
        match there.as_slice() {
            [] => {
                body.extend([
                    ("name".to_owned(), raw(name)),
                    ("contract".to_owned(), raw(&WEBHOOK)),
                ]);
                let made = self
                    .post(
                        "/serviceendpoints",
                        "serviceendpointid",
                        &body,
                        doing.clone(),
                    )
                    .await;
                match made {
                    Err(error) if error.class == Class::Refused => {
                        body.extend(otherwise_required());
                        self.post("/serviceendpoints", "serviceendpointid", &body, doing)
                            .await
                    }
                    made => made,
                }
            }
            [id, ..] => {
                self.patch(&format!("/serviceendpoints({id})"), &body, doing)
                    .await?;
                Ok(id.clone())
            }
        }
    }

    /// Makes the endpoint's steps exactly these: missing ones are registered, others changed, switched on, or removed.
    ///
    /// # Errors
    /// The first that happens; what was done before stays, and doing it again goes on from there.
    pub async fn ensure_steps(
        &self,
        endpoint: &str,
        steps: &[Step],
    ) -> Result<Vec<Subscription>, RemoteError> {
        let there = self.subscriptions(endpoint).await?;
        for step in steps {
            let name = step_name(step);
            let doing = format!("register the webhook step \"{name}\"");
            if !is_logical_name(&step.table)
                || !step.columns.iter().all(|column| is_logical_name(column))
            {
                return Err(refused(
                    doing,
                    "table and columns go by their logical names",
                ));
            }
            let columns = sorted(&step.columns);
            match there.iter().find(|known| known.name == name) {
                Some(known) if known.columns == columns && known.enabled => {}
                Some(known) => {
                    let body = Object::from([
                        ("filteringattributes".to_owned(), raw(&columns.join(","))),
                        ("statecode".to_owned(), raw(&0)),
                        ("statuscode".to_owned(), raw(&1)),
                    ]);
                    self.patch(
                        &format!("/sdkmessageprocessingsteps({})", known.id),
                        &body,
                        doing,
                    )
                    .await?;
                }
                None => self.register(endpoint, step, name, &columns, doing).await?,
            }
        }
        for surplus in there
            .iter()
            .filter(|known| steps.iter().all(|step| step_name(step) != known.name))
        {
            let path = format!("/sdkmessageprocessingsteps({})", surplus.id);
            let call = self.call(
                Method::DELETE,
                &path,
                None,
                format!("remove the webhook step \"{}\"", surplus.name),
            );
            self.send(&call).await?;
        }
        self.subscriptions(endpoint).await
    }

    /// Steps of an endpoint, by name.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn subscriptions(&self, endpoint: &str) -> Result<Vec<Subscription>, RemoteError> {
        let doing = "list the webhook steps";
        let Some(endpoint) = guid(endpoint) else {
            return Err(refused(doing, "the id of the endpoint is no GUID"));
        };
        let query = query_text(&[
            (
                "$select",
                "sdkmessageprocessingstepid,name,filteringattributes,statecode".to_owned(),
            ),
            ("$filter", format!("_eventhandler_value eq {endpoint}")),
        ]);
        let call = self.call(
            Method::GET,
            "/sdkmessageprocessingsteps",
            Some(&query),
            doing,
        );
        let (answer, members) = self.object(&call).await?;
        let (objects, _) = rows(&members)
            .ok_or_else(|| answer.unreadable(&call, "the answer is no list of rows"))?;
        let subscription = |object: &Object| {
            let columns = member(object, "filteringattributes").unwrap_or_default();
            Some(Subscription {
                id: guid(&member(object, "sdkmessageprocessingstepid")?)?,
                name: member(object, "name")?,
                columns: sorted(&columns.split(',').map(str::to_owned).collect::<Vec<_>>()),
                enabled: member(object, "statecode").is_none_or(|state| state == "0"),
            })
        };
        let mut all: Vec<_> = objects.iter().filter_map(subscription).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    async fn register(
        &self,
        endpoint: &str,
        step: &Step,
        name: String,
        columns: &[String],
        doing: String,
    ) -> Result<(), RemoteError> {
        let message = self
            .ids(
                "sdkmessages",
                "sdkmessageid",
                &format!("name eq '{}'", step.message.as_str()),
                &doing,
            )
            .await?;
        let Some(message) = message.first() else {
            return Err(refused(
                doing,
                format!("the CRM knows no message {}", step.message.as_str()),
            ));
        };
        let filter = format!(
            "primaryobjecttypecode eq '{}' and _sdkmessageid_value eq {message}",
            step.table
        );
        let filters = self
            .ids("sdkmessagefilters", "sdkmessagefilterid", &filter, &doing)
            .await?;
        let Some(filter) = filters.first() else {
            return Err(refused(
                doing,
                format!(
                    "the CRM does not raise {} for {}",
                    step.message.as_str(),
                    step.table
                ),
            ));
        };
        let mut body = Object::from([
            ("name".to_owned(), raw(&name)),
            // Never synchronous: a seller's save must not wait for us, nor fail with us.
            ("mode".to_owned(), raw(&1)),
            ("stage".to_owned(), raw(&POST_OPERATION)),
            ("rank".to_owned(), raw(&1)),
            ("supporteddeployment".to_owned(), raw(&0)),
            ("asyncautodelete".to_owned(), raw(&true)),
            (
                "eventhandler_serviceendpoint@odata.bind".to_owned(),
                raw(&format!("/serviceendpoints({endpoint})")),
            ),
            (
                "sdkmessageid@odata.bind".to_owned(),
                raw(&format!("/sdkmessages({message})")),
            ),
            (
                "sdkmessagefilterid@odata.bind".to_owned(),
                raw(&format!("/sdkmessagefilters({filter})")),
            ),
        ]);
        if !columns.is_empty() {
            body.insert("filteringattributes".to_owned(), raw(&columns.join(",")));
        }
        self.post(
            "/sdkmessageprocessingsteps",
            "sdkmessageprocessingstepid",
            &body,
            doing,
        )
        .await
        .map(drop)
    }

    async fn ids(
        &self,
        set: &str,
        id_column: &'static str,
        filter: &str,
        doing: &str,
    ) -> Result<Vec<String>, RemoteError> {
        let query = query_text(&[
            ("$select", id_column.to_owned()),
            ("$filter", filter.to_owned()),
        ]);
        let call = self.call(Method::GET, &format!("/{set}"), Some(&query), doing);
        let (answer, members) = self.object(&call).await?;
        let (objects, _) = rows(&members)
            .ok_or_else(|| answer.unreadable(&call, "the answer is no list of rows"))?;
        Ok(objects
            .iter()
            .filter_map(|object| guid(&member(object, id_column)?))
            .collect())
    }

    /// The new row's id stands in a header when the answer is empty, and in the body when it is not.
    async fn post(
        &self,
        path: &str,
        id_column: &str,
        body: &Object,
        doing: String,
    ) -> Result<String, RemoteError> {
        let call = self
            .call(Method::POST, path, None, doing)
            .json(&json::Body::of(body));
        let answer = self.send(&call).await?;
        let in_header = answer
            .header("odata-entityid")
            .and_then(|address| guid(address.rsplit('(').next()?.trim_end_matches(')')));
        let in_body = || {
            guid(&member(
                &json::object(std::str::from_utf8(&answer.body).ok()?)?,
                id_column,
            )?)
        };
        in_header.or_else(in_body).ok_or_else(|| {
            answer.unreadable(&call, "created, but the answer does not say under which id")
        })
    }

    async fn patch(&self, path: &str, body: &Object, doing: String) -> Result<(), RemoteError> {
        // Never create: a row that someone removed meanwhile is registered anew by the next attempt.
        let call = self
            .call(Method::PATCH, path, None, doing)
            .header("if-match", "*")
            .json(&json::Body::of(body));
        self.send(&call).await.map(drop)
    }
}

fn step_name(step: &Step) -> String {
    format!("cosell: {} of {}", step.message.as_str(), step.table)
}

fn sorted(columns: &[String]) -> Vec<String> {
    let mut columns: Vec<String> = columns
        .iter()
        .map(|column| column.trim().to_owned())
        .filter(|column| !column.is_empty())
        .collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}

fn quoted(text: &str) -> String {
    text.replace('\'', "''")
}

/// Columns that mean nothing for a webhook: the endpoint's table calls them required, and public connectors leave them out. They are sent when the CRM
/// does not take an endpoint without them.
fn otherwise_required() -> [(String, Raw); 4] {
    [
        ("connectionmode".to_owned(), raw(&1)),
        ("path".to_owned(), raw("/")),
        ("solutionnamespace".to_owned(), raw("cosell")),
        ("userclaim".to_owned(), raw(&1)),
    ]
}

fn xml_escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_survives_xml() {
        assert_eq!(xml_escaped("a<b>&\"c'"), "a&lt;b&gt;&amp;&quot;c&apos;");
    }
}
