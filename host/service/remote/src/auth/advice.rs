//! Entra's refusals, in words that lead somewhere.

use super::claims::Claims;

/// For every refusal that means: this refresh token is over.
pub(super) const SIGN_IN_AGAIN: &str = "the sign-in is over (password or MFA changed, revoked, or unused for 90 days): let the referrals admin sign in again: cosell sign-in CONNECTION";

/// Code, and what to do. `{client}` is the client id.
const ADVICE: [(&str, &str); 16] = [
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
        "AADSTS700024",
        "the assertion that the certificate of {client} has signed has ended or does not hold yet: look whether this machine's clock is right",
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

/// Code, and what to do when an assertion was shown that somebody else has signed. More digits tell the same apart more finely. (Microsoft:
/// workload-identity-federation-considerations; codes as Entra's answers spell them)
const OF_ASSERTIONS: [(&[&str], &str); 6] = [
    (
        &["AADSTS70025"],
        "the application {client} has no federated credential yet: add one for what the assertion says, {claims}, under {place}",
    ),
    (
        &["AADSTS700211"],
        "no federated credential of {client} has this issuer: the assertion says {claims}; compare the issuer letter by letter, a slash at its end too, under {place}",
    ),
    (
        &[
            "AADSTS700212",
            "AADSTS7002121",
            "AADSTS700214",
            "AADSTS700227",
        ],
        "no federated credential of {client} has this audience: the assertion says {claims}; the audience is api://AzureADTokenExchange there (in national clouds with USGov or China behind it), and whoever issues the token has to be asked for that one; compare under {place}",
    ),
    (
        &[
            "AADSTS70021",
            "AADSTS700213",
            "AADSTS7002131",
            "AADSTS7002137",
            "AADSTS7002138",
        ],
        "no federated credential of {client} has this subject: the assertion says {claims}; of a managed identity the subject is its object (principal) id and not its client id; compare subject, issuer and audience letter by letter under {place}; a new credential is known everywhere after some minutes",
    ),
    (
        &[
            "AADSTS700222",
            "AADSTS700226",
            "AADSTS700231",
            "AADSTS700236",
        ],
        "Entra takes a token of its own as an assertion only when it is of a managed identity, user-assigned and in the tenant of the application {client}: the assertion says {claims}; assign such an identity to this machine or app, and name it by identity = {{ managed = \"its client id\" }}",
    ),
    (
        &["AADSTS700024"],
        "the assertion has ended or does not hold yet: look whether this machine's clock is right, and whether the token is still renewed; it says {claims}",
    ),
];

/// Where the federated credentials of an application stand.
const PLACE: &str = "App registrations > {client} > Certificates & secrets > Federated credentials";

/// Whether a code is about an assertion that was shown.
pub(super) fn is_of_assertion(code: &str) -> bool {
    OF_ASSERTIONS.iter().any(|(codes, _)| codes.contains(&code))
}

/// What to do when this assertion was refused with that code, and what it says of itself.
pub(super) fn of_assertion(code: &str, client: &str, claims: &Claims) -> Option<String> {
    let (_, advice) = OF_ASSERTIONS
        .iter()
        .find(|(codes, _)| codes.contains(&code))?;
    let claims = claims.to_string();
    let advice = advice.replace("{{", "{").replace("}}", "}");
    let advice = advice.replace("{place}", PLACE).replace("{client}", client);
    // Last: what somebody else has written is no place for ours.
    Some(advice.replace("{claims}", &claims))
}

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

    #[test]
    fn what_does_not_match_is_named_with_what_the_assertion_says() {
        let claims = Claims {
            issuer: "https://issuer.example".to_owned(),
            subject: "system:serviceaccount:{client}:cosell".to_owned(),
            audience: "api://elsewhere".to_owned(),
        };
        for (code, what) in [
            (
                "AADSTS700211",
                "no federated credential of app has this issuer",
            ),
            (
                "AADSTS7002121",
                "no federated credential of app has this audience",
            ),
            (
                "AADSTS700213",
                "no federated credential of app has this subject",
            ),
            (
                "AADSTS70021",
                "no federated credential of app has this subject",
            ),
            (
                "AADSTS70025",
                "the application app has no federated credential yet",
            ),
            ("AADSTS700222", "identity = { managed = \"its client id\" }"),
        ] {
            let advice = of_assertion(code, "app", &claims).unwrap();
            assert!(
                advice.contains(what)
                    && advice.contains("issuer \"https://issuer.example\"")
                    && advice.contains("subject \"system:serviceaccount:{client}:cosell\"")
                    && advice.contains("audience \"api://elsewhere\""),
                "{advice}"
            );
        }
        assert_eq!(of_assertion("AADSTS7000222", "app", &claims), None);
    }
}
