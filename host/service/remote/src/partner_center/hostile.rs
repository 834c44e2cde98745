//! Referrals as nobody ought to send them.

use cosell_fuzz::{bounded, survives, told};
use cosell_sync::deal::{Deal, Help, Unit};

use super::pages::Listed;
use super::webhooks::test_id;
use super::{
    CreateOptions, LINK_BASE, Referral, Registration, TestResult, create_body, invite_body,
    patch_ops, read,
};
use crate::hostile::{WORDS, folder, genuine};
use crate::json;

/// What a deal of these units says when it has been a referral.
fn told_again(deal: &Deal, own: &Referral) -> Result<(), String> {
    let options = CreateOptions {
        external_reference: Some("1".to_owned()),
        partner_location: None,
        contacts_may_be_shared: true,
    };
    let Ok(body) = create_body(deal, &options) else {
        return Ok(());
    };
    let Some(mut members) = json::object(body.as_str()) else {
        return Err(format!("what is sent is no object: {}", body.as_str()));
    };
    members.insert("id".to_owned(), json::raw(&own.id));
    let document = json::Body::of(&members);
    let again = Referral::parse(document.as_str())
        .map_err(|why| format!("what is sent is no referral: {why:?}"))?;
    let again = read(&again, None, LINK_BASE).units;
    for unit in [Unit::Name, Unit::Value, Unit::Notes, Unit::CloseDate] {
        let was = deal.units.get(&unit);
        // What is empty is not sent, and a text that is only spaces is no text.
        if was.is_some_and(|was| !was.is_empty()) && again.get(&unit) != was {
            return Err(format!("{unit} was {was:?} and is {:?}", again.get(&unit)));
        }
    }
    Ok(())
}

#[test]
fn a_referral_is_read_or_refused_and_can_be_written() {
    for name in ["own", "microsofts", "nulls", "least"] {
        Referral::parse(&genuine("referral", name)).unwrap();
    }
    survives(&folder("referral"), &WORDS, 1_200, |input| {
        let Ok(document) = std::str::from_utf8(input) else {
            return Ok(());
        };
        let own = match Referral::parse(document) {
            Ok(own) => own,
            Err(why) => return told(input, &why.to_string()),
        };
        if own.raw != document {
            return Err("the document was not kept as it came".to_owned());
        }
        let view = read(&own, Some(&own), LINK_BASE);
        bounded(input, format!("{view:?}").len())?;
        let deal = Deal {
            units: read(&own, None, LINK_BASE).units,
            referral: None,
        };
        let mut same = deal.units.clone();
        same.remove(&Unit::Help);
        match patch_ops(&own, &same) {
            Ok(patch) if patch.is_empty() => {}
            other => return Err(format!("a deal as it stands there becomes {other:?}")),
        }
        if let Ok(invitation) = invite_body(&own, &deal, &Help::GeneralOrOther) {
            bounded(input, invitation.as_str().len())?;
        }
        told_again(&deal, &own)
    });
}

/// What stands in lists and registrations.
const ADDRESSES: [&str; 8] = [
    "?",
    "#",
    "http://api.partnercenter.example/v1.0/referrals?$skiptoken=2",
    "\"WebhookUrl\":",
    "\"webhookEvents\":[",
    "\"signatureTokenToMsSignatureHeader\":",
    "\"correlationId\":",
    "\"results\":[{\"responseCode\":\"OK\"}]",
];

#[test]
fn of_a_page_each_referral_is_read_or_told() {
    let page = Listed::parse(&genuine("referrals", "first")).unwrap();
    assert_eq!(page.referrals.len(), 2);
    assert_eq!(page.next.as_deref(), Some("$top=2&$skiptoken=abc"));
    let last = Listed::parse(&genuine("referrals", "last")).unwrap();
    assert_eq!((last.referrals.len(), last.next), (1, None));
    let odd = Listed::parse(&genuine("referrals", "one-is-none")).unwrap();
    assert_eq!((odd.referrals.len(), odd.unread.len()), (1, 1));
    let words = [&WORDS[..], &ADDRESSES].concat();
    survives(&folder("referrals"), &words, 1_200, |input| {
        let Ok(document) = std::str::from_utf8(input) else {
            return Ok(());
        };
        let page = match Listed::parse(document) {
            Ok(page) => page,
            Err(why) => return told(input, &why.to_string()),
        };
        if page.next.as_ref().is_some_and(|next| next.contains('#')) {
            return Err(format!("where it goes on leads elsewhere: {:?}", page.next));
        }
        for (_, why) in &page.unread {
            told(input, &why.to_string())?;
        }
        let read = page.referrals.iter().map(|referral| referral.raw.len());
        let unread = page.unread.iter().map(|(raw, _)| raw.len());
        bounded(input, read.chain(unread).sum())
    });
}

#[test]
fn a_registration_is_read_or_refused() {
    let there = Registration::parse(&genuine("registration", "documented")).unwrap();
    assert_eq!(there.events, ["referral-created", "referral-updated"]);
    assert!(there.signature_header && there.url.starts_with("https://"));
    let result = TestResult::parse(&genuine("registration", "test-over")).unwrap();
    assert_eq!(
        (&*result.status, &*result.responses),
        ("completed", &["OK".to_owned()][..])
    );
    for name in ["test-asked", "test-asked-bare"] {
        let id = test_id(&genuine("registration", name));
        assert_eq!(id.as_deref(), Some("04af2aea-d413-42db-824e-f328001484d1"));
    }
    let words = [&WORDS[..], &ADDRESSES].concat();
    survives(&folder("registration"), &words, 2_000, |input| {
        let Ok(document) = std::str::from_utf8(input) else {
            return Ok(());
        };
        let read = format!("{:?}{:?}", TestResult::parse(document), test_id(document));
        bounded(input, read.len())?;
        match Registration::parse(document) {
            Ok(there) if there.url.trim().is_empty() => Err("its address is empty".to_owned()),
            Ok(there) => bounded(input, format!("{there:?}").len()),
            Err(why) => told(input, why),
        }
    });
}
