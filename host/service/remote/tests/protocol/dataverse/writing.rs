//! Creating, changing, linking and closing.

use std::time::Duration;

use cosell_remote::Class;
use cosell_remote::dataverse::Version;
use cosell_sync::row::{Cell, Choice, Reference, RowKey, RowState};

use crate::dataverse::{cells, error, money, row, text};
use crate::fake::reply;
use crate::organisation::{ACCOUNT, API, EUR, OPPORTUNITY, list, organisation, row_calls};

fn seen(currency: Option<&str>) -> Version {
    Version {
        etag: "W/\"7\"".to_owned(),
        currency: currency.map(str::to_owned),
    }
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
async fn s15_an_opportunity_is_closed_with_its_last_changes_or_not_at_all() {
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
            "Content-Length: 15",
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
async fn a_write_without_a_version_is_not_sent() {
    let (fake, crm) = organisation(|_| reply(200, "{}")).await;
    let state = RowState {
        statecode: 2,
        statuscode: 4,
        closing: cells([]),
    };
    for etag in ["", "W/\"7\"\r\nIf-None-Match: null"] {
        let version = Version {
            etag: etag.to_owned(),
            currency: None,
        };
        let last = cells([("name", text("n"))]);
        let updated = crm
            .update("opportunity", OPPORTUNITY, &last, &version, "op")
            .await;
        let closed = crm
            .close_opportunity(OPPORTUNITY, &last, &version, &state, false, "op")
            .await;
        for error in [updated.unwrap_err(), closed.unwrap_err()] {
            assert_eq!(error.class, Class::Refused);
            assert!(
                error.to_string().contains("no version to write under"),
                "{error}"
            );
        }
    }
    assert!(row_calls(&fake).is_empty());
}
