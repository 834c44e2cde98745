use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use cosell_remote::Class;
use cosell_remote::dataverse::{ChangePage, Changes, Message, Next, RowVersion, Step, Version};
use cosell_sync::deal::Money;
use cosell_sync::row::{
    Cell, Choice, Condition, Join, Link, Query, Reference, RowKey, RowState, Test,
};
use secrecy::SecretString;

use crate::fake::{Asked, Reply, reply};
use crate::organisation::{ACCOUNT, API, EUR, HUF, OPPORTUNITY, list, organisation, row_calls};

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

fn cells<const N: usize>(cells: [(&str, Cell); N]) -> BTreeMap<String, Cell> {
    cells
        .into_iter()
        .map(|(name, cell)| (name.to_owned(), cell))
        .collect()
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

fn money(amount: &str, currency: &str) -> Cell {
    Cell::Money(Money {
        amount: amount.parse().unwrap(),
        currency: currency.to_owned(),
    })
}

fn join(label: &str, above: &str, table: &str, via: Link, columns: &[&str]) -> Join {
    Join {
        label: label.to_owned(),
        above: above.to_owned(),
        table: table.to_owned(),
        via,
        columns: columns.iter().map(|c| (*c).to_owned()).collect(),
    }
}

fn seen(currency: Option<&str>) -> Version {
    Version {
        etag: "W/\"7\"".to_owned(),
        currency: currency.map(str::to_owned),
    }
}

/// A row as the server shows it, with its key and version.
fn row(members: &str) -> String {
    format!(
        r#"{{"@odata.context":"c","@odata.etag":"W/\"8\"","opportunityid":"{OPPORTUNITY}",{members}}}"#
    )
}

fn error(status: u16, code: &str) -> Reply {
    reply(
        status,
        format!(r#"{{"error":{{"code":"{code}","message":"m"}}}}"#),
    )
}

#[tokio::test]
async fn a_row_is_read_by_logical_names_with_labels_and_its_currency() {
    let (fake, crm) = organisation(|_| {
        reply(
            200,
            row(&format!(
                r#""name":"Referral 42","description":null,"estimatedvalue":922337203685477.5807,"_transactioncurrencyid_value":"{HUF}",
                "statuscode@OData.Community.Display.V1.FormattedValue":"Folyamatban","statuscode":1,"new_tags":"8,7","estimatedclosedate":"2026-09-30",
                "new_asked":"2026-01-31T10:20:30Z","opportunityratingcode":2,"new_share":false,"closeprobability":40,
                "_customerid_value@OData.Community.Display.V1.FormattedValue":"Fabrikam","_customerid_value@Microsoft.Dynamics.CRM.lookuplogicalname":"account","_customerid_value":"{ACCOUNT}""#
            )),
        )
    })
    .await;
    let columns = names([
        "name",
        "description",
        "estimatedvalue",
        "statuscode",
        "new_tags",
        "estimatedclosedate",
        "new_asked",
        "opportunityratingcode",
        "new_share",
        "closeprobability",
        "customerid",
    ]);
    let looked = crm
        .retrieve("opportunity", OPPORTUNITY, &columns, &[])
        .await
        .unwrap();
    let choice = |code, label: &str| Choice {
        code,
        label: Some(label.to_owned()),
    };
    let expected = cells([
        ("name", text("Referral 42")),
        ("description", Cell::Empty),
        ("estimatedvalue", money("922337203685477.5807", "HUF")),
        ("statuscode", Cell::Choice(choice(1, "Folyamatban"))),
        (
            "new_tags",
            Cell::Choices(vec![choice(7, "Seven"), choice(8, "Eight")]),
        ),
        (
            "estimatedclosedate",
            Cell::Date("2026-09-30".parse().unwrap()),
        ),
        (
            "new_asked",
            Cell::Timestamp("2026-01-31T10:20:30Z".parse().unwrap()),
        ),
        ("opportunityratingcode", Cell::Choice(choice(2, "Warm"))),
        ("new_share", Cell::Bool(false)),
        ("closeprobability", Cell::Integer(40)),
        (
            "customerid",
            Cell::Reference(Reference {
                table: "account".to_owned(),
                id: ACCOUNT.to_owned(),
                name: Some("Fabrikam".to_owned()),
            }),
        ),
    ]);
    assert_eq!(looked.seen.row.cells, expected);
    assert_eq!(
        looked.version,
        Version {
            etag: "W/\"8\"".to_owned(),
            currency: Some("HUF".to_owned())
        }
    );
    let asked = &row_calls(&fake)[0];
    assert_eq!(
        asked.line(),
        format!("GET {API}/opportunities({OPPORTUNITY})")
    );
    assert_eq!(
        asked.query("$select").unwrap(),
        "_customerid_value,_transactioncurrencyid_value,closeprobability,description,estimatedclosedate,estimatedvalue,name,new_asked,new_share,new_tags,opportunityratingcode,statuscode"
    );
    assert_eq!(
        (asked.header("if-none-match"), asked.header("odata-version")),
        ("null", "4.0")
    );
    // Asked about once, however often it is read.
    let before = fake.asked().len();
    crm.retrieve("opportunity", OPPORTUNITY, &columns, &[])
        .await
        .unwrap();
    assert_eq!(fake.asked().len(), before + 1);
}

#[tokio::test]
async fn joins_of_two_plugins_share_one_expand_and_get_back_their_own() {
    let (fake, crm) = organisation(|asked| {
        if asked.raw_query.contains("page2") {
            return list(r#"{"new_lineid":"11111111-0000-4000-8000-000000000002","new_name":"second"}"#);
        }
        reply(
            200,
            row(&format!(
                r#""name":"n","customerid_account":{{"accountid":"{ACCOUNT}","name":"Fabrikam","accountnumber":"A-1",
                    "new_CountryId":{{"new_countryid":"22222222-0000-4000-8000-000000000001","new_iso2":"HU"}}}},
                "new_deal_lines":[{{"new_lineid":"11111111-0000-4000-8000-000000000003","new_name":"first"}}],
                "new_deal_lines@odata.nextLink":"https://evil.example{API}/new_lines?$skiptoken=page2%2520x","new_Opportunity_Country":[]"#
            )),
        )
    })
    .await;
    let joins = [
        join(
            "stock/account",
            "opportunity",
            "account",
            Link::Lookup("customerid".to_owned()),
            &["name"],
        ),
        join(
            "acme/customer",
            "opportunity",
            "account",
            Link::Lookup("customerid".to_owned()),
            &["accountnumber"],
        ),
        join(
            "acme/country",
            "acme/customer",
            "new_country",
            Link::Lookup("new_countryid".to_owned()),
            &["new_iso2"],
        ),
        join(
            "stock/lines",
            "opportunity",
            "new_line",
            Link::Child("new_dealid".to_owned()),
            &["new_name"],
        ),
        join(
            "acme/countries",
            "opportunity",
            "new_country",
            Link::Many("new_opportunity_country".to_owned()),
            &["new_name"],
        ),
    ];
    let looked = crm
        .retrieve("opportunity", OPPORTUNITY, &names(["name"]), &joins)
        .await
        .unwrap();
    let calls = row_calls(&fake);
    assert_eq!(
        calls[0].query("$expand").unwrap(),
        "customerid_account($select=accountnumber,name;$expand=new_CountryId($select=new_iso2)),new_deal_lines($select=new_name),new_Opportunity_Country($select=new_name)"
    );
    assert_eq!(calls[1].line(), format!("GET {API}/new_lines"));
    assert_eq!(calls[1].raw_query, "$skiptoken=page2%2520x");
    let related: Vec<(String, Vec<BTreeMap<String, Cell>>)> = looked
        .seen
        .related
        .iter()
        .map(|related| {
            (
                related.label.clone(),
                related.rows.iter().map(|row| row.cells.clone()).collect(),
            )
        })
        .collect();
    let expected = [
        ("stock/account", vec![cells([("name", text("Fabrikam"))])]),
        (
            "acme/customer",
            vec![cells([("accountnumber", text("A-1"))])],
        ),
        ("acme/country", vec![cells([("new_iso2", text("HU"))])]),
        (
            "stock/lines",
            vec![
                cells([("new_name", text("second"))]),
                cells([("new_name", text("first"))]),
            ],
        ),
        ("acme/countries", vec![]),
    ];
    assert_eq!(
        related,
        expected.map(|(label, rows)| (label.to_owned(), rows))
    );
}

#[tokio::test]
async fn a_column_or_join_that_is_not_there_is_named_before_anything_is_asked() {
    let (fake, crm) = organisation(|_| reply(500, "")).await;
    let error = crm
        .retrieve(
            "opportunity",
            OPPORTUNITY,
            &names(["name", "new_nothing"]),
            &[],
        )
        .await
        .unwrap_err();
    assert_eq!(
        (error.class, error.code()),
        (Class::Refused, Some("no-such-column"))
    );
    assert!(
        error
            .to_string()
            .contains("the CRM has no column opportunity.new_nothing"),
        "{error}"
    );
    let joins = [join(
        "p/x",
        "opportunity",
        "account",
        Link::Lookup("ownerid".to_owned()),
        &["name"],
    )];
    let error = crm
        .retrieve("opportunity", OPPORTUNITY, &names(["name"]), &joins)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("the join p/x does not exist"),
        "{error}"
    );
    let error = crm.metadata("opportunity')/x").await.unwrap_err();
    assert!(error.to_string().contains("no logical name"), "{error}");
    assert_eq!(
        crm.metadata("new_nothing").await.unwrap_err().status,
        Some(404)
    );
    assert!(row_calls(&fake).is_empty());
}

#[tokio::test]
async fn a_column_that_the_answer_leaves_out_is_not_taken_for_emptied() {
    let (_, crm) = organisation(|_| reply(200, row(r#""name":"n""#))).await;
    let error = crm
        .retrieve(
            "opportunity",
            OPPORTUNITY,
            &names(["name", "description"]),
            &[],
        )
        .await
        .unwrap_err();
    assert!(matches!(error.class, Class::Transient { .. }));
    assert!(
        error
            .to_string()
            .contains("opportunity.description is missing in the answer"),
        "{error}"
    );
}

#[tokio::test]
async fn a_search_is_cut_at_its_limit_and_says_so() {
    let account = |n: u8| {
        format!(
            r#"{{"@odata.etag":"W/\"1\"","accountid":"0a0a0a0a-0000-4000-8000-00000000000{n}","name":"A{n}"}}"#
        )
    };
    let (fake, crm) = organisation(move |asked| match asked.query("$skiptoken") {
        None => reply(200, format!(r#"{{"value":[{},{}],"@odata.nextLink":"https://x.example{API}/accounts?$skiptoken=2"}}"#, account(1), account(2))),
        Some(_) => list(&[account(3), account(4)].join(",")),
    })
    .await;
    let query = Query {
        label: "by-name".to_owned(),
        table: "account".to_owned(),
        columns: vec!["name".to_owned()],
        conditions: vec![
            Condition {
                column: "name".to_owned(),
                test: Test::Contains("50%_[x] d'Or".to_owned()),
            },
            Condition {
                column: "accountnumber".to_owned(),
                test: Test::Equals(Cell::Empty),
            },
            Condition {
                column: "new_countryid".to_owned(),
                test: Test::IsFilled,
            },
        ],
        limit: 2,
    };
    let found = crm.query(&query).await.unwrap();
    assert_eq!(
        (found.rows.len(), found.cut, found.label.as_str()),
        (2, true, "by-name")
    );
    let asked = &row_calls(&fake)[0];
    assert_eq!(
        asked.query("$filter").unwrap(),
        "contains(name,'50[%][_][[]x] d''Or') and accountnumber eq null and _new_countryid_value ne null"
    );
    assert_eq!(
        (
            asked.query("$orderby").unwrap(),
            asked.query("$top").unwrap()
        ),
        ("accountid asc".to_owned(), "3".to_owned())
    );
    let nobody = Query {
        conditions: vec![Condition {
            column: "name".to_owned(),
            test: Test::OneOf(vec![]),
        }],
        ..query
    };
    let before = fake.asked().len();
    assert!(crm.query(&nobody).await.unwrap().rows.is_empty());
    assert_eq!(fake.asked().len(), before);
}

fn key(parts: &[(&str, &str)]) -> RowKey {
    RowKey {
        table: "account".to_owned(),
        parts: parts
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect(),
        leave_out_if_missing: false,
    }
}

#[tokio::test]
async fn a_row_is_found_by_its_key_where_the_key_works_and_searched_for_where_not() {
    let (fake, crm) = organisation(|asked| {
        let account =
            format!(r#"{{"@odata.etag":"W/\"1\"","accountid":"{ACCOUNT}","name":"Fabrikam"}}"#);
        match asked.path.as_str() {
            path if path.ends_with("'A-1')") => reply(200, account),
            path if path.contains("accountnumber=") => error(404, "0x80060891"),
            _ if asked.raw_query.contains("Twin") => {
                list(&[account.clone(), account.replace("0001\"", "0002\"")].join(","))
            }
            _ => list(&account),
        }
    })
    .await;
    let found = crm
        .resolve(&key(&[("accountnumber", "A-1")]))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.id.as_str(), found.name.as_deref()),
        (ACCOUNT, Some("Fabrikam"))
    );
    assert_eq!(
        row_calls(&fake).pop().unwrap().path,
        format!("{API}/accounts(accountnumber='A-1')")
    );
    assert_eq!(
        crm.resolve(&key(&[("accountnumber", "none")]))
            .await
            .unwrap(),
        None
    );
    // The key on the name is not built yet, and this number would break an address.
    for parts in [[("name", "Fabrikam")], [("accountnumber", "A/1")]] {
        assert_eq!(
            crm.resolve(&key(&parts)).await.unwrap().unwrap().id,
            ACCOUNT
        );
        assert_eq!(fake.last().query("$top").unwrap(), "2");
    }
    let error = crm.resolve(&key(&[("name", "Twin")])).await.unwrap_err();
    assert_eq!(
        (error.class, error.code()),
        (Class::Refused, Some("key-ambiguous"))
    );
    assert!(
        error
            .to_string()
            .contains("more than one row of account has name = Twin"),
        "{error}"
    );
}

#[tokio::test]
async fn a_row_is_created_under_its_own_id_and_never_overwritten() {
    let (fake, crm) = organisation(|_| reply(201, row(&format!(r#""name":"Deal","description":"0123456789","estimatedvalue":12.35,"_transactioncurrencyid_value":"{EUR}","_customerid_value":"{ACCOUNT}","_customerid_value@Microsoft.Dynamics.CRM.lookuplogicalname":"account""#)))).await;
    let wanted = cells([
        ("name", text("Deal")),
        ("description", text("0123456789abc")),
        ("estimatedvalue", money("12.345", "eur")),
        (
            "customerid",
            Cell::Reference(Reference {
                table: "account".to_owned(),
                id: ACCOUNT.to_uppercase(),
                name: None,
            }),
        ),
    ]);
    let written = crm
        .create("opportunity", OPPORTUNITY, &wanted, "op-1")
        .await
        .unwrap();
    let asked = fake.last();
    assert_eq!(
        asked.line(),
        format!("PATCH {API}/opportunities({OPPORTUNITY})")
    );
    assert_eq!(
        (asked.header("if-none-match"), asked.header("if-match")),
        ("*", "")
    );
    assert_eq!(asked.query("tag").unwrap(), "cosell:op-1");
    assert_eq!(
        asked.header("prefer"),
        "return=representation,odata.include-annotations=\"*\""
    );
    assert_eq!(
        asked.body,
        format!(
            r#"{{"customerid_account@odata.bind":"/accounts({ACCOUNT})","description":"0123456789","estimatedvalue":12.35,"name":"Deal","transactioncurrencyid@odata.bind":"/transactioncurrencies({EUR})"}}"#
        )
    );
    assert_eq!(
        written.version,
        Version {
            etag: "W/\"8\"".to_owned(),
            currency: Some("EUR".to_owned())
        }
    );
    assert_eq!(written.row.cells["estimatedvalue"], money("12.35", "EUR"));
    assert_eq!(
        written
            .cut
            .iter()
            .map(|cut| (cut.column.as_str(), cut.length, cut.kept))
            .collect::<Vec<_>>(),
        [("opportunity.description", 13, 10)]
    );
}

#[tokio::test]
async fn a_row_that_is_there_already_is_a_conflict_with_its_code() {
    for code in ["0x80040237", "0x80060892", "0x80060882"] {
        let (_, crm) = organisation(move |_| error(412, code)).await;
        let error = crm
            .create(
                "opportunity",
                OPPORTUNITY,
                &cells([("name", text("n"))]),
                "op",
            )
            .await
            .unwrap_err();
        assert_eq!((error.class, error.code()), (Class::Conflict, Some(code)));
    }
}

#[tokio::test]
async fn an_update_sends_the_currency_only_when_it_changes() {
    for (now, expected) in [
        (Some("EUR"), r#"{"estimatedvalue":1000}"#.to_owned()),
        (
            Some("HUF"),
            format!(
                r#"{{"estimatedvalue":1000,"transactioncurrencyid@odata.bind":"/transactioncurrencies({EUR})"}}"#
            ),
        ),
        (
            None,
            format!(
                r#"{{"estimatedvalue":1000,"transactioncurrencyid@odata.bind":"/transactioncurrencies({EUR})"}}"#
            ),
        ),
    ] {
        let (fake, crm) = organisation(|_| {
            reply(
                200,
                row(&format!(
                    r#""estimatedvalue":1000.0000,"_transactioncurrencyid_value":"{EUR}""#
                )),
            )
        })
        .await;
        let written = crm
            .update(
                "opportunity",
                OPPORTUNITY,
                &cells([("estimatedvalue", money("1000", "EUR"))]),
                &seen(now),
                "op",
            )
            .await
            .unwrap();
        let asked = fake.last();
        assert_eq!(
            (asked.header("if-match"), asked.body.as_str()),
            ("W/\"7\"", expected.as_str())
        );
        assert_eq!(written.row.cells["estimatedvalue"], money("1000", "EUR"));
    }
}

#[tokio::test]
async fn every_column_that_cannot_be_written_is_named_with_its_reason() {
    let (fake, crm) = organisation(|_| reply(500, "")).await;
    let wrong = cells([
        ("closeprobability", text("12k")),
        ("estimatedvalue", money("1", "XYZ")),
        ("name", text("a name that is longer than twenty")),
        (
            "opportunityratingcode",
            Cell::Choice(Choice {
                code: 9,
                label: None,
            }),
        ),
        ("exchangerate", Cell::Decimal("1".parse().unwrap())),
        ("new_asked", Cell::Date("2026-01-01".parse().unwrap())),
        (
            "customerid",
            Cell::Reference(Reference {
                table: "new_country".to_owned(),
                id: ACCOUNT.to_owned(),
                name: None,
            }),
        ),
    ]);
    let error = crm
        .update("opportunity", OPPORTUNITY, &wrong, &seen(None), "op")
        .await
        .unwrap_err();
    assert_eq!(error.class, Class::Refused);
    let told: Vec<String> = error
        .about
        .reasons
        .iter()
        .map(|reason| {
            format!(
                "{} {}: {}",
                reason.about.as_deref().unwrap(),
                reason.code,
                reason.message
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "opportunity.closeprobability wrong-kind: expects a whole number column, and got text \"12k\"",
            "opportunity.customerid wrong-table: expects a lookup column (to account or contact), and got a row of new_country",
            "opportunity.estimatedvalue currency-unknown: the currency XYZ is not set up in the CRM, which has EUR, HUF",
            "opportunity.exchangerate read-only: the column cannot be set in a row that is there",
            "opportunity.name text-too-long: the text has 33 characters, and the column takes 20",
            "opportunity.new_asked wrong-kind: expects a date-and-time column, and got the date 2026-01-01",
            "opportunity.opportunityratingcode no-such-option: there is no option 9; there are 1 Hot, 2 Warm",
        ]
    );
    assert!(row_calls(&fake).is_empty());
}

#[tokio::test]
async fn a_lookup_by_key_is_bound_left_out_or_refused() {
    let (fake, crm) = organisation(|asked| {
        if asked.method == "PATCH" {
            return reply(200, format!(r#"{{"@odata.etag":"W/\"8\"","accountid":"{ACCOUNT}","name":"n","_new_countryid_value":null}}"#));
        }
        if asked.raw_query.contains("HU") { list(r#"{"new_countryid":"22222222-0000-4000-8000-000000000001","new_name":"Hungary"}"#) } else { list("") }
    })
    .await;
    let country = |iso: &str, leave_out_if_missing| {
        Cell::RowWhere(RowKey {
            table: "new_country".to_owned(),
            parts: vec![("new_iso2".to_owned(), iso.to_owned())],
            leave_out_if_missing,
        })
    };
    let write = async |cell| {
        crm.update(
            "account",
            ACCOUNT,
            &cells([("name", text("n")), ("new_countryid", cell)]),
            &seen(None),
            "op",
        )
        .await
    };
    write(country("HU", false)).await.unwrap();
    assert_eq!(
        fake.last().body,
        r#"{"name":"n","new_CountryId@odata.bind":"/new_countries(22222222-0000-4000-8000-000000000001)"}"#
    );
    write(country("XX", true)).await.unwrap();
    assert_eq!(fake.last().body, r#"{"name":"n"}"#);
    write(Cell::Empty).await.unwrap();
    assert_eq!(
        fake.last().body,
        r#"{"name":"n","new_CountryId@odata.bind":null}"#
    );
    let error = write(country("XX", false)).await.unwrap_err();
    assert_eq!(
        (error.class, error.code()),
        (Class::Refused, Some("key-unknown"))
    );
    assert!(
        error
            .to_string()
            .contains("account.new_countryid: no row of new_country has new_iso2 = XX"),
        "{error}"
    );
}

#[tokio::test]
async fn a_vanished_row_and_a_moved_one_are_told_apart() {
    for (reply_with, class) in [
        ((404, "0x80040217"), Class::NotFound),
        ((412, "0x80060882"), Class::Conflict),
        ((403, "0x80040220"), Class::Forbidden),
        ((500, "0x80040216"), Class::UnknownOutcome),
    ] {
        let (_, crm) = organisation(move |_| error(reply_with.0, reply_with.1)).await;
        let error = crm
            .update(
                "opportunity",
                OPPORTUNITY,
                &cells([("name", text("n"))]),
                &seen(None),
                "op",
            )
            .await
            .unwrap_err();
        assert_eq!(error.class, class);
    }
}

#[tokio::test]
async fn service_protection_slows_the_whole_credential_down() {
    let (_, crm) = organisation(|_| error(429, "0x80072322").header("retry-after", "12")).await;
    let error = crm
        .update(
            "opportunity",
            OPPORTUNITY,
            &cells([("name", text("n"))]),
            &seen(None),
            "op",
        )
        .await
        .unwrap_err();
    assert_eq!(
        error.class,
        Class::Transient {
            retry_after: Some(Duration::from_secs(12)),
            throttled: true
        }
    );
}

#[tokio::test]
async fn deleting_and_unlinking_twice_is_as_good_as_once() {
    let (fake, crm) = organisation(|asked| {
        if asked.method == "POST" {
            reply(204, "")
        } else {
            error(404, "0x80040217")
        }
    })
    .await;
    let country = Reference {
        table: "new_country".to_owned(),
        id: "22222222-0000-4000-8000-000000000001".to_owned(),
        name: None,
    };
    crm.delete("new_line", OPPORTUNITY, Some("W/\"3\""), "op")
        .await
        .unwrap();
    assert_eq!(
        (
            fake.last().line(),
            fake.last().header("if-match").to_owned()
        ),
        (
            format!("DELETE {API}/new_lines({OPPORTUNITY})"),
            "W/\"3\"".to_owned()
        )
    );
    crm.associate(
        "opportunity",
        OPPORTUNITY,
        "new_opportunity_country",
        &country,
        "op",
    )
    .await
    .unwrap();
    assert_eq!(
        fake.last().line(),
        format!("POST {API}/opportunities({OPPORTUNITY})/new_Opportunity_Country/$ref")
    );
    assert_eq!(
        fake.last().body,
        format!(
            r#"{{"@odata.id":"{}{API}/new_countries({})"}}"#,
            fake.base, country.id
        )
    );
    crm.disassociate(
        "opportunity",
        OPPORTUNITY,
        "new_opportunity_country",
        &country,
        "op",
    )
    .await
    .unwrap();
    assert_eq!(
        fake.last().line(),
        format!(
            "DELETE {API}/opportunities({OPPORTUNITY})/new_Opportunity_Country({})/$ref",
            country.id
        )
    );
}

fn multipart(part: &str) -> String {
    format!(
        "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nContent-Type: application/http\r\nContent-ID: 1\r\n\r\n{part}\r\n--c--\r\n--b--\r\n"
    )
}

#[tokio::test]
async fn an_opportunity_is_closed_with_its_last_changes_or_not_at_all() {
    let answers = [
        (
            200,
            "multipart/mixed; boundary=b",
            multipart("HTTP/1.1 204 No Content\r\n\r\n"),
            None,
        ),
        (
            412,
            "multipart/mixed; boundary=b",
            multipart(
                "HTTP/1.1 412 Precondition Failed\r\n\r\n{\"error\":{\"code\":\"0x80060882\",\"message\":\"m\"}}",
            ),
            Some(Class::Conflict),
        ),
        (
            400,
            "multipart/mixed; boundary=b",
            multipart(
                "HTTP/1.1 400 Bad Request\r\n\r\n{\"error\":{\"code\":\"0x80040515\",\"message\":\"m\"}}",
            ),
            Some(Class::Refused),
        ),
        (
            400,
            "application/json",
            r#"{"error":{"code":"0x80060888","message":"malformed"}}"#.to_owned(),
            Some(Class::Refused),
        ),
        (
            200,
            "multipart/mixed; boundary=b",
            "--b\r\n".to_owned(),
            Some(Class::UnknownOutcome),
        ),
        (
            502,
            "text/html",
            "<h1>Bad Gateway</h1>".to_owned(),
            Some(Class::UnknownOutcome),
        ),
    ];
    for (status, kind, body, expected) in answers {
        let (fake, crm) =
            organisation(move |_| reply(status, body.clone()).header("content-type", kind)).await;
        let state = RowState {
            statecode: 1,
            statuscode: 3,
            closing: cells([("subject", text("Won R-42"))]),
        };
        let last = cells([("name", text("R-42"))]);
        let closed = crm
            .close_opportunity(OPPORTUNITY, &last, &seen(None), &state, true, "op-9")
            .await;
        assert_eq!(
            closed.map(drop).map_err(|error| error.class).err(),
            expected,
            "{status}"
        );
        let asked = fake.last();
        assert_eq!(asked.line(), format!("POST {API}/$batch"));
        let (base, lines) = (&fake.base, asked.body.split("\r\n").collect::<Vec<_>>());
        for expected in [
            &*format!("PATCH {base}{API}/opportunities({OPPORTUNITY})?tag=cosell:op-9 HTTP/1.1"),
            "If-Match: W/\"7\"",
            r#"{"name":"R-42"}"#,
            &*format!("POST {base}{API}/WinOpportunity?tag=cosell:op-9 HTTP/1.1"),
            &*format!(
                r#"{{"OpportunityClose":{{"opportunityid@odata.bind":"/opportunities({OPPORTUNITY})","subject":"Won R-42"}},"Status":3}}"#
            ),
        ] {
            assert!(lines.contains(&expected), "{expected} in {}", asked.body);
        }
    }
}

#[tokio::test]
async fn changes_come_page_by_page_with_deletions_and_a_link_to_keep() {
    let (fake, crm) = organisation(|asked| {
        let row = format!(r#"{{"@odata.etag":"W/\"919050\"","opportunityid":"{OPPORTUNITY}"}}"#);
        match asked.query("$deltatoken").as_deref() {
            None if asked.raw_query.contains("$skiptoken") => reply(200, format!(r#"{{"value":[],"@odata.deltaLink":"https://x.example{API}/opportunities?$select=opportunityid&$deltatoken=1%2101"}}"#)),
            None => reply(200, format!(r#"{{"value":[{row}],"@odata.nextLink":"https://x.example{API}/opportunities?$skiptoken=2"}}"#)),
            Some("1!01") => reply(
                200,
                format!(
                    r#"{{"value":[{row},{{"@odata.context":"https://x/$metadata#opportunities/$deletedEntity","id":"{ACCOUNT}","reason":"deleted"}}],"@odata.deltaLink":"https://x.example{API}/opportunities?$deltatoken=2"}}"#
                ),
            ),
            Some(_) => error(400, "0x80044352"),
        }
    })
    .await;
    let page = |changes| match changes {
        Changes::Page(page) => page,
        Changes::Expired => panic!("expired"),
    };
    let first: ChangePage = page(crm.changes("opportunity", None).await.unwrap());
    assert_eq!(
        first.changed,
        [RowVersion {
            id: OPPORTUNITY.to_owned(),
            etag: "W/\"919050\"".to_owned()
        }]
    );
    assert!(
        fake.last()
            .header("prefer")
            .starts_with("odata.track-changes")
    );
    assert_eq!(fake.last().raw_query, "$select=opportunityid");
    let Next::More(link) = first.next else {
        panic!("{:?}", first.next)
    };
    let Next::Kept(link) = page(crm.changes("opportunity", Some(&link)).await.unwrap()).next else {
        panic!("no link to keep")
    };
    let third = page(crm.changes("opportunity", Some(&link)).await.unwrap());
    assert_eq!(
        fake.last().raw_query,
        "$select=opportunityid&$deltatoken=1%2101"
    );
    assert_eq!(
        (third.changed.len(), third.deleted),
        (1, vec![ACCOUNT.to_owned()])
    );
    let Next::Kept(old) = third.next else {
        panic!("no link to keep")
    };
    assert_eq!(
        crm.changes("opportunity", Some(&old)).await.unwrap(),
        Changes::Expired
    );
    // A link that leads elsewhere is not followed.
    assert_eq!(
        crm.changes("opportunity", Some("https://evil.example/other"))
            .await
            .unwrap_err()
            .class,
        Class::Refused
    );
}

/// Endpoints and steps as rows.
fn registrar() -> impl Fn(&Asked) -> Reply + Send + Sync + 'static {
    let steps = Mutex::new(Vec::<(String, String)>::new());
    let endpoint = Mutex::new(false);
    move |asked| {
        let mut steps = steps.lock().unwrap();
        let id = |n: usize| format!("55555555-0000-4000-8000-00000000000{n}");
        match (asked.method.as_str(), asked.path.strip_prefix(API).unwrap()) {
            ("GET", "/serviceendpoints") if *endpoint.lock().unwrap() => {
                list(&format!(r#"{{"serviceendpointid":"{ACCOUNT}"}}"#))
            }
            ("POST", "/serviceendpoints") => {
                *endpoint.lock().unwrap() = true;
                reply(204, "").header(
                    "odata-entityid",
                    &format!("https://x.example{API}/serviceendpoints({ACCOUNT})"),
                )
            }
            ("GET", "/sdkmessages") => list(&format!(r#"{{"sdkmessageid":"{EUR}"}}"#)),
            ("GET", "/sdkmessagefilters") => list(&format!(r#"{{"sdkmessagefilterid":"{HUF}"}}"#)),
            ("POST", "/sdkmessageprocessingsteps") => {
                let member = |name: &str| {
                    asked
                        .body
                        .split(&format!("\"{name}\":\""))
                        .nth(1)
                        .map(|rest| rest.split('"').next().unwrap().to_owned())
                        .unwrap_or_default()
                };
                steps.push((member("name"), member("filteringattributes")));
                reply(204, "").header(
                    "odata-entityid",
                    &format!(
                        "https://x.example{API}/sdkmessageprocessingsteps({})",
                        id(steps.len() - 1)
                    ),
                )
            }
            ("GET", "/sdkmessageprocessingsteps") => {
                let rows = steps.iter().enumerate().map(|(n, (name, columns))| format!(r#"{{"sdkmessageprocessingstepid":"{}","name":"{name}","filteringattributes":"{columns}","statecode":0}}"#, id(n)));
                list(&rows.collect::<Vec<_>>().join(","))
            }
            ("PATCH", _) => reply(204, ""),
            ("DELETE", _) => reply(204, ""),
            ("GET", _) => list(""),
            (method, path) => panic!("{method} {path}"),
        }
    }
}

#[tokio::test]
async fn subscribing_twice_registers_once_and_follows_the_columns() {
    let (fake, crm) = organisation(registrar()).await;
    let secret = SecretString::from("a<b>\"&");
    let endpoint = crm
        .ensure_endpoint(
            "cosell",
            "https://host.example/crm",
            "x-cosell-key",
            &secret,
        )
        .await
        .unwrap();
    assert_eq!(endpoint, ACCOUNT);
    assert!(fake.last().body.contains(r#""authtype":5,"authvalue":"<settings><setting name=\"x-cosell-key\" value=\"a&lt;b&gt;&quot;&amp;\"/></settings>","contract":8"#), "{}", fake.last().body);
    let mut steps = vec![
        Step {
            message: Message::Create,
            table: "opportunity".to_owned(),
            columns: vec![],
        },
        Step {
            message: Message::Update,
            table: "opportunity".to_owned(),
            columns: vec!["name".to_owned(), "estimatedvalue".to_owned()],
        },
    ];
    let subscriptions = crm.ensure_steps(&endpoint, &steps).await.unwrap();
    assert_eq!(
        subscriptions
            .iter()
            .map(|subscription| subscription.name.as_str())
            .collect::<Vec<_>>(),
        [
            "cosell: Create of opportunity",
            "cosell: Update of opportunity"
        ]
    );
    assert_eq!(subscriptions[1].columns, ["estimatedvalue", "name"]);
    let writes = |fake: &crate::fake::Fake| {
        fake.lines()
            .into_iter()
            .filter(|line| !line.starts_with("GET"))
            .collect::<Vec<_>>()
    };
    let before = writes(&fake).len();

    crm.ensure_steps(&endpoint, &steps).await.unwrap();
    assert_eq!(
        writes(&fake).len(),
        before,
        "nothing is written when all is there"
    );
    assert_eq!(
        crm.ensure_endpoint(
            "cosell",
            "https://host.example/crm",
            "x-cosell-key",
            &secret
        )
        .await
        .unwrap(),
        ACCOUNT
    );
    assert_eq!(
        writes(&fake).pop().unwrap(),
        format!("PATCH {API}/serviceendpoints({ACCOUNT})")
    );

    steps.remove(0);
    steps[0].columns.push("statecode".to_owned());
    crm.ensure_steps(&endpoint, &steps).await.unwrap();
    let lines = writes(&fake);
    assert_eq!(
        lines[lines.len() - 2..],
        [
            format!("PATCH {API}/sdkmessageprocessingsteps(55555555-0000-4000-8000-000000000001)"),
            format!("DELETE {API}/sdkmessageprocessingsteps(55555555-0000-4000-8000-000000000000)")
        ]
    );
}

#[tokio::test]
async fn who_we_are_is_three_ids() {
    let (_, crm) = organisation(|_| reply(200, format!(r#"{{"@odata.context":"c","BusinessUnitId":"{EUR}","UserId":"{HUF}","OrganizationId":"{ACCOUNT}"}}"#))).await;
    assert_eq!(crm.who_am_i().await.unwrap().organization, ACCOUNT);
    let (_, crm) = organisation(|_| error(403, "0x80072560")).await;
    let error = crm.who_am_i().await.unwrap_err();
    assert_eq!(error.class, Class::Forbidden);
    assert!(
        error.to_string().contains("add it as an application user"),
        "{error}"
    );
}
