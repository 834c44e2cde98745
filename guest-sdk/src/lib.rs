//! For plugin authors: the contract of the co-sell host in Rust.
//!
//! A plugin is a type that answers questions. Implement [`Plugin`] and the hooks that you have something to say about, every
//! function has a default that says nothing, and name them in [`plugin!`]:
//!
//! ```
//! use cosell_guest_sdk::prelude::*;
//!
//! /// Our own mapping.
//! pub struct Acme;
//!
//! impl Plugin for Acme {
//!     fn manifest() -> PluginManifest {
//!         PluginManifest::new("acme", env!("CARGO_PKG_VERSION"), "Every new opportunity gets our deal type.")
//!     }
//!
//!     fn describe(_: Settings) -> Result<Vec<Need>, Vec<Reason>> {
//!         Ok(vec![Need::writes("opportunity", ["new_dealtype"])])
//!     }
//! }
//!
//! impl Opportunity for Acme {
//!     fn to_row(_: &Context, _: &Order, _: &[Cell]) -> Answer<Vec<Change>> {
//!         Ok(vec![Change::set("new_dealtype", Value::choice(1))])
//!     }
//! }
//!
//! plugin!(Acme: opportunity);
//! ```
//!
//! Answers are about the whole deal, every time; what changed is the host's to find out. Whatever you do not mention is left
//! alone. `?` leaves with a [`Stop`](types::Stop): rows that you need first, a reason that a seller can act on, "later", or a fault.
//!
//! The types are those of `wit/types.wit`, with constructors that read like prose; their documentation is the author's manual.

#[doc(hidden)]
pub mod bindings;
mod context;
mod describe;
mod golden;
mod hooks;
pub mod log;
pub mod parts;
mod say;
#[cfg(not(target_arch = "wasm32"))]
pub mod test;
mod value;

/// The words of the contract, and what the kit adds to them.
#[allow(missing_docs, reason = "documented in the contract")]
pub mod types {
    pub use crate::bindings::words::cosell::mapping::types::*;
}

pub use context::Settings;
pub use hooks::{
    Account, Answer, Contact, Country, Decorate, Examples, Lead, Opportunity, Plugin, ShouldSync,
    Status,
};

/// All that a mapping needs: `use cosell_guest_sdk::prelude::*;`.
pub mod prelude {
    pub use crate::plugin;
    pub use crate::types::*;
    pub use crate::{
        Account, Answer, Contact, Country, Decorate, Examples, Lead, Opportunity, Plugin, Settings,
        ShouldSync, Status,
    };
}

/// Exports a plugin: its type, a colon, and the hooks that it serves, out of `examples`, `should_sync`, `opportunity`, `lead`,
/// `country`, `status`, `account`, `contact` and `decorate`.
///
/// The component exports exactly these, and [`Plugin`]. Built for anything but wasm, nothing is exported and the plugin is an
/// ordinary library that [`test`](mod@test) can ask.
#[macro_export]
macro_rules! plugin {
    ($plugin:ident: $($hook:ident),+ $(,)?) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "the exported functions of a component have C's calling convention")]
        mod exported_to_the_host {
            use super::$plugin;

            $crate::bindings::plugin::export!($plugin with_types_in $crate::bindings::plugin);
            $($crate::bindings::$hook::export!($plugin with_types_in $crate::bindings::$hook);)+
        }

        #[cfg(not(target_arch = "wasm32"))]
        impl $crate::test::Asked for $plugin {
            fn answer(question: &$crate::test::Question) -> ::core::option::Option<$crate::test::Said> {
                $(if let ::core::option::Option::Some(said) = $crate::test::hook::$hook::<$plugin>(question) {
                    return ::core::option::Option::Some(said);
                })+
                ::core::option::Option::None
            }
        }
    };
}
