//! Several requests in one, as `multipart/mixed` text: writes that happen together or not at all, and reads that go together.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};

use crate::http::{Answer, Call, fresh_id};
use crate::json;

/// Lines end like this or the server does not see them.
const LINE: &str = "\r\n";

/// How deep parts may lie in parts: a change set in a batch is one.
const DEPTH_MAX: usize = 3;

/// One write of a change set.
#[derive(Debug)]
pub(super) struct Part<'a> {
    pub(super) method: Method,
    /// In full, with its query.
    pub(super) address: String,
    pub(super) if_match: Option<&'a str>,
    pub(super) body: json::Body,
}

/// Boundary and text of a batch with one change set. Headers of the outer request do not reach the parts, so each has its own.
pub(super) fn change_set(parts: &[Part<'_>]) -> (String, String) {
    let (outer, inner) = (
        format!("batch_{}", fresh_id()),
        format!("changeset_{}", fresh_id()),
    );
    let mut lines = vec![
        format!("--{outer}"),
        format!("Content-Type: multipart/mixed; boundary=\"{inner}\""),
        String::new(),
    ];
    for (number, part) in (1..).zip(parts) {
        lines.push(format!("--{inner}"));
        lines.push("Content-Type: application/http".to_owned());
        lines.push("Content-Transfer-Encoding: binary".to_owned());
        // "May", say the papers; requests without it were refused.
        lines.push(format!("Content-ID: {number}"));
        lines.push(String::new());
        lines.push(format!("{} {} HTTP/1.1", part.method, part.address));
        lines.push("Content-Type: application/json; type=entry".to_owned());
        lines.push("Accept: application/json".to_owned());
        lines.push("OData-Version: 4.0".to_owned());
        lines.push("OData-MaxVersion: 4.0".to_owned());
        if let Some(etag) = part.if_match {
            lines.push(format!("If-Match: {etag}"));
        }
        // The papers leave it out, and one client reports that parts without it were refused.
        let body = part.body.as_str();
        lines.push(format!("Content-Length: {}", body.len()));
        lines.push(String::new());
        lines.push(body.to_owned());
    }
    lines.extend([
        format!("--{inner}--"),
        String::new(),
        format!("--{outer}--"),
        String::new(),
    ]);
    (outer, lines.join(LINE))
}

/// Boundary and text of a batch of reads, each as it would be sent alone. They lie beside each other: a change set takes none.
pub(super) fn reads(calls: &[&Call]) -> (String, String) {
    let outer = format!("batch_{}", fresh_id());
    let mut lines = Vec::new();
    for call in calls {
        lines.push(format!("--{outer}"));
        lines.push("Content-Type: application/http".to_owned());
        lines.push("Content-Transfer-Encoding: binary".to_owned());
        lines.push(String::new());
        lines.push(format!("{} {} HTTP/1.1", call.method, call.url));
        for (name, value) in &call.headers {
            // None of ours is anything else.
            if let Ok(value) = value.to_str() {
                lines.push(format!("{name}: {value}"));
            }
        }
        // The empty line that ends the headers, and no body.
        lines.extend([String::new(), String::new()]);
    }
    lines.extend([format!("--{outer}--"), String::new()]);
    (outer, lines.join(LINE))
}

/// The first part of an answer that failed, if any did. `Err` when the answer has no readable parts.
pub(super) fn failed_part(answer: &Answer) -> Result<Option<Answer>, String> {
    let parts = parts_of(answer)?;
    Ok(parts.into_iter().find(|part| !part.status.is_success()))
}

/// All parts of an answer, in the order of what was asked. `Err` when there is none that can be read.
pub(super) fn parts_of(answer: &Answer) -> Result<Vec<Answer>, String> {
    let content_type = answer.header("content-type").unwrap_or_default();
    let body =
        std::str::from_utf8(&answer.body).map_err(|_| "the answer is not UTF-8".to_owned())?;
    let parts = read_parts(content_type, body, 0)?;
    if parts.is_empty() {
        return Err("the answer has no parts".to_owned());
    }
    Ok(parts)
}

fn read_parts(content_type: &str, body: &str, depth: usize) -> Result<Vec<Answer>, String> {
    if depth >= DEPTH_MAX {
        return Err("the answer has parts in parts in parts".to_owned());
    }
    let boundary =
        boundary(content_type).ok_or_else(|| "the answer is not multipart".to_owned())?;
    let delimiter = format!("--{boundary}");
    let mut sections = body.split(delimiter.as_str());
    // What stands before the first delimiter is nothing.
    sections.next();
    let mut parts = Vec::new();
    let mut ended = false;
    for section in sections {
        if section.starts_with("--") {
            ended = true;
            break;
        }
        let (headers, content) = head_and_rest(section.trim_start_matches(['\r', '\n']));
        let kind = headers
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        if kind.to_ascii_lowercase().starts_with("multipart/") {
            parts.extend(read_parts(&kind, content, depth + 1)?);
        } else {
            parts.push(read_answer(content)?);
        }
    }
    if ended {
        Ok(parts)
    } else {
        Err("the answer breaks off".to_owned())
    }
}

fn read_answer(text: &str) -> Result<Answer, String> {
    let text = text.trim_start();
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    let status = line
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3))
        .and_then(|code| code.parse::<StatusCode>().ok());
    let status = status.ok_or_else(|| "a part has no status".to_owned())?;
    let (headers, body) = head_and_rest(rest);
    Ok(Answer {
        status,
        headers,
        body: body.trim().to_owned().into(),
    })
}

/// Headers up to the empty line, and everything after it. Line ends of either kind.
fn head_and_rest(text: &str) -> (HeaderMap, &str) {
    let mut headers = HeaderMap::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        rest = after;
        let line = line.trim_end_matches('\r');
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && let (Ok(name), Ok(value)) = (
                HeaderName::try_from(name.trim()),
                HeaderValue::try_from(value.trim()),
            )
        {
            // A map of headers takes so many, and panics at one more; what is asked for stands among the first.
            let _ = headers.try_insert(name, value);
        }
    }
    (headers, rest)
}

fn boundary(content_type: &str) -> Option<String> {
    if !content_type.to_ascii_lowercase().starts_with("multipart/") {
        return None;
    }
    let parameter = content_type
        .split(';')
        .map(str::trim)
        .find(|part| part.to_ascii_lowercase().starts_with("boundary="))?;
    let boundary = parameter["boundary=".len()..].trim_matches('"');
    (!boundary.is_empty()).then(|| boundary.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(content_type: &str, body: &str) -> Answer {
        let headers = HeaderMap::from_iter([(
            http::header::CONTENT_TYPE,
            HeaderValue::from_str(content_type).unwrap(),
        )]);
        Answer {
            status: StatusCode::OK,
            headers,
            body: body.to_owned().into(),
        }
    }

    #[test]
    fn a_change_set_has_line_ends_ids_and_its_own_condition() {
        let body = json::Body::of(&json::Object::from([(
            "name".to_owned(),
            json::raw("R-42"),
        )]));
        let part = Part {
            method: Method::PATCH,
            address: "https://org.example/api/data/v9.2/opportunities(1)?tag=x".to_owned(),
            if_match: Some("W/\"7\""),
            body,
        };
        let (boundary, text) = change_set(&[part]);
        let inner = text
            .split("boundary=\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap();
        let expected = [
            &format!("--{boundary}"),
            &format!("Content-Type: multipart/mixed; boundary=\"{inner}\""),
            "",
            &format!("--{inner}"),
            "Content-Type: application/http",
            "Content-Transfer-Encoding: binary",
            "Content-ID: 1",
            "",
            "PATCH https://org.example/api/data/v9.2/opportunities(1)?tag=x HTTP/1.1",
            "Content-Type: application/json; type=entry",
            "Accept: application/json",
            "OData-Version: 4.0",
            "OData-MaxVersion: 4.0",
            "If-Match: W/\"7\"",
            "Content-Length: 15",
            "",
            "{\"name\":\"R-42\"}",
            &format!("--{inner}--"),
            "",
            &format!("--{boundary}--"),
            "",
        ];
        assert_eq!(text, expected.join("\r\n"));
    }

    const NESTED: &str = "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: 1\r\n\r\nHTTP/1.1 204 No Content\r\nOData-Version: 4.0\r\n\r\n\r\n--c\r\nContent-Type: application/http\r\nContent-ID: 2\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n\r\n--c--\r\n--b--\r\n";

    #[test]
    fn a_change_set_that_went_well_has_no_failed_part() {
        assert!(
            failed_part(&answer("multipart/mixed; boundary=b", NESTED))
                .unwrap()
                .is_none()
        );
        assert!(
            failed_part(&answer(
                "multipart/mixed; boundary=\"b\"",
                &NESTED.replace("\r\n", "\n")
            ))
            .unwrap()
            .is_none()
        );
    }

    #[test]
    fn the_one_error_of_a_change_set_is_found_nested_or_bare() {
        let error = "HTTP/1.1 412 Precondition Failed\r\nREQ_ID: 9\r\nContent-Type: application/json\r\n\r\n{\"error\":{\"code\":\"0x80060882\",\"message\":\"m\"}}\r\n";
        let nested = format!(
            "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nContent-Type: application/http\r\nContent-ID: 1\r\n\r\n{error}--c--\r\n--b--\r\n"
        );
        let bare = format!(
            "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n{error}--b--\r\n"
        );
        for text in [nested, bare] {
            let part = failed_part(&answer("multipart/mixed; boundary=b", &text))
                .unwrap()
                .unwrap();
            assert_eq!(part.status, StatusCode::PRECONDITION_FAILED);
            assert_eq!(part.header("req_id"), Some("9"));
            assert_eq!(
                &part.body[..],
                b"{\"error\":{\"code\":\"0x80060882\",\"message\":\"m\"}}"
            );
        }
    }

    #[test]
    fn more_headers_than_a_map_takes_are_no_panic() {
        let headers: String = (0..40_000)
            .map(|number| format!("x-{number}: 1\r\n"))
            .collect();
        let text = format!("--b\r\n{headers}\r\nHTTP/1.1 200 OK\r\n{headers}\r\n{{}}\r\n--b--\r\n");
        let read = failed_part(&answer("multipart/mixed; boundary=b", &text));
        assert!(read.unwrap().is_none());
    }

    #[test]
    fn an_answer_that_breaks_off_is_not_taken_for_success() {
        for end in [NESTED.len() - 7, NESTED.len() / 2, 10] {
            assert!(
                failed_part(&answer("multipart/mixed; boundary=b", &NESTED[..end])).is_err(),
                "cut at {end}"
            );
        }
        assert!(failed_part(&answer("application/json", "{}")).is_err());
    }
}
