//! `examples/cosell.toml` is true: it loads, its defaults are the defaults, and it has every key.

use super::*;

#[test]
fn the_example_loads() {
    let place = Place::new(EXAMPLE);
    let config = place.load().unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.store.file(), Some(&*place.path("data/cosell.db")));
    assert_eq!(config.plugins.cache, place.path("data/plugin-cache"));
    assert_eq!(
        config.webhook_address(Source::Dataverse, "contoso"),
        "https://cosell.contoso.example/webhooks/dataverse/contoso"
    );
    let [connection] = &config.connections[..] else {
        panic!("{config:?}")
    };
    assert_eq!(connection.dataverse.tenant, "contoso.onmicrosoft.com");
    assert!(connection.dataverse.app.proof.is_something());
    assert_eq!(
        connection.dataverse.webhook.secret.expose_secret(),
        format!("{SECRET}-webhook-secret")
    );
    assert_eq!(
        connection.partner_center.refresh_token,
        place.path("secrets/partner-center-refresh-token")
    );
    assert_eq!(
        connection.partner_center.link_base,
        "https://partner.microsoft.com/referrals/v2/inbox?id="
    );
    assert_eq!(connection.policy.patience.quiet_ms, 60_000);
    assert_eq!(connection.policy.policies.conflict, Winner::Ask);
    assert_eq!(
        connection.policy.policies.conflict_of.get(&Unit::Value),
        Some(&Winner::Wins(Side::Crm))
    );
}

#[test]
fn every_default_in_the_manual_is_true() {
    let is_default = |line: &str| {
        line.strip_prefix('#')
            .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_lowercase()))
    };
    let spelt: String = EXAMPLE
        .lines()
        .map(|line| {
            if is_default(line) {
                line[1..].to_owned() + "\n"
            } else {
                line.to_owned() + "\n"
            }
        })
        .collect();
    assert!(EXAMPLE.lines().filter(|line| is_default(line)).count() > 20);
    let place = Place::new(EXAMPLE);
    let silent = place.load().unwrap();
    place.put("cosell.toml", &spelt);
    let spoken = place.load().unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(format!("{silent:#?}"), format!("{spoken:#?}"));
}

#[test]
fn every_key_is_in_the_manual_and_the_manual_has_no_other() {
    let place = Place::new(EXAMPLE);
    let file = place.path("cosell.toml");
    let page = Page::new(&file, EXAMPLE, &|_| None);
    assert!(read_root(&page).is_some());
    let asked = page.asked();

    let mut shown = BTreeSet::new();
    let mut section = String::new();
    for line in EXAMPLE.lines() {
        let line = line
            .strip_prefix("# ")
            .or(line.strip_prefix('#'))
            .unwrap_or(line);
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_matches(['[', ']']).to_owned();
            // A section is a key of its parent, and so are its parents.
            let parts: Vec<_> = section.split('.').collect();
            (1..=parts.len()).for_each(|end| {
                shown.insert(parts[..end].join("."));
            });
        } else if let Some((key, _)) = line.split_once(" = ").filter(|(key, _)| {
            key.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        }) {
            // Free keys: units, not ours.
            if section != "connection.policy.on_conflict_of" {
                shown.insert(format!("{section}.{key}"));
            }
        }
    }
    assert_eq!(
        asked.difference(&shown).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "known to the host, not in the manual"
    );
    assert_eq!(
        shown.difference(&asked).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "in the manual, not known to the host"
    );
}

#[test]
fn one_address_may_have_all_sockets_unless_a_number_says_otherwise() {
    let of_one = |text: &str| Place::new(text).load().unwrap().limits.sockets_per_address;
    assert_eq!(of_one(EXAMPLE), None);
    let text = example_with("#sockets_per_address = 0", "sockets_per_address = 64");
    assert_eq!(of_one(&text), Some(64));
}
