//! The part of OData that both services speak: `$filter`, `$select`, `$orderby`, `$expand`.
//!
//! Text goes in, plain values come out, and whoever asks is handed a message that a person can read. Nesting is bounded,
//! because these texts come from outside.

pub(crate) mod eval;
pub(crate) mod filter;
pub(crate) mod json;
pub(crate) mod lex;
pub(crate) mod options;
pub(crate) mod parse;

use jiff::{Timestamp, civil::Date};
use rust_decimal::Decimal;
use uuid::Uuid;

/// Deepest nesting of brackets or expands: no documented query comes near, and the stack stays safe.
pub(crate) const DEPTH_MAX: usize = 32;

/// Why a query could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct QueryError {
    pub(crate) message: String,
}

impl QueryError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }
}

/// A value that can stand in a comparison.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar {
    Null,
    Bool(bool),
    Number(Decimal),
    Text(String),
    Guid(Uuid),
    Date(Date),
    Time(Timestamp),
}
