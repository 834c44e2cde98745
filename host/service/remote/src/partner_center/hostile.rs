//! Referrals as nobody ought to send them.

use cosell_fuzz::{bounded, survives, told};
use cosell_sync::deal::{Deal, Help, Unit};

use super::{CreateOptions, LINK_BASE, Referral, create_body, invite_body, patch_ops, read};
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
