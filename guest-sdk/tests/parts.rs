//! Facts about the parts of a mapping that plugins share.

use cosell_guest_sdk::parts::{self, Codes, SolutionTable, company, help, people, sellers};
use cosell_guest_sdk::{prelude::*, test};

#[test]
fn a_text_is_cut_as_the_crm_counts_and_never_within_a_sign() {
    for (text, units, cut) in [
        ("abc", 3, "abc"),
        ("abc", 2, "ab"),
        ("a😀b", 2, "a"),
        ("a😀b", 3, "a😀"),
        ("", 5, ""),
    ] {
        assert_eq!(parts::cut(text, units), cut);
    }
}

#[test]
fn codes_lead_to_words_and_back_by_every_spelling() {
    let ctx = test::standard_context().with_pairs(
        "stages",
        &[("0", "Qualify | 20"), ("1", " Develop "), ("x", "Lost")],
    );
    let codes = Codes::of(&ctx, "stages");
    assert_eq!(codes.word_of(0), Some("Qualify"));
    assert_eq!(codes.word_of(1), Some("Develop"));
    assert_eq!(codes.word_of(2), None);
    assert_eq!(codes.code_of("20"), Some(0));
    assert_eq!(codes.code_of(" develop"), Some(1));
    assert_eq!(codes.code_of("Propose"), None);
    assert!(Codes::of(&ctx, "others").is_empty());
    let mistakes = codes.mistakes("stages", "stage-unknown");
    assert_eq!(mistakes.len(), 1);
    assert_eq!(
        mistakes[0].message,
        "\"x\" = \"Lost\": \"x\" is no option value"
    );
}

#[test]
fn a_word_for_two_options_is_a_mistake_and_an_option_without_one_too() {
    let ctx = test::standard_context().with_pairs(
        "stages",
        &[("0", "Early | new"), ("1", "NEW"), ("2", " | ")],
    );
    let messages: Vec<String> = Codes::of(&ctx, "stages")
        .mistakes("stages", "stage-unknown")
        .into_iter()
        .map(|reason| reason.message)
        .collect();
    assert_eq!(
        messages,
        [
            "\"NEW\" stands for two options, 0 and 1",
            "the option \"2\" has no word",
        ]
    );
}

#[test]
fn a_person_without_a_last_name_is_called_by_what_there_is() {
    let person = |first: Option<&str>, mail: Option<&str>| Person {
        first_name: first.map(str::to_owned),
        last_name: Some(" ".to_owned()),
        email: mail.map(str::to_owned),
        phone: None,
        title: None,
        more: Vec::new(),
    };
    let last = |person: &Person| {
        people::set_person(person, false)
            .into_iter()
            .find_map(|change| match change {
                Change::Set((column, value)) if column == "lastname" => Some(value),
                _ => None,
            })
    };
    let anna = person(Some("Anna"), Some("anna@contoso.example"));
    assert_eq!(last(&anna), Some(Value::text("Anna")));
    let nameless = person(None, Some("anna@contoso.example"));
    assert_eq!(last(&nameless), Some(Value::text("anna@contoso.example")));
    // Half of a mail address would be somebody else's.
    let long = person(None, Some(&format!("{}@contoso.example", "a".repeat(100))));
    assert!(people::set_person(&long, false).contains(&Change::set("emailaddress1", Value::Empty)));
}

#[test]
fn two_people_are_one_by_mail_and_else_by_name() {
    let person = |last: &str, mail: Option<&str>| Person {
        first_name: None,
        last_name: Some(last.to_owned()),
        email: mail.map(str::to_owned),
        phone: None,
        title: None,
        more: Vec::new(),
    };
    let kovacs = person("Kovács", Some("Anna@contoso.example"));
    assert!(people::is_same(
        &kovacs,
        &person("Szabó", Some("anna@contoso.example"))
    ));
    assert!(people::is_same(&kovacs, &person("kovács", None)));
    assert!(!people::is_same(
        &kovacs,
        &person("Kovács", Some("other@contoso.example"))
    ));
}

#[test]
fn an_address_is_read_back_as_it_was_written_and_a_region_stands_in_for_a_state() {
    let mut address = test::standard_deal().company.address;
    address.country = None;
    address.region = Some("Bavaria".to_owned());
    let row =
        company::set_address(&address)
            .into_iter()
            .fold(Row::new("account", "a"), |row, change| match change {
                Change::Set((column, value)) => row.with(column, value),
                other => panic!("{other:?}"),
            });
    address.state = address.region.take();
    assert_eq!(company::address(&row), address);
}

#[test]
fn employees_fall_into_partner_centers_buckets() {
    let size =
        |number: i32| company::size(&Row::new("account", "a").with("numberofemployees", number));
    assert_eq!(size(0), None);
    assert_eq!(size(9).as_deref(), Some("1to9employees"));
    assert_eq!(size(51).as_deref(), Some("51to250employees"));
    assert_eq!(size(20_001).as_deref(), Some("Morethan20000employees"));
}

#[test]
fn only_a_user_with_a_mail_address_is_a_seller() {
    let user = Row::new("systemuser", "u").with("internalemailaddress", "a@partner.example");
    assert!(sellers::seller(&user).is_some());
    assert!(sellers::seller(&user.with("applicationid", "1")).is_none());
    assert!(sellers::seller(&Row::new("systemuser", "u")).is_none());
    let row = Row::new("opportunity", "o").with("ownerid", Value::reference("team", "t"));
    assert_eq!(sellers::owner(&test::standard_context(), &row), Ok(None));
}

#[test]
fn help_without_an_option_is_refused_and_not_emptied() {
    let ctx = test::standard_context().with_pairs(help::SETTING, &[("1", "general-or-other")]);
    let change = help::change(&ctx, "opportunity", &test::standard_deal());
    assert!(matches!(change, Change::Refuse(refusal) if refusal.unit == Unit::Help));
}

#[test]
fn a_table_that_no_setting_names_is_none() {
    let ctx = test::standard_context();
    assert!(SolutionTable::of(&ctx, "lead").is_none());
    let ctx = ctx
        .with_text("solution-table", "new_solution")
        .with_text("solution-lead-column", "new_leadid");
    let table = SolutionTable::of(&ctx, "lead").unwrap();
    assert_eq!((table.table, table.lookup), ("new_solution", "new_leadid"));
}
