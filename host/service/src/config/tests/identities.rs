//! An application that somebody else vouches for: no secret, and every mistake told.

use super::*;
use crate::expiry::expiries;

const FROM: &str = "secret = { file = \"secrets/dataverse-secret\" }";
const KEY: &str = "connection.dataverse.identity";
/// Header and claims of a token that says nothing, and no signature.
const TOKEN: &str = "e30.e30.AAAA\n";

/// The example with another proof of the application for Dataverse.
fn place_with(proof: &str) -> Place {
    let place = Place::new(&example_with(FROM, proof));
    place.put("secrets/token", TOKEN);
    place
}

fn shown(place: &Place, set: &[(&str, &str)]) -> String {
    let config = place.load_with(&|name| {
        let found = set.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    });
    let config = config.unwrap_or_else(|errors| panic!("{errors}"));
    let app = &config.connections[0].dataverse.app;
    assert!(app.proof.is_something() && app.proof.is_federated());
    // Nothing that could end, and so nothing that is counted down.
    let ends = expiries(&config);
    assert!(
        ends.iter().all(|end| end.credential == "refresh-token"),
        "{ends:?}"
    );
    app.proof.in_words()
}

#[test]
fn an_identity_needs_no_secret_on_either_side() {
    let place = place_with("identity = \"managed\"");
    assert_eq!(
        shown(&place, &[]),
        "the managed identity of this machine, asked at http://169.254.169.254"
    );
    let app = [
        ("IDENTITY_ENDPOINT", "http://localhost:42356/msi/token"),
        ("IDENTITY_HEADER", "a-header"),
    ];
    assert_eq!(
        shown(&place, &app),
        "the managed identity of this app, asked at http://localhost:42356"
    );
    let named = "identity = { managed = \"33333333-3333-4333-8333-333333333333\" }";
    assert_eq!(
        shown(
            &place_with(named),
            &[("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1")]
        ),
        "the managed identity 33333333-3333-4333-8333-333333333333 of this machine, asked at http://127.0.0.1:1"
    );
    let place = place_with("identity = { token_file = \"secrets/token\" }");
    // Whoever renews it guards it.
    place.mode("secrets/token", 0o644);
    let told = shown(&place, &[]);
    assert!(
        told.ends_with("secrets/token, which its issuer renews"),
        "{told}"
    );
    let both = example_with(FROM, "identity = \"managed\"").replace(
        "secret = { file = \"secrets/partner-center-secret\" }",
        "identity = \"managed\"",
    );
    let config = Place::new(&both)
        .load()
        .unwrap_or_else(|errors| panic!("{errors}"));
    assert!(
        config.connections[0]
            .partner_center
            .app
            .proof
            .is_federated()
    );
}

#[test]
fn every_mistake_in_an_identity_says_what_to_write() {
    for (to, problem, hint) in [
        (
            "identity = \"system\"",
            "expected \"managed\", { managed = \"client id\" } or { token_file",
            "",
        ),
        ("identity = true", "expected \"managed\"", ""),
        ("identity = {}", "exactly one", ""),
        (
            "identity = { managed = \"a\", token_file = \"b\" }",
            "exactly one",
            "",
        ),
        ("identity = { managed = true }", "expected \"managed\"", ""),
        (
            "identity = { workload = \"a\" }",
            "expected \"managed\"",
            "",
        ),
        (
            "identity = { managed = \"cosell-identity\" }",
            "not the client id of an identity",
            "not its name or its object (principal) id",
        ),
        (
            "identity = { token_file = \"secrets/none\" }",
            "secrets/none cannot be read",
            "azure-identity-token",
        ),
        (
            "identity = { token_file = \"secrets/webhook-secret\" }",
            "is no token (a JWT",
            "name the file that the issuer renews",
        ),
    ] {
        check_mistake(FROM, to, KEY, problem, hint);
    }
    // What was in a wrong file may be a secret.
    let wrong = place_with("identity = { token_file = \"secrets/webhook-secret\" }");
    let told = wrong.load().unwrap_err().to_string();
    assert!(!told.contains(SECRET), "{told}");
}

#[test]
fn an_identity_stands_alone() {
    let secret = format!("{FROM}\nidentity = \"managed\"");
    check_mistake(
        FROM,
        &secret,
        KEY,
        "there is a secret already",
        "leave the secret out, and delete its file",
    );
    let certificate =
        "certificate = { file = \"secrets/dataverse-secret\" }\nidentity = \"managed\"";
    check_mistake(
        FROM,
        certificate,
        KEY,
        "there is a certificate already",
        "leave the certificate out",
    );
    let ends = "identity = \"managed\"\nsecret_expires = \"2027-03-31\"";
    check_mistake(
        FROM,
        ends,
        "connection.dataverse.secret_expires",
        "there is no secret that could end",
        "take it out",
    );
    check_mistake(
        FROM,
        "",
        "connection.dataverse.secret",
        "missing",
        "or identity = \"managed\"",
    );
}

#[test]
fn an_environment_in_which_nobody_can_be_asked_is_told_at_once() {
    let place = place_with("identity = \"managed\"");
    for (set, problem, hint) in [
        (
            vec![("AZURE_POD_IDENTITY_AUTHORITY_HOST", "169.254.169.254")],
            "AZURE_POD_IDENTITY_AUTHORITY_HOST holds no address",
            "take it out",
        ),
        (
            vec![
                ("IDENTITY_ENDPOINT", "here"),
                ("IDENTITY_HEADER", "a-header"),
            ],
            "IDENTITY_ENDPOINT holds no address",
            "Azure sets it",
        ),
        (
            vec![
                (
                    "IDENTITY_ENDPOINT",
                    "http://localhost:40342/metadata/identity/oauth2/token",
                ),
                ("IMDS_ENDPOINT", "http://localhost:40342"),
            ],
            "Azure Arc",
            "use a certificate",
        ),
    ] {
        let errors = place
            .load_with(&|name| {
                let found = set.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            })
            .unwrap_err();
        let [mistake] = &errors.mistakes[..] else {
            panic!("{errors}")
        };
        assert_eq!(mistake.key, KEY);
        assert!(
            mistake.problem.contains(problem) && mistake.hint.contains(hint),
            "{errors}"
        );
        assert!(!errors.to_string().contains("a-header"), "{errors}");
    }
}
