//! S3: what can be written where, and when. Capability beats policy: a difference that cannot be written is an explained
//! difference, told once.

use crate::deal::{DealState, Standing, Unit, UnitValue};
use crate::side::Side;

/// In which part of its life a side's record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It will be created by this run.
    Unborn,
    /// It can be edited.
    Open,
    /// Partner Center only: it can be edited, and Microsoft's sellers see it.
    Shared,
    /// Closed: Partner Center lets nobody change it any more, and a CRM row is read-only until someone reopens it.
    Closed,
}

/// How a unit can be written on a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ability {
    /// While the record is open.
    Writable,
    /// Only when the record is created.
    CreateOnly,
    /// From nothing to something, never back.
    Latch,
    /// While Microsoft's sellers do not see the deal.
    UntilShared,
    /// Never: the other side decides.
    ReadOnly,
}

/// Why a unit cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Barrier {
    /// The record is closed.
    Closed,
    /// Fixed when the record was created.
    CreateOnly,
    /// Cannot be taken back.
    Latch,
    /// Fixed since Microsoft's sellers see the deal.
    Shared,
    /// Never written on this side.
    ReadOnly,
    /// The deal cannot go from where it stands to there.
    Transition,
}

impl Barrier {
    /// The machine's word for it; never changes.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::CreateOnly => "create-only",
            Self::Latch => "one-way",
            Self::Shared => "already-shared",
            Self::ReadOnly => "read-only",
            Self::Transition => "transition",
        }
    }

    /// The end of the sentence "UNIT differs, and … ".
    #[must_use]
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::Closed => "that record is closed, so nothing of it can be changed any more",
            Self::CreateOnly => "it is fixed there since the record was created",
            Self::Latch => "it cannot be taken back there",
            Self::Shared => "it is fixed there since Microsoft's sellers can see the deal",
            Self::ReadOnly => "it is never written there",
            Self::Transition => "a deal cannot go there from where it stands",
        }
    }
}

use Ability::{CreateOnly, Latch, ReadOnly, UntilShared, Writable};

/// Unit, then how it can be written in Partner Center and in the CRM. Partner Center's column follows the patch paths that its own
/// connector uses; the CRM's follows what that connector writes there. The open tail is in [`ability`].
const TABLE: [(Unit, Ability, Ability); 17] = [
    (Unit::Name, CreateOnly, Writable),
    (Unit::Value, Writable, Writable),
    (Unit::CloseDate, Writable, Writable),
    (Unit::Notes, Writable, Writable),
    (Unit::State, Writable, Writable),
    (Unit::SalesStage, Writable, Writable),
    (Unit::Campaign, Writable, Writable),
    (Unit::Visibility, Latch, Writable),
    (Unit::Help, Latch, ReadOnly),
    (Unit::CompanyName, CreateOnly, CreateOnly),
    (Unit::CompanySize, CreateOnly, CreateOnly),
    (Unit::CompanyIds, CreateOnly, CreateOnly),
    (Unit::Address, CreateOnly, CreateOnly),
    (Unit::Contacts, UntilShared, Writable),
    (Unit::Team, Writable, Writable),
    (Unit::Solutions, Writable, Writable),
    (Unit::ExternalReference, Writable, ReadOnly),
];

/// How `unit` can be written on `side`.
#[must_use]
pub fn ability(unit: &Unit, side: Side) -> Ability {
    match TABLE.iter().find(|(named, ..)| named == unit) {
        Some((_, partner_center, _)) if side == Side::PartnerCenter => *partner_center,
        Some((_, _, crm)) => *crm,
        // Attributes of the open tail have no patch path in Partner Center.
        None if side == Side::PartnerCenter => CreateOnly,
        None => Writable,
    }
}

/// Whether `unit` may go from `from` to `to` on a side whose record is in `phase`.
///
/// # Errors
/// The barrier that stands in the way.
pub fn may(
    unit: &Unit,
    side: Side,
    phase: Phase,
    from: &UnitValue,
    to: &UnitValue,
) -> Result<(), Barrier> {
    let ability = ability(unit, side);
    match (ability, phase) {
        (ReadOnly, _) => return Err(Barrier::ReadOnly),
        (_, Phase::Unborn) => return Ok(()),
        (_, Phase::Closed) => return Err(Barrier::Closed),
        (CreateOnly, _) => return Err(Barrier::CreateOnly),
        (UntilShared, Phase::Shared) => return Err(Barrier::Shared),
        (Latch, _) if !from.is_empty() => return Err(Barrier::Latch),
        (Latch, _) if to.is_empty() => return Err(Barrier::Latch),
        _ => {}
    }
    match (from, to) {
        (UnitValue::State(from), UnitValue::State(to))
            if !reachable(side, &from.standing, &to.standing) =>
        {
            Err(Barrier::Transition)
        }
        _ => Ok(()),
    }
}

/// Partner Center's state machine; a CRM row goes where it is told.
fn reachable(side: Side, from: &Standing, to: &Standing) -> bool {
    use Standing::{Accepted, Declined, Lost, Pending, Received, Won};
    side == Side::Crm
        || matches!(
            (from, to),
            (Pending, Received | Accepted | Declined)
                | (Received, Accepted | Declined)
                | (Accepted, Won | Lost)
        )
}

/// The next state on the way: Partner Center wins a deal only once it is accepted, and declines what nobody accepted where a CRM loses it.
#[must_use]
pub fn step_towards(side: Side, from: &UnitValue, to: UnitValue) -> UnitValue {
    use Standing::{Accepted, Declined, Lost, Pending, Received, Won};
    let (UnitValue::State(now), UnitValue::State(then)) = (from, &to) else {
        return to;
    };
    let standing = match (side, &now.standing, &then.standing) {
        (Side::PartnerCenter, Pending | Received, Won) => Accepted,
        (Side::PartnerCenter, Pending | Received, Lost) => Declined,
        // Accepted is accepted: what a CRM declines after that is lost.
        (Side::PartnerCenter, Accepted, Declined) => Lost,
        _ => return to,
    };
    let reason = then.reason.clone().filter(|_| standing != Accepted);
    UnitValue::State(DealState { standing, reason })
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn text(value: &str) -> UnitValue {
        UnitValue::Text(Some(value.to_string()))
    }

    fn state(standing: Standing) -> UnitValue {
        UnitValue::State(DealState {
            standing,
            reason: None,
        })
    }

    #[test]
    fn s3_every_named_unit_has_a_row() {
        for unit in Unit::NAMED {
            assert!(
                TABLE.iter().any(|(named, ..)| *named == unit),
                "{unit} has no row in the table"
            );
        }
    }

    #[test]
    fn s3_phases_decide_what_each_ability_allows() {
        use Phase::{Closed, Open, Shared, Unborn};
        let pc = Side::PartnerCenter;
        let cases = [
            (Unit::Name, Unborn, Ok(())),
            (Unit::Name, Open, Err(Barrier::CreateOnly)),
            (Unit::Notes, Shared, Ok(())),
            (Unit::Notes, Closed, Err(Barrier::Closed)),
            (Unit::ExternalReference, Open, Ok(())),
        ];
        for (unit, phase, expect) in cases {
            assert_eq!(
                may(&unit, pc, phase, &text("a"), &text("b")),
                expect,
                "{unit} in {phase:?}"
            );
        }
        assert_eq!(
            may(
                &Unit::ExternalReference,
                Side::Crm,
                Open,
                &text("a"),
                &text("b")
            ),
            Err(Barrier::ReadOnly)
        );
    }

    #[test]
    fn s3_visibility_is_a_latch() {
        let (no, yes) = (UnitValue::Flag(false), UnitValue::Flag(true));
        assert_eq!(
            may(
                &Unit::Visibility,
                Side::PartnerCenter,
                Phase::Open,
                &no,
                &yes
            ),
            Ok(())
        );
        assert_eq!(
            may(
                &Unit::Visibility,
                Side::PartnerCenter,
                Phase::Shared,
                &yes,
                &no
            ),
            Err(Barrier::Latch)
        );
    }

    #[test]
    fn s3_contacts_are_fixed_once_shared() {
        let (none, some) = (
            UnitValue::People([].into()),
            UnitValue::People([crate::deal::Person::default()].into()),
        );
        assert_eq!(
            may(
                &Unit::Contacts,
                Side::PartnerCenter,
                Phase::Open,
                &none,
                &some
            ),
            Ok(())
        );
        assert_eq!(
            may(
                &Unit::Contacts,
                Side::PartnerCenter,
                Phase::Shared,
                &none,
                &some
            ),
            Err(Barrier::Shared)
        );
    }

    #[test]
    fn a_deal_is_won_only_from_accepted() {
        let (open, pc) = (Phase::Open, Side::PartnerCenter);
        assert_eq!(
            may(
                &Unit::State,
                pc,
                open,
                &state(Standing::Accepted),
                &state(Standing::Won)
            ),
            Ok(())
        );
        assert_eq!(
            may(
                &Unit::State,
                pc,
                open,
                &state(Standing::Pending),
                &state(Standing::Won)
            ),
            Err(Barrier::Transition)
        );
        assert_eq!(
            may(
                &Unit::State,
                pc,
                open,
                &state(Standing::Accepted),
                &state(Standing::Pending)
            ),
            Err(Barrier::Transition)
        );
    }
}
