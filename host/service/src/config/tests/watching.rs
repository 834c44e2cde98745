//! Budgets, traces, mail and certificates: each mistake in words that lead somewhere.

use super::*;

const MAIL: &str = "# server = \"smtp.contoso.example\"\n# from = \"cosell <cosell@contoso.example>\"\n# to = [\"operations@contoso.example\"]";

#[test]
fn a_budget_of_nothing_is_refused() {
    check_mistake(
        "#requests = 6000",
        "requests = 0",
        "connection.dataverse.budget.requests",
        "expected a whole number from 1",
        "",
    );
    check_mistake(
        "#waiting = 100000",
        "waiting = 1",
        "limits.waiting",
        "expected a whole number from 100",
        "",
    );
}

#[test]
fn a_collector_has_an_address() {
    check_mistake(
        "# endpoint = \"http://collector:4318\"",
        "endpoint = \"collector:4318\"",
        "traces.endpoint",
        "expected an address",
        "",
    );
}

#[test]
fn mail_needs_somebody_who_reads_it() {
    check_mistake(
        MAIL,
        "server = \"smtp.contoso.example\"\nfrom = \"cosell@contoso.example\"",
        "alerts.mail.to",
        "missing",
        "server, from and to",
    );
    check_mistake(
        MAIL,
        "server = \"smtp.contoso.example\"\nfrom = \"cosell\"\nto = [\"operations@contoso.example\"]",
        "alerts.mail.from",
        "expected an address",
        "",
    );
}

#[test]
fn mail_goes_in_clear_text_to_this_machine_only() {
    let mail = |server: &str| {
        let whole = MAIL
            .replace("# ", "")
            .replace("smtp.contoso.example", server);
        let text = example_with(MAIL, &whole);
        let text = text.replace("#tls = \"starttls\"", "tls = \"none\"");
        Place::new(&text).load()
    };
    let errors = mail("smtp.contoso.example").unwrap_err();
    assert!(errors.to_string().contains("in clear text"), "{errors}");
    let config = mail("localhost").unwrap_or_else(|errors| panic!("{errors}"));
    let mail = config.alerts.mail.unwrap();
    assert_eq!((mail.host.as_str(), mail.port), ("localhost", 25));
}

#[test]
fn an_application_proves_itself_in_one_way() {
    let key = "connection.dataverse.certificate";
    let line = "# certificate = { file = \"secrets/dataverse-certificate.pem\" }";
    let as_certificate = "certificate = { file = \"secrets/dataverse-secret\" }";
    check_mistake(line, as_certificate, key, "a secret already", "leave one");
    let secret = "secret = { file = \"secrets/dataverse-secret\" }";
    check_mistake(secret, as_certificate, key, "no certificate", "private key");
    check_mistake(
        &format!("{line}\n# secret_expires = \"2027-03-31\""),
        "secret_expires = \"soon\"",
        "connection.dataverse.secret_expires",
        "expected a day",
        "",
    );
}

#[test]
fn a_secret_ends_on_its_day() {
    let line = "# As above.\n# certificate = { file = \"secrets/dataverse-certificate.pem\" }\n# secret_expires = \"2027-03-31\"";
    let text = example_with(line, "secret_expires = \"2027-03-31\"");
    let place = Place::new(&text);
    let config = place.load().unwrap();
    let ends = crate::expiry::expiries(&config);
    let told: Vec<&str> = ends.iter().map(|one| one.credential.as_str()).collect();
    assert_eq!(told, ["dataverse-secret", "refresh-token"]);
    assert_eq!(ends[0].expires_at, 1_806_451_200_000);
}
