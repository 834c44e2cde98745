//! Names for rows that do not exist yet (S14): the same row gets the same id in every run, on every host.

use alloc::format;
use alloc::string::{String, ToString};

use uuid::Uuid;

/// Our own namespace; drawn once, never to be changed: every row id of every installation is made from it.
const NAMESPACE: Uuid = Uuid::from_u128(0x8f3d_5a1e_7c42_4b0a_9d26_c05e_11c0_5e11);

/// The id of the row of `table` that stands for `identity` in `connection`. `generation` grows when a deal is made anew (S18, S19).
#[must_use]
pub fn row_id(connection: &str, table: &str, identity: &str, generation: i64) -> String {
    // Length-prefixed, so that no two different tuples run together.
    let name = format!(
        "{}:{connection}{}:{table}{}:{identity}{generation}",
        connection.len(),
        table.len(),
        identity.len()
    );
    Uuid::new_v5(&NAMESPACE, name.as_bytes())
        .hyphenated()
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s14_same_words_same_row_and_no_two_tuples_collide() {
        assert_eq!(
            row_id("acme", "account", "duns:1", 0),
            row_id("acme", "account", "duns:1", 0)
        );
        assert_ne!(
            row_id("acme", "account", "duns:1", 0),
            row_id("acme", "account", "duns:1", 1)
        );
        assert_ne!(row_id("ab", "c", "d", 0), row_id("a", "bc", "d", 0));
    }
}
