//! The sheet on which scenarios write what they have seen, row by row; and how they look.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use cosell_simulator::Control;
use cosell_tests::{PATIENCE, World};
use serde_json::Value;

/// What a row shows, in one phrase; or why it does not show that.
pub(crate) type Seen = Result<String, String>;

const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The id of the simulated connection.
const CONNECTION: &str = "simulated";

/// What has come out so far.
#[derive(Debug, Default)]
pub(crate) struct Sheet {
    seen: BTreeMap<String, Vec<Seen>>,
}

/// A row, and how to look at it.
pub(crate) struct Check<'a> {
    row: &'a str,
    look: Box<dyn Fn(&Sight<'_>) -> Seen + Send + Sync + 'a>,
}

/// What there is to be looked for.
pub(crate) fn check<'a>(
    row: &'a str,
    look: impl Fn(&Sight<'_>) -> Seen + Send + Sync + 'a,
) -> Check<'a> {
    Check {
        row,
        look: Box::new(look),
    }
}

impl Sheet {
    /// Writes down what a row has shown. A row that shows several things has to show them all.
    pub(crate) fn put(&mut self, row: &str, seen: Seen) {
        self.seen.entry(row.to_owned()).or_default().push(seen);
    }

    /// Looks until everything is there, waits until the host is quiet, and looks again: what is claimed must also last.
    pub(crate) async fn expect(
        &mut self,
        world: &World,
        checks: &[Check<'_>],
    ) -> anyhow::Result<()> {
        let began = Instant::now();
        let look = async || {
            let sight = Sight::of(world).await?;
            let seen: Vec<Seen> = checks.iter().map(|check| (check.look)(&sight)).collect();
            anyhow::Ok(seen)
        };
        while began.elapsed() < PATIENCE && look().await?.iter().any(Seen::is_err) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        world.quiet().await?;
        for (check, seen) in checks.iter().zip(look().await?) {
            self.put(check.row, seen);
        }
        Ok(())
    }

    /// One row at a time.
    pub(crate) async fn expect_one(
        &mut self,
        world: &World,
        row: &str,
        look: impl Fn(&Sight<'_>) -> Seen + Send + Sync,
    ) -> anyhow::Result<()> {
        self.expect(world, &[check(row, look)]).await
    }

    /// Everything that was written down about a row. None: nobody came to it.
    pub(crate) fn verdict(&self, row: &str) -> Option<Seen> {
        let mut said = Vec::new();
        for seen in self.seen.get(row)? {
            match seen {
                Ok(phrase) if !said.contains(phrase) => said.push(phrase.clone()),
                Ok(_) => {}
                Err(why) => return Some(Err(why.clone())),
            }
        }
        Some(Ok(said.join("; ")))
    }

    /// Rows that were written about.
    pub(crate) fn rows(&self) -> BTreeSet<String> {
        self.seen.keys().cloned().collect()
    }
}

/// Both sides and the store at one moment.
pub(crate) struct Sight<'w> {
    pub(crate) control: &'w Control,
    lanes: Vec<Lane>,
}

/// A deal as the store has it.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) state: String,
    pub(crate) reason: String,
    records: Vec<String>,
    /// Kind and sentence, oldest first.
    pub(crate) history: Vec<(String, String)>,
}

impl<'w> Sight<'w> {
    pub(crate) async fn of(world: &'w World) -> anyhow::Result<Self> {
        let mut lanes = Vec::new();
        if let Ok(desk) = world.desk() {
            for lane in desk.store.lanes(CONNECTION, 1_000).await? {
                let audit = desk.store.audit(CONNECTION, lane.lane).await?;
                let link = lane.link.unwrap_or_default();
                lanes.push(Lane {
                    state: lane.state,
                    reason: lane.reason.unwrap_or_default(),
                    records: link.referral.into_iter().chain(link.crm_row).collect(),
                    history: audit
                        .into_iter()
                        .map(|entry| (entry.line.kind, entry.line.message))
                        .collect(),
                });
            }
        }
        Ok(Self {
            control: world.control(),
            lanes,
        })
    }

    /// The deal of a referral or a row.
    pub(crate) fn lane(&self, record: &str) -> Result<&Lane, String> {
        let of_record = |lane: &&Lane| lane.records.iter().any(|one| one == record);
        self.lanes
            .iter()
            .find(of_record)
            .ok_or_else(|| "no deal has this record yet".to_owned())
    }

    /// Every deal.
    pub(crate) fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    pub(crate) fn referral(&self, id: &str) -> Value {
        self.control.referral(id).unwrap_or_default()
    }

    /// Our referral for a row.
    pub(crate) fn referral_of(&self, row: &str) -> Value {
        let ours = |referral: &Value| {
            referral["organizationId"] != "msft" && referral["externalReferenceId"] == row
        };
        let mut all = self.control.referrals().into_iter();
        all.find(ours).unwrap_or_default()
    }

    pub(crate) fn opportunity(&self, id: &str) -> Value {
        self.control.row("opportunity", id).unwrap_or_default()
    }

    /// The opportunity of a referral.
    pub(crate) fn opportunity_of(&self, referral: &str) -> Value {
        self.of_referral("opportunity", referral)
    }

    /// The lead of a referral.
    pub(crate) fn lead_of(&self, referral: &str) -> Value {
        self.of_referral("lead", referral)
    }

    fn of_referral(&self, table: &str, referral: &str) -> Value {
        let mut rows = self.control.rows(table).into_iter();
        rows.rfind(|row| row[crate::people::IDENTIFIER] == referral)
            .unwrap_or_default()
    }

    /// What the deal's history says about it: the one line that begins with the first word, and in which all others are.
    pub(crate) fn told(&self, record: &str, words: &[&str]) -> Seen {
        let history = &self.lane(record)?.history;
        let fits = |line: &&(String, String)| {
            let mut words = words.iter();
            words.next().is_some_and(|first| line.1.starts_with(first))
                && words.all(|word| line.1.contains(word))
        };
        let lines: Vec<_> = history.iter().filter(fits).collect();
        match lines.as_slice() {
            [(kind, line)] => Ok(format!("{kind}: {}", plain(line))),
            [] => Err(format!("no line of the history has {words:?}: {history:?}")),
            several => Err(format!(
                "told {} times and not once: {several:?}",
                several.len()
            )),
        }
    }

    /// The same for a difference that stays.
    pub(crate) fn explained(&self, record: &str, words: &[&str]) -> Seen {
        let told = self.told(record, words)?;
        if told.starts_with("explained") {
            Ok(told)
        } else {
            Err(format!("told, but not as an explanation: {told}"))
        }
    }
}

/// It stands there as it should.
pub(crate) fn carried(got: &Value, wanted: impl Into<Value>) -> Seen {
    let wanted = wanted.into();
    let same = match (number(got), number(&wanted)) {
        (Some(got), Some(wanted)) => (got - wanted).abs() < 1e-9,
        _ => *got == wanted,
    };
    if same {
        Ok(format!("carried: {}", shown(got)))
    } else {
        Err(format!("shows {got} where {wanted} belongs"))
    }
}

/// The same for part of a text.
pub(crate) fn holds(got: &Value, words: &str) -> Seen {
    match got.as_str() {
        Some(text) if text.contains(words) => Ok(format!("carried: {words}")),
        _ => Err(format!("shows {got} where \"{words}\" belongs")),
    }
}

/// Several things in one phrase.
pub(crate) fn both(one: Seen, other: Seen) -> Seen {
    let (one, other) = (one?, other?);
    let other = other.strip_prefix("carried: ").unwrap_or(&other);
    Ok(format!("{one}, {other}"))
}

/// `seen`, if it is so.
pub(crate) fn only_if(so: bool, seen: impl Into<String>, why: impl FnOnce() -> String) -> Seen {
    if so { Ok(seen.into()) } else { Err(why()) }
}

fn number(value: &Value) -> Option<f64> {
    value
        .as_f64()
        .or_else(|| value.as_str().filter(|text| text.len() < 16)?.parse().ok())
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "empty".to_owned(),
        Value::Number(number) => match number.as_f64() {
            Some(whole) if whole.fract() == 0.0 => format!("{whole:.0}"),
            _ => number.to_string(),
        },
        Value::String(text) => plain(text),
        Value::Array(list) => list.iter().map(shown).collect::<Vec<_>>().join(" + "),
        other => other.to_string(),
    }
}

/// Without what differs from run to run: ids, addresses and moments.
pub(crate) fn plain(text: &str) -> String {
    let mut words = Vec::new();
    for word in text.split(' ') {
        words.push(plain_word(word));
    }
    words.join(" ").replace("… …", "…")
}

fn plain_word(word: &str) -> String {
    const GUID: usize = 36;
    let is_guid = |part: &str| {
        part.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    };
    let mut out = String::new();
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        if rest.len() >= GUID && rest.is_char_boundary(GUID) && is_guid(&rest[..GUID]) {
            out.push('…');
            rest = &rest[GUID..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}
