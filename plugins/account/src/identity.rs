//! What makes a customer this customer. The host makes the new account's id from it.

use cosell_guest_sdk::prelude::*;

use crate::name::plain;

/// `duns:123456789` where the CRM knows DUNS numbers and the deal has one; else the domain in its country, `domain:contoso.example|hu`;
/// else `contoso kft|1051|hu`.
pub(crate) fn of(company: &Company, domain: Option<&str>, known_by_duns: bool) -> String {
    if let Some(number) = crate::number(company, "duns").filter(|_| known_by_duns) {
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        if !digits.is_empty() {
            return format!("duns:{digits}");
        }
    }
    let part = |text: Option<&str>| plain(text.unwrap_or_default());
    let country = part(company.address.country.as_deref());
    if let Some(domain) = domain {
        return format!("domain:{domain}|{country}");
    }
    [
        plain(&company.name),
        part(crate::postcode(company)),
        country,
    ]
    .join("|")
}
