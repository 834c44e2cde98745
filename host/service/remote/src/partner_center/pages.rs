//! Lists of referrals, one page at a time.
//!
//! How a list by moment is asked for is documented in parts: a filter by `updatedDateTime` without an example, an order by it with one, and the
//! oldest page knows neither. So it is asked in several wordings, the best first, until one is taken. Whatever comes is looked at once more here.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use cosell_sync::deal::Timestamp;
use http::{Method, StatusCode};

use crate::error::{RemoteError, Service};
use crate::http::query_text;
use crate::json::{self, Raw};
use crate::partner_center::client::{ListQuery, Order, PartnerCenter, failure};
use crate::partner_center::wire::{NotAReferral, Referral};

/// Pages of one list. 100 referrals a page: half a million deals are not one partner's.
const PAGES_MAX: usize = 5_000;
/// Referrals on a page that is made here.
const PAGE: usize = 100;

/// A list, one page at a time.
#[derive(Debug)]
pub struct Pages {
    client: PartnerCenter,
    /// Query of the next page; none when there is none.
    next: Option<String>,
    /// Queries that were asked already: a link that leads back would never end.
    seen: HashSet<String>,
    since: Option<Since>,
}

/// What stands on a page.
#[derive(Debug, Default)]
pub struct Page {
    /// Referrals.
    pub referrals: Vec<Referral>,
    /// What is none. One that cannot be read keeps nobody from the others.
    pub unread: Vec<Unread>,
}

/// Something in a list of referrals that is none.
#[derive(Debug)]
pub struct Unread {
    /// GUID, lower case, where it says so.
    pub id: Option<String>,
    /// The document, byte for byte.
    pub raw: String,
    /// What is wrong with it.
    pub problem: RemoteError,
}

impl Page {
    /// The referrals, for who has to know all of them.
    ///
    /// # Errors
    /// What is wrong with the first that cannot be read.
    pub fn whole(self) -> Result<Vec<Referral>, RemoteError> {
        match self.unread.into_iter().next() {
            Some(unread) => Err(unread.problem),
            None => Ok(self.referrals),
        }
    }
}

/// A list by moment.
#[derive(Debug)]
struct Since {
    moment: Timestamp,
    /// Index of the wording that it is asked in.
    wording: usize,
    /// What came in no order, or in another one.
    gathered: Vec<Referral>,
    /// The same, of what is no referral: nobody knows its moment.
    unread: Vec<Unread>,
}

/// How a moment is written in a filter.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// As OData writes it.
    Bare,
    /// As the documents write every other value.
    Quoted,
    /// Not at all.
    Unsaid,
}

/// One way to ask for what was changed since a moment.
#[derive(Debug, Clone, Copy)]
struct Wording {
    moment: Moment,
    order: Option<Order>,
}

/// The best first. The third is the one that is documented whole, and ends where the moment is reached; the last reads everything.
const WORDINGS: [Wording; 6] = [
    Wording {
        moment: Moment::Bare,
        order: Some(Order::Updated),
    },
    Wording {
        moment: Moment::Quoted,
        order: Some(Order::Updated),
    },
    Wording {
        moment: Moment::Unsaid,
        order: Some(Order::UpdatedLast),
    },
    Wording {
        moment: Moment::Bare,
        order: None,
    },
    Wording {
        moment: Moment::Quoted,
        order: None,
    },
    Wording {
        moment: Moment::Unsaid,
        order: None,
    },
];

impl Wording {
    fn query(self, moment: Timestamp) -> ListQuery {
        let filter = match self.moment {
            Moment::Bare => Some(format!("updatedDateTime ge {moment}")),
            Moment::Quoted => Some(format!("updatedDateTime ge '{moment}'")),
            Moment::Unsaid => None,
        };
        ListQuery {
            filter,
            order: self.order,
            page_size: None,
        }
    }
}

/// One page of a list, as it is sent.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) referrals: Vec<Referral>,
    /// What is none, and why.
    pub(super) unread: Vec<(String, NotAReferral)>,
    /// Query of the next page.
    pub(super) next: Option<String>,
}

/// Why an answer is no page of a list.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotAList {
    #[error("the answer is no list")]
    Object,
    #[error("the answer has no list in \"value\"")]
    Value,
    #[error("the link to the next page has no query: {}", crate::http::readable(.link))]
    Link { link: String },
}

impl Listed {
    pub(super) fn parse(document: &str) -> Result<Self, NotAList> {
        let page = json::object(document).ok_or(NotAList::Object)?;
        let rows: Vec<Raw> = page
            .get("value")
            .and_then(|value| json::parse(value))
            .ok_or(NotAList::Value)?;
        let (mut referrals, mut unread) = (Vec::with_capacity(rows.len()), Vec::new());
        for row in &rows {
            match Referral::parse(row.get()) {
                Ok(referral) => referrals.push(referral),
                Err(problem) => unread.push((row.get().to_owned(), problem)),
            }
        }
        let link = page
            .get("@odata.nextLink")
            .and_then(|link| json::filled(link));
        let next = link.map(|link| match link.split_once('?') {
            // The link is known to name the wrong scheme and to lack a part of the path. Only its query is right, and only that may be
            // trusted: a token is never sent to a host that a body named.
            Some((_, rest)) if !rest.is_empty() => {
                Ok(rest.split('#').next().unwrap_or(rest).to_owned())
            }
            _ => Err(NotAList::Link { link }),
        });
        Ok(Self {
            referrals,
            unread,
            next: next.transpose()?,
        })
    }
}

impl Pages {
    pub(super) fn of(client: PartnerCenter, query: &ListQuery) -> Self {
        Self {
            client,
            next: Some(text(query)),
            seen: HashSet::new(),
            since: None,
        }
    }

    pub(super) fn since(client: PartnerCenter, moment: Timestamp) -> Self {
        let wording = client.wording.load(Ordering::Relaxed);
        Self {
            since: Some(Since {
                moment,
                wording,
                gathered: Vec::new(),
                unread: Vec::new(),
            }),
            ..Self::of(client, &WORDINGS[wording].query(moment))
        }
    }

    /// The next page. None after the last. After an error, the same page is asked again.
    ///
    /// # Errors
    /// As [`PartnerCenter::get`].
    pub async fn next(&mut self) -> Result<Option<Page>, RemoteError> {
        loop {
            let page = match self.page().await {
                Err(error) if self.takes_another_wording(&error) => continue,
                page => page?,
            };
            let Some(since) = &mut self.since else {
                return Ok(page);
            };
            let moment = since.moment;
            let is_due = |referral: &Referral| referral.updated_at.is_none_or(|at| at >= moment);
            let order = WORDINGS[since.wording].order;
            let Some(Page { referrals, unread }) = page else {
                return Ok(since.hand_out());
            };
            if self.seen.len() == 1 {
                self.client.wording.store(since.wording, Ordering::Relaxed);
            }
            let is_past = order == Some(Order::UpdatedLast) && !referrals.iter().all(is_due);
            let due = referrals.into_iter().filter(is_due);
            if order == Some(Order::Updated) {
                let referrals = due.collect();
                return Ok(Some(Page { referrals, unread }));
            }
            since.gathered.extend(due);
            since.unread.extend(unread);
            if is_past {
                self.next = None;
            }
            if self.next.is_none() {
                since.sort();
            }
        }
    }

    /// A wording that is refused before anything came is followed by the next.
    fn takes_another_wording(&mut self, refused: &RemoteError) -> bool {
        let Some(since) = &mut self.since else {
            return false;
        };
        let is_refused = refused.status == Some(StatusCode::BAD_REQUEST.as_u16());
        let Some(next) = WORDINGS.get(since.wording + 1) else {
            return false;
        };
        if !is_refused || !self.seen.is_empty() {
            return false;
        }
        since.wording += 1;
        self.next = Some(text(&next.query(since.moment)));
        true
    }

    /// Asks for one page.
    async fn page(&mut self) -> Result<Option<Page>, RemoteError> {
        let Some(query) = self.next.clone() else {
            return Ok(None);
        };
        let call = self.client.call(
            Method::GET,
            "/referrals",
            Some(&query)
                .filter(|query| !query.is_empty())
                .map(String::as_str),
            "list referrals".to_owned(),
        );
        let answer = self.client.referrals.send(&call).await?;
        if !answer.status.is_success() {
            return Err(failure(&call, &answer));
        }
        let listed = Listed::parse(answer.text(&call)?)
            .map_err(|problem| answer.unreadable(&call, problem.to_string()))?;
        let unread = listed.unread.into_iter().map(|(raw, problem)| Unread {
            id: Referral::id_of(&raw),
            raw,
            problem: answer
                .unreadable(&call, "the list holds something that is no referral")
                .with_source(problem),
        });
        let page = Page {
            referrals: listed.referrals,
            unread: unread.collect(),
        };
        let next = listed.next;
        self.seen.insert(query);
        if next.as_ref().is_some_and(|next| self.seen.contains(next))
            || self.seen.len() >= PAGES_MAX
        {
            return Err(RemoteError::refused(
                Service::PartnerCenter,
                "list referrals",
                "the links from page to page never end",
            ));
        }
        self.next = next;
        Ok(Some(page))
    }

    /// All pages in one list.
    ///
    /// # Errors
    /// The first that happens; nothing is returned then.
    pub async fn all(mut self) -> Result<Vec<Referral>, RemoteError> {
        let mut all = Vec::new();
        while let Some(page) = self.next().await? {
            all.extend(page.whole()?);
        }
        Ok(all)
    }
}

impl Since {
    /// Newest first, so that the oldest are handed out from the end. A referral that changed while it was listed came twice: the newer one stays.
    fn sort(&mut self) {
        self.gathered
            .sort_by_key(|referral| std::cmp::Reverse(referral.updated_at));
        let mut met = HashSet::new();
        self.gathered
            .retain(|referral| met.insert(referral.id.clone()));
    }

    fn hand_out(&mut self) -> Option<Page> {
        let from = self.gathered.len().saturating_sub(PAGE);
        let page = Page {
            referrals: self.gathered.drain(from..).rev().collect(),
            unread: std::mem::take(&mut self.unread),
        };
        (!page.referrals.is_empty() || !page.unread.is_empty()).then_some(page)
    }
}

fn text(query: &ListQuery) -> String {
    let mut pairs = Vec::new();
    if let Some(filter) = &query.filter {
        pairs.push(("$filter", filter.clone()));
    }
    if let Some(order) = query.order {
        let order = match order {
            Order::Created => "createdDateTime asc",
            Order::Updated => "updatedDateTime asc",
            Order::UpdatedLast => "updatedDateTime desc",
        };
        pairs.push(("$orderby", order.to_owned()));
    }
    if let Some(size) = query.page_size {
        pairs.push(("$top", size.to_string()));
    }
    query_text(&pairs)
}
