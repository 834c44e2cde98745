//! `cosell cards` and `cosell card answer`: questions for people, and their answers.

use std::collections::BTreeMap;

use cosell_store::{Card, Closed, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::deals::name_of;
use super::{Archive, Moment, VerbError};

/// Cards and holds that are read at once when one is looked for by its number.
pub(super) const ALL: usize = 100_000;

/// A question.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CardView {
    /// The connection.
    pub connection: String,
    /// By this number it is answered.
    pub card: i64,
    /// Whose lane asks.
    pub lane: i64,
    /// The deal's name, as far as it is known.
    pub deal: Option<String>,
    /// `conflict`, `gone`, `reopened`, `route`, …
    pub kind: String,
    /// The unit or the record.
    pub subject: String,
    /// The question.
    pub question: String,
    /// What may be answered.
    pub choices: Vec<Choice>,
    /// Who saved each record last, as far as it is known: `{partner-center: {at}, crm: {by, at}}`.
    pub last_saved: Value,
    /// Since when it is open.
    pub opened: Moment,
    /// The choice that a person made; the next run of the deal carries it out.
    pub answer: Option<String>,
    /// Who made it.
    pub answered_by: Option<String>,
    /// How it came to its end.
    pub closed: Option<ClosedView>,
}

/// One possible answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// What is answered.
    pub choice: String,
    /// What it does.
    pub means: String,
}

/// How a card or hold came to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClosedView {
    /// For people.
    pub why: String,
    /// When.
    pub at: Moment,
}

impl From<&Closed> for ClosedView {
    fn from(closed: &Closed) -> Self {
        Self {
            why: closed.why.clone(),
            at: Moment(closed.at),
        }
    }
}

/// An answer that was written down.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answered {
    /// What was chosen.
    pub choice: Choice,
    /// By whom.
    pub by: String,
    /// The card.
    pub card: CardView,
}

/// Open questions, the latest first; with `closed`, those that had an end as well.
///
/// # Errors
/// [`VerbError::Store`].
pub async fn cards(
    archive: &Archive,
    closed: bool,
    limit: usize,
) -> Result<Vec<CardView>, VerbError> {
    let found = archive
        .store
        .cards(archive.only(), !closed, limit.min(ALL))
        .await?;
    let mut names = BTreeMap::new();
    let mut views = Vec::with_capacity(found.len());
    for card in found {
        let key = (card.connection.clone(), card.lane);
        if !names.contains_key(&key) {
            let name = name_of(&*archive.store, &card.connection, card.lane).await?;
            names.insert(key.clone(), name);
        }
        views.push(view(&card, names[&key].clone()));
    }
    Ok(views)
}

/// A person answers. The choice is one of the card's own; the deal's next run carries it out.
///
/// # Errors
/// [`VerbError::NoChoice`] with the choices that there are; [`VerbError::ManyNumbers`]; [`VerbError::Store`] when the card is closed, or there
/// is none.
pub async fn answer(
    archive: &Archive,
    number: i64,
    choice: &str,
    by: &str,
) -> Result<Answered, VerbError> {
    let open = archive.store.cards(archive.only(), true, ALL).await?;
    let mut meant = open.iter().filter(|card| card.card == number);
    let Some(card) = meant.next() else {
        return Err(none(archive, number).await?);
    };
    if let Some(other) = meant.next() {
        return Err(VerbError::ManyNumbers {
            what: "card",
            number,
            connections: [card, other].map(|card| card.connection.clone()).to_vec(),
        });
    }
    let name = name_of(&*archive.store, &card.connection, card.lane).await?;
    let mut card = view(card, name);
    let Some(chosen) = card
        .choices
        .iter()
        .find(|one| one.choice.eq_ignore_ascii_case(choice))
        .cloned()
    else {
        return Err(VerbError::NoChoice {
            card: number,
            choice: choice.to_owned(),
            choices: card.choices,
        });
    };
    archive
        .store
        .answer_card(&card.connection, number, &chosen.choice, by)
        .await?;
    card.answer = Some(chosen.choice.clone());
    card.answered_by = Some(by.to_owned());
    Ok(Answered {
        choice: chosen,
        by: by.to_owned(),
        card,
    })
}

/// Why no open card has this number: it is closed, or there never was one.
async fn none(archive: &Archive, number: i64) -> Result<VerbError, VerbError> {
    let all = archive.store.cards(archive.only(), false, ALL).await?;
    let closed = all
        .into_iter()
        .filter(|card| card.card == number)
        .find_map(|card| card.closed)
        .map(|closed| closed.why);
    Ok(StoreError::NoCard {
        card: number,
        closed,
    }
    .into())
}

/// A card as a person reads it.
pub(super) fn view(card: &Card, deal: Option<String>) -> CardView {
    let body: Value = serde_json::from_str(&card.body).unwrap_or_default();
    CardView {
        connection: card.connection.clone(),
        card: card.card,
        lane: card.lane.0,
        deal,
        kind: card.kind.clone(),
        subject: card.subject.clone(),
        question: body["question"].as_str().unwrap_or_default().to_owned(),
        choices: serde_json::from_value(body["choices"].clone()).unwrap_or_default(),
        last_saved: body["last_saved"].clone(),
        opened: Moment(card.opened),
        answer: card.answer.as_ref().map(|answer| answer.choice.clone()),
        answered_by: card.answer.as_ref().map(|answer| answer.by.clone()),
        closed: card.closed.as_ref().map(ClosedView::from),
    }
}
