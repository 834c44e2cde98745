//! S24: writes that nobody can take back. Each kind goes at once, after a grace period, or when a person confirms it.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::deal::{Standing, Unit, UnitValue};
use crate::merge::{Carry, Plan};
use crate::side::Side;

/// A kind of write that cannot be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Irreversible {
    /// Microsoft's sellers see the deal from now on.
    Visibility,
    /// Microsoft is invited.
    Help,
    /// The customer's people leave the CRM.
    Contacts,
    /// Closed in Partner Center.
    Won,
    /// Closed in Partner Center.
    Lost,
    /// Closed in Partner Center.
    Declined,
}

impl Irreversible {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Visibility,
        Self::Help,
        Self::Contacts,
        Self::Won,
        Self::Lost,
        Self::Declined,
    ];

    /// Which kind it would be to write this. None: it can be taken back.
    #[must_use]
    pub fn of(unit: &Unit, to: Side, value: &UnitValue) -> Option<Self> {
        if to == Side::Crm {
            return None;
        }
        match (unit, value) {
            (Unit::Visibility, value) => (!value.is_empty()).then_some(Self::Visibility),
            (Unit::Help, value) => (!value.is_empty()).then_some(Self::Help),
            (Unit::Contacts, value) => (!value.is_empty()).then_some(Self::Contacts),
            (Unit::State, UnitValue::State(state)) => match state.standing {
                Standing::Won => Some(Self::Won),
                Standing::Lost => Some(Self::Lost),
                Standing::Declined => Some(Self::Declined),
                _ => None,
            },
            _ => None,
        }
    }

    /// The spelling in stores and configurations.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Visibility => "visibility",
            Self::Help => "help",
            Self::Contacts => "contacts",
            Self::Won => "won",
            Self::Lost => "lost",
            Self::Declined => "declined",
        }
    }

    /// Reads what [`Irreversible::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// What would happen, for a person: the rest of "this … ".
    #[must_use]
    pub const fn consequence(self) -> &'static str {
        match self {
            Self::Visibility => "makes the deal visible to Microsoft's sellers, for good",
            Self::Help => "invites Microsoft to the deal, and an invitation cannot be taken back",
            Self::Contacts => "sends the customer's contacts to Partner Center",
            Self::Won => "closes the deal in Partner Center as won, for good",
            Self::Lost => "closes the deal in Partner Center as lost, for good",
            Self::Declined => "declines the deal in Partner Center, for good",
        }
    }
}

/// When a kind of write may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// With everything else.
    AtOnce,
    /// After so many milliseconds in which it was still wanted.
    After(i64),
    /// When a person says so.
    OnConfirmation,
}

/// The operator's choice per kind; one without an entry goes at once.
pub type Rules = BTreeMap<Irreversible, Rule>;

/// A hold that the store knows: the exact write that it is about, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Of which kind.
    pub kind: Irreversible,
    /// [`fingerprint`] of the write.
    pub write: String,
    /// When the grace period ends; None waits for a person.
    pub until: Option<i64>,
    /// What a person decided: released, or cancelled.
    pub released: Option<bool>,
}

/// What names a write exactly: another value is another write, and asks again.
#[must_use]
pub fn fingerprint(unit: &Unit, value: &UnitValue) -> String {
    let mut name = unit.as_text();
    for (path, text) in value.to_parts() {
        name.push('\n');
        name.push_str(&path);
        name.push('=');
        name.push_str(&text);
    }
    name
}

/// Whether a write may go now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// Yes.
    Go,
    /// Not yet. None: a person must say so.
    Wait(Option<i64>),
    /// A person has cancelled it.
    Cancelled,
}

/// Who decides about writes that cannot be taken back.
#[derive(Debug, Clone, Copy)]
pub struct Gatekeeper<'a> {
    /// The operator's rules.
    pub rules: &'a Rules,
    /// What the lane holds.
    pub holds: &'a [Held],
    /// The wish did not come from an edit: sync was switched on again (S21), or the mapping has changed (S8). A person confirms.
    pub confirm: bool,
    /// Now.
    pub now: i64,
}

impl Gatekeeper<'_> {
    /// Decides about one write.
    #[must_use]
    pub fn permit(&self, unit: &Unit, to: Side, value: &UnitValue) -> Permit {
        let Some(kind) = Irreversible::of(unit, to, value) else {
            return Permit::Go;
        };
        let write = fingerprint(unit, value);
        let held = self
            .holds
            .iter()
            .find(|held| held.kind == kind && held.write == write);
        match held {
            Some(Held {
                released: Some(true),
                ..
            }) => return Permit::Go,
            Some(Held {
                released: Some(false),
                ..
            }) => return Permit::Cancelled,
            // What has begun as a grace period ends as a question: time alone does not confirm it.
            Some(Held { .. }) if self.confirm => return Permit::Wait(None),
            Some(Held { until, .. }) => {
                return match until {
                    Some(until) if *until <= self.now => Permit::Go,
                    until => Permit::Wait(*until),
                };
            }
            None => {}
        }
        if self.confirm {
            return Permit::Wait(None);
        }
        match self.rules.get(&kind).copied().unwrap_or(Rule::AtOnce) {
            Rule::AtOnce | Rule::After(..=0) => Permit::Go,
            Rule::After(ms) => Permit::Wait(Some(self.now.saturating_add(ms))),
            Rule::OnConfirmation => Permit::Wait(None),
        }
    }

    /// Takes out of the plan what may not go yet; the other units go on.
    #[must_use]
    pub fn sift(&self, plan: Plan) -> (Plan, Vec<Waiting>) {
        let mut waiting = Vec::new();
        let mut go = Plan {
            carries: Vec::with_capacity(plan.carries.len()),
            ..plan
        };
        for carry in plan.carries {
            match self.permit(&carry.unit, carry.to, &carry.value) {
                Permit::Go => go.carries.push(carry),
                permit => waiting.extend(Waiting::of(carry, permit)),
            }
        }
        (go, waiting)
    }
}

/// A carry that may not go yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// What.
    pub carry: Carry,
    /// Of which kind.
    pub kind: Irreversible,
    /// Why not.
    pub permit: Permit,
}

impl Waiting {
    fn of(carry: Carry, permit: Permit) -> Option<Self> {
        let kind = Irreversible::of(&carry.unit, carry.to, &carry.value)?;
        Some(Self {
            carry,
            kind,
            permit,
        })
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::deal::DealState;

    fn won() -> UnitValue {
        UnitValue::State(DealState {
            standing: Standing::Won,
            reason: None,
        })
    }

    fn permit(rule: Rule, holds: &[Held], confirm: bool) -> Permit {
        let rules = Rules::from([(Irreversible::Won, rule)]);
        let keeper = Gatekeeper {
            rules: &rules,
            holds,
            confirm,
            now: 1_000,
        };
        keeper.permit(&Unit::State, Side::PartnerCenter, &won())
    }

    fn held(until: Option<i64>, released: Option<bool>) -> Held {
        Held {
            kind: Irreversible::Won,
            write: fingerprint(&Unit::State, &won()),
            until,
            released,
        }
    }

    #[test]
    fn s24_each_rule_lets_go_in_its_own_time() {
        let cases = [
            (Rule::AtOnce, None, Permit::Go),
            (Rule::After(0), None, Permit::Go),
            (Rule::After(500), None, Permit::Wait(Some(1_500))),
            (
                Rule::After(500),
                Some(held(Some(1_200), None)),
                Permit::Wait(Some(1_200)),
            ),
            (Rule::After(500), Some(held(Some(900), None)), Permit::Go),
            (Rule::OnConfirmation, None, Permit::Wait(None)),
            (
                Rule::OnConfirmation,
                Some(held(None, Some(true))),
                Permit::Go,
            ),
            (
                Rule::OnConfirmation,
                Some(held(None, Some(false))),
                Permit::Cancelled,
            ),
        ];
        for (rule, hold, expect) in cases {
            let holds: Vec<Held> = hold.into_iter().collect();
            assert_eq!(permit(rule, &holds, false), expect, "{rule:?} {holds:?}");
        }
        assert_eq!(
            permit(Rule::AtOnce, &[], true),
            Permit::Wait(None),
            "what was not edited is confirmed"
        );
        for (until, released, expect) in [
            (Some(900), None, Permit::Wait(None)),
            (Some(1_200), None, Permit::Wait(None)),
            (Some(900), Some(true), Permit::Go),
            (Some(900), Some(false), Permit::Cancelled),
        ] {
            let held = [held(until, released)];
            assert_eq!(
                permit(Rule::After(500), &held, true),
                expect,
                "a grace period that was over meanwhile confirms nothing: {held:?}"
            );
        }
    }

    #[test]
    fn s24_a_release_is_for_one_write_and_no_other() {
        let other = Held {
            write: fingerprint(&Unit::State, &UnitValue::Flag(true)),
            ..held(None, Some(true))
        };
        assert_eq!(
            permit(Rule::OnConfirmation, &[other], false),
            Permit::Wait(None)
        );
    }

    #[test]
    fn s24_only_partner_center_holds_what_cannot_be_taken_back() {
        assert_eq!(
            Irreversible::of(&Unit::State, Side::PartnerCenter, &won()),
            Some(Irreversible::Won)
        );
        assert_eq!(Irreversible::of(&Unit::State, Side::Crm, &won()), None);
        assert_eq!(
            Irreversible::of(
                &Unit::Contacts,
                Side::PartnerCenter,
                &UnitValue::People(vec![])
            ),
            None
        );
    }
}
