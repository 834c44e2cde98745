//! S23: which CRM environment an inbound deal belongs to, when several connections share one partner tenant. Decided once, by rule, and
//! stored; no match is a question for a person.

use alloc::string::String;
use alloc::vec::Vec;

use crate::deal::{ReferralFacts, Unit, UnitValue, Units};

/// What a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trait {
    /// The PartnerID location that owns the deal.
    Location,
    /// The customer's country, ISO 3166-1 alpha-2.
    Country,
    /// The referral program.
    Program,
    /// The id of a solution.
    Solution,
}

impl Trait {
    /// The spelling in configurations.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("location", Self::Location),
        ("country", Self::Country),
        ("program", Self::Program),
        ("solution", Self::Solution),
    ];
}

/// A connection takes a deal when it has one of the values of every trait that its rule names. A rule without any takes all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rule {
    /// Trait, and the values that fit.
    pub fits: Vec<(Trait, Vec<String>)>,
}

/// The first connection whose rule fits. None: nobody's.
#[must_use]
pub fn route<'a>(
    rules: impl IntoIterator<Item = (&'a str, &'a Rule)>,
    units: &Units,
    facts: &ReferralFacts,
) -> Option<&'a str> {
    rules
        .into_iter()
        .find(|(_, rule)| {
            rule.fits
                .iter()
                .all(|(named, values)| has(*named, values, units, facts))
        })
        .map(|(connection, _)| connection)
}

fn has(named: Trait, values: &[String], units: &Units, facts: &ReferralFacts) -> bool {
    let one_of = |text: Option<&str>| {
        text.is_some_and(|text| values.iter().any(|value| value.eq_ignore_ascii_case(text)))
    };
    match (
        named,
        units.get(&Unit::Address),
        units.get(&Unit::Solutions),
    ) {
        (Trait::Location, ..) => one_of(facts.partner_location.as_deref()),
        (Trait::Program, ..) => one_of(facts.program.as_deref()),
        (Trait::Country, Some(UnitValue::Address(address)), _) => {
            one_of(address.country.as_deref())
        }
        (Trait::Solution, _, Some(UnitValue::Solutions(solutions))) => {
            solutions.iter().any(|solution| one_of(Some(&solution.id)))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::deal::{Address, Category, Direction, Timestamp};

    fn facts(location: &str) -> ReferralFacts {
        ReferralFacts {
            id: String::new(),
            engagement_id: String::new(),
            link: String::new(),
            category: Category::Unclear,
            direction: Direction::Incoming,
            program: None,
            microsoft_crm_id: None,
            partner_location: Some(location.into()),
            registration: None,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
            respond_by: None,
            accepted_at: None,
            closed_at: None,
            microsoft: None,
        }
    }

    #[test]
    fn s23_the_first_rule_that_fits_takes_the_deal_and_none_is_nobodys() {
        let country = |code: &str| {
            let address = Address {
                country: Some(code.into()),
                ..Address::default()
            };
            Units::from([(Unit::Address, UnitValue::Address(address))])
        };
        let emea = Rule {
            fits: vec![
                (Trait::Country, vec!["HU".into(), "DE".into()]),
                (Trait::Location, vec!["1234567".into()]),
            ],
        };
        let us = Rule {
            fits: vec![(Trait::Country, vec!["US".into()])],
        };
        let rules = [("emea", &emea), ("us", &us)];
        assert_eq!(
            route(rules, &country("hu"), &facts("1234567")),
            Some("emea")
        );
        assert_eq!(route(rules, &country("HU"), &facts("7654321")), None);
        assert_eq!(route(rules, &country("US"), &facts("7654321")), Some("us"));
        let all = Rule::default();
        assert_eq!(
            route([("emea", &emea), ("rest", &all)], &Units::new(), &facts("")),
            Some("rest")
        );
    }
}
