//! Between the domain's words and the contract's. `given` speaks to a guest; `heard` listens, and believes nothing unchecked.

pub(crate) mod asked;
pub(crate) mod given;
pub(crate) mod heard;
mod lexical;
pub(crate) mod units;

pub(crate) use lexical::{as_told, is_alpha2, is_label, is_logical_name, timestamp_text};
