//! The domain of a company: of its people's mail, of its web site.

use cosell_guest_sdk::parts::said;
use cosell_guest_sdk::prelude::*;

/// Mail of these says where somebody has a mailbox, not where somebody works.
const PUBLIC: [&str; 48] = [
    "126.com",
    "163.com",
    "aol.com",
    "bigpond.com",
    "bluewin.ch",
    "btinternet.com",
    "centrum.cz",
    "citromail.hu",
    "comcast.net",
    "freemail.hu",
    "free.fr",
    "gmail.com",
    "gmx.at",
    "gmx.ch",
    "gmx.com",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hotmail.co.uk",
    "hotmail.com",
    "hotmail.fr",
    "hotmail.it",
    "icloud.com",
    "interia.pl",
    "libero.it",
    "live.com",
    "mac.com",
    "mail.com",
    "mail.ru",
    "me.com",
    "msn.com",
    "naver.com",
    "o2.pl",
    "onet.pl",
    "orange.fr",
    "outlook.com",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "seznam.cz",
    "t-online.de",
    "verizon.net",
    "wanadoo.fr",
    "web.de",
    "wp.pl",
    "yahoo.com",
    "yandex.ru",
    "zoho.com",
];

/// The customer's domain: the first of its people's mail that belongs to a company. `public` are the operator's further exceptions.
pub(crate) fn of_deal(deal: &Deal, public: &[String]) -> Option<String> {
    deal.contacts
        .iter()
        .filter_map(|person| of_mail(said(&person.email)?))
        .find(|domain| {
            !PUBLIC.contains(&domain.as_str())
                && !public
                    .iter()
                    .any(|known| known.trim().eq_ignore_ascii_case(domain))
        })
}

/// `Anna@Contoso.example` → `contoso.example`.
pub(crate) fn of_mail(mail: &str) -> Option<String> {
    let (_, domain) = mail.trim().rsplit_once('@')?;
    checked(domain)
}

/// `https://www.contoso.example/hu?x=1` → `contoso.example`.
pub(crate) fn of_site(address: &str) -> Option<String> {
    let address = address.trim().to_lowercase();
    let host = address
        .split_once("://")
        .map_or(address.as_str(), |(_, rest)| rest);
    let host = host.split(['/', '?', '#', ':']).next().unwrap_or(host);
    checked(host.strip_prefix("www.").unwrap_or(host))
}

fn checked(domain: &str) -> Option<String> {
    let domain = domain.trim().trim_end_matches('.').to_lowercase();
    let fits = domain.contains('.')
        && domain
            .chars()
            .all(|sign| sign.is_alphanumeric() || matches!(sign, '.' | '-'));
    fits.then_some(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_found_however_it_is_written() {
        for (address, domain) in [
            (
                "https://www.Contoso.example/hu?x=1",
                Some("contoso.example"),
            ),
            ("contoso.example", Some("contoso.example")),
            (
                "http://shop.contoso.example:8080",
                Some("shop.contoso.example"),
            ),
            ("see the brochure", None),
            ("", None),
        ] {
            assert_eq!(of_site(address).as_deref(), domain, "{address}");
        }
        assert_eq!(
            of_mail(" Anna@Contoso.example "),
            Some("contoso.example".to_owned())
        );
        assert_eq!(of_mail("anna"), None);
        assert_eq!(of_mail("anna@localhost"), None);
    }
}
