//! The interfaces that a script can serve, and how their names are spelt in JavaScript.

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

/// `should-sync` or `should_sync` → `shouldSync`
#[must_use]
pub fn camel(name: &str) -> String {
    camel_letters(name).collect()
}

/// `CompanyName` → `company-name`, as Rust's names were made of the contract's.
#[must_use]
pub fn kebab(variant: &str) -> String {
    kebab_letters(variant).collect()
}

/// The letters of [`camel`], for whoever needs no text of its own: names are written and compared hundreds of times in a question.
pub fn camel_letters(name: &str) -> impl Iterator<Item = char> {
    let mut is_start = false;
    name.chars().filter_map(move |letter| match letter {
        '-' | '_' => {
            is_start = true;
            None
        }
        letter if is_start => {
            is_start = false;
            Some(letter.to_ascii_uppercase())
        }
        letter => Some(letter),
    })
}

/// The letters of [`kebab`].
pub fn kebab_letters(variant: &str) -> impl Iterator<Item = char> {
    variant.char_indices().flat_map(|(at, letter)| {
        let dash = (letter.is_ascii_uppercase() && at > 0).then_some('-');
        dash.into_iter().chain([letter.to_ascii_lowercase()])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelt_as_javascript_and_the_contract_do() {
        assert_eq!(camel("should-sync"), "shouldSync");
        assert_eq!(camel("postal_code"), "postalCode");
        assert_eq!(camel("line1"), "line1");
        assert_eq!(kebab("CompanyName"), "company-name");
        assert_eq!(kebab("Empty"), "empty");
        assert!(find("shouldSync").is_some_and(|found| found.name == "should-sync"));
        assert!(find("should-sync").is_none());
    }
}
