//! `$batch`: several requests in one, change sets as one transaction. (dataverse 2.7)

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::answering::outgoing;
use super::payload::unknown_content_id;
use super::prefer::Prefer;
use super::refusal::{self, Refusal};
use super::route;
use super::session::Session;
use super::store::{Committed, Db};
use crate::ids::Traces;
use crate::wire::{Reply, Request};

/// Most operations in a batch.
const OPERATIONS_MAX: usize = 1_000;
/// Where relative addresses of parts begin.
const ROOT: &str = "/api/data/v9.2/";

/// A part of the batch.
enum Part {
    Single(Box<Item>),
    ChangeSet(Vec<Item>),
}

struct Item {
    content_id: Option<String>,
    request: Request,
}

/// Runs a batch; each part, or change set as a whole, commits by itself.
pub(super) fn run(
    db: &mut Db,
    session: &Session,
    request: &Request,
) -> (Reply, Vec<(Session, Committed)>) {
    let mut done = Vec::new();
    if request.method != Method::POST {
        return (refusal::method(&request.method).reply(), done);
    }
    let parts = match parse(request, session) {
        Ok(parts) => parts,
        Err(refusal) => return (refusal.reply(), done),
    };
    let go_on = Prefer::of(request).continue_on_error;
    let boundary = format!("batchresponse_{}", db.traces.guid_text());
    let (mut body, mut status) = (String::new(), 200);
    for part in parts {
        let failed = match part {
            Part::Single(item) => {
                let reply = route::alone(db, session, &item.request);
                let reply = outgoing(&session.assumptions, reply);
                done.push((session.clone(), db.commit()));
                push_item(&mut body, &boundary, &reply, None);
                (reply.status >= 400).then_some(reply.status)
            }
            Part::ChangeSet(items) => match change_set(db, session, items) {
                Ok(replies) => {
                    done.push((session.clone(), db.commit()));
                    push_change_set(&mut body, &boundary, &replies, &db.traces);
                    None
                }
                // A forward reference spoils the whole request.
                Err((_, refusal)) if refusal.message.starts_with("Content-ID Reference") => {
                    return (refusal.reply(), done);
                }
                Err((id, refusal)) => {
                    let reply = outgoing(&session.assumptions, refusal.reply())
                        .with("req_id", db.traces.guid_text());
                    let status = reply.status;
                    if session.assumptions.failed_change_set_is_bare() {
                        push_item(&mut body, &boundary, &reply, None);
                    } else {
                        push_change_set(&mut body, &boundary, &[(id, reply)], &db.traces);
                    }
                    Some(status)
                }
            },
        };
        if let Some(failed) = failed
            && !go_on
        {
            status = failed;
            break;
        }
    }
    body.push_str(&format!("--{boundary}--\r\n"));
    let content_type = format!("multipart/mixed; boundary={boundary}");
    (Reply::bytes(status, &content_type, body.into_bytes()), done)
}

type Answered = (Option<String>, Reply);

/// All items or none; `$n` refers to the rows of earlier ones.
fn change_set(
    db: &mut Db,
    session: &Session,
    items: Vec<Item>,
) -> Result<Vec<Answered>, (Option<String>, Refusal)> {
    let mark = db.mark();
    let mut session = Session {
        content_ids: BTreeMap::new(),
        ..session.clone()
    };
    let mut replies = Vec::new();
    for mut item in items {
        let answered = resolve(&session, &mut item.request)
            .and_then(|()| route::answer(db, &session, &item.request));
        match answered {
            Ok(reply) => {
                let made = db.writes.last().and_then(|write| {
                    Some(format!(
                        "{}({})",
                        db.schema.table(&write.table)?.set,
                        write.id
                    ))
                });
                if let (Some(id), Some(made)) = (&item.content_id, made) {
                    session.content_ids.insert(id.clone(), made);
                }
                replies.push((item.content_id, reply));
            }
            Err(refusal) => {
                db.roll_back(mark);
                return Err((item.content_id, refusal));
            }
        }
    }
    Ok(replies)
}

/// Puts the row that `$n` stands for into the address.
fn resolve(session: &Session, request: &mut Request) -> Result<(), Refusal> {
    let Some(rest) = request
        .path
        .strip_prefix(ROOT)
        .and_then(|rest| rest.strip_prefix('$'))
    else {
        return Ok(());
    };
    let (id, tail) = rest
        .split_once('/')
        .map_or((rest, String::new()), |(id, tail)| (id, format!("/{tail}")));
    let row = session
        .content_ids
        .get(id)
        .ok_or_else(|| unknown_content_id(&format!("${id}")))?;
    request.path = format!("{ROOT}{row}{tail}");
    Ok(())
}

fn push_item(body: &mut String, boundary: &str, reply: &Reply, content_id: Option<&str>) {
    body.push_str(&format!(
        "--{boundary}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n"
    ));
    if let Some(id) = content_id {
        body.push_str(&format!("Content-ID: {id}\r\n"));
    }
    let reason = http::StatusCode::from_u16(reply.status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Unknown");
    body.push_str(&format!("\r\nHTTP/1.1 {} {reason}\r\n", reply.status));
    if reply.header("odata-version").is_none() {
        body.push_str("OData-Version: 4.0\r\n");
    }
    for (name, value) in &reply.headers {
        body.push_str(&format!("{}: {value}\r\n", documented_case(name)));
    }
    body.push_str("\r\n");
    body.push_str(&String::from_utf8_lossy(&reply.body));
    body.push_str("\r\n");
}

/// Header names as the samples write them.
fn documented_case(name: &str) -> &str {
    match name {
        "content-type" => "Content-Type",
        "odata-entityid" => "OData-EntityId",
        "odata-version" => "OData-Version",
        "location" => "Location",
        "etag" => "ETag",
        "preference-applied" => "Preference-Applied",
        "req_id" => "REQ_ID",
        other => other,
    }
}

fn push_change_set(body: &mut String, boundary: &str, replies: &[Answered], traces: &Traces) {
    let inner = format!("changesetresponse_{}", traces.guid_text());
    body.push_str(&format!(
        "--{boundary}\r\nContent-Type: multipart/mixed; boundary={inner}\r\n\r\n"
    ));
    for (id, reply) in replies {
        push_item(body, &inner, reply, id.as_deref());
    }
    body.push_str(&format!("--{inner}--\r\n"));
}

// Reading.

fn malformed(message: &str) -> Refusal {
    refusal::payload("$batch", message)
}

fn parse(request: &Request, session: &Session) -> Result<Vec<Part>, Refusal> {
    let boundary =
        boundary(request.header("content-type").unwrap_or_default()).ok_or_else(|| {
            malformed("The Content-Type of a batch is multipart/mixed with a boundary.")
        })?;
    let text = std::str::from_utf8(&request.body)
        .map_err(|_| malformed("The batch is not UTF-8 text."))?;
    let strict = session.assumptions.batch_requires_crlf();
    let text = if strict {
        text.to_owned()
    } else {
        text.replace("\r\n", "\n")
    };
    let line = if strict { "\r\n" } else { "\n" };
    let mut operations = 0;
    let mut parts = Vec::new();
    for part in split(&text, &boundary, line)? {
        let (headers, content) = headed(part, line)?;
        let content_type = headers
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let mut items = Vec::new();
        let is_change_set = content_type
            .to_ascii_lowercase()
            .starts_with("multipart/mixed");
        if is_change_set {
            let inner = self::boundary(&content_type)
                .ok_or_else(|| malformed("A change set has no boundary."))?;
            for item in split(content, &inner, line)? {
                let (headers, content) = headed(item, line)?;
                items.push(self::item(&headers, content, line, request, session)?);
            }
            if let Some(read) = items.iter().find(|item| item.request.method == Method::GET) {
                return Err(malformed(&format!(
                    "A GET request is not allowed in a change set: {}",
                    read.request.path
                )));
            }
            if session.assumptions.batch_requires_content_id()
                && items.iter().any(|item| item.content_id.is_none())
            {
                return Err(refusal::query(
                    "Content-ID header not present in the changeset request.",
                ));
            }
        } else if content_type
            .to_ascii_lowercase()
            .starts_with("application/http")
        {
            items.push(item(&headers, content, line, request, session)?);
        } else {
            return Err(malformed(
                "The Content-Type of a part is application/http or multipart/mixed.",
            ));
        }
        operations += items.len();
        if operations > OPERATIONS_MAX {
            return Err(malformed("A batch has at most 1000 operations."));
        }
        if is_change_set {
            parts.push(Part::ChangeSet(items));
        } else {
            parts.extend(items.into_iter().map(|item| Part::Single(Box::new(item))));
        }
    }
    Ok(parts)
}

fn boundary(content_type: &str) -> Option<String> {
    let (_, parameters) = content_type.split_once(';')?;
    let value = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("boundary")
            .then(|| value.trim().trim_matches('"').to_owned())
    })?;
    (!value.is_empty()).then_some(value)
}

/// The texts between the delimiter lines.
fn split<'a>(text: &'a str, boundary: &str, line: &str) -> Result<Vec<&'a str>, Refusal> {
    let (open, close) = (format!("--{boundary}"), format!("--{boundary}--"));
    let (mut at, mut from, mut parts) = (0, None, Vec::new());
    for content in text.split(line) {
        let end = content.trim_end();
        if end == open || end == close {
            if let Some(from) = from {
                // The line break before a delimiter belongs to the delimiter.
                parts.push(
                    text.get(from..at.max(from + line.len()) - line.len())
                        .unwrap_or_default(),
                );
            }
            from = Some((at + content.len() + line.len()).min(text.len()));
            if end == close {
                return Ok(parts);
            }
        }
        at += content.len() + line.len();
    }
    Err(malformed(
        "The batch does not end with its closing boundary; lines end with CR LF.",
    ))
}

/// Headers up to the empty line, and what follows.
fn headed<'a>(text: &'a str, line: &str) -> Result<(HeaderMap, &'a str), Refusal> {
    let empty = format!("{line}{line}");
    let (head, rest) = match text.strip_prefix(line) {
        Some(rest) => ("", rest),
        None => text.split_once(&empty).unwrap_or((text, "")),
    };
    let mut headers = HeaderMap::new();
    for header in head.split(line).filter(|header| !header.trim().is_empty()) {
        let (name, value) = header
            .split_once(':')
            .ok_or_else(|| malformed("A header line has no colon."))?;
        let name = HeaderName::try_from(name.trim())
            .map_err(|_| malformed("A header name is not valid."))?;
        let value = HeaderValue::try_from(value.trim())
            .map_err(|_| malformed("A header value is not valid."))?;
        headers.append(name, value);
    }
    Ok((headers, rest))
}

fn item(
    part: &HeaderMap,
    content: &str,
    line: &str,
    outer: &Request,
    session: &Session,
) -> Result<Item, Refusal> {
    let content = content.trim_start_matches(['\r', '\n']);
    let (first, rest) = content.split_once(line).unwrap_or((content, ""));
    // The method ends at the first space and the version begins behind the last: what is between them may hold spaces, as the addresses
    // of Microsoft's Python client do.
    let first = first.trim();
    let (method, rest_of_line) = first
        .split_once(' ')
        .ok_or_else(|| malformed("A part has no request line."))?;
    let method = Method::from_bytes(method.as_bytes())
        .map_err(|_| malformed("A request line begins with no method."))?;
    let (target, version) = rest_of_line
        .rsplit_once(' ')
        .ok_or_else(|| malformed("A request line does not end with the HTTP version."))?;
    let target = target.trim();
    if !version.starts_with("HTTP/") || target.is_empty() {
        return Err(malformed(
            "A request line has an address and ends with the HTTP version.",
        ));
    }
    let target = match target.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]).to_owned(),
        None if target.starts_with('/') => target.to_owned(),
        None => format!("{ROOT}{target}"),
    };
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    if path.ends_with("$batch") {
        return Err(malformed("A batch cannot contain a batch."));
    }
    let (headers, body) = headed(rest, line)?;
    let body = body.trim();
    let length = headers.get("content-length");
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let needs_length = !body.is_empty() && session.assumptions.batch_requires_content_length();
    match length {
        Some(length) if length != body.len() => {
            return Err(malformed(
                "The Content-Length of a part is not the length of its body.",
            ));
        }
        None if needs_length => {
            return Err(malformed("The stream of a part is not readable."));
        }
        _ => {}
    }
    let content_id = part
        .get("content-id")
        .or(headers.get("content-id"))
        .and_then(|id| id.to_str().ok())
        .map(str::to_owned);
    let request = Request {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: Bytes::from(body.to_owned()),
        origin: outer.origin.clone(),
    };
    route::refuse_long(&request, 2)?;
    Ok(Item {
        content_id,
        request,
    })
}
