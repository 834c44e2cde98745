//! Whether a country in a text column is the one of the deal. Codes and English names are understood; what is not, is neither the same
//! nor another one.

use iso3166::LIST;

/// `None`: nobody can tell.
pub(crate) fn is_same(written: &str, code: &str) -> Option<bool> {
    Some(code_of(written)?.eq_ignore_ascii_case(code.trim()))
}

/// How a country may be written, for a search.
pub(crate) fn spellings(code: &str) -> Vec<&str> {
    let code = code.trim();
    let name = LIST
        .iter()
        .find(|country| country.alpha2.eq_ignore_ascii_case(code))
        .map(|country| country.name);
    std::iter::once(code).chain(name).collect()
}

fn code_of(written: &str) -> Option<&'static str> {
    let written = written.trim();
    LIST.iter()
        .find(|country| {
            [country.alpha2, country.alpha3, country.name]
                .iter()
                .any(|known| known.eq_ignore_ascii_case(written))
        })
        .map(|country| country.alpha2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_are_understood_and_the_rest_is_not_guessed() {
        assert_eq!(is_same("hu", "HU"), Some(true));
        assert_eq!(is_same("Hungary", "HU"), Some(true));
        assert_eq!(is_same("AUT", "HU"), Some(false));
        assert_eq!(is_same("Magyarország", "HU"), None);
        assert_eq!(spellings("HU"), ["HU", "Hungary"]);
        assert_eq!(spellings("XX"), ["XX"]);
    }
}
