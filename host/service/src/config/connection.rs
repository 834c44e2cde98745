//! `[[connection]]`: one partner tenant with one CRM environment.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use cosell_sync::brake::MassLimits;
use cosell_sync::budget::Limits;
use cosell_sync::course::Patience;
use cosell_sync::deal::Unit;
use cosell_sync::delta::Order;
use cosell_sync::hold::{Irreversible, Rule as HoldRule, Rules};
use cosell_sync::merge::{Policies, Policy as Winner};
use cosell_sync::route::{Rule as Route, Trait};
use cosell_sync::side::Side;
use cosell_webhook::{
    CERTIFICATE_HOSTS, CERTIFICATE_SUBJECT, DataverseSettings, HostRule, ORGANIZATION,
    PartnerCenterSettings, SECRET_HEADER, SECRET_LENGTH_MIN, WATCHED_EVENTS,
};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::page::{Section, nearest};
use super::secret::{self, AppProof};

const AUTHORITY: &str = "https://login.microsoftonline.com";
const REFERRALS: &str = "https://api.partner.microsoft.com/v1.0/engagements";
const REGISTRATION: &str = "https://api.partnercenter.microsoft.com/webhooks/v1";
const LINK_BASE: &str = "https://partner.microsoft.com/referrals/v2/inbox?id=";
/// Longest id of a connection: it leads every key of the store and stands in two addresses.
const ID_CHARS_MAX: usize = 40;
/// A seller types a new deal in several saves.
const QUIET_S: u64 = 60;
/// A close that was clicked by mistake is noticed within minutes.
const GRACE_MINUTES: u64 = 10;
/// Far above a busy day's ten minutes, far below what a restored environment or a mistake in a mapping does.
const MASS_WRITES: u64 = 1_000;
const MASS_IRREVERSIBLE: u64 = 50;
const MASS_WINDOW_MINUTES: u64 = 10;
/// Solution and contact come after the sync switch; half an hour later nobody is still typing.
const INCOMPLETE_MINUTES: u64 = 30;

/// One partner tenant with one CRM environment.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Leads every key of the store; the last part of the webhook addresses.
    pub id: String,
    /// Who gives tokens.
    pub entra: Entra,
    /// The referrals.
    pub partner_center: PartnerCenter,
    /// The CRM.
    pub dataverse: Dataverse,
    /// Who wins, and what waits.
    pub policy: Policy,
    /// Which inbound deals are this connection's (S23).
    pub route: Route,
}

/// `[connection.entra]`
#[derive(Debug, Clone)]
pub struct Entra {
    /// Where tokens are asked for.
    pub authority: Url,
    /// GUID or verified domain of the partner tenant.
    pub tenant: String,
}

/// `[connection.partner_center]`
#[derive(Debug, Clone)]
pub struct PartnerCenter {
    /// The referrals API.
    pub base_url: Url,
    /// The webhook registration API.
    pub webhook_url: Url,
    /// GUID of the application.
    pub client_id: String,
    /// Of the application; a public client has none.
    pub app: AppProof,
    /// The file in which the refresh token of the signed-in user is kept and renewed. It is there, and private.
    pub refresh_token: PathBuf,
    /// What stands before a referral's id in a link for people.
    pub link_base: String,
    /// The PartnerID location that owns new deals; None leaves it to Partner Center.
    pub location: Option<String>,
    /// Register our address at start.
    pub register_webhook: bool,
    /// How its events prove themselves.
    pub webhook: PartnerCenterSettings,
}

/// `[connection.dataverse]`
#[derive(Debug, Clone)]
pub struct Dataverse {
    /// The organisation.
    pub url: Url,
    /// Of the CRM; usually the partner tenant.
    pub tenant: String,
    /// GUID of the application.
    pub client_id: String,
    /// Of the application.
    pub app: AppProof,
    /// How its events prove themselves.
    pub webhook: DataverseSettings,
    /// Register endpoint and steps at start.
    pub subscribe: bool,
    /// What the organisation allows this application user.
    pub budget: Limits,
}

/// `[connection.policy]`
#[derive(Debug, Clone)]
pub struct Policy {
    /// Who wins.
    pub policies: Policies,
    /// What waits.
    pub patience: Patience,
    /// The partner declares that its customers consent to their contacts being shared with Microsoft (S24).
    pub contacts_may_be_shared: bool,
    /// When what cannot be taken back may go (S24).
    pub holds: Rules,
    /// When a batch of writes looks like an accident (S25).
    pub mass: MassLimits,
    /// What becomes of linked deals when the mapping changes (S8).
    pub mapping_changes: Order,
}

/// What the connections that stand before one have taken.
#[derive(Debug, Default)]
pub(super) struct Taken {
    ids: BTreeSet<String>,
    /// Who registers the address to which a tenant posts.
    registering: BTreeMap<String, String>,
    /// Partner tenants, and whose they are.
    tenants: BTreeMap<String, String>,
}

/// `taken`: by the connections before this one.
pub(super) fn read(
    section: &Section<'_>,
    extra_roots: Option<&str>,
    taken: &mut Taken,
) -> Option<Connection> {
    let id = section.parsed(
        "id",
        None,
        "a short name of small letters, digits and dashes such as \"contoso\"",
        |text| {
            let fits = !text.is_empty()
                && text.len() <= ID_CHARS_MAX
                && !text.starts_with('-')
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
            fits.then(|| text.to_owned())
        },
    );
    if let (Some(id), Some(value)) = (&id, section.get("id"))
        && !taken.ids.insert(id.clone())
    {
        section.broken(
            "id",
            value,
            format!("the connection \"{id}\" is there twice"),
            "give each connection an id of its own",
        );
    }
    let entra = section.section("entra", |section| {
        let authority = section.url("authority", Some(AUTHORITY));
        let tenant = section.parsed("tenant", None, TENANT, tenant);
        if let (Some(id), Some(tenant)) = (&id, &tenant) {
            is_told_apart(section, id, tenant, taken);
        }
        Some(Entra {
            authority: authority?,
            tenant: tenant?,
        })
    });
    let partner_center = section.section("partner_center", |section| {
        let read = partner_center(section, extra_roots);
        if let (Some(id), Some(entra)) = (&id, &entra) {
            registers_alone(section, id, &entra.tenant, taken);
        }
        read
    });
    let dataverse = section.section("dataverse", |section| dataverse(section, entra.as_ref()));
    let policy = section.section("policy", policy);
    let route = route(section);
    Some(Connection {
        id: id?,
        entra: entra?,
        partner_center: partner_center?,
        dataverse: dataverse?,
        policy: policy?,
        route: route?,
    })
}

/// Connections of one tenant share its inbound deals (S23), so it has to be seen whether two are of one. A tenant has one id and many domains.
fn is_told_apart(section: &Section<'_>, id: &str, tenant: &str, taken: &mut Taken) {
    let is_id = |tenant: &str| guid(tenant).is_some();
    let other = taken
        .tenants
        .iter()
        .find(|(other, _)| other.as_str() != tenant && !(is_id(other) && is_id(tenant)));
    if let (Some((other, whose)), Some(value)) = (other, section.get("tenant")) {
        section.broken(
            "tenant",
            value,
            format!("the connection \"{whose}\" says {other}: whether the two are one tenant cannot be seen, and connections of one tenant share its deals"),
            "write the tenant id (a GUID) in both; Entra shows it under Overview",
        );
    }
    taken.tenants.insert(tenant.to_owned(), id.to_owned());
}

/// A tenant has one registration: of two that register, each would take the events from the other, with every sweep.
fn registers_alone(section: &Section<'_>, id: &str, tenant: &str, taken: &mut Taken) {
    let key = "register_webhook";
    let Some(value) = section
        .get(key)
        .filter(|_| section.flag(key, false) == Some(true))
    else {
        return;
    };
    match taken.registering.get(tenant) {
        Some(other) => section.broken(
            key,
            value,
            format!("the connection \"{other}\" registers the address of this tenant already, and a tenant has one"),
            "set it to false here: whatever arrives there is heard by every connection of the tenant",
        ),
        None => drop(taken.registering.insert(tenant.to_owned(), id.to_owned())),
    }
}

const TENANT: &str = "a tenant id (GUID) or a verified domain such as \"contoso.onmicrosoft.com\"";
const CLIENT: &str = "the application (client) id, a GUID";

fn tenant(text: &str) -> Option<String> {
    let fits = !text.is_empty()
        && text.len() <= 253
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    fits.then(|| guid(text).unwrap_or_else(|| text.to_ascii_lowercase()))
}

fn guid(text: &str) -> Option<String> {
    uuid::Uuid::try_parse(text)
        .ok()
        .map(|id| id.hyphenated().to_string())
}

fn line(text: &str) -> Option<String> {
    let fits = !text.trim().is_empty() && text.len() <= 256 && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}

fn partner_center(section: &Section<'_>, extra_roots: Option<&str>) -> Option<PartnerCenter> {
    let base_url = section.url("base_url", Some(REFERRALS));
    let webhook_url = section.url("webhook_url", Some(REGISTRATION));
    let client_id = section.parsed("client_id", None, CLIENT, guid);
    let app = secret::proof(section, true);
    let refresh_token = secret::renewed_file(section, "refresh_token");
    // It carries a query, so it is not an address in the sense of the others; no token ever goes there.
    let link_base = section.parsed(
        "link_base",
        Some(LINK_BASE),
        "an address to which a referral's id can be appended",
        |text| {
            Url::parse(text)
                .is_ok_and(|url| ["http", "https"].contains(&url.scheme()))
                .then(|| text.to_owned())
        },
    );
    let location = section.optional("location", "a PartnerID (MPN) number", |text| {
        (!text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.to_owned())
    });
    let register_webhook = section.flag("register_webhook", false);
    let webhook = section.section("webhook", |section| signature(section, extra_roots));
    Some(PartnerCenter {
        base_url: base_url?,
        webhook_url: webhook_url?,
        client_id: client_id?,
        app: app?,
        refresh_token: refresh_token?,
        link_base: link_base?,
        location: location?,
        register_webhook: register_webhook?,
        webhook: webhook?,
    })
}

fn signature(section: &Section<'_>, extra_roots: Option<&str>) -> Option<PartnerCenterSettings> {
    let certificate_hosts = section.list(
        "certificate_hosts",
        &CERTIFICATE_HOSTS,
        "a host, host:port or *.domain in quotes",
        |text| text.parse::<HostRule>().ok(),
    );
    let roots_there = section.get("certificate_roots");
    if roots_there.is_none() {
        section.missing("certificate_roots", "name a PEM file, or a folder of them, with the roots to which Microsoft's signing certificate leads; nothing is trusted by default");
    }
    let certificate_roots = section.pem("certificate_roots");
    let organization = section.parsed(
        "organization",
        Some(ORGANIZATION),
        "an organisation's name",
        line,
    );
    let certificate_subject = section.parsed(
        "certificate_subject",
        Some(CERTIFICATE_SUBJECT),
        "the name in the certificate",
        line,
    );
    let allow_private_certificate_hosts = section.flag("allow_private_certificate_hosts", false);
    let events = section
        .list("events", &WATCHED_EVENTS, "the name of an event", line)
        .filter(|events| are_meant(section, events));
    let settings = PartnerCenterSettings {
        certificate_hosts: certificate_hosts?,
        certificate_roots: certificate_roots?,
        organization: organization?,
        certificate_subject: certificate_subject?,
        allow_private_certificate_hosts: allow_private_certificate_hosts?,
        tls_roots: extra_roots.map(str::to_owned),
        events: events?,
    };
    match (settings.check(), roots_there) {
        (Err(problem), Some(value)) => {
            section.broken(
                "certificate_roots",
                value,
                problem,
                "name a PEM file, or a folder of them, with certificates of authorities",
            );
            None
        }
        _ => Some(settings),
    }
}

/// Partner Center may send events that nobody has written down, but one that is nearly called as a known one rings no bell, ever.
fn are_meant(section: &Section<'_>, events: &[String]) -> bool {
    let known = BTreeSet::from(WATCHED_EVENTS);
    let mut are_meant = true;
    for event in events
        .iter()
        .filter(|event| !known.contains(event.as_str()))
    {
        if let (Some(near), Some(value)) = (nearest(event, &known), section.get("events")) {
            section.broken(
                "events",
                value,
                format!("Partner Center sends no event \"{event}\""),
                &format!("did you mean \"{near}\"?"),
            );
            are_meant = false;
        }
    }
    are_meant
}

fn dataverse(section: &Section<'_>, entra: Option<&Entra>) -> Option<Dataverse> {
    let url = section.url("url", None);
    let own_tenant = section.optional("tenant", TENANT, tenant);
    let client_id = section.parsed("client_id", None, CLIENT, guid);
    let app = secret::proof(section, false);
    let webhook_secret = long_enough(
        section,
        "webhook_secret",
        secret::required(section, "webhook_secret").map(Some),
    )
    .flatten();
    let previous = secret::optional(section, "webhook_secret_previous");
    let webhook_secret_previous = long_enough(section, "webhook_secret_previous", previous);
    let webhook_header = section.parsed(
        "webhook_header",
        Some(SECRET_HEADER),
        "the name of a header, or nothing",
        |text| {
            let fits = text.len() <= 64
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            fits.then(|| text.to_ascii_lowercase())
        },
    );
    let subscribe = section.flag("subscribe", true);
    let budget = section.section("budget", budget);
    let tenant = own_tenant?.or_else(|| entra.map(|entra| entra.tenant.clone()));
    Some(Dataverse {
        url: url?,
        tenant: tenant?,
        client_id: client_id?,
        app: app?,
        webhook: DataverseSettings {
            secret: webhook_secret?,
            secret_previous: webhook_secret_previous?,
            secret_header: webhook_header?,
        },
        subscribe: subscribe?,
        budget: budget?,
    })
}

/// `[connection.dataverse.budget]`: service protection limits. (dataverse 5)
fn budget(section: &Section<'_>) -> Option<Limits> {
    let window = section.number("window_s", 1..=3_600, 300);
    let requests = section.number("requests", 1..=10_000_000, 6_000);
    let execution = section.number("execution_s", 1..=1_000_000, 1_200);
    let at_once = section.number("at_once", 1..=1_000, 52);
    let bulk = section.number("bulk_percent", 1..=100, 50);
    Some(Limits {
        window_ms: window? * 1_000,
        requests: u32::try_from(requests?).ok()?,
        execution_ms: execution? * 1_000,
        at_once: u32::try_from(at_once?).ok()?,
        bulk_percent: u32::try_from(bulk?).ok()?,
        is_shared: true,
    })
}

/// The webhook secret is all that Dataverse's events have to show.
fn long_enough(
    section: &Section<'_>,
    key: &'static str,
    secret: Option<Option<SecretString>>,
) -> Option<Option<SecretString>> {
    let length = secret
        .as_ref()?
        .as_ref()
        .map(|secret| secret.expose_secret().chars().count());
    if let (Some(length), Some(value)) = (
        length.filter(|length| *length < SECRET_LENGTH_MIN),
        section.get(key),
    ) {
        section.broken(
            key,
            value,
            format!("the secret has {length} characters"),
            &format!("use at least {SECRET_LENGTH_MIN}, for example from: openssl rand -hex 32"),
        );
        return None;
    }
    secret
}

fn policy(section: &Section<'_>) -> Option<Policy> {
    const PARTNER_CENTER: (&str, Winner) = ("partner-center", Winner::Wins(Side::PartnerCenter));
    const CRM: (&str, Winner) = ("crm", Winner::Wins(Side::Crm));
    const ASK: (&str, Winner) = ("ask", Winner::Ask);
    const CONFLICTS: [(&str, Winner); 4] = [PARTNER_CENTER, CRM, ("newest", Winner::Newest), ASK];

    let link = section.one_of("on_link", "ask", &[PARTNER_CENTER, CRM, ASK]);
    let conflict = section.one_of("on_conflict", "ask", &CONFLICTS);
    let mut conflict_of = Some(BTreeMap::new());
    for (name, value) in section.entries("on_conflict_of") {
        let unit = Unit::parse(&name);
        if unit.is_none() {
            let named = Unit::NAMED
                .iter()
                .map(Unit::as_text)
                .collect::<Vec<_>>()
                .join(", ");
            section.broken(
                "on_conflict_of",
                value,
                format!("a deal has no unit \"{name}\""),
                &format!("units are {named}, and more:NAME"),
            );
        }
        let winner = value
            .get_ref()
            .as_str()
            .and_then(|word| CONFLICTS.iter().find(|(known, _)| *known == word));
        if winner.is_none() {
            section.wrong(
                "on_conflict_of",
                value,
                "\"partner-center\", \"crm\", \"newest\" or \"ask\"",
                "",
            );
        }
        conflict_of = conflict_of
            .zip(unit.zip(winner))
            .map(|(mut all, (unit, (_, winner)))| {
                all.insert(unit, *winner);
                all
            });
    }
    let holds = holds(section);
    let mass = mass(section);
    let mapping_changes = section.one_of("mapping_changes", "new-deals-only", &Order::WORDS);
    let quiet = section.number("quiet_period_s", 0..=86_400, QUIET_S);
    let incomplete = section.number("incomplete_minutes", 0..=10_080, INCOMPLETE_MINUTES);
    let contacts_may_be_shared = section.flag("contacts_may_be_shared", false);
    let ms = |number: u64, factor: u64| i64::try_from(number * factor).ok();
    Some(Policy {
        policies: Policies {
            conflict: conflict?,
            conflict_of: conflict_of?,
            link: link?,
        },
        patience: Patience {
            quiet_ms: ms(quiet?, 1_000)?,
            incomplete_ms: ms(incomplete?, 60_000)?,
        },
        contacts_may_be_shared: contacts_may_be_shared?,
        holds: holds?,
        mass: mass?,
        mapping_changes: mapping_changes?,
    })
}

/// `[connection.policy.hold]`: each kind of write that cannot be taken back goes `at-once`, after the `grace` period, or when a person says
/// so (`confirm`).
fn holds(section: &Section<'_>) -> Option<Rules> {
    let grace = section.number("grace_minutes", 0..=10_080, GRACE_MINUTES);
    // Whatever is wrong with it, what stands in `hold` is looked at: the mistake is one, and is told once.
    let minutes = grace.unwrap_or(GRACE_MINUTES);
    let after = HoldRule::After(i64::try_from(minutes * 60_000).ok()?);
    let words = [
        ("at-once", HoldRule::AtOnce),
        ("grace", after),
        ("confirm", HoldRule::OnConfirmation),
    ];
    // What a seller asked for by a column of its own goes at once; a close by mistake is the usual accident.
    let defaults = [
        (Irreversible::Visibility, "at-once"),
        (Irreversible::Help, "at-once"),
        (Irreversible::Contacts, "at-once"),
        (Irreversible::Won, "grace"),
        (Irreversible::Lost, "grace"),
        (Irreversible::Declined, "grace"),
    ];
    let rules = section.section("hold", |section| {
        let rules = defaults.map(|(kind, default)| {
            let rule = section.one_of(kind.as_str(), default, &words);
            rule.map(|rule| (kind, rule))
        });
        rules.into_iter().collect()
    });
    grace.and(rules)
}

fn mass(section: &Section<'_>) -> Option<MassLimits> {
    section.section("mass_change", |section| {
        let writes = section.number("writes", 0..=1_000_000, MASS_WRITES);
        let irreversible = section.number("irreversible", 0..=1_000_000, MASS_IRREVERSIBLE);
        let window = section.number("window_minutes", 1..=1_440, MASS_WINDOW_MINUTES);
        Some(MassLimits {
            writes_max: u32::try_from(writes?).ok()?,
            irreversible_max: u32::try_from(irreversible?).ok()?,
            window_ms: i64::try_from(window? * 60_000).ok()?,
        })
    })
}

/// `[connection.route]`: an inbound deal is this connection's when it has one of the values of every trait that is named.
fn route(section: &Section<'_>) -> Option<Route> {
    section.section("route", |section| {
        let word = |text: &str| (!text.trim().is_empty()).then(|| text.to_owned());
        // A name would never fit, and nobody would hear of it.
        let code = |text: &str| {
            let is_code = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic());
            is_code.then(|| text.to_ascii_uppercase())
        };
        let mut fits = Some(Vec::new());
        for (name, named) in Trait::WORDS {
            let values = match named {
                Trait::Country => section.list(
                    name,
                    &[],
                    "a country code of two letters such as \"HU\" (ISO 3166-1 alpha-2)",
                    code,
                ),
                _ => section.list(name, &[], "a value in quotes", word),
            };
            fits = fits.zip(values).map(|(mut all, values)| {
                if !values.is_empty() {
                    all.push((named, values));
                }
                all
            });
        }
        Some(Route { fits: fits? })
    })
}
