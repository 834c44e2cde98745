//! The CRM's error codes, as data: what the machine does, and what a person is told.

use crate::error::{Class, RemoteError};

/// What a code changes about the class that its HTTP status gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Means {
    Refused,
    Conflict,
    Forbidden,
    NotFound,
    Unauthorised,
    /// Nothing was done; come back. Also when the call wrote.
    Busy,
    /// The same, for every call of this credential.
    Throttled,
}

/// Code, what it means for the machine, what happened in plain words, and what to do.
type Line = (&'static str, Means, &'static str, &'static str);

const LINES: [Line; 44] = [
    ("0x80040217", Means::NotFound, "the row is not there", ""),
    ("0x80060891", Means::NotFound, "no row has this key", ""),
    (
        "0x80060892",
        Means::Conflict,
        "another row has this key already",
        "look for that row and use it",
    ),
    (
        "0x80060890",
        Means::Refused,
        "the table has no such alternate key",
        "create the key, or search by another column",
    ),
    (
        "0x8006089d",
        Means::Refused,
        "more than one row has this key",
        "remove the duplicate",
    ),
    (
        "0x80060882",
        Means::Conflict,
        "somebody has changed the row meanwhile",
        "",
    ),
    (
        "0x8006088d",
        Means::Refused,
        "the table does not keep row versions",
        "turn optimistic concurrency on for this table",
    ),
    (
        "0x80040237",
        Means::Conflict,
        "the row is there already",
        "",
    ),
    (
        "0x80040333",
        Means::Refused,
        "a duplicate detection rule found a row that is too much alike",
        "merge the rows, or change the rule",
    ),
    (
        "0x80048d19",
        Means::Refused,
        "a column or relationship of this name, or of this type, does not exist",
        "check the mapping against the table's columns",
    ),
    (
        "0x80060888",
        Means::Refused,
        "the query names something that does not exist",
        "check the mapping against the table's columns",
    ),
    (
        "0x8006088a",
        Means::Refused,
        "there is no such resource",
        "check the address of the organisation in the configuration",
    ),
    (
        "0x80044331",
        Means::Refused,
        "a text is longer than its column",
        "shorten it, or make the column longer",
    ),
    (
        "0x8004431a",
        Means::Refused,
        "the choice has no such option",
        "add the option to the column, or map to one that exists",
    ),
    (
        "0x8004432f",
        Means::Refused,
        "a whole number is out of the column's range",
        "change the number, or the column's range",
    ),
    (
        "0x80044330",
        Means::Refused,
        "a number is out of the column's range",
        "change the number, or the column's range",
    ),
    ("0x80040239", Means::Refused, "a date is not valid here", ""),
    (
        "0x80048408",
        Means::Refused,
        "state and status reason do not belong together",
        "name a status reason of that state in the settings of the status plugin (40-status.toml), or add it to the column",
    ),
    (
        "0x80100005",
        Means::Refused,
        "an opportunity is won or lost by closing it, not by setting its state",
        "",
    ),
    (
        "0x80040515",
        Means::Refused,
        "the opportunity is closed already",
        "",
    ),
    (
        "0x80040516",
        Means::Refused,
        "the opportunity cannot be closed",
        "look at its open activities and quotes",
    ),
    (
        "0x8004051a",
        Means::Refused,
        "the opportunity is open already",
        "",
    ),
    (
        "0x80040519",
        Means::Refused,
        "the lead is closed already",
        "",
    ),
    ("0x80040518", Means::Refused, "the lead is open already", ""),
    (
        "0x80040504",
        Means::Refused,
        "the customer of an opportunity is an account or a contact",
        "choose an account or a contact",
    ),
    (
        "0x80040505",
        Means::Refused,
        "the opportunity has no customer",
        "choose an account or a contact",
    ),
    (
        "0x8004022d",
        Means::Refused,
        "the customer is not valid",
        "choose another account or contact",
    ),
    (
        "0x80040517",
        Means::Refused,
        "the customer is inactive",
        "activate the account, or choose another",
    ),
    (
        "0x80040230",
        Means::Refused,
        "the row is inactive and cannot be changed",
        "reopen it first",
    ),
    (
        "0x8004022e",
        Means::Refused,
        "the row is read-only",
        "reopen it first",
    ),
    (
        "0x80048cfb",
        Means::Refused,
        "a row with money needs a currency",
        "",
    ),
    (
        "0x80048cfc",
        Means::Refused,
        "the currency is not valid",
        "set the currency up in the CRM",
    ),
    (
        "0x80048479",
        Means::Refused,
        "the currency cannot be changed while the opportunity has products, quotes or orders",
        "keep the currency, or remove them",
    ),
    (
        "0x80072002",
        Means::Refused,
        "a required column would be empty",
        "let a plugin fill it, or make it optional",
    ),
    (
        "0x80040200",
        Means::Refused,
        "a required column would be empty",
        "let a plugin fill it, or make it optional",
    ),
    (
        "0x80040265",
        Means::Refused,
        "a plug-in of the CRM said no",
        "ask whoever maintains it",
    ),
    (
        "0x80040220",
        Means::Forbidden,
        "a privilege is missing",
        "give the application user's security role this privilege",
    ),
    (
        "0x80042f09",
        Means::Unauthorised,
        "the application user has no security role",
        "assign one in the Power Platform admin center",
    ),
    (
        "0x80040225",
        Means::Unauthorised,
        "the application user is disabled",
        "enable it in the Power Platform admin center",
    ),
    (
        "0x80072560",
        Means::Unauthorised,
        "the application is not a user of this organisation",
        "add it as an application user in the Power Platform admin center",
    ),
    (
        "0x80041d50",
        Means::Unauthorised,
        "the token is not valid here",
        "check tenant and organisation in the configuration",
    ),
    (
        "0x80072491",
        Means::Refused,
        "the table does not track changes",
        "turn change tracking on for this table",
    ),
    (
        "0x80072324",
        Means::Throttled,
        "too many requests at once",
        "",
    ),
    ("0x8004a001", Means::Busy, "the server is busy", ""),
];

/// Codes that are about one column, whose words do not name it.
const FIELDS: [(&str, &str); 5] = [
    ("0x80048408", "statuscode"),
    ("0x80048cfb", "transactioncurrencyid"),
    ("0x80048cfc", "transactioncurrencyid"),
    ("0x80048479", "transactioncurrencyid"),
    ("0x80040505", "customerid"),
];

/// Service protection: requests, execution time, and requests at once, each per user in five minutes.
const THROTTLES: [&str; 3] = ["0x80072322", "0x80072321", "0x80072326"];

/// A name that does not exist: what we know about the table may be old.
pub(super) const UNKNOWN_NAMES: [&str; 2] = ["0x80048d19", "0x80060888"];

/// Lays what the code says over what the status said.
pub(super) fn explain(mut error: RemoteError) -> RemoteError {
    let retry_after = error.about.retry_after;
    if THROTTLES.iter().any(|code| error.has_code(code)) {
        error.class = Class::Transient {
            retry_after,
            throttled: true,
        };
        return error;
    }
    let Some((_, means, sentence, advice)) = error
        .code()
        .and_then(|code| LINES.iter().find(|line| line.0.eq_ignore_ascii_case(code)))
    else {
        return error;
    };
    error.class = match means {
        Means::Refused => Class::Refused,
        Means::Conflict => Class::Conflict,
        Means::Forbidden => Class::Forbidden,
        Means::NotFound => Class::NotFound,
        Means::Unauthorised => Class::Unauthorised,
        Means::Busy => Class::Transient {
            retry_after,
            throttled: false,
        },
        Means::Throttled => Class::Transient {
            retry_after,
            throttled: true,
        },
    };
    let words = std::mem::take(&mut error.about.message);
    error.about.message = if words.is_empty() {
        (*sentence).to_owned()
    } else {
        format!("{sentence} (\"{words}\")")
    };
    if !advice.is_empty() {
        error.about.advice = Some((*advice).to_owned());
    }
    error.about.field = FIELDS
        .iter()
        .find(|(code, _)| error.has_code(code))
        .map(|(_, column)| (*column).to_owned());
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Service;

    fn failed(class: Class, code: &str) -> RemoteError {
        explain(
            RemoteError::new(class, Service::Dataverse, "update opportunity 1", "Words.")
                .with_code(code),
        )
    }

    #[test]
    fn a_code_counts_for_more_than_its_status() {
        // Documented as 500 and as 412.
        assert_eq!(
            failed(Class::UnknownOutcome, "0x80040333").class,
            Class::Refused
        );
        assert_eq!(failed(Class::Conflict, "0x80040333").class, Class::Refused);
        assert_eq!(
            failed(Class::Refused, "0X80072321").class,
            Class::Transient {
                retry_after: None,
                throttled: true
            }
        );
        assert_eq!(
            failed(Class::UnknownOutcome, "0x80040216").class,
            Class::UnknownOutcome
        );
    }

    #[test]
    fn a_person_reads_what_happened_what_was_said_and_what_to_do() {
        let error = failed(Class::Refused, "0x80072002");
        assert_eq!(
            error.to_string(),
            "Dataverse refused to update opportunity 1 (0x80072002): a required column would be empty (\"Words.\"); let a plugin fill it, or make it optional"
        );
    }

    #[test]
    fn every_code_stands_in_the_table_once() {
        for (at, line) in LINES.iter().enumerate() {
            assert!(
                LINES[at + 1..].iter().all(|other| other.0 != line.0),
                "{}",
                line.0
            );
        }
    }
}
