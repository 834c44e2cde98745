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
    let mut camel = String::with_capacity(name.len());
    let mut is_start = false;
    for letter in name.chars() {
        match letter {
            '-' | '_' => is_start = true,
            letter if is_start => {
                camel.push(letter.to_ascii_uppercase());
                is_start = false;
            }
            letter => camel.push(letter),
        }
    }
    camel
}

/// `CompanyName` → `company-name`, as Rust's names were made of the contract's.
#[must_use]
pub fn kebab(variant: &str) -> String {
    let mut kebab = String::with_capacity(variant.len() + 4);
    for (at, letter) in variant.chars().enumerate() {
        if letter.is_ascii_uppercase() && at > 0 {
            kebab.push('-');
        }
        kebab.push(letter.to_ascii_lowercase());
    }
    kebab
}
