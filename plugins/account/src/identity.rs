//! What makes a customer this customer. The host makes the new account's id from it.

use cosell_guest_sdk::prelude::*;

/// `duns:123456789` where the CRM knows DUNS numbers and the deal has one, else `contoso kft|1051|hu`.
pub(crate) fn of(company: &Company, known_by_duns: bool) -> String {
    if let Some(number) = crate::duns(company).filter(|_| known_by_duns) {
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        if !digits.is_empty() {
            return format!("duns:{digits}");
        }
    }
    let part = |text: Option<&str>| plain(text.unwrap_or_default());
    [
        plain(&company.name),
        part(crate::postcode(company)),
        part(company.address.country.as_deref()),
    ]
    .join("|")
}

/// Lower case, letters and digits, one space between words: two spellings of one name by two sellers.
fn plain(text: &str) -> String {
    let lower: String = text
        .chars()
        .flat_map(char::to_lowercase)
        .map(|sign| if sign.is_alphanumeric() { sign } else { ' ' })
        .collect();
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}
