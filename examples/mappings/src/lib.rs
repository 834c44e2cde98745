//! Mappings that partners ask for, each one a file below `examples/` that stands for itself:
//!
//! | file | what |
//! |---|---|
//! | `mandatory_fields.rs` | columns that an organisation demands of every new opportunity and lead |
//! | `account_match.rs` | the customer by DUNS number, then by domain, then by name and postal code |
//! | `deal_value.rs` | the deal value in another column than the stock mapping's, which is taken back |
//! | `loss_reasons.rs` | an organisation's own status reasons for lost deals |
//! | `every_hook.rs` | a skeleton: every hook, and nothing said |
//!
//! The fifth, countries in a lookup table, is a crate of its own: `examples/lookup-country`. To make one yours: `cosell plugin new NAME --language
//! rust`, and copy the file over its `src/lib.rs`. The same five as scripts without a toolchain: `examples/script`.
