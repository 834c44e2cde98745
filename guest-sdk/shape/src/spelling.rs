//! How one name is spelt in the contract, in Rust and in JavaScript.

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
    }
}
