//! `[[connection]]`: one partner tenant with one CRM environment.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use cosell_sync::course::Patience;
use cosell_sync::deal::Unit;
use cosell_sync::merge::{Policies, Policy as Winner};
use cosell_sync::side::Side;
use cosell_webhook::{
    CERTIFICATE_HOSTS, CERTIFICATE_SUBJECT, DataverseSettings, HostRule, ORGANIZATION,
    PartnerCenterSettings, SECRET_HEADER, SECRET_LENGTH_MIN, WATCHED_EVENTS,
};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::page::Section;
use super::secret;

const AUTHORITY: &str = "https://login.microsoftonline.com";
const REFERRALS: &str = "https://api.partner.microsoft.com/v1.0/engagements";
const REGISTRATION: &str = "https://api.partnercenter.microsoft.com/webhooks/v1";
const LINK_BASE: &str = "https://partner.microsoft.com/referrals/v2/inbox?id=";
/// Longest id of a connection: it leads every key of the store and stands in two addresses.
const ID_CHARS_MAX: usize = 40;
/// A seller types a new deal in several saves.
const QUIET_S: u64 = 60;
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
    /// Of the application; None for a public client.
    pub secret: Option<SecretString>,
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
    pub secret: SecretString,
    /// How its events prove themselves.
    pub webhook: DataverseSettings,
    /// Register endpoint and steps at start.
    pub subscribe: bool,
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
}

/// `ids`: those of the connections before this one.
pub(super) fn read(
    section: &Section<'_>,
    extra_roots: Option<&str>,
    ids: &mut BTreeSet<String>,
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
        && !ids.insert(id.clone())
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
        Some(Entra {
            authority: authority?,
            tenant: tenant?,
        })
    });
    let partner_center = section.section("partner_center", |section| {
        partner_center(section, extra_roots)
    });
    let dataverse = section.section("dataverse", |section| dataverse(section, entra.as_ref()));
    let policy = section.section("policy", policy);
    Some(Connection {
        id: id?,
        entra: entra?,
        partner_center: partner_center?,
        dataverse: dataverse?,
        policy: policy?,
    })
}

const TENANT: &str = "a tenant id (GUID) or a verified domain such as \"contoso.onmicrosoft.com\"";
const CLIENT: &str = "the application (client) id, a GUID";

fn tenant(text: &str) -> Option<String> {
    let fits = !text.is_empty()
        && text.len() <= 253
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    fits.then(|| text.to_ascii_lowercase())
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
    let secret = secret::optional(section, "secret");
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
        secret: secret?,
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
    let events = section.list("events", &WATCHED_EVENTS, "the name of an event", line);
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

fn dataverse(section: &Section<'_>, entra: Option<&Entra>) -> Option<Dataverse> {
    let url = section.url("url", None);
    let own_tenant = section.optional("tenant", TENANT, tenant);
    let client_id = section.parsed("client_id", None, CLIENT, guid);
    let secret = secret::required(section, "secret");
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
        "the name of a header",
        |text| {
            let fits = !text.is_empty()
                && text.len() <= 64
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            fits.then(|| text.to_ascii_lowercase())
        },
    );
    let subscribe = section.flag("subscribe", true);
    let tenant = own_tenant?.or_else(|| entra.map(|entra| entra.tenant.clone()));
    Some(Dataverse {
        url: url?,
        tenant: tenant?,
        client_id: client_id?,
        secret: secret?,
        webhook: DataverseSettings {
            secret: webhook_secret?,
            secret_previous: webhook_secret_previous?,
            secret_header: webhook_header?,
        },
        subscribe: subscribe?,
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
    })
}
