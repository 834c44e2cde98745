//! The configuration of the deployment examples is one.

use super::*;

const DEPLOY: &str = include_str!("../../../../../examples/deploy/cosell.toml");

#[test]
fn the_configuration_of_the_deployment_examples_is_complete() {
    let place = Place::new("");
    let here = |path: &str| place.path(path).display().to_string();
    let text = DEPLOY
        .replace(
            "/var/lib/cosell/token/partner-center-refresh-token",
            &here("secrets/partner-center-refresh-token"),
        )
        .replace("/var/lib/cosell", &here(""))
        .replace(
            "/etc/cosell/microsoft-roots.pem",
            &here("microsoft-roots.pem"),
        );
    place.put("cosell.toml", &text);
    place.put("secrets/alerts-webhook", "https://chat.example/hooks/1\n");
    let folder = here("secrets");
    let config = place
        .load_with(&|name| (name == "CREDENTIALS_DIRECTORY").then(|| folder.clone()))
        .unwrap();
    assert!(config.metrics.is_some() && config.alerts.webhook.is_some());
    assert_eq!(config.connections.len(), 1);
}

#[test]
fn an_alert_goes_to_an_address() {
    let text = example_with(
        "# webhook = { file = \"secrets/alerts-webhook\" }",
        "webhook = { file = \"secrets/alerts-webhook\" }",
    );
    let place = Place::new(&text);
    place.put("secrets/alerts-webhook", "hooks.example\n");
    place.mode("secrets/alerts-webhook", 0o600);
    let errors = place.load().unwrap_err().to_string();
    assert!(
        errors.contains("alerts.webhook")
            && errors.contains("begins with https://")
            && !errors.contains("hooks.example"),
        "{errors}"
    );
}
