//! Contacts beside the main one, and sellers beside the owner.

use cosell_guest_sdk::{prelude::*, test};

use super::{Stock, contact, ctx, peter, related, written};

const BELA: &str = "0b0b0b0b-0000-4000-8000-0000000000b1";
const JOHN: &str = "0f0f0f0f-0000-4000-8000-0000000000b1";

fn person(first: &str, last: &str, mail: &str) -> Person {
    Person {
        first_name: Some(first.to_owned()),
        last_name: Some(last.to_owned()),
        email: Some(mail.to_owned()),
        phone: None,
        title: None,
        more: Vec::new(),
    }
}

fn bela() -> Person {
    person("Béla", "Szabó", "bela.szabo@contoso.example")
}

fn john() -> Person {
    person("John", "Smith", "john.smith@partner.example")
}

fn with_table() -> Context {
    ctx()
        .with_text("contacts-table", "new_dealcontact")
        .with_text("contacts-opportunity-column", "new_opportunityid")
        .with_text("contacts-contact-column", "new_contactid")
}

fn with_users() -> Context {
    ctx()
        .with_text("team-table", "new_dealseller")
        .with_text("team-opportunity-column", "new_opportunityid")
        .with_text("team-user-column", "new_userid")
}

fn children(ctx: &Context, order: &Order, label: &str) -> Option<Children> {
    let changes = <Stock as Opportunity>::to_row(ctx, order, &[]).unwrap();
    changes.into_iter().find_map(|change| match change {
        Change::Children(children) if children.label == label => Some(children),
        _ => None,
    })
}

/// An order for a deal with two contacts, both known.
fn two_contacts() -> Order {
    let mut deal = test::standard_deal();
    deal.contacts.push(bela());
    let mut order = test::order(deal);
    order.contacts[1] = Some(Reference::new("contact", BELA));
    order
}

#[test]
fn contacts_in_a_table_are_read_back_as_they_were_written() {
    let ctx = with_table();
    let order = two_contacts();
    let changes = <Stock as Opportunity>::to_row(&ctx, &order, &[]).unwrap();
    let mut seen = test::applied("opportunity", &order, changes);
    let links = seen.rows("contacts");
    assert_eq!(links.len(), 1);
    assert_eq!(links[0].reference("new_contactid").unwrap().id, BELA);
    seen.related.push(related(
        "contact",
        vec![contact(test::CONTACT_ID, &order.deal.contacts[0])],
    ));
    seen.related
        .push(related("contacts-contact", vec![contact(BELA, &bela())]));
    let facts =
        <Stock as Opportunity>::to_deal(&ctx.with_found("owner", vec![peter()]), &seen, &[])
            .unwrap();
    assert!(facts.contains(&Fact::Contacts(order.deal.contacts)));
}

#[test]
fn contacts_in_a_relationship_are_linked_and_not_made() {
    let ctx = ctx().with_text("contacts-relationship", "new_opportunity_contact");
    let children = children(&ctx, &two_contacts(), "contacts").unwrap();
    assert_eq!(
        children.rows,
        [Child::new(BELA, Some(BELA.to_owned()), Vec::new())]
    );
}

#[test]
fn a_contact_whose_row_nobody_knows_lets_go_of_nobody() {
    let ctx = with_table();
    let mut order = two_contacts();
    order.contacts[1] = None;
    let mut existing = test::seen(Row::new("opportunity", test::ROW_ID));
    let link = |id: &str, to: &str| {
        Row::new("new_dealcontact", id).with("new_contactid", Value::reference("contact", to))
    };
    existing
        .related
        .push(related("contacts", vec![link("l1", "somebody")]));
    order.existing = Some(existing);
    let named = children(&ctx, &order, "contacts").unwrap();
    assert_eq!(named.surplus, Surplus::Keep);
    // Known again, the one that the deal does not have goes; the row of the right one stays as it is.
    let existing = order.existing.as_mut().unwrap();
    existing.related[0].rows.push(link("l2", BELA));
    existing
        .related
        .push(related("contacts-contact", vec![contact(BELA, &bela())]));
    let named = children(&ctx, &order, "contacts").unwrap();
    assert_eq!(named.surplus, Surplus::Remove);
    assert_eq!(
        named.rows,
        [Child::new(BELA, Some("l2".to_owned()), Vec::new())]
    );
}

#[test]
fn a_deal_without_contacts_lets_go_of_the_main_one() {
    let mut deal = test::standard_deal();
    deal.contacts.clear();
    let order = |existing: Option<Seen>| Order {
        existing,
        ..test::order(deal.clone())
    };
    let empties = |order: &Order| {
        <Stock as Opportunity>::to_row(&ctx(), order, &[])
            .unwrap()
            .contains(&Change::set("parentcontactid", Value::Empty))
    };
    let there = test::seen(Row::new("opportunity", test::ROW_ID));
    assert!(empties(&order(Some(there))));
    assert!(!empties(&order(None)));
}

#[test]
fn a_main_contact_that_is_joined_already_is_found_by_its_mail() {
    let mut existing = test::seen(Row::new("opportunity", test::ROW_ID));
    existing
        .related
        .push(related("contacts-contact", vec![contact(BELA, &bela())]));
    let mut deal = test::standard_deal();
    deal.contacts = vec![bela()];
    let order = Order {
        existing: Some(existing),
        contacts: vec![None],
        ..test::order(deal)
    };
    let changes = <Stock as Opportunity>::to_row(&with_table(), &order, &[]).unwrap();
    assert!(changes.contains(&Change::set(
        "parentcontactid",
        Reference::new("contact", BELA)
    )));
}

#[test]
fn sellers_are_looked_up_and_only_users_get_a_row() {
    let mut deal = test::standard_deal();
    deal.team.push(john());
    deal.team
        .push(person("Not", "Here", "not.here@partner.example"));
    let order = test::order(deal);
    let asked = <Stock as Opportunity>::to_row(&with_users(), &order, &[]).unwrap_err();
    assert!(matches!(&asked, Stop::Ask(queries) if queries[0].label == "sellers"));
    let user = Row::new("systemuser", JOHN)
        .with("systemuserid", JOHN)
        .with("internalemailaddress", "John.Smith@partner.example");
    let ctx = with_users().with_found("sellers", vec![user]);
    let named = children(&ctx, &order, "team").unwrap();
    assert_eq!(
        named.rows,
        [Child::new(
            "john.smith@partner.example",
            None,
            vec![(
                "new_userid".to_owned(),
                Value::reference("systemuser", JOHN)
            )]
        )]
    );
}

#[test]
fn the_team_is_the_owner_first_and_then_the_others_each_once() {
    let mut seen = test::seen(
        Row::new("opportunity", test::ROW_ID)
            .with("ownerid", Value::reference("systemuser", test::FOUND_ID)),
    );
    let link = |id: &str, user: &str| {
        Row::new("new_dealseller", id).with("new_userid", Value::reference("systemuser", user))
    };
    seen.related.push(related(
        "team",
        vec![link("t1", JOHN), link("t2", test::FOUND_ID)],
    ));
    let user = Row::new("systemuser", JOHN)
        .with("firstname", "John")
        .with("lastname", "Smith")
        .with("internalemailaddress", "john.smith@partner.example");
    seen.related.push(related("team-user", vec![user, peter()]));
    let ctx = with_users().with_found("owner", vec![peter()]);
    let facts = <Stock as Opportunity>::to_deal(&ctx, &seen, &[]).unwrap();
    let mut team = test::standard_deal().team;
    team.push(john());
    assert!(facts.contains(&Fact::Team(team)), "{facts:?}");
}

#[test]
fn sellers_with_addresses_of_their_own_are_read_back_as_they_were_written() {
    let ctx = ctx()
        .with_text("team-table", "new_dealseller")
        .with_text("team-opportunity-column", "new_opportunityid")
        .with_text("team-mail-column", "new_mail")
        .with_text("team-first-name-column", "new_first")
        .with_text("team-last-name-column", "new_last");
    let mut deal = test::standard_deal();
    deal.team.push(john());
    let seen = written(&ctx, deal.clone());
    let ctx = ctx.with_found("owner", vec![peter()]);
    let facts = <Stock as Opportunity>::to_deal(&ctx, &seen, &[]).unwrap();
    assert!(facts.contains(&Fact::Team(deal.team.clone())), "{facts:?}");

    // One is taken off the team; a row that is still being typed stays.
    let mut existing = seen;
    existing.related.iter_mut().for_each(|related| {
        if related.label == "team" {
            related.rows.push(Row::new("new_dealseller", "typing"));
        }
    });
    deal.team.pop();
    let order = Order {
        existing: Some(existing),
        ..test::order(deal)
    };
    let named = children(&ctx, &order, "team").unwrap();
    assert_eq!(
        named.rows,
        [Child::new("typing", Some("typing".to_owned()), Vec::new())]
    );
}

#[test]
fn settings_that_leave_a_table_half_named_are_refused() {
    let wrong = |ctx: Context| -> Vec<String> {
        let reasons = <Stock as Plugin>::describe(Settings::from(&ctx)).unwrap_err();
        reasons.into_iter().map(|reason| reason.message).collect()
    };
    assert_eq!(
        wrong(ctx().with_text("contacts-table", "new_dealcontact")),
        [
            "contacts-table is set and contacts-opportunity-column is not",
            "contacts-table is set and contacts-contact-column is not",
        ]
    );
    assert_eq!(
        wrong(with_table().with_text("contacts-relationship", "new_x")),
        ["contacts-table and contacts-relationship are both set"]
    );
    assert_eq!(
        wrong(ctx().with_text("team-table", "new_dealseller")),
        [
            "team-table is set and team-opportunity-column is not",
            "team-table is set, but neither team-user-column nor team-mail-column",
        ]
    );
    assert_eq!(
        wrong(with_users().with_text("team-mail-column", "new_mail")),
        ["team-user-column and team-mail-column are both set"]
    );
}
