//! Rows, joins, searches and keys.

use std::collections::BTreeMap;

use cosell_remote::Class;
use cosell_remote::dataverse::Version;
use cosell_sync::row::{Cell, Choice, Condition, Link, Query, Reference, RowKey, Test};

use crate::dataverse::{cells, error, join, money, names, row, text};
use crate::fake::{Reply, reply};
use crate::organisation::{ACCOUNT, API, EUR, HUF, OPPORTUNITY, list, organisation, row_calls};

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

fn named(label: &str, table: &str, column: &str, value: &str) -> Query {
    Query {
        label: label.to_owned(),
        table: table.to_owned(),
        columns: vec!["name".to_owned()],
        conditions: vec![Condition {
            column: column.to_owned(),
            test: Test::Equals(Cell::Text(value.to_owned())),
        }],
        limit: 2,
    }
}

/// As the service answers a batch: each part a whole answer, in the order of what was asked.
fn parts(status: u16, parts: &[(&str, String)]) -> Reply {
    let mut body = String::new();
    for (line, part) in parts {
        body += &format!(
            "--batchresponse_1\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\nHTTP/1.1 {line}\r\nContent-Type: application/json\r\nOData-Version: 4.0\r\n\r\n{part}\r\n"
        );
    }
    body += "--batchresponse_1--\r\n";
    reply(status, body).header("content-type", "multipart/mixed; boundary=batchresponse_1")
}

fn an_account(name: &str) -> String {
    format!(r#"{{"value":[{{"@odata.etag":"W/\"1\"","accountid":"{ACCOUNT}","name":"{name}"}}]}}"#)
}

#[tokio::test]
async fn queries_of_one_question_go_together_and_each_has_its_own_answer() {
    let (fake, crm) = organisation(|asked| match asked.line().as_str() {
        line if line == format!("POST {API}/$batch") => parts(
            200,
            &[
                ("200 OK", an_account("By number")),
                (
                    "404 Not Found",
                    r#"{"error":{"code":"","message":"gone"}}"#.to_owned(),
                ),
                ("200 OK", r#"{"value":[]}"#.to_owned()),
            ],
        ),
        // What a batch cannot tell is asked alone.
        line if line == format!("GET {API}/accounts") => reply(200, an_account("Alone")),
        line => panic!("{line}"),
    })
    .await;
    let queries = [
        named("number", "account", "accountnumber", "R-42"),
        named("name", "account", "name", "Contoso & d'Or"),
        Query {
            conditions: vec![Condition {
                column: "name".to_owned(),
                test: Test::OneOf(Vec::new()),
            }],
            ..named("nobody", "account", "name", "")
        },
        named("last", "account", "name", "Z"),
    ];
    let found = crm.queries(&queries).await.unwrap();
    let told: Vec<(&str, Vec<&Cell>)> = found
        .iter()
        .map(|found| {
            let names = found.rows.iter().filter_map(|row| row.cells.get("name"));
            (found.label.as_str(), names.collect())
        })
        .collect();
    assert_eq!(
        told,
        [
            ("number", vec![&text("By number")]),
            ("name", vec![&text("Alone")]),
            ("nobody", vec![]),
            ("last", vec![]),
        ]
    );
    let calls = row_calls(&fake);
    let [batch, alone] = calls.as_slice() else {
        panic!("{calls:?}");
    };
    assert_eq!(batch.header("prefer"), "odata.continue-on-error");
    let asked = batch
        .body
        .split("\r\n")
        .filter(|line| line.starts_with("GET "));
    let asked: Vec<&str> = asked.collect();
    assert_eq!(asked.len(), 3, "{asked:?}");
    for line in &asked {
        assert!(
            line.starts_with(&format!("GET {}{API}/accounts?", fake.base)),
            "{line}"
        );
        assert!(
            line.ends_with(" HTTP/1.1") && line.split(' ').count() == 3,
            "{line}"
        );
    }
    assert!(
        batch
            .body
            .contains("\r\nprefer: odata.include-annotations=\"*\"\r\n")
    );
    assert!(!batch.body.to_ascii_lowercase().contains("authorization"));
    assert_eq!(alone.query("$filter").unwrap(), "name eq 'Contoso & d''Or'");
}

#[tokio::test]
async fn a_service_that_takes_no_batch_of_reads_is_asked_one_by_one() {
    for refusal in [400, 404, 501] {
        let (fake, crm) = organisation(move |asked| match asked.method.as_str() {
            "POST" => reply(
                refusal,
                r#"{"error":{"code":"","message":"no batches here"}}"#,
            ),
            _ => reply(200, an_account("Alone")),
        })
        .await;
        let queries = [
            named("one", "account", "name", "A"),
            named("two", "account", "name", "B"),
        ];
        let found = crm.queries(&queries).await;
        if refusal == 501 {
            // Our own service is out of order: it is asked again later, as a whole.
            assert!(matches!(found.unwrap_err().class, Class::Transient { .. }));
            continue;
        }
        let found = found.unwrap();
        assert_eq!(found.iter().map(|found| found.rows.len()).sum::<usize>(), 2);
        assert_eq!(row_calls(&fake).len(), 3, "{refusal}");
    }
}

#[tokio::test]
async fn a_throttle_of_one_part_is_one_of_all() {
    let (fake, crm) = organisation(|_| {
        let told =
            r#"{"error":{"code":"0x80072322","message":"Number of requests exceeded the limit"}}"#;
        parts(429, &[("429 Too Many Requests", told.to_owned())]).header("retry-after", "7")
    })
    .await;
    let queries = [
        named("one", "account", "name", "A"),
        named("two", "account", "name", "B"),
    ];
    let error = crm.queries(&queries).await.unwrap_err();
    assert!(
        matches!(
            error.class,
            Class::Transient {
                throttled: true,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(row_calls(&fake).len(), 1, "it is not asked again at once");
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
async fn who_we_are_is_three_ids() {
    let (_, crm) = organisation(|_| reply(200, format!(r#"{{"@odata.context":"c","BusinessUnitId":"{EUR}","UserId":"{HUF}","OrganizationId":"{ACCOUNT}"}}"#))).await;
    assert_eq!(crm.who_am_i().await.unwrap().organization, ACCOUNT);
    let (_, crm) = organisation(|_| error(403, "0x80072560")).await;
    let error = crm.who_am_i().await.unwrap_err();
    assert_eq!(error.class, Class::Unauthorised);
    assert!(
        error.to_string().contains("add it as an application user"),
        "{error}"
    );
}

#[tokio::test]
async fn who_is_forbidden_everything_is_told_from_who_may_not_see_a_row() {
    // Without a code, asking who we are is what tells them apart.
    for (who, code, expected) in [
        (403, "", Class::Unauthorised),
        (200, "", Class::Forbidden),
        (403, "0x80040225", Class::Unauthorised),
        (403, "0x80040220", Class::Forbidden),
    ] {
        let (_fake, crm) = organisation(move |asked| match asked.path.ends_with("/WhoAmI") {
            true => error(who, ""),
            false => error(403, code),
        })
        .await;
        let columns = names(["name"]);
        let read = crm.retrieve("opportunity", OPPORTUNITY, &columns, &[]);
        assert_eq!(read.await.unwrap_err().class, expected, "{who} {code}");
    }
}
