//! The promises, and what the judge looks at when a history is over: both sides as they are, the ledger, and the host's own audit where it
//! has to explain a difference. The host's database is never believed about anything else.

mod promises;
mod rests;

use cosell_simulator::ledger::{Entry, RefusedWrite};
use cosell_simulator::{Audit, Service};
use cosell_store::{AuditEntry, Census, LaneSummary, RecordKey};

use super::op::{HoldFor, Kind};
use super::people::{Edit, Known, Where};
use super::stage::{CONNECTION, Stage};
use super::view::{Mapping, View};
use super::wire::lock;

pub use promises::PROMISES;
pub use rests::RESTS;

/// Webhook set-up is no synchronisation.
const PLUMBING: [Service; 1] = [Service::PartnerCenter];

/// By which words a unit is spoken of, beside its name.
const ALSO: [(&str, &str); 2] = [("notes", "description"), ("help", "Microsoft's referral")];

/// Lines that say why a difference stays, or ask about it. A new kind is one word here.
const KINDS: [&str; 6] = [
    "explained",
    "question",
    "conflict",
    "hold",
    "card",
    "mapping-delta",
];

/// A promise that a history broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Which promise.
    pub promise: &'static str,
    /// How.
    pub how: String,
}

/// A deal, and the lane that is its.
pub struct Case {
    /// Its number in the history.
    pub deal: u8,
    /// Its records.
    pub known: Known,
    /// What the CRM shows.
    pub crm: Option<View>,
    /// What Partner Center shows.
    pub partner_center: Option<View>,
    /// The seller's switch is on.
    pub is_on: bool,
    /// The living lane of its records.
    pub lane: Option<LaneSummary>,
    /// What the host says that it did, oldest first.
    pub audit: Vec<AuditEntry>,
    /// A seller has taken the contact out of the row.
    pub contact_emptied: bool,
    /// The set in service keeps the value in a column of its own.
    pub value_moves: bool,
    /// A plugin of the set in service fails on every deal.
    pub fails: bool,
    /// The operator declares that contacts may be shared.
    pub consent_declared: bool,
}

/// Everything.
pub struct Evidence {
    /// The deals of the history.
    pub cases: Vec<Case>,
    /// What people changed.
    pub edits: Vec<Edit>,
    /// How often people did something.
    pub acts: usize,
    /// Which kinds of writes wait for a person, and since which write.
    pub rules: Vec<(usize, Kind, HoldFor)>,
    /// What a person has released: after which write, in which lane, of which kind.
    pub releases: Vec<(usize, i64, String)>,
    /// Consent was declared at some time.
    pub consent: bool,
    /// Writes that the services accepted, set-up left out.
    pub writes: Vec<Entry>,
    /// Writes that they refused.
    pub refused: Vec<RefusedWrite>,
    /// The simulator's own judgement.
    pub audit: Audit,
    /// All lanes.
    pub lanes: Vec<LaneSummary>,
    /// Counts of the store.
    pub census: Census,
    /// The audit's hash chains verify.
    pub chains_hold: bool,
    /// The first promise of the protocol that was broken on the way, whatever came of it.
    pub on_the_way: Option<Broken>,
}

impl Evidence {
    /// Looks at everything.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn gather(stage: &Stage<'_>) -> anyhow::Result<Self> {
        let control = stage.world.control();
        let store = &stage.store;
        let lanes = store.lanes(CONNECTION, 1_000).await?;
        let (deals, edits, acts, consent, rules, releases) = {
            let mut people = lock(&stage.people);
            let deals: Vec<_> = people
                .deals()
                .into_iter()
                .map(|(deal, known)| {
                    let views = people.views(&known);
                    (deal, known, views)
                })
                .collect();
            (
                deals,
                people.edits.clone(),
                people.acts,
                people.consent,
                people.rules.clone(),
                people.releases.clone(),
            )
        };
        let mut cases = Vec::new();
        for (deal, known, (crm, partner_center)) in deals {
            let record = |side: &str, kind: &str, id: &Option<String>| {
                id.as_ref().map(|id| RecordKey {
                    side: side.to_owned(),
                    kind: kind.to_owned(),
                    id: id.clone(),
                })
            };
            let records = [
                record("partner-center", "referral", &known.referral),
                record("crm", "opportunity", &known.row),
                record("crm", "lead", &known.lead),
            ];
            let mut lane = None;
            for record in records.into_iter().flatten() {
                if lane.is_none() {
                    lane = store.lane_of(CONNECTION, &record).await?;
                }
            }
            let audit = match lane {
                Some(lane) => store.audit(CONNECTION, lane).await?,
                None => Vec::new(),
            };
            let row = match (&known.row, &known.lead) {
                (Some(row), _) => control.row("opportunity", row),
                (None, Some(lead)) => control.row("lead", lead),
                _ => None,
            };
            cases.push(Case {
                deal,
                is_on: row.is_some_and(|row| row[super::view::SYNC] == true),
                known,
                crm,
                partner_center,
                lane: lanes
                    .iter()
                    .find(|summary| Some(summary.lane) == lane)
                    .cloned(),
                audit,
                contact_emptied: edits.iter().any(|edit| {
                    edit.deal == deal
                        && edit.side == Where::Crm
                        && edit.unit.starts_with("contacts ")
                        && edit.value.is_empty()
                }),
                value_moves: stage.set().mapping.value_column != Mapping::default().value_column,
                fails: stage.set().fails,
                consent_declared: stage.is_consent_declared(),
            });
        }
        Ok(Self {
            cases,
            edits,
            acts,
            rules,
            releases,
            consent,
            writes: writes(stage),
            refused: control.refused(),
            audit: control.audit(),
            lanes,
            census: store.census().await?,
            chains_hold: store.check_audit().await?.is_empty(),
            on_the_way: lock(&stage.wire.trace).broken.clone(),
        })
    }

    /// The first promise that does not hold.
    #[must_use]
    pub fn judge(&self) -> Option<Broken> {
        let on_the_way = self.on_the_way.clone();
        on_the_way.or_else(|| self.judge_the_end())
    }

    fn judge_the_end(&self) -> Option<Broken> {
        PROMISES
            .iter()
            .find_map(|(promise, check)| check(self).err().map(|how| Broken { promise, how }))
    }
}

impl Case {
    /// Both sides are there.
    #[must_use]
    pub fn both(&self) -> Option<(&View, &View)> {
        self.crm.as_ref().zip(self.partner_center.as_ref())
    }

    /// Whether the CRM's record has a place for the unit: a lead has none for some.
    #[must_use]
    pub fn keeps(&self, unit: &str) -> bool {
        const OF_LEADS: [&str; 6] = ["name", "notes", "close-date", "value", "state", "contacts"];
        let name = unit.split(' ').next().unwrap_or(unit);
        self.known.row.is_some() || self.known.lead.is_none() || OF_LEADS.contains(&name)
    }

    /// Where the lane stands.
    #[must_use]
    pub fn state(&self) -> &str {
        self.lane.as_ref().map_or("none", |lane| &lane.state)
    }

    /// Why the lane stands there.
    #[must_use]
    pub fn reason(&self) -> &str {
        let lane = self.lane.as_ref();
        lane.and_then(|lane| lane.reason.as_deref())
            .unwrap_or_default()
    }

    /// Lines of the host's audit that speak of this unit. Lists are told as a whole.
    pub fn told<'a>(&'a self, unit: &'a str) -> impl Iterator<Item = &'a AuditEntry> {
        let name = unit.split(' ').next().unwrap_or(unit);
        let also = ALSO.iter().find(|(unit, _)| *unit == name);
        let words: Vec<&str> = std::iter::once(name)
            .chain(also.map(|(_, word)| *word))
            .collect();
        self.audit.iter().filter(move |entry| {
            let in_detail = entry.line.detail.contains(&format!("\"unit\":\"{name}\""));
            let in_words = |word: &&str| {
                entry.line.message.contains(&format!("{word} "))
                    || entry.line.message.contains(&format!("{word}:"))
            };
            in_detail || words.iter().any(in_words)
        })
    }

    /// Whether the host has said why this unit is not the same on both sides, or asked about it.
    #[must_use]
    pub fn is_explained(&self, unit: &str) -> bool {
        self.told(unit)
            .any(|entry| KINDS.contains(&entry.line.kind.as_str()))
    }

    /// Whether the host has said why this unit stays different. That a policy has decided is no reason: what it decides is carried.
    #[must_use]
    pub fn may_differ(&self, unit: &str) -> bool {
        self.told(unit).any(|entry| {
            let kind = entry.line.kind.as_str();
            kind != "conflict" && KINDS.contains(&kind)
        })
    }

    /// Whether the host has said what became of this very value: that it could not go across, that it is asked about, or that a policy has
    /// decided against it.
    #[must_use]
    pub fn is_accounted(&self, unit: &str, value: &str) -> bool {
        self.told(unit).any(|entry| {
            let line = &entry.line;
            let decided = line.message.contains("policy decided");
            (decided || KINDS.contains(&line.kind.as_str())) && mentions(&line.message, unit, value)
        })
    }
}

/// Whether a sentence speaks of a value. States, switches and emptied fields have no words of their own in every sentence.
fn mentions(sentence: &str, unit: &str, value: &str) -> bool {
    let (name, element) = unit.split_once(' ').unwrap_or((unit, ""));
    match name {
        "state" | "visibility" | "help" | "contacts" => true,
        _ if value.is_empty() => true,
        "solutions" => sentence.contains(element) || sentence.contains("no solution"),
        "value" => {
            let (amount, currency) = value.split_once(' ').unwrap_or((value, ""));
            let short = amount.trim_end_matches('0').trim_end_matches('.');
            sentence.contains(&format!("{short} {currency}"))
                || sentence.contains(value)
                || sentence.contains(&format!("{amount} {currency}"))
        }
        _ => {
            let beginning: String = value.chars().take(7).collect();
            sentence.contains(&beginning) || sentence.contains("were cut")
        }
    }
}

/// Writes that the services accepted, set-up left out.
#[must_use]
pub fn writes(stage: &Stage<'_>) -> Vec<Entry> {
    let mut entries = stage.world.control().ledger(0);
    entries.retain(|entry| !PLUMBING.contains(&entry.service));
    entries
}
