//! Solutions: added, removed, picked from a catalogue.

use cosell_guest_sdk::{prelude::*, test};

use super::{Stock, ctx, related, write};

#[test]
fn a_solution_that_is_there_keeps_its_row_and_one_without_an_id_is_left_alone() {
    let mut existing = test::seen(Row::new("opportunity", test::ROW_ID));
    existing.related.push(Related {
        label: "solutions".to_owned(),
        rows: vec![
            Row::new("msft_partnercentersolution", "r1")
                .with("msft_solutionidentifier", "SOL-12345-ABC"),
            Row::new("msft_partnercentersolution", "r2").with("msft_name", "still typing"),
        ],
    });
    let order = Order {
        existing: Some(existing),
        ..test::order(test::standard_deal())
    };
    let children = write(&order)
        .into_iter()
        .find_map(|change| match change {
            Change::Children(children) => Some(children),
            _ => None,
        })
        .unwrap();
    assert_eq!(children.surplus, Surplus::Remove);
    let ids: Vec<_> = children
        .rows
        .iter()
        .map(|row| (row.key.as_str(), row.id.as_deref(), row.cells.is_empty()))
        .collect();
    assert_eq!(
        ids,
        [
            ("r2", Some("r2"), true),
            ("SOL-12345-ABC", Some("r1"), false)
        ]
    );
}

#[test]
fn a_crm_without_a_solution_table_says_nothing_about_solutions() {
    let ctx = ctx().with_setting("solution-table", SettingValue::Text(String::new()));
    let needs = <Stock as Plugin>::describe(Settings::from(&ctx)).unwrap();
    assert!(
        !needs
            .iter()
            .any(|need| matches!(need, Need::Joins(join) if join.label == "solutions"))
    );
    let seen = test::seen(Row::new("opportunity", test::ROW_ID));
    let facts = <Stock as Opportunity>::to_deal(&ctx, &seen, &[]).unwrap();
    assert!(!facts.iter().any(|fact| matches!(fact, Fact::Solutions(_))));
}

fn solution_row(id: &str, solution: Option<&str>) -> Row {
    let row = Row::new("msft_partnercentersolution", id);
    match solution {
        Some(solution) => row.with("msft_solutionidentifier", solution),
        None => row,
    }
}

fn children(ctx: &Context, order: &Order) -> Children {
    let changes = <Stock as Opportunity>::to_row(ctx, order, &[]).unwrap();
    changes
        .into_iter()
        .find_map(|change| match change {
            Change::Children(children) => Some(children),
            _ => None,
        })
        .unwrap()
}

#[test]
fn a_solution_that_the_deal_lost_is_not_named_and_so_goes() {
    let mut existing = test::seen(Row::new("opportunity", test::ROW_ID));
    existing.related.push(related(
        "solutions",
        vec![
            solution_row("r1", Some("SOL-12345-ABC")),
            solution_row("r2", Some("SOL-99999-ZZZ")),
        ],
    ));
    let order = Order {
        existing: Some(existing),
        ..test::order(test::standard_deal())
    };
    let children = children(&ctx(), &order);
    assert_eq!(children.surplus, Surplus::Remove);
    let ids: Vec<_> = children.rows.iter().map(|row| row.id.as_deref()).collect();
    assert_eq!(ids, [Some("r1")]);
}

#[test]
fn one_solution_twice_is_one_solution_and_both_rows_stay() {
    let mut existing = test::seen(Row::new("opportunity", test::ROW_ID));
    existing.related.push(related(
        "solutions",
        vec![
            solution_row("r1", Some("SOL-12345-ABC")),
            solution_row("r2", Some("sol-12345-abc")),
        ],
    ));
    let facts = <Stock as Opportunity>::to_deal(&ctx(), &existing, &[]).unwrap();
    assert!(
        facts
            .iter()
            .any(|fact| matches!(fact, Fact::Solutions(solutions) if solutions.len() == 1))
    );
    let mut deal = test::standard_deal();
    deal.solutions.push(deal.solutions[0].clone());
    let order = Order {
        existing: Some(existing),
        ..test::order(deal)
    };
    let rows = children(&ctx(), &order).rows;
    let ids: Vec<_> = rows
        .iter()
        .map(|row| (row.key.as_str(), row.id.as_deref()))
        .collect();
    assert_eq!(ids, [("r2", Some("r2")), ("SOL-12345-ABC", Some("r1"))]);
}

#[test]
fn a_solution_that_was_picked_has_the_catalogues_id_and_is_not_typed_again() {
    let ctx = ctx().with_text("solution-catalogue-column", "msft_solutiondetailid");
    let mut existing = test::seen(Row::new("opportunity", test::ROW_ID));
    existing.related.push(related(
        "solutions",
        vec![Row::new("msft_partnercentersolution", "r1").with(
            "msft_solutiondetailid",
            Value::reference("msft_microsoftsolutiondetail", "d1"),
        )],
    ));
    existing.related.push(related(
        "solution-catalogue",
        vec![
            Row::new("msft_microsoftsolutiondetail", "d1")
                .with("msft_solutionidentifier", "SOL-12345-ABC")
                .with("msft_solutionname", "Data platform"),
        ],
    ));
    let facts = <Stock as Opportunity>::to_deal(&ctx, &existing, &[]).unwrap();
    assert!(facts.iter().any(|fact| matches!(
        fact,
        Fact::Solutions(solutions) if solutions[0].id == "SOL-12345-ABC" && solutions[0].name == "Data platform"
    )));
    let mut deal = test::standard_deal();
    deal.solutions.push(Solution {
        id: "SOL-23456-DEF".to_owned(),
        ..deal.solutions[0].clone()
    });
    let order = Order {
        existing: Some(existing),
        ..test::order(deal)
    };
    let rows = children(&ctx, &order).rows;
    assert!(rows[0].cells.is_empty(), "{rows:?}");
    let new: Vec<&str> = rows[1]
        .cells
        .iter()
        .map(|(column, _)| column.as_str())
        .collect();
    assert!(new.contains(&"msft_solutiondetailid"), "{new:?}");
}
