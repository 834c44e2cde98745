//! The configuration of the deployment examples is one, and fits the files beside it.

use super::*;

const DEPLOY: &str = include_str!("../../../../../examples/deploy/cosell.toml");
const COMPOSE: &str = include_str!("../../../../../examples/deploy/compose.yaml");
const KUBERNETES: &str = include_str!("../../../../../examples/deploy/kubernetes.yaml");

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
        .replace("/run/secrets/", &here("secrets/"))
        .replace(
            "/etc/cosell/microsoft-roots.pem",
            &here("microsoft-roots.pem"),
        );
    place.put("cosell.toml", &text);
    fs::create_dir(place.path("plugin-cache")).unwrap();
    place.put("secrets/alerts-webhook", "https://chat.example/hooks/1\n");
    for (name, secret) in [
        ("database-password", "said by nobody".to_owned()),
        ("store-key", "0f".repeat(32)),
    ] {
        let file = format!("secrets/{name}");
        place.put(&file, &secret);
        place.mode(&file, 0o600);
    }
    let folder = here("secrets");
    let config = place
        .load_with(&|name| (name == "CREDENTIALS_DIRECTORY").then(|| folder.clone()))
        .unwrap();
    assert!(config.metrics.is_some() && config.alerts.webhook.is_some() && !config.keys.is_empty());
    assert_eq!(config.connections.len(), 1);
}

/// The lines of a block of a YAML file: what is indented further than its head. `cargo verify --all` has both files judged by their schemas.
fn block<'a>(text: &'a str, head: &str) -> Vec<&'a str> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut lines = text.lines().skip_while(|line| line.trim_end() != head);
    let depth = indent(lines.next().unwrap_or_else(|| panic!("no block {head}")));
    lines
        .take_while(|line| line.trim().is_empty() || indent(line) > depth)
        .collect()
}

/// What a host is told to read, somebody puts there.
#[test]
fn the_deployment_examples_hand_over_every_file_that_the_configuration_names() {
    let named: BTreeSet<&str> = DEPLOY
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once("{ credential = \"")?.1.split('"').next())
        .chain(["database-password"])
        .collect();
    let compose: BTreeSet<&str> = block(COMPOSE, "secrets:")
        .into_iter()
        .filter_map(|line| line.trim().split(':').next())
        .collect();
    assert_eq!(compose, named);
    let host = block(COMPOSE, "  host:").join("\n");
    for name in &named {
        assert!(host.contains(name), "the host does not get {name}");
    }
    for (file, mounts, credentials) in [
        ("compose.yaml", host.as_str(), "/run/secrets"),
        ("kubernetes.yaml", KUBERNETES, "/etc/cosell-credentials"),
    ] {
        for folder in [
            "/etc/cosell",
            credentials,
            "/var/lib/cosell/token",
            "/var/lib/cosell/plugin-cache",
        ] {
            assert!(mounts.contains(folder), "{file} has no {folder}");
        }
        assert!(
            DEPLOY.contains(&format!("passfile={credentials}/database-password")),
            "{file}: nobody says where the password of the database is"
        );
    }
}

/// Kubernetes mounts the token of the service account below /run/secrets, and cannot where a read-only volume is; a volume's own folder is open to
/// others, and a host compiles into no such folder.
#[test]
fn nothing_is_mounted_over_a_place_that_somebody_else_needs() {
    let mounts: Vec<&str> = KUBERNETES
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once("mountPath: ")?.1.split([',', ' ']).next())
        .collect();
    assert!(mounts.len() > 5, "{mounts:?}");
    for over in ["/run", "/run/secrets", "/var/run", "/var/run/secrets"] {
        assert!(!mounts.contains(&over), "a volume over {over}");
    }
    let cache = DEPLOY
        .lines()
        .find_map(|line| line.strip_prefix("cache = \"")?.strip_suffix('"'))
        .unwrap();
    assert!(!mounts.contains(&cache), "{cache} is a volume's own folder");
    let parent = cache.rsplit_once('/').unwrap().0;
    assert!(mounts.contains(&parent), "{cache} is in no volume");
}

/// Without TLS only where nobody else is.
#[test]
fn the_database_of_the_compose_file_is_on_a_network_of_its_own() {
    assert!(DEPLOY.contains("sslmode=disable"));
    let database = block(COMPOSE, "  database:");
    assert!(database.contains(&"    networks: [inner]"));
    assert!(
        !database
            .iter()
            .any(|line| line.trim().starts_with("ports:"))
    );
    assert!(block(COMPOSE, "networks:").contains(&"  inner: { internal: true }"));
}

#[test]
fn by_default_a_host_is_reached_from_its_own_machine_only() {
    let config = Place::new(EXAMPLE).load().unwrap();
    assert!(config.server.listen.ip().is_loopback());
    assert!(config.metrics.is_none(), "nobody asked for them");
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
