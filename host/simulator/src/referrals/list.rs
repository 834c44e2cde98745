//! Listing referrals: `$filter`, `$orderby`, `$top`, `$skip`, `$select`, `$count`, and the documented broken `nextLink`.
//! (partner-center 3.3)

use base64::Engine as _;
use serde_json::{Map, Value, json};

use super::book::Book;
use super::outward::outward;
use super::{COLLECTION, Referrals, Refusal, Viewer, dialect, shape};
use crate::odata::Scalar;
use crate::odata::eval::{Case, Subject as _, matches, sort_order};
use crate::odata::json::Json;
use crate::odata::options::Options;
use crate::wire::{Reply, Request};

impl Referrals {
    pub(super) fn list(&self, request: &Request, viewer: &Viewer) -> Result<Reply, Refusal> {
        let (pairs, offset) = resume(request.pairs())?;
        let mut options = Options::read(&pairs)
            .map_err(|error| Refusal::invalid("invalidQuery", error.message))?;
        check_names(&options)?;
        dialect::understand(&mut options, &self.assumptions)?;
        let mut book = self.book();
        let mut found: Vec<&Value> = candidates(&book, &options)
            .filter(|referral| {
                let own = referral["organizationId"] == viewer.organization.id.as_str();
                let marketplace =
                    referral["type"] == "Independent" && referral["qualification"] == "Direct";
                book.sees(referral, viewer)
                    && options
                        .filter
                        .as_ref()
                        .is_none_or(|filter| matches(filter, &Json(referral), Case::Sensitive))
                    && (own || self.assumptions.list_shows_related())
                    && (!marketplace || self.assumptions.list_shows_marketplace_leads())
            })
            .collect();
        sort(&mut found, &options);
        let total = found.len();
        let skip = options.skip.unwrap_or(0);
        let (limit, page_size) = match options.top {
            Some(top) if total > top && self.assumptions.top_is_a_page_size() => {
                (usize::MAX, top.max(1))
            }
            top => (top.unwrap_or(usize::MAX), self.page_size),
        };
        let wanted: Vec<&Value> = found.into_iter().skip(skip).take(limit).collect();
        let page: Vec<Value> = wanted
            .iter()
            .skip(offset)
            .take(page_size)
            .map(|referral| {
                select(
                    outward(referral, &self.assumptions, &request.origin),
                    &options,
                )
            })
            .collect();
        let next = offset + page.len();
        let mut body = json!({
            "@odata.context": format!("{}{COLLECTION}/$metadata#Referrals", request.origin),
            "@odata.count": if options.count { total } else { page.len() },
            "value": page,
        });
        if next < wanted.len() {
            body["@odata.nextLink"] = json!(self.next_link(request, &pairs, next));
        }
        let shown: Vec<String> = wanted
            .iter()
            .skip(offset)
            .take(page_size)
            .filter_map(|referral| Some(referral["id"].as_str()?.to_owned()))
            .collect();
        for id in shown {
            book.sight.show(&id, options.select.as_deref());
        }
        Ok(Reply::json(200, &body))
    }

    /// The samples show `http:` and a path without `/engagements`: a client has to keep only the query.
    fn next_link(&self, request: &Request, pairs: &[(String, String)], offset: usize) -> String {
        let token = json!({ "pairs": pairs, "offset": offset }).to_string();
        let token = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(token);
        let base = if self.assumptions.broken_next_link() {
            let host = request
                .origin
                .split_once("://")
                .map_or(request.origin.as_str(), |(_, host)| host);
            format!("http://{host}/v1.0/referrals")
        } else {
            format!("{}{COLLECTION}", request.origin)
        };
        format!("{base}?$skiptoken={token}")
    }
}

/// The query that a skip token stands for, and how far it has come.
fn resume(pairs: Vec<(String, String)>) -> Result<(Vec<(String, String)>, usize), Refusal> {
    let Some((_, token)) = pairs.iter().find(|(name, _)| name == "$skiptoken") else {
        return Ok((pairs, 0));
    };
    let bad = || Refusal::invalid("invalidSkipToken", "The $skiptoken is not valid.");
    let raw = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(token)
        .map_err(|_| bad())?;
    let held: Value = serde_json::from_slice(&raw).map_err(|_| bad())?;
    let offset = held["offset"]
        .as_u64()
        .and_then(|offset| usize::try_from(offset).ok())
        .ok_or_else(bad)?;
    let pairs = serde_json::from_value(held["pairs"].clone()).map_err(|_| bad())?;
    Ok((pairs, offset))
}

/// Every name in the query must be a field of a referral.
fn check_names(options: &Options) -> Result<(), Refusal> {
    let blank = shape::blank();
    let mut unknown = None;
    let mut check = |path: &[String]| {
        if path.first().is_none_or(|name| blank.get(name).is_none()) && unknown.is_none() {
            unknown = Some(path.join("/"));
        }
    };
    if let Some(filter) = &options.filter {
        filter.paths(&mut check);
    }
    for order in &options.order {
        check(&order.path);
    }
    for name in options.select.iter().flatten().filter(|name| *name != "*") {
        check(std::slice::from_ref(name));
    }
    match unknown {
        None => Ok(()),
        Some(name) => Err(Refusal::invalid(
            "invalidQuery",
            format!("Could not find a property named '{name}' on type 'Referral'."),
        )),
    }
}

fn candidates<'a>(book: &'a Book, options: &Options) -> Box<dyn Iterator<Item = &'a Value> + 'a> {
    let demanded = |property: &str| match options.filter.as_ref()?.demands(property)? {
        Scalar::Text(text) => Some(text.clone()),
        Scalar::Guid(guid) => Some(guid.to_string()),
        _ => None,
    };
    if let Some(engagement) = demanded("engagementId") {
        return Box::new(book.engagement(&engagement).collect::<Vec<_>>().into_iter());
    }
    if let Some(external) = demanded("externalReferenceId") {
        return Box::new(book.external(&external).collect::<Vec<_>>().into_iter());
    }
    Box::new(book.all())
}

fn sort(found: &mut [&Value], options: &Options) {
    if options.order.is_empty() {
        return;
    }
    found.sort_by_cached_key(|referral| {
        options
            .order
            .iter()
            .map(|order| Key {
                value: Json(referral).scalar(&order.path),
                descending: order.descending,
            })
            .collect::<Vec<_>>()
    });
}

/// A sort key that can be cached.
#[derive(PartialEq)]
struct Key {
    value: Scalar,
    descending: bool,
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let order = sort_order(&self.value, &other.value, Case::Sensitive);
        if self.descending {
            order.reverse()
        } else {
            order
        }
    }
}

fn select(referral: Value, options: &Options) -> Value {
    let Some(names) = options
        .select
        .as_ref()
        .filter(|names| !names.iter().any(|name| name == "*"))
    else {
        return referral;
    };
    let mut out = Map::new();
    for name in names {
        let top = name.split('/').next().unwrap_or(name);
        out.insert(top.to_owned(), referral[top].clone());
    }
    Value::Object(out)
}
