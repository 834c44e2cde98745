//! The manual is true, and every mistake is told.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use cosell_sync::deal::Unit;
use cosell_sync::merge::Policy as Winner;
use cosell_sync::side::Side;
use secrecy::ExposeSecret as _;
use tempfile::TempDir;

use super::*;

mod counted;
mod deploy;
mod hostile;
mod identities;
mod manual;
mod recordings;
mod secrets;
mod watching;

const EXAMPLE: &str = include_str!("../../../../examples/cosell.toml");
const ROOT: &str = include_str!("test-root.pem");
const SECRET: &str = "a-secret-that-nobody-may-see";

/// The folder that the example describes, with this text as `cosell.toml`.
struct Place(TempDir);

impl Place {
    fn new(text: &str) -> Self {
        let place = Self(TempDir::new().unwrap());
        for folder in ["data", "plugins", "secrets"] {
            fs::create_dir(place.path(folder)).unwrap();
        }
        place.put("cosell.toml", text);
        place.put("microsoft-roots.pem", ROOT);
        for name in [
            "partner-center-secret",
            "partner-center-refresh-token",
            "dataverse-secret",
            "webhook-secret",
        ] {
            let file = format!("secrets/{name}");
            place.put(&file, &format!("{SECRET}-{name}\n"));
            place.mode(&file, 0o600);
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn load(&self) -> Result<Config, ConfigErrors> {
        self.load_with(&|_| None)
    }

    fn load_with(
        &self,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Config, ConfigErrors> {
        Config::load_in(&self.path("cosell.toml"), environment)
    }
}

fn example_with(from: &str, to: &str) -> String {
    assert_eq!(EXAMPLE.matches(from).count(), 1, "{from}");
    EXAMPLE.replace(from, to)
}

/// Loads the example with one change and expects exactly this mistake: key, a part of the problem, a part of the hint; in the line of `to`.
fn check_mistake(from: &str, to: &str, key: &str, problem: &str, hint: &str) {
    let text = example_with(from, to);
    let errors = Place::new(&text).load().unwrap_err();
    let [mistake] = &errors.mistakes[..] else {
        panic!("{errors}")
    };
    assert_eq!(mistake.key, key, "{errors}");
    assert!(mistake.problem.contains(problem), "{errors}");
    assert!(mistake.hint.contains(hint), "{errors}");
    if !to.is_empty() && !mistake.problem.contains("missing") {
        let line = text.lines().nth(mistake.line.unwrap() - 1).unwrap();
        assert!(
            to.contains(line) && !line.is_empty(),
            "line {:?} is {line:?}",
            mistake.line
        );
    }
}

#[test]
fn a_misspelt_key_is_refused_with_a_guess() {
    check_mistake(
        "#settle_ms = 300",
        "setle_ms = 300",
        "plugins.setle_ms",
        "no such key",
        "did you mean \"settle_ms\"?",
    );
    check_mistake(
        "[sweep]\n",
        "[swep]\n",
        "swep",
        "no such key",
        "did you mean \"sweep\"?",
    );
    check_mistake(
        "#language = \"en\"",
        "colour = \"en\"",
        "server.colour",
        "no such key",
        "known here: language, listen, public_url",
    );
}

#[test]
fn wrong_kinds_and_ranges_say_what_is_expected() {
    for (from, to, key, problem) in [
        (
            "#listen = \"127.0.0.1:8080\"",
            "listen = \"here\"",
            "server.listen",
            "expected an address and a port such as \"127.0.0.1:8080\", found \"here\"",
        ),
        (
            "#listen = \"127.0.0.1:8080\"",
            "listen = 8080",
            "server.listen",
            "found 8080",
        ),
        (
            "#settle_ms = 300",
            "settle_ms = \"300\"",
            "plugins.settle_ms",
            "expected a whole number from 0 to 60000, found \"300\"",
        ),
        (
            "#deals_at_once = 24",
            "deals_at_once = 53",
            "limits.deals_at_once",
            "from 1 to 52, found 53",
        ),
        ("#crm_s = 300", "crm_s = -1", "sweep.crm_s", "found -1"),
        (
            "#format = \"text\"",
            "format = \"xml\"",
            "log.format",
            "expected \"text\" or \"json\", found \"xml\"",
        ),
        (
            "#level = \"info\"",
            "level = \"loud\"",
            "log.level",
            "found \"loud\"",
        ),
        (
            "#subscribe = true",
            "subscribe = \"yes\"",
            "connection.dataverse.subscribe",
            "expected true or false",
        ),
        (
            "id = \"contoso\"",
            "id = \"Contoso Ltd\"",
            "connection.id",
            "found \"Contoso Ltd\"",
        ),
        (
            "#on_link = \"ask\"",
            "on_link = \"newest\"",
            "connection.policy.on_link",
            "expected \"partner-center\" or \"crm\" or \"ask\"",
        ),
        (
            "value = \"crm\"",
            "worth = \"crm\"",
            "connection.policy.on_conflict_of",
            "a deal has no unit \"worth\"",
        ),
        (
            "value = \"crm\"",
            "value = \"me\"",
            "connection.policy.on_conflict_of",
            "found \"me\"",
        ),
        (
            "client_id = \"22222222-2222-4222-8222-222222222222\"",
            "client_id = \"22222222\"",
            "connection.dataverse.client_id",
            "a GUID",
        ),
        (
            "#organization = \"Microsoft Corporation\"",
            "organization = \"\"",
            "connection.partner_center.webhook.organization",
            "expected an organisation's name",
        ),
        (
            "#certificate_hosts = [\"*.microsoft.com\", \"3psostorageacct.blob.core.windows.net\"]",
            "certificate_hosts = [\"https://x.example/\"]",
            "connection.partner_center.webhook.certificate_hosts",
            "a host, host:port or *.domain",
        ),
    ] {
        check_mistake(from, to, key, problem, "");
    }
}

#[test]
fn addresses_are_https_unless_on_this_machine() {
    let from = "url = \"https://contoso.crm4.dynamics.com\"";
    for bad in [
        "http://contoso.crm4.dynamics.com",
        "ftp://localhost",
        "contoso.crm4.dynamics.com",
    ] {
        check_mistake(
            from,
            &format!("url = \"{bad}\""),
            "connection.dataverse.url",
            "https://",
            "",
        );
    }
    for bad in [
        "https://user:hunter2@contoso.crm4.dynamics.com",
        "https://contoso.crm4.dynamics.com/?x=1",
    ] {
        let text = example_with(from, &format!("url = \"{bad}\""));
        let errors = Place::new(&text).load().unwrap_err().to_string();
        assert!(
            errors.contains("more than host, port and path") && !errors.contains("hunter2"),
            "{errors}"
        );
    }
    for good in [
        "http://localhost:4711",
        "http://127.0.0.1:4711",
        "http://[::1]:4711",
        "https://contoso.crm4.dynamics.com/",
    ] {
        Place::new(&example_with(from, &format!("url = \"{good}\"")))
            .load()
            .unwrap_or_else(|errors| panic!("{errors}"));
    }
}

#[test]
fn folders_and_roots_must_be_there() {
    check_mistake(
        "folder = \"plugins\"",
        "folder = \"nowhere\"",
        "plugins.folder",
        "there is no folder",
        "make it",
    );
    check_mistake(
        "path = \"data/cosell.db\"",
        "path = \"nowhere/cosell.db\"",
        "store.path",
        "there is no folder",
        "make the folder",
    );
    let (from, key) = (
        "certificate_roots = \"microsoft-roots.pem\"",
        "connection.partner_center.webhook.certificate_roots",
    );
    check_mistake(from, "", key, "missing", "nothing is trusted by default");
    check_mistake(
        from,
        "certificate_roots = \"none.pem\"",
        key,
        "cannot be read",
        "BEGIN CERTIFICATE",
    );
    check_mistake(
        from,
        "certificate_roots = \"cosell.toml\"",
        key,
        "there is no certificate in",
        "",
    );
    check_mistake(
        from,
        "certificate_roots = \"secrets\"",
        key,
        "there is no certificate in",
        "",
    );
    let place = Place::new(EXAMPLE);
    place.put(
        "microsoft-roots.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    assert!(
        place
            .load()
            .unwrap_err()
            .to_string()
            .contains("a root certificate cannot be read")
    );
    let place = Place::new(&example_with(from, "certificate_roots = \"roots\""));
    fs::create_dir(place.path("roots")).unwrap();
    place.put("roots/a.pem", ROOT);
    place.put("roots/readme.txt", "not a certificate");
    place.load().unwrap_or_else(|errors| panic!("{errors}"));
}

#[test]
fn an_empty_file_names_everything_that_is_required() {
    let errors = Place::new("").load().unwrap_err();
    let missing: Vec<&str> = errors
        .mistakes
        .iter()
        .filter(|mistake| mistake.problem == "it is missing")
        .map(|mistake| mistake.key.as_str())
        .collect();
    assert_eq!(missing.len(), errors.mistakes.len(), "{errors}");
    for key in [
        "server.public_url",
        "store.path",
        "plugins.folder",
        "connection",
        "connection.id",
        "connection.entra.tenant",
        "connection.partner_center.client_id",
        "connection.partner_center.refresh_token",
        "connection.partner_center.webhook.certificate_roots",
        "connection.dataverse.url",
        "connection.dataverse.client_id",
        "connection.dataverse.secret",
        "connection.dataverse.webhook_secret",
    ] {
        assert!(missing.contains(&key), "{key} in {errors}");
    }
}

#[test]
fn all_mistakes_are_told_together_in_the_order_of_the_file() {
    let text = EXAMPLE
        .replace("#listen = \"127.0.0.1:8080\"", "listen = \"here\"")
        .replace("#settle_ms = 300", "setle_ms = 300")
        .replace("#call_s = 60", "call_s = 0")
        .replace("id = \"contoso\"", "id = \"Contoso\"")
        .replace(
            "secret = { file = \"secrets/dataverse-secret\" }",
            "secret = \"hunter2\"",
        )
        .replace("#on_conflict = \"ask\"", "on_conflict = \"me\"");
    let errors = Place::new(&text).load().unwrap_err();
    let keys: Vec<&str> = errors
        .mistakes
        .iter()
        .map(|mistake| mistake.key.as_str())
        .collect();
    let expected = [
        "server.listen",
        "plugins.setle_ms",
        "limits.call_s",
        "connection.id",
        "connection.dataverse.secret",
        "connection.policy.on_conflict",
    ];
    assert_eq!(keys, expected, "{errors}");
    assert!(
        errors
            .to_string()
            .starts_with(&format!("{}: 6 mistakes\n  line ", errors.file.display())),
        "{errors}"
    );
}

#[test]
fn syntax_errors_are_told_with_their_lines_and_hide_nothing_else() {
    let text = EXAMPLE
        .replace("#language = \"en\"", "language = \"en")
        .replace("#settle_ms = 300", "setle_ms = 300")
        .replace("[sweep]", "[sweep");
    let errors = Place::new(&text).load().unwrap_err();
    let line = |part: &str| text.lines().position(|line| line == part).map(|at| at + 1);
    let lines: Vec<_> = errors
        .mistakes
        .iter()
        .filter(|mistake| mistake.problem.starts_with("this is not TOML"))
        .map(|mistake| mistake.line)
        .collect();
    assert!(
        lines.contains(&line("language = \"en")) && lines.contains(&line("[sweep")),
        "{errors}"
    );
    assert!(
        errors
            .mistakes
            .iter()
            .any(|mistake| mistake.key == "plugins.setle_ms"),
        "{errors}"
    );
    assert!(!errors.to_string().contains("it is missing"), "{errors}");
}

/// The example, and its connection once more with another id.
fn two_connections(id: &str) -> String {
    let at = EXAMPLE.find("\n[[connection]]").unwrap();
    let second = EXAMPLE[at..].replace("id = \"contoso\"", &format!("id = \"{id}\""));
    EXAMPLE.to_owned() + &second
}

#[test]
fn two_connections_of_one_id_are_refused() {
    let errors = Place::new(&two_connections("contoso")).load().unwrap_err();
    let [mistake] = &errors.mistakes[..] else {
        panic!("{errors}")
    };
    assert!(
        mistake.key == "connection.id" && mistake.problem.contains("\"contoso\" is there twice"),
        "{errors}"
    );
    let two = Place::new(&two_connections("fabrikam")).load().unwrap();
    assert_eq!(two.connections.len(), 2);
}

#[test]
fn s23_one_connection_of_a_tenant_registers_and_all_of_them_hear() {
    let registers =
        |text: String| text.replace("#register_webhook = false", "register_webhook = true");
    let text = registers(two_connections("fabrikam"));
    let errors = Place::new(&text).load().unwrap_err();
    let [mistake] = &errors.mistakes[..] else {
        panic!("{errors}")
    };
    assert_eq!(mistake.key, "connection.partner_center.register_webhook");
    let told = mistake.problem.contains("\"contoso\" registers");
    assert!(told && mistake.hint.contains("set it to false"), "{errors}");
    // Another tenant has a registration of its own.
    let [one, other] =
        ["11111111", "22222222"].map(|start| format!("{start}-0000-4000-8000-000000000001"));
    let two = Place::new(&tenants(&text, [&one, &other])).load().unwrap();
    let mut connections = two.connections.iter();
    assert!(connections.all(|one| one.partner_center.register_webhook));
}

/// The text of two connections, of these tenants.
fn tenants(text: &str, [one, other]: [&str; 2]) -> String {
    let (first, second) = text.split_at(text.rfind("[[connection]]").unwrap());
    let of = |text: &str, tenant: &str| {
        text.replacen(
            "tenant = \"contoso.onmicrosoft.com\"",
            &format!("tenant = \"{tenant}\""),
            1,
        )
    };
    of(first, one) + &of(second, other)
}

#[test]
fn s23_whether_two_connections_are_of_one_tenant_has_to_be_seen() {
    let text = two_connections("fabrikam");
    let id = "11111111-0000-4000-8000-00000000000a";
    let (domain, alias) = ("contoso.onmicrosoft.com", "contoso.example");
    for mixed in [[id, domain], [domain, id], [domain, alias]] {
        let errors = Place::new(&tenants(&text, mixed)).load().unwrap_err();
        let [mistake] = &errors.mistakes[..] else {
            panic!("{errors}")
        };
        assert_eq!(mistake.key, "connection.entra.tenant", "{mixed:?}");
        assert!(mistake.problem.contains(mixed[0]), "{errors}");
        assert!(mistake.hint.contains("GUID"), "{errors}");
    }
    let other_case = id.to_ascii_uppercase();
    for same in [[id, id], [id, &*other_case], [domain, domain]] {
        let two = Place::new(&tenants(&text, same)).load().unwrap();
        let [one, other] = &two.connections[..] else {
            panic!("two connections")
        };
        assert_eq!(one.entra.tenant, other.entra.tenant);
    }
}

#[test]
fn what_could_never_work_is_no_good_configuration() {
    for (from, to, key, problem) in [
        (
            "# country = [\"HU\", \"DE\"]",
            "country = [\"Hungary\"]",
            "connection.route.country",
            "ISO 3166-1 alpha-2",
        ),
        (
            "path = \"data/cosell.db\"",
            "path = \"data\"",
            "store.path",
            "is a folder",
        ),
        (
            "public_url = \"https://cosell.contoso.example\"",
            "public_url = \"https://cosell.contoso.example/webhooks/partner-center/contoso\"",
            "server.public_url",
            "there is more than the host",
        ),
        (
            "#events = [\"referral-created\"",
            "events = [\"referral-craeted\"",
            "webhook.events",
            "did you mean \"referral-created\"",
        ),
        (
            "# listen = \"127.0.0.1:9464\"",
            "listen = \"127.0.0.1:8080\"",
            "metrics.listen",
            "another one than [server] listen",
        ),
    ] {
        let said = Place::new(&example_with(from, to)).load().unwrap_err();
        let said = said.to_string();
        assert!(said.contains(key) && said.contains(problem), "{said}");
    }
}

#[test]
fn a_wrong_grace_spoils_no_section_that_is_right() {
    let text = example_with("#grace_minutes = 10", "grace_minutes = \"ten\"");
    let errors = Place::new(&text).load().unwrap_err();
    let keys: Vec<_> = errors.mistakes.iter().map(|one| one.key.as_str()).collect();
    assert_eq!(keys, ["connection.policy.grace_minutes"], "{errors}");
}

#[test]
fn a_file_that_is_not_there_says_where_to_start() {
    let error = Config::load(Path::new("nowhere/cosell.toml"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("nowhere/cosell.toml: 1 mistake") && error.contains("cosell config example"),
        "{error}"
    );
}

#[test]
fn a_store_is_a_file_or_a_database_and_no_mistake_repeats_a_password() {
    let path = "path = \"data/cosell.db\"";
    let with = |store: &str| Place::new(&example_with(path, store)).load();
    let config = with("url = \"postgres://cosell@db.contoso.example/sales\"")
        .unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(
        config.store.to_string(),
        "postgres://cosell@db.contoso.example:5432/sales?schema=cosell"
    );
    for (store, problem) in [
        (
            "url = \"postgres://u:tell-nobody@h/d\"",
            "there is a password in it",
        ),
        ("url = \"mysql://u:tell-nobody@h/d\"", "mysql: is no store"),
        ("url = \"postgres://u:tell-nobody@h\"", "names no database"),
        ("url = \"data/cosell.db\"", "no address of a database"),
        (
            "url = \"postgres://u@h/d?passfile=/nowhere/password\"",
            "cannot read the password in /nowhere/password",
        ),
        ("url = 5", "expected a text"),
        (
            "path = \"data/cosell.db\"\nurl = \"postgres://u:tell-nobody@h/d\"",
            "there is a path already",
        ),
    ] {
        let said = with(store).unwrap_err().to_string();
        assert!(
            said.contains("store.url") && said.contains(problem),
            "{said}"
        );
        assert!(!said.contains("tell-nobody"), "{said}");
    }
}
