//! Hostile input: what an unproven caller writes is refused with a reason or read, and never a panic. `fuzz-corpus/` keeps inputs, one a file:
//! bodies of both sources, header lines of Partner Center, files from a certificate host, and the rules of an operator about such hosts.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cosell_fuzz::{bounded, survives, told};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

use crate::bell::VerifiedBell;
use crate::certificate::{HostRule, Trust};
use crate::event::guid;
use crate::partner_center::{self, PartnerCenterSettings};
use crate::refusal::Refusal;
use crate::{CERTIFICATE_SUBJECT, ORGANIZATION, WATCHED_EVENTS, dataverse};

const ROOTS: &str = include_str!("../fuzz-corpus/roots.pem");
/// A body, and the signature over it by the key of `certificate/leaf.pem`, which exists nowhere any more.
const SIGNED: &[u8] = include_bytes!("../fuzz-corpus/signed.json");
const SIGNATURE: &str = include_str!("../fuzz-corpus/signed.signature");

/// Words of a body.
const WORDS: [&str; 14] = [
    "\"EventName\":",
    "\"ResourceName\":",
    "\"ResourceUri\":",
    "\"referral-updated\"",
    "\"test-created\"",
    "\"MessageName\":",
    "\"PrimaryEntityName\":",
    "\"PrimaryEntityId\":",
    "\"SharedVariables\":[{\"key\":\"tag\",\"value\":\"x\"}]",
    "\"ParentContext\":",
    "00000000-0000-0000-0000-000000000000",
    "\u{feff}",
    "\\ud800",
    "\\u0000",
];

fn folder(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz-corpus")
        .join(kind)
}

fn listener() -> partner_center::Listener {
    let settings = PartnerCenterSettings::with_roots(ROOTS.to_owned());
    partner_center::Listener::new(settings, Duration::from_secs(1)).unwrap()
}

fn refused(input: &[u8], refusal: &Refusal) -> Result<(), String> {
    told(input, refusal.reason.message())?;
    told(input, refusal.reason.hint())
}

/// What leaves the door is fit for logs and stores, whatever was sent.
fn is_fit(input: &[u8], bell: &VerifiedBell) -> Result<(), String> {
    let is_name = |text: &String| {
        (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let is_guid = |text: &String| guid(text).as_ref() == Some(text);
    let fits = is_name(&bell.event)
        && is_name(&bell.kind)
        && is_guid(&bell.record)
        && bell.tags.iter().all(is_name)
        && bell.dedupe.as_ref().is_none_or(|key| key.len() == 64)
        && [&bell.correlation, &bell.organization, &bell.initiator]
            .into_iter()
            .flatten()
            .all(is_guid);
    if !fits {
        return Err(format!("the bell is not fit for a store: {bell:?}"));
    }
    bounded(input, format!("{bell:?}").len())
}

#[test]
fn a_body_of_partner_center_is_read_or_refused() {
    let listener = listener();
    let read = |body: &[u8]| listener.read("acme", body, UNIX_EPOCH);
    let genuine = std::fs::read(folder("partner-center").join("updated")).unwrap();
    assert!(matches!(read(&genuine), Ok(partner_center::Event::Bell(_))));
    survives(&folder("partner-center"), &WORDS, 1_500, |input| {
        let bell = match read(input) {
            Ok(partner_center::Event::Bell(bell)) => bell,
            Ok(partner_center::Event::Unknown(event)) => return bounded(input, event.len()),
            Ok(partner_center::Event::Test) => return Ok(()),
            Err(refusal) => return refused(input, &refusal),
        };
        is_fit(input, &bell)?;
        if !WATCHED_EVENTS.contains(&bell.event.as_str()) {
            return Err(format!("{} is watched by nobody", bell.event));
        }
        // Said again in the documented form it is the same bell.
        let again = json!({
            "EventName": bell.event, "ResourceName": bell.kind,
            "ResourceUri": format!("https://api.partner.microsoft.com/v1.0/engagements/referrals/{}", bell.record),
        });
        let again = read(again.to_string().as_bytes());
        let same = partner_center::Event::Bell(Box::new(VerifiedBell {
            dedupe: None,
            ..*bell
        }));
        match again {
            Ok(again) if again == same => Ok(()),
            other => Err(format!("{same:?} is read again as {other:?}")),
        }
    });
}

#[test]
fn a_body_of_dataverse_is_read_or_refused() {
    let read = |body: &[u8]| dataverse::Listener::read("acme", body, UNIX_EPOCH);
    let genuine = std::fs::read(folder("dataverse").join("update")).unwrap();
    assert!(matches!(read(&genuine), Ok(dataverse::Event::Bell(_))));
    survives(&folder("dataverse"), &WORDS, 1_500, |input| {
        let bell = match read(input) {
            Ok(dataverse::Event::Bell(bell)) => bell,
            Ok(dataverse::Event::Nothing(message)) => return bounded(input, message.len()),
            Err(refusal) => return refused(input, &refusal),
        };
        is_fit(input, &bell)?;
        let variables: Vec<_> = bell
            .tags
            .iter()
            .map(|tag| json!({"key": "tag", "value": tag}))
            .collect();
        let again = json!({
            "MessageName": bell.event, "PrimaryEntityName": bell.kind, "PrimaryEntityId": bell.record, "CorrelationId": bell.correlation,
            "OrganizationId": bell.organization, "InitiatingUserId": bell.initiator, "SharedVariables": variables,
        });
        let again = read(again.to_string().as_bytes());
        let same = dataverse::Event::Bell(Box::new(VerifiedBell {
            dedupe: None,
            ..*bell
        }));
        match again {
            Ok(again) if again == same => Ok(()),
            other => Err(format!("{same:?} is read again as {other:?}")),
        }
    });
}

#[test]
fn headers_of_partner_center_are_a_claim_or_refused() {
    let listener = listener();
    let words = [
        "authorization: Signature ",
        "x-ms-signature: Signature ",
        "x-ms-certificate-url: ",
        "x-ms-signature-algorithm: rsa-sha256\n",
        "https://",
        "pki.microsoft.com",
        "@evil.example/",
        "\\",
        "\t",
        "..",
        "%00",
        "[::1]",
    ];
    survives(&folder("partner-center-headers"), &words, 1_500, |input| {
        let mut headers = HeaderMap::new();
        for line in input.split(|byte| *byte == b'\n') {
            let Some(colon) = line.iter().position(|byte| *byte == b':') else {
                continue;
            };
            // What no server would take from the wire is no header.
            if let (Ok(name), Ok(value)) = (
                HeaderName::from_bytes(&line[..colon]),
                HeaderValue::from_bytes(line[colon + 1..].trim_ascii()),
            ) && headers.len() < 100
            {
                headers.append(name, value);
            }
        }
        match listener.claim(&headers) {
            Ok(claim) => {
                let host = claim.location().url().host_str().unwrap_or_default();
                let is_listed = host.ends_with(".microsoft.com")
                    || host == "3psostorageacct.blob.core.windows.net";
                if !is_listed || claim.location().url().scheme() != "https" {
                    return Err(format!("{host} would be asked for a certificate"));
                }
                bounded(input, format!("{claim:?}").len())
            }
            Err(refusal) => refused(input, &refusal),
        }
    });
}

#[test]
fn no_file_but_the_genuine_one_speaks_for_partner_center() {
    let trust = Trust::new(ROOTS, ORGANIZATION, CERTIFICATE_SUBJECT).unwrap();
    let signature = STANDARD.decode(SIGNATURE.trim()).unwrap();
    // Ten years after the files were made, and nobody waits for that.
    let now = UNIX_EPOCH + Duration::from_secs(2_100_000_000);
    let words = [
        "-----BEGIN CERTIFICATE-----\n",
        "-----END CERTIFICATE-----\n",
        "-----BEGIN PRIVATE KEY-----\n",
        "MII",
        "==",
        "0\u{2}",
    ];
    let check = |file: &[u8]| trust.check(file, now);
    for genuine in ["leaf.pem", "leaf.der", "chain-reversed.pem", "base64"] {
        let file = std::fs::read(folder("certificate").join(genuine)).unwrap();
        assert!(check(&file).is_ok(), "{genuine}");
    }
    survives(&folder("certificate"), &words, 400, |input| {
        let certificate = match check(input) {
            Ok(certificate) => certificate,
            Err(fault) => return told(input, &fault.to_string()),
        };
        if !certificate.signed(SIGNED, &signature) {
            return Err("another key speaks for Partner Center".to_owned());
        }
        if certificate.not_after <= now {
            return Err("it has ended".to_owned());
        }
        bounded(input, format!("{certificate:?}").len())
    });
}

#[test]
fn roots_are_read_or_refused() {
    let words = ["-----BEGIN CERTIFICATE-----\n", "MII"];
    survives(&folder("certificate"), &words, 150, |input| {
        let roots = String::from_utf8_lossy(input);
        match Trust::new(&roots, ORGANIZATION, CERTIFICATE_SUBJECT) {
            Ok(trust) => bounded(input, format!("{trust:?}").len()),
            Err(why) => told(input, &why),
        }
    });
}

#[test]
fn a_rule_about_hosts_is_written_as_it_is_read() {
    let words = ["*.", ".", ":443", ":8443", "microsoft.com", "[::1]", "xn--"];
    survives(&folder("certificate-host"), &words, 1_500, |input| {
        let Ok(text) = std::str::from_utf8(input) else {
            return Ok(());
        };
        let rule: HostRule = match text.parse() {
            Ok(rule) => rule,
            Err(why) => return told(input, &format!("{why}")),
        };
        let written = rule.to_string();
        if written.parse().as_ref() != Ok(&rule) {
            return Err(format!("{rule:?} is written {written}"));
        }
        bounded(input, written.len())
    });
}

/// The clock of the door may be set to before 1970, and is then as good as any.
#[test]
fn a_clock_before_all_time_is_no_panic() {
    let trust = Trust::new(ROOTS, ORGANIZATION, CERTIFICATE_SUBJECT).unwrap();
    let file = std::fs::read(folder("certificate").join("leaf.pem")).unwrap();
    let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
    assert!(trust.check(&file, before).is_err());
}
