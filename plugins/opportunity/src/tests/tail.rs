//! Sales stage, campaign and the newer fields, in each way that a CRM can keep them.

use cosell_guest_sdk::{prelude::*, test};

use super::{Stock, ctx, peter, related, written};

fn deal() -> Deal {
    let mut deal = test::standard_deal();
    let field = |name: &str, word: &str| (name.to_owned(), Value::text(word));
    deal.more = vec![
        field("marketplace-intent", "HaveNotDecided"),
        field("partner-role", "Implementation"),
        field("solution-area", "Data and AI"),
    ];
    deal
}

/// One of each kind.
fn keeping() -> Context {
    ctx()
        .with_text("campaign-column", "new_campaigncode")
        .with_text("sales-stage-column", "salesstage")
        .with_pairs(
            "sales-stage-choices",
            &[("0", "Qualify | 20"), ("1", "Develop | 40")],
        )
        .with_text("marketplace-intent-column", "msft_customerpurchaseintent")
        .with_pairs(
            "marketplace-intent-choices",
            &[("299600000", "Yes"), ("299600002", "HaveNotDecided")],
        )
        .with_text("solution-area-column", "msft_solutionarea")
        .with_text("solution-area-table", "msft_solutionareaentity")
        .with_text("solution-area-word-column", "msft_name")
}

#[test]
fn by_default_none_of_them_is_kept() {
    let changes = <Stock as Opportunity>::to_row(&ctx(), &test::order(deal()), &[]).unwrap();
    assert!(!changes.iter().any(
        |change| matches!(change, Change::Set((column, _)) if column.contains("stage") || column.contains("campaign"))
    ));
}

#[test]
fn text_choice_and_lookup_are_read_back_as_they_were_written() {
    let mut seen = written(&keeping(), deal());
    seen.related.push(related(
        "solution-area",
        vec![Row::new("msft_solutionareaentity", test::FOUND_ID).with("msft_name", "Data and AI")],
    ));
    let ctx = keeping().with_found("owner", vec![peter()]);
    let facts = <Stock as Opportunity>::to_deal(&ctx, &seen, &[]).unwrap();
    for expected in [
        Fact::Campaign(Some("FY27-data".to_owned())),
        Fact::SalesStage(Some("Develop".to_owned())),
        Fact::More((
            "marketplace-intent".to_owned(),
            Value::text("HaveNotDecided"),
        )),
        Fact::More(("solution-area".to_owned(), Value::text("Data and AI"))),
    ] {
        assert!(facts.contains(&expected), "{expected:?} not in {facts:?}");
    }
    // Not kept here: nobody speaks of it.
    assert!(
        !facts
            .iter()
            .any(|fact| matches!(fact, Fact::More((name, _)) if name == "partner-role"))
    );
}

#[test]
fn other_spellings_lead_to_the_same_option() {
    let mut deal = deal();
    deal.sales_stage = Some("40".to_owned());
    assert_eq!(written(&keeping(), deal).row.choice("salesstage"), Some(1));
}

#[test]
fn a_word_without_an_option_is_refused_and_the_others_go_on() {
    let mut deal = deal();
    deal.sales_stage = Some("Close".to_owned());
    let changes = <Stock as Opportunity>::to_row(&keeping(), &test::order(deal), &[]).unwrap();
    let refused: Vec<&Unit> = changes
        .iter()
        .filter_map(|change| match change {
            Change::Refuse(refusal) => Some(&refusal.unit),
            _ => None,
        })
        .collect();
    assert_eq!(refused, [&Unit::SalesStage]);
    assert!(changes.contains(&Change::set("new_campaigncode", "FY27-data")));
}

#[test]
fn an_option_without_a_word_is_refused_and_not_taken_for_empty() {
    let seen =
        test::seen(Row::new("opportunity", test::ROW_ID).with("salesstage", Value::choice(3)));
    let facts = <Stock as Opportunity>::to_deal(&keeping(), &seen, &[]).unwrap();
    assert!(
        facts
            .iter()
            .any(|fact| matches!(fact, Fact::Refuse(refusal) if refusal.unit == Unit::SalesStage))
    );
}

#[test]
fn what_the_deal_is_silent_about_is_left_alone() {
    let mut deal = deal();
    deal.more.clear();
    let changes = <Stock as Opportunity>::to_row(&keeping(), &test::order(deal), &[]).unwrap();
    assert!(!changes.iter().any(
        |change| matches!(change, Change::Set((column, _)) if column == "msft_solutionarea" || column == "msft_customerpurchaseintent")
    ));
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let wrong = |ctx: Context| -> Vec<String> {
        let reasons = <Stock as Plugin>::describe(Settings::from(&ctx)).unwrap_err();
        reasons.into_iter().map(|reason| reason.message).collect()
    };
    assert_eq!(
        wrong(keeping().with_text("solution-area-word-column", "")),
        ["solution-area-table is set and solution-area-word-column is not"]
    );
    assert_eq!(
        wrong(keeping().with_pairs("solution-area-choices", &[("1", "Data")])),
        ["solution-area-choices and solution-area-table are both set"]
    );
    assert_eq!(
        wrong(ctx().with_pairs("partner-role-choices", &[("1", "Reseller")])),
        ["it is said how partner-role is kept, and not in which column"]
    );
    assert_eq!(
        wrong(keeping().with_pairs("sales-stage-choices", &[("early", "Qualify")])),
        ["\"early\" = \"Qualify\": \"early\" is no option value"]
    );
}
