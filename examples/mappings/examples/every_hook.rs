//! Every hook with nothing to say: a skeleton. Keep the hooks that you have something to say about, delete the others, and name those that are left in
//! the last line.

use cosell_guest_sdk::prelude::*;

/// The mapping.
pub struct EveryHook;

impl Plugin for EveryHook {
    fn manifest() -> PluginManifest {
        PluginManifest::new(
            "every-hook",
            env!("CARGO_PKG_VERSION"),
            "Serves every hook and has nothing to say.",
        )
    }

    fn describe(_: Settings<'_>) -> Result<Vec<Need>, Vec<Reason>> {
        Ok(Vec::new())
    }
}

impl ShouldSync for EveryHook {
    fn decide(_: &Context, _: &Arrival, _: Option<&Verdict>) -> Answer<Option<Verdict>> {
        Ok(None)
    }
}

impl Opportunity for EveryHook {}

impl Lead for EveryHook {}

impl Country for EveryHook {}

impl Status for EveryHook {}

impl Account for EveryHook {}

impl Contact for EveryHook {}

impl Decorate for EveryHook {
    fn mark(_: &Context, _: &Report, _: Option<&str>) -> Answer<Option<String>> {
        Ok(None)
    }
}

impl Examples for EveryHook {
    fn cases() -> Vec<Example> {
        vec![Example::new("nothing is said about a row", "opportunity.to-row").passes()]
    }
}

plugin!(EveryHook: should_sync, opportunity, lead, country, status, account, contact, decorate, examples);

#[cfg(test)]
mod tests {
    #[test]
    fn the_golden_examples_hold() {
        cosell_guest_sdk::test::check_examples::<super::EveryHook>();
    }
}
