//! Secrets: from where they come, and that they go nowhere.

use super::*;

#[test]
fn no_secret_can_be_printed() {
    let config = Place::new(EXAMPLE).load().unwrap();
    let text = format!("{config:?} {config:#?}");
    assert!(!text.contains(SECRET), "{text}");
}

#[test]
fn a_secret_in_the_file_is_refused_and_not_repeated() {
    let from = "secret = { file = \"secrets/dataverse-secret\" }";
    let text = example_with(from, "secret = \"hunter2-hunter2\"");
    let errors = Place::new(&text).load().unwrap_err();
    assert_eq!(errors.mistakes.len(), 1);
    let told = errors.to_string();
    assert!(
        told.contains("a secret must not stand in the configuration") && told.contains("{ file = "),
        "{told}"
    );
    assert!(!told.contains("hunter2"), "{told}");
    for (to, problem) in [
        ("secret = 7", "expected { file"),
        ("secret = {}", "exactly one"),
        ("secret = { file = \"a\", env = \"B\" }", "exactly one"),
        ("secret = { vault = \"a\" }", "no place of this kind"),
        ("secret = { file = 7 }", "expected { file"),
        ("secret = { file = \"secrets/none\" }", "cannot be read"),
        ("secret = { file = \"secrets\" }", "secrets"),
        ("secret = { env = \"NOT_SET\" }", "NOT_SET is not set"),
        (
            "secret = { credential = \"x\" }",
            "CREDENTIALS_DIRECTORY is not set",
        ),
        (
            "secret = { credential = \"../x\" }",
            "not the name of a credential",
        ),
    ] {
        check_mistake(from, to, "connection.dataverse.secret", problem, "");
    }
    check_mistake(
        from,
        "",
        "connection.dataverse.secret",
        "missing",
        "{ credential = \"name\" }",
    );
    check_mistake(
        "refresh_token = { file = \"secrets/partner-center-refresh-token\" }",
        "refresh_token = { env = \"TOKEN\" }",
        "connection.partner_center.refresh_token",
        "must be a file",
        "write it back",
    );
}

#[test]
fn who_has_not_signed_in_yet_is_told_how_and_may_sign_in() {
    let place = Place::new(EXAMPLE);
    let token = place.path("secrets/partner-center-refresh-token");
    fs::remove_file(&token).unwrap();
    let errors = place.load().unwrap_err().to_string();
    assert!(
        errors.contains("connection.partner_center.refresh_token")
            && errors.contains("sign in once: cosell sign-in"),
        "{errors}"
    );
    let config = Config::load_to_sign_in(&place.path("cosell.toml"));
    let config = config.unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.connections[0].partner_center.refresh_token, token);
}

#[test]
fn a_secret_file_that_others_can_read_is_refused() {
    let place = Place::new(EXAMPLE);
    for mode in [0o644, 0o640, 0o604, 0o620] {
        place.mode("secrets/dataverse-secret", mode);
        let errors = place.load().unwrap_err();
        let [mistake] = &errors.mistakes[..] else {
            panic!("{errors}")
        };
        assert!(
            mistake.problem.contains(&format!("mode {mode:04o}"))
                && mistake.hint.starts_with("chmod 0600 "),
            "{errors}"
        );
    }
    place.mode("secrets/dataverse-secret", 0o400);
    place.load().unwrap();
    place.mode("secrets/dataverse-secret", 0o600);
    place.put("secrets/dataverse-secret", " \n");
    assert!(place.load().unwrap_err().to_string().contains("is empty"));
}

#[test]
fn secrets_come_from_the_environment_and_from_systemd() {
    let text = example_with(
        "secret = { file = \"secrets/dataverse-secret\" }",
        "secret = { env = \"CRM_SECRET\" }",
    )
    .replace(
        "webhook_secret = { file = \"secrets/webhook-secret\" }",
        "webhook_secret = { credential = \"webhook\" }",
    );
    let place = Place::new(&text);
    place.put("secrets/webhook", "from-systemd-0123456789");
    let folder = place.path("secrets").display().to_string();
    let config = place
        .load_with(&|name| match name {
            "CRM_SECRET" => Some("from-env\n".to_owned()),
            "CREDENTIALS_DIRECTORY" => Some(folder.clone()),
            _ => None,
        })
        .unwrap_or_else(|errors| panic!("{errors}"));
    let dataverse = &config.connections[0].dataverse;
    let shown = dataverse.app.proof.fields("app", "").unwrap();
    assert_eq!(shown[0].1.expose_secret(), "from-env");
    assert_eq!(
        dataverse.webhook.secret.expose_secret(),
        "from-systemd-0123456789"
    );
}

#[test]
fn a_short_webhook_secret_is_refused() {
    let place = Place::new(EXAMPLE);
    place.put("secrets/webhook-secret", "short");
    let errors = place.load().unwrap_err();
    assert!(
        errors.to_string().contains("has 5 characters")
            && errors.mistakes[0].hint.contains("openssl rand"),
        "{errors}"
    );
}
