//! `GET /` for a person: where everything listens, and what can be looked at and done.

use serde_json::Value;

use super::routes::ROUTES;

/// Width of the column in which the routes stand.
const ROUTE_CHARS: usize = 62;
/// Who reads the page has no other manual.
const EXAMPLES: [&str; 4] = [
    r#"curl --cacert simulator-ca.pem CONTROL/rows/opportunity"#,
    r#"curl --cacert simulator-ca.pem CONTROL/rows/opportunity/ID -X PATCH -d '{"estimatedvalue": 1000}'"#,
    r#"curl --cacert simulator-ca.pem CONTROL/referrals/ID -X PATCH -d '[{"op": "replace", "path": "/details/notes", "value": "hello"}]'"#,
    r#"curl --cacert simulator-ca.pem CONTROL/faults -d '{"service": "dataverse", "method": "PATCH", "count": 1, "kind": {"do": "answer", "status": 429, "retry_after_s": 5}}'"#,
];

/// The page. `about` is what [`Control::about`](super::Control::about) says.
pub(super) fn page(about: &Value) -> String {
    let mut page = String::from("The simulator. It listens here:\n\n");
    for (service, url) in about["urls"].as_object().into_iter().flatten() {
        let url = url.as_str().unwrap_or_default();
        page.push_str(&format!("  {service:<16} {url}\n"));
    }
    page.push_str("\nWhat you can look at and do, with JSON in and JSON out:\n\n");
    for route in ROUTES {
        let (call, does) = route.split_once("  ").unwrap_or((route, ""));
        page.push_str(&format!("  {call:<ROUTE_CHARS$} {}\n", does.trim()));
    }
    page.push_str("\nFor example:\n\n");
    let control = about["urls"]["control"].as_str().unwrap_or_default();
    for example in EXAMPLES {
        page.push_str(&format!("  {}\n", example.replace("CONTROL", control)));
    }
    page.push_str(
        "\nWith `Accept: application/json` this page is JSON, with secrets and certificates.\n",
    );
    page
}
