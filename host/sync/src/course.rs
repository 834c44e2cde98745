//! What a run does with its lane, before any unit is compared: create a record, merge two, wait, or leave it alone (S13, S18–S21).

use alloc::string::String;
use alloc::vec::Vec;

use crate::deal::{Help, Person, Unit, UnitValue, Units};
use crate::row::{Reason, RecordKind};
use crate::side::{Side, Sides};

/// Whether a side has a record for the deal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It was read just now.
    Here,
    /// The lane has never had one on this side.
    Never,
    /// The lane's record could not be found (S18). A 404 may be lost visibility, so it never propagates.
    Gone,
}

/// What the plugins said at the door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    /// Keep in step, as this kind of CRM record.
    Sync(RecordKind),
    /// Leave alone, and why.
    Skip(Reason),
}

/// What a person has decided about a deal that cannot go on by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// S18: the record that is gone is made anew, as the next generation.
    Recreate,
    /// S18: the two records have nothing to do with each other any more.
    Unlink,
    /// S19: the reopened row and the closed referral stay apart.
    LeaveApart,
    /// S19: the reopened row gets a new referral, the next generation.
    StartAnew,
}

impl Decision {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Recreate,
        Self::Unlink,
        Self::LeaveApart,
        Self::StartAnew,
    ];

    /// The spelling of the choices on a card.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recreate => "recreate",
            Self::Unlink => "unlink",
            Self::LeaveApart => "leave-apart",
            Self::StartAnew => "start-anew",
        }
    }

    /// Reads what [`Decision::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|decision| decision.as_str() == text)
    }
}

/// When a new deal may cross (S20). All in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// A new deal is left in peace so long after its last bell: the seller is still typing.
    pub quiet_ms: i64,
    /// How long an incomplete deal waits for its seller before it is reported as refused.
    pub incomplete_ms: i64,
}

/// What a run found.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// Which records are there.
    pub presence: Sides<Presence>,
    /// Both were connected by an earlier run.
    pub linked: bool,
    /// What the plugins said.
    pub gate: &'a Gate,
    /// What the side that is there says about the deal (of a birth; else ignored).
    pub units: &'a Units,
    /// What the CRM's record is now, when there is one.
    pub kind: RecordKind,
    /// Partner Center's deal is terminal.
    pub closed: bool,
    /// The row is closed, and so read-only (S16).
    pub row_closed: bool,
    /// The row was closed when both were last in step, and is open again, while Partner Center's deal is terminal (S19).
    pub reopened: bool,
    /// What a person has decided.
    pub decided: Option<Decision>,
    /// When the lane was born, and when its oldest unanswered bell rang.
    pub born: i64,
    /// See there.
    pub rang: i64,
    /// Now, by the same clock.
    pub now: i64,
    /// The operator's setting.
    pub patience: Patience,
}

/// What the run does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Course {
    /// Both are there: merge them.
    Merge,
    /// Create the record of this side from the other.
    Create {
        /// Where.
        on: Side,
        /// As what, when it is the CRM.
        kind: RecordKind,
    },
    /// The lead becomes an opportunity: it was accepted in Partner Center (S17).
    Qualify,
    /// The record of this side is made anew: the lane forgets the one that is gone, or closed for good (S18, S19).
    Anew(Side),
    /// A person has taken the two records apart.
    Apart,
    /// The row was reopened after Partner Center's deal had ended: a person decides (S19).
    Reopened,
    /// Left alone. A linked deal pauses: bases kept, no writes either way (S21).
    Skip(Reason),
    /// The seller may still be typing.
    Quiet {
        /// Look again then.
        until: i64,
    },
    /// Something is missing; the seller has time until then.
    Incomplete {
        /// Look again then.
        until: i64,
        /// What.
        missing: Vec<Reason>,
    },
    /// Something is missing and the time is up: tell the seller.
    Refuse(Vec<Reason>),
    /// A record is gone (S18).
    Orphan(Side),
    /// There is nothing on either side: the bell was about a record that never belonged to a deal.
    Nothing,
}

/// Decides.
#[must_use]
pub fn course(situation: &Situation<'_>) -> Course {
    use Presence::{Gone, Here, Never};
    let here = situation.presence;
    if situation.linked
        && let Some(course) = parted(situation)
    {
        return course;
    }
    match (here.partner_center, here.crm) {
        (Never | Gone, Never | Gone) => return Course::Nothing,
        // A record that was never linked and is gone again: nobody misses it.
        (Gone, _) | (_, Gone) if situation.linked => return Course::Nothing,
        _ => {}
    }
    let kind = match situation.gate {
        Gate::Skip(reason) => return Course::Skip(reason.clone()),
        Gate::Sync(kind) => *kind,
    };
    match (here.partner_center, here.crm) {
        // A lead that is closed cannot be qualified: that it was accepted and that it was given up is for the merge.
        (Here, Here)
            if situation.kind == RecordKind::Lead
                && kind == RecordKind::Opportunity
                && !situation.row_closed =>
        {
            Course::Qualify
        }
        (Here, Here) => Course::Merge,
        (Here, _) if situation.closed => Course::Skip(reason(
            "closed-before-link",
            "the deal was closed in Partner Center before it was ever linked to the CRM",
            None,
            None,
        )),
        (Here, _) => Course::Create {
            on: Side::Crm,
            kind,
        },
        (_, Here) => birth_in_partner_center(situation, kind),
        _ => Course::Nothing,
    }
}

/// What becomes of a pair that is none any more, or has been reopened (S18, S19).
fn parted(situation: &Situation<'_>) -> Option<Course> {
    let gone = Side::BOTH
        .into_iter()
        .find(|side| situation.presence[*side] != Presence::Here);
    match (gone, situation.decided) {
        (_, Some(Decision::Unlink)) => Some(Course::Apart),
        (Some(side), Some(Decision::Recreate)) => Some(Course::Anew(side)),
        (Some(side), _) => Some(Course::Orphan(side)),
        (None, decided) if situation.reopened => Some(match decided {
            Some(Decision::StartAnew) => Course::Anew(Side::PartnerCenter),
            Some(Decision::LeaveApart) => Course::Apart,
            _ => Course::Reopened,
        }),
        (None, _) => None,
    }
}

fn birth_in_partner_center(situation: &Situation<'_>, kind: RecordKind) -> Course {
    let missing = missing_for_referral(situation.units);
    if !missing.is_empty() {
        let until = situation
            .born
            .saturating_add(situation.patience.incomplete_ms);
        return if situation.now < until {
            Course::Incomplete { until, missing }
        } else {
            Course::Refuse(missing)
        };
    }
    let until = situation.rang.saturating_add(situation.patience.quiet_ms);
    if situation.now < until {
        Course::Quiet { until }
    } else {
        Course::Create {
            on: Side::PartnerCenter,
            kind,
        }
    }
}

fn reason(code: &str, message: &str, about: Option<&str>, hint: Option<&str>) -> Reason {
    Reason {
        code: code.into(),
        message: message.into(),
        about: about.map(Into::into),
        hint: hint.map(Into::into),
    }
}

/// What a referral cannot be created without, as sentences for the seller. Microsoft's own answer to the usual three (country, solution,
/// contact) is a bare "bad request".
#[must_use]
pub fn missing_for_referral(units: &Units) -> Vec<Reason> {
    let filled = |unit: &Unit| units.get(unit).is_some_and(|value| !value.is_empty());
    let mut missing = Vec::new();
    let required: [(Unit, &str, &str, &str); 4] = [
        (
            Unit::Name,
            "name-missing",
            "the deal has no name",
            "give the opportunity a topic",
        ),
        (
            Unit::CompanyName,
            "customer-missing",
            "the deal has no customer",
            "choose an account for the opportunity",
        ),
        (
            Unit::Value,
            "value-missing",
            "the deal has no value",
            "enter the estimated revenue",
        ),
        (
            Unit::CloseDate,
            "close-date-missing",
            "the deal has no close date",
            "enter the estimated close date",
        ),
    ];
    for (unit, code, message, hint) in required {
        if !filled(&unit) {
            missing.push(reason(code, message, Some(&unit.as_text()), Some(hint)));
        }
    }
    let country = match units.get(&Unit::Address) {
        Some(UnitValue::Address(address)) => address.country.as_deref(),
        _ => None,
    };
    match country {
        Some(code) if code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase()) => {}
        Some(other) => missing.push(reason(
            "country-unknown",
            &alloc::format!("the customer's country \"{other}\" is not a two-letter ISO code"),
            Some("address.country"),
            Some("correct the country of the account; the country plugin knows ISO codes and English names"),
        )),
        None => missing.push(reason("country-missing", "the customer has no country", Some("address.country"), Some("fill in the country of the account"))),
    }
    if !filled(&Unit::Solutions) {
        missing.push(reason(
            "solution-missing",
            "the deal has no solution",
            Some("solutions"),
            Some("add at least one co-sell ready solution to the opportunity"),
        ));
    }
    if help(units).is_some()
        && !matches!(units.get(&Unit::Contacts), Some(UnitValue::People(people)) if people.iter().any(is_complete))
    {
        missing.push(reason(
            "contact-missing",
            "help is asked from Microsoft, but no contact at the customer has first name, last name, mail and phone",
            Some("contacts"),
            Some("choose a contact for the opportunity and complete it"),
        ));
    }
    missing
}

/// The help that is asked for, if any.
#[must_use]
pub fn help(units: &Units) -> Option<&Help> {
    match units.get(&Unit::Help) {
        Some(UnitValue::Help(help)) => help.as_ref(),
        _ => None,
    }
}

fn is_complete(person: &Person) -> bool {
    let filled =
        |text: &Option<String>| text.as_deref().is_some_and(|text| !text.trim().is_empty());
    filled(&person.first_name)
        && filled(&person.last_name)
        && filled(&person.email)
        && filled(&person.phone)
}
