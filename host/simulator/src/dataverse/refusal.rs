//! Refusals with the documented codes, statuses and texts. (dataverse 2.10)

use serde_json::{Map, json};

use super::prefer::Prefer;
use crate::wire::Reply;

/// Why the Web API refuses a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    /// Without the id of the request, which whoever answers it adds.
    pub(crate) fn reply(&self) -> Reply {
        Reply::json(
            self.status,
            &json!({"error": {"code": self.code, "message": self.message}}),
        )
        .with("odata-version", "4.0")
    }
}

/// Where the platform's own error messages lead.
const HELP: &str =
    "https://go.microsoft.com/fwlink/?LinkId=398563&error=Microsoft.Crm.CrmException";

impl Refusal {
    /// The reply with the error's annotations that the request asks for. (dataverse 1.3)
    pub(super) fn annotated(&self, prefer: &Prefer) -> Reply {
        let mut error = Map::new();
        error.insert("code".to_owned(), json!(self.code));
        error.insert("message".to_owned(), json!(self.message));
        let all = [
            (
                "Microsoft.PowerApps.CDS.ErrorDetails.HttpStatusCode",
                self.status.to_string(),
            ),
            (
                "Microsoft.PowerApps.CDS.HelpLink",
                format!("{HELP}%3a{}", self.code),
            ),
            ("Microsoft.PowerApps.CDS.TraceText", String::new()),
            (
                "Microsoft.PowerApps.CDS.InnerError.Message",
                self.message.clone(),
            ),
        ];
        for (name, value) in all {
            if prefer.wants(name) {
                error.insert(format!("@{name}"), json!(value));
            }
        }
        let mut reply = self.reply();
        reply.body = json!({ "error": error }).to_string().into_bytes();
        reply
    }
}

/// No row of that id.
pub(super) fn no_row(table: &str, id: impl std::fmt::Display) -> Refusal {
    Refusal::new(
        404,
        "0x80040217",
        format!("{table} With Id = {id} Does Not Exist"),
    )
}

/// A bind to a row that is not there.
pub(super) fn no_bound_row(table: &str, id: impl std::fmt::Display) -> Refusal {
    Refusal::new(
        404,
        "0x80040217",
        format!("{table} With Ids = {id} Do Not Exist"),
    )
}

/// A row that the caller may not see.
pub(super) fn denied(user: uuid::Uuid, table: &str) -> Refusal {
    Refusal::new(
        403,
        "0x80040220",
        format!(
            "SecLib::AccessCheckEx failed. Principal user (Id={user}, type=8) is missing ReadAccess rights on a row of '{table}'."
        ),
    )
}

/// The caller's app is no user here.
pub(super) fn stranger() -> Refusal {
    Refusal::new(
        403,
        "0x80072560",
        "The user is not a member of the organization.",
    )
}

/// The caller's user is switched off.
pub(super) fn disabled(user: uuid::Uuid) -> Refusal {
    Refusal::new(
        403,
        "0x80040225",
        format!("The specified user(Id = {user}) is disabled. Consider enabling this user."),
    )
}

/// The caller's user has no security role.
pub(super) fn without_role(user: uuid::Uuid) -> Refusal {
    Refusal::new(
        403,
        "0x80042f09",
        format!("The user with SystemUserId={user} has not been assigned any roles."),
    )
}

/// No row with those key values.
pub(super) fn no_row_by_key(table: &str) -> Refusal {
    Refusal::new(
        404,
        "0x80060891",
        format!("A record with the specified key values does not exist in {table} entity"),
    )
}

/// The row exists though it should not.
pub(super) fn exists() -> Refusal {
    Refusal::new(
        412,
        "0x80040237",
        "A record with matching key values already exists.",
    )
}

/// The row was changed meanwhile.
pub(super) fn changed() -> Refusal {
    Refusal::new(
        412,
        "0x80060882",
        "The version of the existing record doesn't match the RowVersion property provided.",
    )
}

/// An etag conditions a write to a table that keeps no versions for that.
pub(super) fn not_versioned(table: &str) -> Refusal {
    Refusal::new(
        400,
        "0x8006088d",
        format!(
            "Optimistic concurrency isn't enabled for entity type {table}. The IsOptimisticConcurrencyEnabled property of the entity must be true."
        ),
    )
}

/// The body does not fit the table.
pub(super) fn payload(set: &str, inner: impl std::fmt::Display) -> Refusal {
    Refusal::new(
        400,
        "0x80048d19",
        format!(
            "Error identified in Payload provided by the user for Entity :'{set}', For more information on this error please follow this help link https://go.microsoft.com/fwlink/?linkid=2195293  ---->  InnerException : Microsoft.OData.ODataException: {inner}"
        ),
    )
}

/// The query does not fit the table.
pub(super) fn query(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "0x80060888", message)
}

/// A name in the query that the table does not have.
pub(super) fn unknown_property(name: &str, table: &str) -> Refusal {
    query(format!(
        "Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{table}'."
    ))
}

/// A path that leads nowhere.
pub(super) fn no_segment(segment: &str) -> Refusal {
    Refusal::new(
        404,
        "0x8006088a",
        format!("Resource not found for the segment '{segment}'."),
    )
}

/// The method does not fit the resource.
pub(super) fn method(method: &http::Method) -> Refusal {
    Refusal::new(
        405,
        "0x80060888",
        format!("The requested resource does not support http method '{method}'."),
    )
}

/// A column that must not be null is.
pub(super) fn required(column: &str) -> Refusal {
    Refusal::new(
        400,
        "0x80072002",
        format!("Required attribute should not be null. Attribute: {column}"),
    )
}

/// A status that does not belong to the state.
pub(super) fn wrong_status(state: i32, status: i32) -> Refusal {
    Refusal::new(
        400,
        "0x80048408",
        format!(
            "{status} is not a valid status code for state code {state}: State code is invalid or state code is valid but status code is invalid for a specified state code."
        ),
    )
}

/// A closed row is written to, in the words of the other reading.
pub(super) fn read_only(table: &str, id: impl std::fmt::Display) -> Refusal {
    Refusal::new(
        403,
        "0x8004022e",
        format!("The {table} {id} is closed and cannot be updated because it is read-only."),
    )
}

/// A closed row is written to.
pub(super) fn closed(table: &str, id: impl std::fmt::Display) -> Refusal {
    Refusal::new(
        400,
        "0x80040230",
        format!("The {table} {id} is closed and cannot be updated because it is inactive."),
    )
}
