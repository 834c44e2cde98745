//! Trying a plugin with plain `cargo test`, without a host and without wasm.
//!
//! ```ignore
//! use cosell_guest_sdk::{prelude::*, test};
//!
//! #[test]
//! fn the_golden_examples_hold() {
//!     test::check_examples::<Acme>();
//! }
//!
//! #[test]
//! fn a_blank_topic_says_nothing() {
//!     let seen = test::seen(Row::new("opportunity", test::ROW_ID).with("name", Value::Empty));
//!     let facts = <Acme as Opportunity>::to_deal(&test::context::<Acme>(), &seen, &[]).unwrap();
//!     assert!(facts.is_empty());
//! }
//! ```

mod examples;
pub mod hook;
mod question;
mod standard;

pub use examples::{check_examples, failures};
pub use question::{Question, Said};
pub use standard::{
    ACCOUNT_ID, CONTACT_ID, NOW, ROW_ID, lay_over, order, seen, standard_context, standard_deal,
};

use crate::Plugin;
use crate::types::{Context, Setting, SettingValue};

/// A plugin that can be asked natively. The [`plugin!`](crate::plugin) macro implements it.
pub trait Asked {
    /// What the plugin says to this question. `None`: it does not serve the hook.
    fn answer(question: &Question) -> Option<Said>;
}

/// The defaults of a plugin's settings, as the host fills them in.
#[must_use]
pub fn default_settings<P: Plugin>() -> Vec<Setting> {
    P::manifest()
        .settings
        .into_iter()
        .filter_map(|spec| Some((spec.name, spec.default_value?)))
        .collect()
}

/// The standard context under the defaults of this plugin's settings.
#[must_use]
pub fn context<P: Plugin>() -> Context {
    Context {
        settings: default_settings::<P>(),
        ..standard_context()
    }
}

impl Context {
    /// The same, under another setting.
    #[must_use]
    pub fn with_setting(mut self, name: &str, value: SettingValue) -> Self {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), value));
        self
    }
}
