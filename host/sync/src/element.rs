//! Elements of lists, and when two of them are one (S11): solutions by id, people by mail then name.

use alloc::string::String;
use alloc::vec::Vec;

use crate::deal::{Address, Person, Solution, UnitValue};
use crate::side::{Side, Sides};

fn trimmed(text: Option<&String>) -> &str {
    text.map_or("", |text| text.trim())
}

fn equal(a: Option<&String>, b: Option<&String>) -> bool {
    let (a, b) = (trimmed(a), trimmed(b));
    // Most texts are equal, or plain: only the rest is worth folding letter by letter.
    if a == b {
        return true;
    }
    if a.is_ascii() && b.is_ascii() {
        return a.eq_ignore_ascii_case(b);
    }
    let folded = |text: &str| {
        text.chars()
            .flat_map(char::to_lowercase)
            .collect::<String>()
    };
    folded(a) == folded(b)
}

/// The same in every field that a person reads.
pub(crate) fn same_person(a: &Person, b: &Person) -> bool {
    equal(a.email.as_ref(), b.email.as_ref())
        && equal(a.first_name.as_ref(), b.first_name.as_ref())
        && equal(a.last_name.as_ref(), b.last_name.as_ref())
        && equal(a.phone.as_ref(), b.phone.as_ref())
        && equal(a.title.as_ref(), b.title.as_ref())
}

/// The id decides; name, kind and publisher are descriptions that each side words its own way.
pub(crate) fn same_solution(a: &Solution, b: &Solution) -> bool {
    a.id.eq_ignore_ascii_case(&b.id)
}

/// Region and state swap places in live data, so a lone one of them counts for either.
pub(crate) fn same_address(a: &Address, b: &Address) -> bool {
    let state = |address: &Address| address.state.clone().or_else(|| address.region.clone());
    equal(a.line1.as_ref(), b.line1.as_ref())
        && equal(a.line2.as_ref(), b.line2.as_ref())
        && equal(a.city.as_ref(), b.city.as_ref())
        && equal(state(a).as_ref(), state(b).as_ref())
        && equal(a.postal_code.as_ref(), b.postal_code.as_ref())
        && equal(a.country.as_ref(), b.country.as_ref())
}

/// Whether two people are one: by mail where both have one, else by name.
#[must_use]
pub fn is_same_person(a: &Person, b: &Person) -> bool {
    match (&a.email, &b.email) {
        (Some(_), Some(_)) => equal(a.email.as_ref(), b.email.as_ref()),
        _ => {
            equal(a.first_name.as_ref(), b.first_name.as_ref())
                && equal(a.last_name.as_ref(), b.last_name.as_ref())
        }
    }
}

/// Whether both lists begin with the same element. Of people the first is the owner, or the main contact; the order of the others, and of any
/// other list, says nothing.
pub(crate) fn same_lead(a: &UnitValue, b: &UnitValue) -> bool {
    match (a, b) {
        (UnitValue::People(a), UnitValue::People(b)) => match (a.first(), b.first()) {
            (Some(a), Some(b)) => is_same_person(a, b),
            (None, None) => true,
            _ => false,
        },
        _ => true,
    }
}

/// Both sides' lists, each with the other's edits carried onto it (S11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// What each side should show.
    pub lists: Sides<UnitValue>,
    /// Both sides edited the same element, each its own way, and nobody wins.
    pub clash: bool,
}

/// Carries the edit script of each side onto the other's *current* list: what a side gained since its own base is added, what it lost is
/// taken off, what it changed is replaced, and what only the receiver has stays. An element that both edited differently goes
/// to `winner`; without one it stays on each side as it is, and the merge says so. So does who comes first of people. None for values that are
/// no lists.
#[must_use]
pub fn merge_lists(
    bases: Sides<&UnitValue>,
    shown: Sides<&UnitValue>,
    winner: Option<Side>,
) -> Option<Merged> {
    match (
        (bases.partner_center, bases.crm),
        (shown.partner_center, shown.crm),
    ) {
        (
            (UnitValue::Solutions(base_pc), UnitValue::Solutions(base_crm)),
            (UnitValue::Solutions(pc), UnitValue::Solutions(crm)),
        ) => Some(both(
            &Edit::of_solutions(base_pc, pc),
            &Edit::of_solutions(base_crm, crm),
            winner,
            UnitValue::Solutions,
        )),
        (
            (UnitValue::People(base_pc), UnitValue::People(base_crm)),
            (UnitValue::People(pc), UnitValue::People(crm)),
        ) => Some(both(
            &Edit::of_people(base_pc, pc),
            &Edit::of_people(base_crm, crm),
            winner,
            UnitValue::People,
        )),
        _ => None,
    }
}

fn both<T: Clone>(
    pc: &Edit<'_, T>,
    crm: &Edit<'_, T>,
    winner: Option<Side>,
    list: fn(Vec<T>) -> UnitValue,
) -> Merged {
    let (to_pc, clash) = crm.onto(pc, winner == Some(Side::Crm));
    let (to_crm, _) = pc.onto(crm, winner == Some(Side::PartnerCenter));
    Merged {
        lists: Sides {
            partner_center: list(to_pc),
            crm: list(to_crm),
        },
        clash: clash && winner.is_none(),
    }
}

/// What counts as known of a list that both sides have edited, once the edits of one of them have been carried: `known` with every element that
/// was edited between `before` and `after` as `shown` has it, or without it. What else is different in `shown` is the receiver's own edit, and
/// still to be carried. None for values that are no lists.
#[must_use]
pub fn carried(
    known: &UnitValue,
    before: &UnitValue,
    after: &UnitValue,
    shown: &UnitValue,
) -> Option<UnitValue> {
    match (known, before, after, shown) {
        (
            UnitValue::Solutions(known),
            UnitValue::Solutions(before),
            UnitValue::Solutions(after),
            UnitValue::Solutions(shown),
        ) => {
            let edit = Edit::of_solutions(before, after);
            Some(UnitValue::Solutions(edit.known_by(known, shown)))
        }
        (
            UnitValue::People(known),
            UnitValue::People(before),
            UnitValue::People(after),
            UnitValue::People(shown),
        ) => {
            let edit = Edit::of_people(before, after);
            Some(UnitValue::People(edit.known_by(known, shown)))
        }
        _ => None,
    }
}

/// What counts as known of a list whose write was cut off: `old` is what it showed before, `target` what it is to be. Of what it shows now,
/// elements that are in neither were added by somebody else; those of both that are missing were taken off by somebody else. None for
/// values that are no lists.
#[must_use]
pub fn half_written(
    old: Option<&UnitValue>,
    target: &UnitValue,
    shown: &UnitValue,
) -> Option<UnitValue> {
    match (target, shown) {
        (UnitValue::Solutions(target), UnitValue::Solutions(shown)) => {
            let old = match old {
                Some(UnitValue::Solutions(old)) => old.as_slice(),
                _ => &[],
            };
            Some(UnitValue::Solutions(half(
                old,
                target,
                shown,
                same_solution,
            )))
        }
        (UnitValue::People(target), UnitValue::People(shown)) => {
            let old = match old {
                Some(UnitValue::People(old)) => old.as_slice(),
                _ => &[],
            };
            Some(UnitValue::People(half(old, target, shown, is_same_person)))
        }
        _ => None,
    }
}

fn half<T: Clone>(old: &[T], target: &[T], shown: &[T], is_same: fn(&T, &T) -> bool) -> Vec<T> {
    let has = |list: &[T], item: &T| list.iter().any(|other| is_same(other, item));
    let ours = shown
        .iter()
        .filter(|item| has(old, item) || has(target, item));
    let taken_off = old
        .iter()
        .filter(|item| has(target, item) && !has(shown, item));
    ours.chain(taken_off).cloned().collect()
}

/// The empty list of the same kind; None for values that are no lists.
#[must_use]
pub fn none_of(list: &UnitValue) -> Option<UnitValue> {
    match list {
        UnitValue::Solutions(_) => Some(UnitValue::Solutions(Vec::new())),
        UnitValue::People(_) => Some(UnitValue::People(Vec::new())),
        _ => None,
    }
}

/// What one side has done to its list since its base.
struct Edit<'a, T> {
    base: &'a [T],
    now: &'a [T],
    /// The same element, perhaps with other fields.
    is_same: fn(&T, &T) -> bool,
    /// And in every field.
    unchanged: fn(&T, &T) -> bool,
    /// The first of the list is more than one of it.
    leads: bool,
}

impl<'a> Edit<'a, Solution> {
    const fn of_solutions(base: &'a [Solution], now: &'a [Solution]) -> Self {
        Self {
            base,
            now,
            is_same: same_solution,
            unchanged: PartialEq::eq,
            leads: false,
        }
    }
}

impl<'a> Edit<'a, Person> {
    const fn of_people(base: &'a [Person], now: &'a [Person]) -> Self {
        Self {
            base,
            now,
            is_same: is_same_person,
            unchanged: same_person,
            leads: true,
        }
    }
}

impl<T: Clone> Edit<'_, T> {
    fn find<'l>(&self, list: &'l [T], item: &T) -> Option<&'l T> {
        list.iter().find(|other| (self.is_same)(other, item))
    }

    /// What this side did to the element: nothing, or left it as `Some`, or took it off (`None`).
    fn did(&self, item: &T) -> Option<Option<&T>> {
        match (self.find(self.base, item), self.find(self.now, item)) {
            (None, None) => None,
            (Some(before), Some(after)) if (self.unchanged)(before, after) => None,
            (_, after) => Some(after),
        }
    }

    /// Who this side has put first.
    fn lead(&self) -> Option<&T> {
        let now = self.now.first().filter(|_| self.leads)?;
        let before = self.base.first();
        before
            .is_none_or(|before| !(self.is_same)(before, now))
            .then_some(now)
    }

    /// What is known of the list that this side's script was carried onto: what it has touched as it is `shown`, the rest as it was.
    fn known_by(&self, known: &[T], shown: &[T]) -> Vec<T> {
        let mut result: Vec<T> = Vec::with_capacity(shown.len());
        for item in shown {
            if self.did(item).is_some() {
                result.push(item.clone());
            } else {
                result.extend(self.find(known, item).cloned());
            }
        }
        let taken_off = known
            .iter()
            .filter(|item| self.did(item).is_none() && self.find(shown, item).is_none());
        result.extend(taken_off.cloned());
        // Who comes first is the receiver's own edit, unless this side has put somebody there.
        if let (true, None, Some(first)) = (self.leads, self.lead(), known.first())
            && let Some(at) = result.iter().position(|item| (self.is_same)(item, first))
        {
            let first = result.remove(at);
            result.insert(0, first);
        }
        result
    }

    /// This side's script carried onto the receiver's list, and whether both did something different to the same element.
    fn onto(&self, receiver: &Self, wins: bool) -> (Vec<T>, bool) {
        let mut clash = false;
        let mut result: Vec<T> = Vec::with_capacity(receiver.now.len());
        let mut contested = |item: &T, mine: Option<&T>| {
            let theirs = receiver.did(item);
            let differs = theirs.is_some_and(|theirs| match (mine, theirs) {
                (None, None) => false,
                (Some(mine), Some(theirs)) => !(self.unchanged)(mine, theirs),
                _ => true,
            });
            clash |= differs;
            differs && !wins
        };
        for item in receiver.now {
            match self.did(item) {
                Some(mine) if !contested(item, mine) => result.extend(mine.cloned()),
                _ => result.push(item.clone()),
            }
        }
        for item in self.now {
            let is_there = self.find(&result, item).is_some();
            let Some(Some(mine)) = self.did(item).filter(|_| !is_there) else {
                continue;
            };
            // Gained here, or changed here while the receiver took it off.
            if !contested(item, Some(mine)) {
                result.push(mine.clone());
            }
        }
        if let Some(first) = self.lead() {
            let other = receiver
                .lead()
                .is_some_and(|theirs| !(self.is_same)(theirs, first));
            clash |= other;
            let at = result.iter().position(|item| (self.is_same)(item, first));
            if let Some(at) = at.filter(|_| wins || !other) {
                let first = result.remove(at);
                result.insert(0, first);
            }
        }
        (result, clash)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;

    fn solution(id: &str) -> Solution {
        Solution {
            id: id.to_string(),
            name: id.to_string(),
            kind: None,
            publisher: None,
            price: None,
            quantity: None,
            close_date: None,
        }
    }

    fn list(ids: &[&str]) -> UnitValue {
        UnitValue::Solutions(ids.iter().map(|id| solution(id)).collect())
    }

    #[test]
    fn what_the_receiver_has_done_itself_is_not_known_when_the_edits_of_the_other_side_arrive() {
        let ids_of = |value: Option<UnitValue>| ids(&value.unwrap()).join(" ");
        // The CRM adds B while Partner Center takes A off and adds C; the CRM's edit arrives there.
        let (base, crm) = (list(&["A"]), list(&["A", "B"]));
        let known = carried(&base, &base, &crm, &list(&["C", "B"]));
        assert_eq!(ids_of(known.clone()), "B A");
        // And then Partner Center's in the CRM, beside D, which a colleague has just added.
        let pc = list(&["C"]);
        let of_crm = carried(&crm, &base, &pc, &list(&["B", "D", "C"]));
        assert_eq!(ids_of(of_crm), "B C");
        let of_pc = carried(&known.unwrap(), &base, &pc, &pc);
        assert_eq!(ids_of(of_pc), "C B");
    }

    fn ids(value: &UnitValue) -> Vec<&str> {
        match value {
            UnitValue::Solutions(list) => {
                list.iter().map(|solution| solution.id.as_str()).collect()
            }
            other => panic!("a list of solutions, not {other:?}"),
        }
    }

    fn merged<'a>(
        bases: [&'a UnitValue; 2],
        shown: [&'a UnitValue; 2],
        winner: Option<Side>,
    ) -> Merged {
        let sides = |[partner_center, crm]: [&'a UnitValue; 2]| Sides {
            partner_center,
            crm,
        };
        merge_lists(sides(bases), sides(shown), winner).expect("lists")
    }

    #[test]
    fn s11_edits_of_both_sides_meet_element_by_element() {
        let base = list(&["A", "B"]);
        let (pc, crm) = (list(&["A", "C"]), list(&["A", "B", "D"]));
        let merged = merged([&base, &base], [&pc, &crm], None);
        assert_eq!(ids(&merged.lists.crm), ["A", "D", "C"]);
        assert_eq!(ids(&merged.lists.partner_center), ["A", "C", "D"]);
        assert!(!merged.clash);
    }

    #[test]
    fn s11_of_a_half_written_list_only_our_own_half_is_known() {
        // To be written: A stays, B goes, C comes. A colleague adds X and takes A off while that is under way.
        let (old, target) = (list(&["A", "B"]), list(&["A", "C"]));
        let known = |shown: &[&str]| half_written(Some(&old), &target, &list(shown)).unwrap();
        assert_eq!(ids(&known(&["A", "B", "C"])), ["A", "B", "C"]);
        assert_eq!(ids(&known(&["A", "C"])), ["A", "C"]);
        assert_eq!(ids(&known(&["A", "B", "C", "X"])), ["A", "B", "C"]);
        assert_eq!(ids(&known(&["B"])), ["B", "A"]);
        let born = half_written(None, &target, &list(&["C", "X"])).unwrap();
        assert_eq!(ids(&born), ["C"]);
    }

    #[test]
    fn s11_what_only_the_receiver_ever_had_stays() {
        let merged = merged(
            [&list(&["A"]), &list(&["A", "X"])],
            [&list(&[]), &list(&["A", "X"])],
            None,
        );
        assert_eq!(ids(&merged.lists.crm), ["X"]);
        assert_eq!(ids(&merged.lists.partner_center), [""; 0]);
    }

    #[test]
    fn s11_who_comes_first_crosses_and_the_order_of_the_others_does_not() {
        let people = |names: &[&str]| {
            let one = |name: &&str| Person {
                email: Some(name.to_string()),
                ..Person::default()
            };
            UnitValue::People(names.iter().map(one).collect())
        };
        let base = people(&["sam", "tom", "rita"]);
        let handed_over = people(&["tom", "rita", "sam"]);
        let one = merged([&base, &base], [&base, &handed_over], Some(Side::Crm));
        assert_eq!(one.lists.partner_center, people(&["tom", "sam", "rita"]));
        let replaced = people(&["eva", "tom"]);
        let both = merged([&base, &base], [&handed_over, &replaced], None);
        assert!(both.clash, "two sellers cannot both be the owner");
        let crm = merged([&base, &base], [&handed_over, &replaced], Some(Side::Crm));
        assert_eq!(
            (crm.lists.partner_center, crm.lists.crm),
            (people(&["eva", "tom"]), people(&["eva", "tom"]))
        );
    }

    #[test]
    fn s11_one_person_edited_here_and_taken_off_there_is_a_question() {
        let person = |phone: &str| Person {
            email: Some("anna@contoso.example".into()),
            phone: Some(phone.into()),
            ..Person::default()
        };
        let (base, edited, none) = (
            UnitValue::People(vec![person("1")]),
            UnitValue::People(vec![person("2")]),
            UnitValue::People(vec![]),
        );
        let open = merged([&base, &base], [&edited, &none], None);
        assert!(open.clash);
        assert_eq!(
            open.lists,
            Sides {
                partner_center: edited.clone(),
                crm: none.clone()
            }
        );
        let crm = merged([&base, &base], [&edited, &none], Some(Side::Crm));
        assert_eq!(
            (crm.lists.partner_center, crm.lists.crm, crm.clash),
            (none.clone(), none, false)
        );
        let pc = merged([&base, &base], [&edited, &base], Some(Side::PartnerCenter));
        assert_eq!((pc.lists.crm, pc.clash), (edited, false));
    }
}
