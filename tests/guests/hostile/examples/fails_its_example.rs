//! Breaks the promise of its own golden example: what a careless change to a real plugin looks like.

use cosell_guest_sdk::prelude::*;
use hostile_guests::{harmless, modest_needs};

/// The attacker.
pub struct Hostile;

impl Plugin for Hostile {
    fn manifest() -> PluginManifest {
        harmless("fails-its-example")
    }

    fn describe(_: Settings<'_>) -> Result<Vec<Need>, Vec<Reason>> {
        Ok(modest_needs())
    }
}

impl Opportunity for Hostile {
    fn to_row(_: &Context, order: &Order, _: &[Cell]) -> Answer<Vec<Change>> {
        Ok(vec![Change::set("name", order.deal.name.to_lowercase())])
    }
}

impl Examples for Hostile {
    fn cases() -> Vec<Example> {
        vec![
            Example::new("names go into the CRM in capitals", "opportunity.to-row")
                .given(Fact::Name("Data platform".to_owned()))
                .sets("name", "DATA PLATFORM"),
        ]
    }
}

plugin!(Hostile: opportunity, examples);
