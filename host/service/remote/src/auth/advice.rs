//! Entra's refusals, in words that lead somewhere.

/// For every refusal that means: this refresh token is over.
pub(super) const SIGN_IN_AGAIN: &str = "the sign-in is over (password or MFA changed, revoked, or unused for 90 days): let the referrals admin sign in again and replace the refresh token";

/// Code, and what to do. `{client}` is the client id.
const ADVICE: [(&str, &str); 15] = [
    (
        "AADSTS7000222",
        "the client secret has expired: create a new one in the Entra admin center under App registrations > {client} > Certificates & secrets, and put it into the configuration",
    ),
    (
        "AADSTS7000215",
        "the client secret is wrong: use the secret's value, not its id, from App registrations > {client} > Certificates & secrets",
    ),
    (
        "AADSTS7000216",
        "the application {client} is confidential: configure its client secret",
    ),
    (
        "AADSTS7000218",
        "the application {client} is confidential: configure its client secret",
    ),
    (
        "AADSTS700016",
        "no application {client} in this tenant: check tenant and client id, or let an administrator of the tenant consent to it",
    ),
    (
        "AADSTS700027",
        "the certificate of the application is not the registered one: upload it under App registrations > {client} > Certificates & secrets",
    ),
    (
        "AADSTS7000112",
        "the application {client} is disabled: enable it under Enterprise applications",
    ),
    (
        "AADSTS90002",
        "no such tenant: check the tenant id in the configuration",
    ),
    (
        "AADSTS900023",
        "the tenant is neither a GUID nor a domain name: check it in the configuration",
    ),
    (
        "AADSTS70011",
        "the audience is not valid: check the address of the service in the configuration",
    ),
    (
        "AADSTS500011",
        "nobody in this tenant answers to this address: check the address of the service in the configuration",
    ),
    (
        "AADSTS65001",
        "nobody has consented: an administrator must grant the delegated permissions of {client}",
    ),
    (
        "AADSTS50076",
        "MFA is asked for: let the referrals admin sign in again, with MFA, and replace the refresh token",
    ),
    ("AADSTS700082", SIGN_IN_AGAIN),
    ("AADSTS50173", SIGN_IN_AGAIN),
];

pub(super) fn of(code: &str) -> Option<&'static str> {
    ADVICE
        .iter()
        .find(|(known, _)| *known == code)
        .map(|(_, advice)| *advice)
}

/// The first `AADSTSnnnnn` of a message.
pub(super) fn code_in(message: &str) -> Option<String> {
    let from = &message[message.find("AADSTS")?..];
    let digits = from["AADSTS".len()..]
        .bytes()
        .take_while(u8::is_ascii_digit)
        .count();
    (digits > 0)
        .then(|| {
            from["AADSTS".len()..]
                .get(..digits)
                .map(|number| format!("AADSTS{number}"))
        })
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_wherever_it_stands() {
        assert_eq!(
            code_in("AADSTS7000222: The provided client secret keys are expired.").as_deref(),
            Some("AADSTS7000222")
        );
        assert_eq!(
            code_in("sorry: AADSTS65001 no consent").as_deref(),
            Some("AADSTS65001")
        );
        assert_eq!(code_in("AADSTS"), None);
        assert_eq!(code_in("nothing"), None);
    }
}
