//! Dataverse: rows of the CRM by logical names, whatever they are called on the wire.

mod batch;
mod catalogue;
mod cells;
mod changes;
mod client;
mod codes;
#[cfg(test)]
mod hostile;
mod joins;
mod metadata;
mod query;
mod subscribe;
mod writes;

/// The platform's own column for the state of a row.
pub const STATE_COLUMN: &str = "statecode";
/// Who saved a row last; the platform's own.
pub const MODIFIED_BY_COLUMN: &str = "modifiedby";
/// When a row was saved last; the platform's own.
pub const MODIFIED_ON_COLUMN: &str = "modifiedon";

/// The platform's own column for the status reason of a row.
pub const STATUS_COLUMN: &str = "statuscode";

pub use cells::Cut;
pub use changes::{ChangePage, Changes, Next, RowVersion};
pub use client::{Dataverse, Looked, Version, WhoAmI};
pub use metadata::{
    Choosable, Column, Key, Kind, LookupRelation, ManyRelation, MoneyPrecision, Table,
};
pub use subscribe::{Message, Step, Subscription};
pub use writes::{Closed, ORIGIN_COLUMN, Written};
