//! The interfaces that a script can serve, and how their names are spelt in JavaScript.

pub use cosell_contract_shape::spelling::camel;

/// An interface of the contract and its functions, as the contract spells them.
pub struct Interface {
    /// `should-sync`
    pub name: &'static str,
    /// `to-row`
    pub functions: &'static [&'static str],
}

const fn interface(name: &'static str, functions: &'static [&'static str]) -> Interface {
    Interface { name, functions }
}

/// Who the script is and what it needs: every script exports it.
pub const PLUGIN: Interface = interface("plugin", &["manifest", "describe"]);

/// What a script may serve besides, in the order of asking.
pub const SERVED: &[Interface] = &[
    interface("examples", &["cases"]),
    interface("should-sync", &["decide"]),
    interface("opportunity", &["to-deal", "to-row"]),
    interface("lead", &["to-deal", "to-row"]),
    interface("country", &["to-deal", "to-row"]),
    interface("status", &["to-deal", "to-row"]),
    interface("account", &["searches", "choose", "to-row"]),
    interface("contact", &["searches", "choose", "to-row"]),
    interface("decorate", &["mark"]),
];

/// The interface that JavaScript calls so, `shouldSync`.
#[must_use]
pub fn find(javascript: &str) -> Option<&'static Interface> {
    std::iter::once(&PLUGIN)
        .chain(SERVED)
        .find(|interface| camel(interface.name) == javascript)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_goes_by_its_name_in_javascript() {
        assert!(find("shouldSync").is_some_and(|found| found.name == "should-sync"));
        assert!(find("should-sync").is_none());
    }
}
