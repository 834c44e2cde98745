//! A company in a row: address and size. Accounts and leads carry them in columns of the same names.
//!
//! How a country is kept differs everywhere, so it is the business of the `country` hook and is not read here.

use super::cut;
use crate::types::{Address, Change, Row};

/// Street.
pub const LINE1: &str = "address1_line1";
/// Street, continued.
pub const LINE2: &str = "address1_line2";
/// City.
pub const CITY: &str = "address1_city";
/// State or province.
pub const STATE: &str = "address1_stateorprovince";
/// Postal code.
pub const POSTCODE: &str = "address1_postalcode";
/// How many people work there.
pub const EMPLOYEES: &str = "numberofemployees";

/// Columns of an address, with the number of characters that each holds.
const HOLD: [(&str, usize); 5] = [
    (LINE1, 250),
    (LINE2, 250),
    (CITY, 80),
    (STATE, 50),
    (POSTCODE, 20),
];

/// The columns of an address, but for the country.
pub const ADDRESS_COLUMNS: [&str; 5] = [LINE1, LINE2, CITY, STATE, POSTCODE];

/// The address of a row, without its country.
#[must_use]
pub fn address(row: &Row) -> Address {
    Address {
        line1: row.owned_text(LINE1),
        line2: row.owned_text(LINE2),
        city: row.owned_text(CITY),
        state: row.owned_text(STATE),
        postal_code: row.owned_text(POSTCODE),
        region: None,
        country: None,
    }
}

/// The address, but for its country. A region stands in for a missing state: in live data the two swap places.
#[must_use]
pub fn set_address(address: &Address) -> Vec<Change> {
    let parts = [
        &address.line1,
        &address.line2,
        &address.city,
        if address.state.is_some() {
            &address.state
        } else {
            &address.region
        },
        &address.postal_code,
    ];
    HOLD.iter()
        .zip(parts)
        .map(|((column, units), part)| {
            Change::set(*column, part.as_deref().map(|text| cut(text, *units)))
        })
        .collect()
}

/// Partner Center's bucket for the number of employees.
#[must_use]
pub fn size(row: &Row) -> Option<String> {
    let bucket = match row.integer(EMPLOYEES)? {
        ..=0 => return None,
        1..=9 => "1to9employees",
        10..=50 => "10to50employees",
        51..=250 => "51to250employees",
        251..=1_000 => "251to1000employees",
        1_001..=5_000 => "1001to5000employees",
        5_001..=10_000 => "5001to10000employees",
        10_001..=20_000 => "10001to20000employees",
        _ => "Morethan20000employees",
    };
    Some(bucket.to_owned())
}
