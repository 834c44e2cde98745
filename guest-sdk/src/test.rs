//! Trying a plugin with plain `cargo test`, without a host and without wasm.
//!
//! ```
//! use cosell_guest_sdk::{prelude::*, test};
//!
//! /// Notes are what stands in the first line of our own column.
//! pub struct Acme;
//!
//! impl Plugin for Acme {
//!     fn manifest() -> PluginManifest {
//!         PluginManifest::new("acme", "1.0.0", "Notes come from a column of ours.")
//!     }
//!
//!     fn describe(_: Settings) -> Result<Vec<Need>, Vec<Reason>> {
//!         Ok(vec![Need::reads("opportunity", ["new_summary"])])
//!     }
//! }
//!
//! impl Opportunity for Acme {
//!     fn to_deal(_: &Context, seen: &Seen, _: &[Fact]) -> Answer<Vec<Fact>> {
//!         let line = seen.row.text("new_summary").and_then(|text| text.lines().next());
//!         Ok(line.map(|line| Fact::Notes(Some(line.to_owned()))).into_iter().collect())
//!     }
//! }
//!
//! impl Examples for Acme {
//!     fn cases() -> Vec<Example> {
//!         vec![Example::new("the first line counts", "opportunity.to-deal")
//!             .given(Row::new("opportunity", test::ROW_ID).with("new_summary", "Moves\nin May"))
//!             .expects(Fact::Notes(Some("Moves".to_owned())))]
//!     }
//! }
//!
//! plugin!(Acme: opportunity, examples);
//!
//! # fn main() {
//! // In a #[test]:
//! test::check_examples::<Acme>();
//! let blank = test::seen(Row::new("opportunity", test::ROW_ID).with("new_summary", Value::Empty));
//! assert_eq!(<Acme as Opportunity>::to_deal(&test::context::<Acme>(), &blank, &[]), Ok(vec![]));
//! # }
//! ```

mod applied;
mod examples;
pub mod hook;
mod question;
mod standard;

pub use applied::{FOUND_ID, applied, stands};
pub use examples::{check_examples, failures};
pub use question::{Question, Said};
pub use standard::{
    ACCOUNT_ID, CONTACT_ID, NOW, ROW_ID, lay_over, order, seen, standard_context, standard_deal,
};

use crate::Plugin;
use crate::types::{Context, Found, Row, Setting, SettingValue};

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
    /// The same, under this text setting.
    #[must_use]
    pub fn with_text(self, name: &str, value: &str) -> Self {
        self.with_setting(name, SettingValue::Text(value.to_owned()))
    }

    /// The same, under this setting of pairs.
    #[must_use]
    pub fn with_pairs(self, name: &str, pairs: &[(&str, &str)]) -> Self {
        let pairs = pairs
            .iter()
            .map(|(left, right)| ((*left).to_owned(), (*right).to_owned()));
        self.with_setting(name, SettingValue::Pairs(pairs.collect()))
    }

    /// The same, with these rows for this query.
    #[must_use]
    pub fn with_found(mut self, label: &str, rows: Vec<Row>) -> Self {
        self.found.push(Found {
            label: label.to_owned(),
            rows,
            cut: false,
        });
        self
    }

    /// The same, under another setting.
    #[must_use]
    pub fn with_setting(mut self, name: &str, value: SettingValue) -> Self {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), value));
        self
    }
}
