//! Who is let in as what.

use cosell_guest_sdk::{prelude::*, test};

use super::{Stock, ctx};

const GATE: &str = "msft_microsoftpartnercenterreferralsync";

fn deal(standing: Standing, direction: Direction, category: Category) -> Deal {
    let mut deal = test::standard_deal();
    deal.state = DealState::from(standing);
    if let Some(referral) = &mut deal.referral {
        referral.direction = direction;
        referral.category = category;
    }
    deal
}

fn lead(on: bool) -> Option<Seen> {
    Some(test::seen(
        Row::new("lead", test::ROW_ID)
            .with(GATE, on)
            .with("statecode", Value::choice(0)),
    ))
}

fn decide(
    ctx: &Context,
    deal: Option<Deal>,
    seen: Option<Seen>,
    linked: bool,
    draft: Option<&Verdict>,
) -> Option<Verdict> {
    let arrival = Arrival {
        origin: Side::PartnerCenter,
        deal,
        seen,
        linked,
        more: Vec::new(),
    };
    <Stock as ShouldSync>::decide(ctx, &arrival, draft).unwrap()
}

fn not_accepted() -> Verdict {
    Verdict::skip("not-accepted", "nobody has accepted this deal yet")
}

fn code(verdict: Option<Verdict>) -> String {
    match verdict {
        Some(Verdict::Skip(reason)) => reason.code,
        other => format!("{other:?}"),
    }
}

const AS_LEAD: Option<Verdict> = Some(Verdict::Sync(RecordKind::Lead));
const AS_OPPORTUNITY: Option<Verdict> = Some(Verdict::Sync(RecordKind::Opportunity));

#[test]
fn an_incoming_referral_that_nobody_accepted_is_a_lead() {
    for standing in [Standing::Pending, Standing::Received] {
        for category in [
            Category::MarketplaceLead,
            Category::QualifiedLead,
            Category::CoSell,
            Category::Unclear,
        ] {
            let deal = deal(standing.clone(), Direction::Incoming, category);
            for draft in [None, Some(&not_accepted())] {
                let verdict = decide(&ctx(), Some(deal.clone()), None, false, draft);
                assert_eq!(verdict, AS_LEAD, "{standing:?} {category:?}");
            }
        }
    }
}

#[test]
fn with_co_sell_only_leads_stay_and_co_sell_comes() {
    let ctx = ctx().with_setting("co-sell-only", SettingValue::Boolean(true));
    let verdict = |category| {
        let deal = deal(Standing::Pending, Direction::Incoming, category);
        decide(&ctx, Some(deal), None, false, Some(&not_accepted()))
    };
    assert_eq!(code(verdict(Category::MarketplaceLead)), "co-sell-only");
    assert_eq!(code(verdict(Category::QualifiedLead)), "co-sell-only");
    assert_eq!(verdict(Category::CoSell), AS_LEAD);
    // One that is a lead already stays in step.
    let known = deal(
        Standing::Pending,
        Direction::Incoming,
        Category::MarketplaceLead,
    );
    assert_eq!(decide(&ctx, Some(known), lead(true), true, None), AS_LEAD);
}

#[test]
fn what_is_no_lead_is_left_to_the_plugin_before() {
    let ours = deal(Standing::Pending, Direction::Outgoing, Category::CoSell);
    assert_eq!(
        decide(&ctx(), Some(ours), None, false, AS_OPPORTUNITY.as_ref()),
        None
    );
    for standing in [
        Standing::Accepted,
        Standing::Won,
        Standing::Declined,
        Standing::Expired,
    ] {
        let deal = deal(standing, Direction::Incoming, Category::CoSell);
        assert_eq!(decide(&ctx(), Some(deal), None, false, None), None);
    }
}

#[test]
fn what_another_plugin_has_decided_stays() {
    let elsewhere = Verdict::skip("other-region", "sold by another office");
    let pending = || {
        deal(
            Standing::Pending,
            Direction::Incoming,
            Category::MarketplaceLead,
        )
    };
    assert_eq!(
        decide(&ctx(), Some(pending()), None, false, Some(&elsewhere)),
        None
    );
    assert_eq!(
        decide(&ctx(), None, lead(true), false, Some(&elsewhere)),
        None
    );
    assert_eq!(
        decide(
            &ctx(),
            Some(pending()),
            None,
            false,
            AS_OPPORTUNITY.as_ref()
        ),
        None
    );
}

#[test]
fn the_switch_decides_over_a_lead() {
    assert_eq!(decide(&ctx(), None, lead(true), false, None), AS_LEAD);
    assert_eq!(
        code(decide(&ctx(), None, lead(false), false, None)),
        "sync-is-off"
    );
    let pending = deal(Standing::Pending, Direction::Incoming, Category::CoSell);
    assert_eq!(
        code(decide(&ctx(), Some(pending), lead(false), true, None)),
        "sync-is-off"
    );
}

#[test]
fn a_linked_lead_whose_deal_is_accepted_becomes_an_opportunity() {
    let verdict = |standing: Standing, direction| {
        let deal = deal(standing, direction, Category::CoSell);
        decide(&ctx(), Some(deal), lead(true), true, None)
    };
    assert_eq!(
        verdict(Standing::Accepted, Direction::Incoming),
        AS_OPPORTUNITY
    );
    assert_eq!(
        verdict(Standing::Accepted, Direction::Outgoing),
        AS_OPPORTUNITY
    );
    for standing in [
        Standing::Pending,
        Standing::Received,
        Standing::Declined,
        Standing::Expired,
    ] {
        assert_eq!(verdict(standing, Direction::Incoming), AS_LEAD);
    }
}

#[test]
fn our_own_leads_stay_leads_where_the_operator_wants_it() {
    let ctx = ctx().with_setting("keep-own-leads", SettingValue::Boolean(true));
    let verdict = |direction| {
        let deal = deal(Standing::Accepted, direction, Category::CoSell);
        decide(&ctx, Some(deal), lead(true), true, None)
    };
    assert_eq!(verdict(Direction::Outgoing), AS_LEAD);
    assert_eq!(verdict(Direction::Incoming), AS_OPPORTUNITY);
}

#[test]
fn what_is_over_before_it_was_linked_stays_where_it_is() {
    let won = deal(Standing::Won, Direction::Incoming, Category::CoSell);
    assert_eq!(
        code(decide(&ctx(), Some(won), lead(true), false, None)),
        "closed-before-link"
    );
    let qualified = test::seen(
        Row::new("lead", test::ROW_ID)
            .with(GATE, true)
            .with("statecode", Value::choice(1)),
    );
    assert_eq!(
        code(decide(&ctx(), None, Some(qualified), false, None)),
        "lead-closed"
    );
}
