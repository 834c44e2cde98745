//! Elements of lists, and when two of them are one (S11): solutions by id, people by mail then name.

use alloc::string::String;
use alloc::vec::Vec;

use crate::deal::{Address, Person, Solution, UnitValue};

fn fold(text: Option<&String>) -> impl Iterator<Item = char> + '_ {
    text.map_or("", |text| text.trim())
        .chars()
        .flat_map(char::to_lowercase)
}

fn equal(a: Option<&String>, b: Option<&String>) -> bool {
    fold(a).eq(fold(b))
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

/// Carries the edit of one side onto the other's current list: what `from` gained since `base` is added, what it lost is taken off,
/// what it changed is replaced, and what only the receiver has stays (S11). Values that are no lists are simply replaced.
#[must_use]
pub fn carry_list(base: Option<&UnitValue>, from: &UnitValue, onto: &UnitValue) -> UnitValue {
    match (base, from, onto) {
        (
            Some(UnitValue::Solutions(base)),
            UnitValue::Solutions(from),
            UnitValue::Solutions(onto),
        ) => UnitValue::Solutions(edit(base, from, onto, same_solution, |a, b| a == b)),
        (Some(UnitValue::People(base)), UnitValue::People(from), UnitValue::People(onto)) => {
            UnitValue::People(edit(base, from, onto, is_same_person, same_person))
        }
        (_, from, _) => from.clone(),
    }
}

fn edit<T: Clone>(
    base: &[T],
    from: &[T],
    onto: &[T],
    is_same: impl Fn(&T, &T) -> bool,
    unchanged: impl Fn(&T, &T) -> bool,
) -> Vec<T> {
    let find = |list: &[T], item: &T| list.iter().find(|other| is_same(other, item)).cloned();
    let mut result: Vec<T> = onto
        .iter()
        .filter_map(|item| match (find(base, item), find(from, item)) {
            // Taken off by the editing side.
            (Some(_), None) => None,
            // Changed by the editing side; what it left as it was keeps the receiver's wording.
            (Some(before), Some(after)) if !unchanged(&before, &after) => Some(after),
            _ => Some(item.clone()),
        })
        .collect();
    for item in from {
        if find(base, item).is_none() && find(&result, item).is_none() {
            result.push(item.clone());
        }
    }
    result
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

    #[test]
    fn s11_an_added_solution_joins_the_receivers_own() {
        let base = UnitValue::Solutions(vec![solution("A"), solution("B")]);
        let from = UnitValue::Solutions(vec![solution("A"), solution("C")]);
        let onto = UnitValue::Solutions(vec![solution("A"), solution("B"), solution("D")]);
        let UnitValue::Solutions(result) = carry_list(Some(&base), &from, &onto) else {
            panic!("a list of solutions")
        };
        let ids: Vec<&str> = result.iter().map(|solution| solution.id.as_str()).collect();
        assert_eq!(ids, ["A", "D", "C"]);
    }
}
