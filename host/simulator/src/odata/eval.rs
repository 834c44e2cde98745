//! `$filter` and `$orderby` on a record.

use std::cmp::Ordering;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use uuid::Uuid;

use super::Scalar;
use super::filter::{Expr, Op, Term, TextFunction};

/// A record that can be asked for values: a CRM row, or a referral's JSON.
pub(crate) trait Subject {
    /// The value at a path; `Null` when there is none.
    fn scalar(&self, path: &[String]) -> Scalar;
    /// The records of a collection at a path.
    fn members(&self, path: &[String]) -> Vec<Box<dyn Subject + '_>>;
    /// The value of a column by its logical name, as query functions give it.
    fn column(&self, name: &str) -> Scalar {
        self.scalar(&[name.to_owned()])
    }
    /// Whether a column without a value is not equal to a value.
    fn not_equal_finds_empty(&self) -> bool {
        true
    }
    /// The time of the question.
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
    /// Who asks.
    fn caller(&self) -> Uuid {
        Uuid::nil()
    }
}

/// Whether text is compared without regard to case: Dataverse does, Partner Center does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    Sensitive,
    Ignored,
}

/// Whether `subject` meets the condition.
pub(crate) fn matches(expr: &Expr, subject: &dyn Subject, case: Case) -> bool {
    holds(
        expr,
        &Scope {
            subject,
            case,
            bound: Vec::new(),
        },
    )
}

struct Scope<'a> {
    subject: &'a dyn Subject,
    case: Case,
    bound: Vec<(&'a str, &'a dyn Subject)>,
}

impl Scope<'_> {
    fn value(&self, term: &Term) -> Scalar {
        match term {
            Term::Literal(value) => value.clone(),
            Term::Path(path) => {
                let (subject, path) = self.locate(path);
                subject.scalar(path)
            }
        }
    }

    fn locate<'p>(&self, path: &'p [String]) -> (&dyn Subject, &'p [String]) {
        match self.bound.iter().rev().find(|(name, _)| *name == path[0]) {
            Some((_, subject)) => (*subject, &path[1..]),
            None => (self.subject, path),
        }
    }
}

fn holds(expr: &Expr, scope: &Scope<'_>) -> bool {
    match expr {
        Expr::And(all) => all.iter().all(|each| holds(each, scope)),
        Expr::Or(all) => all.iter().any(|each| holds(each, scope)),
        Expr::Not(inner) => !holds(inner, scope),
        Expr::Compare { op, left, right } => {
            let null = Term::Literal(Scalar::Null);
            let asks_for_null = *left == null || *right == null;
            let (left, right) = (scope.value(left), scope.value(right));
            let one_is_empty = (left == Scalar::Null) != (right == Scalar::Null);
            if *op == Op::Ne && one_is_empty && !asks_for_null {
                return scope.subject.not_equal_finds_empty();
            }
            compare(*op, &left, &right, scope.case)
        }
        Expr::Text {
            function,
            subject,
            needle,
        } => {
            let (Scalar::Text(text), Scalar::Text(needle)) =
                (scope.value(subject), scope.value(needle))
            else {
                return false;
            };
            let (text, needle) = (folded(&text, scope.case), folded(&needle, scope.case));
            let pattern = if scope.case == Case::Ignored {
                Pattern::like(&needle)
            } else {
                Pattern::literal(&needle)
            };
            pattern.matches(&text, *function)
        }
        Expr::Lambda {
            path,
            all,
            variable,
            body,
        } => {
            let (subject, path) = scope.locate(path);
            let members = subject.members(path);
            let Some(body) = body else {
                return !members.is_empty();
            };
            let mut each = members.iter().map(|member| {
                let mut bound = scope.bound.clone();
                bound.push((variable.as_str(), member.as_ref()));
                holds(
                    body,
                    &Scope {
                        subject: scope.subject,
                        case: scope.case,
                        bound,
                    },
                )
            });
            if *all {
                each.all(|held| held)
            } else {
                each.any(|held| held)
            }
        }
        Expr::Function {
            name,
            property,
            values,
        } => {
            let value = scope.subject.column(property);
            let is = |op, index: usize| {
                values
                    .get(index)
                    .is_some_and(|other| compare_loose(op, &value, other, scope.case))
            };
            let any = || {
                let mut values = values.iter();
                values.any(|other| compare_loose(Op::Eq, &value, other, scope.case))
            };
            let user = || value == Scalar::Guid(scope.subject.caller());
            match name.as_str() {
                "In" => any(),
                "NotIn" => !any(),
                "Between" => is(Op::Ge, 0) && is(Op::Le, 1),
                "NotBetween" => is(Op::Lt, 0) || is(Op::Gt, 1),
                "On" => is(Op::Eq, 0),
                "NotOn" => !is(Op::Eq, 0),
                "OnOrAfter" => is(Op::Ge, 0),
                "ContainValues" => contains_one(&value, values),
                "DoesNotContainValues" => !contains_one(&value, values),
                "EqualUserId" => user(),
                "NotEqualUserId" => !user(),
                "LastXHours" | "LastXDays" | "NextXHours" | "NextXDays" => {
                    within(name, &value, values.first(), scope.subject.now())
                }
                _ => is(Op::Le, 0),
            }
        }
        Expr::Is(term) => scope.value(term) == Scalar::Bool(true),
    }
}

/// Whether a column of several choices, `"1,3"`, holds one of the values.
fn contains_one(held: &Scalar, values: &[Scalar]) -> bool {
    let Scalar::Text(held) = held else {
        return false;
    };
    let wanted = |part: &str| {
        values.iter().any(|value| match value {
            Scalar::Text(text) => text.trim() == part,
            Scalar::Number(number) => number.to_string() == part,
            _ => false,
        })
    };
    held.split(',').map(str::trim).any(wanted)
}

/// Whether a point in time lies in the last or next so many hours or days.
fn within(name: &str, value: &Scalar, count: Option<&Scalar>, now: Timestamp) -> bool {
    let count: Option<i64> = match count {
        Some(Scalar::Number(number)) => number.to_string().parse().ok(),
        Some(Scalar::Text(text)) => text.trim().parse().ok(),
        _ => None,
    };
    let at = match value {
        Scalar::Time(at) => Some(*at),
        Scalar::Date(date) => midnight(*date),
        _ => None,
    };
    let (Some(count), Some(at)) = (count, at) else {
        return false;
    };
    let hours = if name.ends_with("Days") { 24 } else { 1 };
    let span = SignedDuration::from_hours(count.clamp(0, 100_000).saturating_mul(hours));
    let away = at.duration_since(now);
    if name.starts_with("Last") {
        away <= SignedDuration::ZERO && away >= -span
    } else {
        away >= SignedDuration::ZERO && away <= span
    }
}

/// Query functions take every value as text; try what the column holds.
fn compare_loose(op: Op, left: &Scalar, right: &Scalar, case: Case) -> bool {
    if let (
        Scalar::Number(_) | Scalar::Guid(_) | Scalar::Date(_) | Scalar::Time(_),
        Scalar::Text(text),
    ) = (left, right)
    {
        let literal = Uuid::try_parse(text)
            .ok()
            .map(Scalar::Guid)
            .or_else(|| super::lex::literal_of(text));
        return literal.is_some_and(|literal| compare(op, left, &literal, case));
    }
    compare(op, left, right, case)
}

fn compare(op: Op, left: &Scalar, right: &Scalar, case: Case) -> bool {
    let order = order(left, right, case);
    match op {
        Op::Eq => order == Some(Ordering::Equal),
        Op::Ne => order != Some(Ordering::Equal),
        // Null is neither less nor greater than anything, not even null.
        _ if *left == Scalar::Null || *right == Scalar::Null => false,
        Op::Gt => order == Some(Ordering::Greater),
        Op::Ge => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        Op::Lt => order == Some(Ordering::Less),
        Op::Le => matches!(order, Some(Ordering::Less | Ordering::Equal)),
    }
}

/// Whether two values are equal; values of different kinds never are.
pub(crate) fn equal(left: &Scalar, right: &Scalar, case: Case) -> bool {
    compare(Op::Eq, left, right, case)
}

/// How two values stand to each other; none when they are of different kinds.
fn order(left: &Scalar, right: &Scalar, case: Case) -> Option<Ordering> {
    match (left, right) {
        (Scalar::Null, Scalar::Null) => Some(Ordering::Equal),
        (Scalar::Bool(left), Scalar::Bool(right)) => Some(left.cmp(right)),
        (Scalar::Number(left), Scalar::Number(right)) => Some(left.cmp(right)),
        (Scalar::Text(left), Scalar::Text(right)) => {
            Some(folded(left, case).cmp(&folded(right, case)))
        }
        (Scalar::Guid(left), Scalar::Guid(right)) => Some(left.cmp(right)),
        (Scalar::Guid(guid), Scalar::Text(text)) => {
            Some(guid.to_string().cmp(&text.to_lowercase()))
        }
        (Scalar::Text(text), Scalar::Guid(guid)) => {
            Some(text.to_lowercase().cmp(&guid.to_string()))
        }
        (Scalar::Date(left), Scalar::Date(right)) => Some(left.cmp(right)),
        (Scalar::Time(left), Scalar::Time(right)) => Some(left.cmp(right)),
        (Scalar::Date(date), Scalar::Time(time)) => midnight(*date).map(|date| date.cmp(time)),
        (Scalar::Time(time), Scalar::Date(date)) => midnight(*date).map(|date| time.cmp(&date)),
        _ => None,
    }
}

/// Order for `$orderby`: null first, then by value.
pub(crate) fn sort_order(left: &Scalar, right: &Scalar, case: Case) -> Ordering {
    match (left, right) {
        (Scalar::Null, Scalar::Null) => Ordering::Equal,
        (Scalar::Null, _) => Ordering::Less,
        (_, Scalar::Null) => Ordering::Greater,
        _ => order(left, right, case).unwrap_or(Ordering::Equal),
    }
}

fn midnight(date: jiff::civil::Date) -> Option<Timestamp> {
    date.to_zoned_datetime(TimeZone::UTC)
        .ok()
        .map(|zoned| zoned.timestamp())
}

fn folded(text: &str, case: Case) -> String {
    match case {
        Case::Sensitive => text.to_owned(),
        Case::Ignored => text.to_lowercase(),
    }
}

/// A needle in which, at Dataverse, `%`, `_` and `[…]` are wildcards as in SQL.
struct Pattern {
    parts: Vec<Part>,
}

enum Part {
    Char(char),
    One,
    Many,
    Set { negated: bool, chars: Vec<char> },
}

impl Pattern {
    fn literal(needle: &str) -> Self {
        Self {
            parts: needle.chars().map(Part::Char).collect(),
        }
    }

    fn like(needle: &str) -> Self {
        let chars: Vec<char> = needle.chars().collect();
        let mut parts = Vec::new();
        let mut at = 0;
        while at < chars.len() {
            let close = chars[at..]
                .iter()
                .position(|c| *c == ']')
                .map(|offset| at + offset);
            match (chars[at], close) {
                ('%', _) => parts.push(Part::Many),
                ('_', _) => parts.push(Part::One),
                ('[', Some(close)) if close > at + 1 => {
                    let negated = chars[at + 1] == '^';
                    let set = chars[at + 1 + usize::from(negated)..close].to_vec();
                    parts.push(Part::Set {
                        negated,
                        chars: set,
                    });
                    at = close;
                }
                (other, _) => parts.push(Part::Char(other)),
            }
            at += 1;
        }
        Self { parts }
    }

    fn matches(&self, text: &str, function: TextFunction) -> bool {
        let chars: Vec<char> = text.chars().collect();
        let open_start = !matches!(function, TextFunction::StartsWith);
        let open_end = !matches!(function, TextFunction::EndsWith);
        // `reached[i]`: the parts so far can end before character i.
        let mut reached: Vec<bool> = (0..=chars.len()).map(|at| open_start || at == 0).collect();
        for part in &self.parts {
            let mut next = vec![false; chars.len() + 1];
            if matches!(part, Part::Many) {
                let first = reached.iter().position(|held| *held).unwrap_or(usize::MAX);
                for (at, slot) in next.iter_mut().enumerate() {
                    *slot = at >= first;
                }
            } else {
                for at in 0..chars.len() {
                    let fits = match part {
                        Part::Char(c) => *c == chars[at],
                        Part::Set {
                            negated,
                            chars: set,
                        } => set.contains(&chars[at]) != *negated,
                        Part::One | Part::Many => true,
                    };
                    next[at + 1] = reached[at] && fits;
                }
            }
            reached = next;
        }
        if open_end {
            reached.contains(&true)
        } else {
            reached[chars.len()]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::odata::parse::parse;

    struct Word(&'static str);
    impl Subject for Word {
        fn scalar(&self, path: &[String]) -> Scalar {
            match path[0].as_str() {
                "name" => Scalar::Text(self.0.to_owned()),
                _ => Scalar::Null,
            }
        }
        fn members(&self, _: &[String]) -> Vec<Box<dyn Subject + '_>> {
            vec![Box::new(Word("inner"))]
        }
    }

    fn check(filter: &str, case: Case) -> bool {
        matches(&parse(filter, &[]).unwrap(), &Word("Contoso 50%"), case)
    }

    #[test]
    fn percent_is_a_wildcard_only_at_dataverse() {
        assert!(check("contains(name,'c%o 5')", Case::Ignored));
        assert!(!check("contains(name,'C%o 5')", Case::Sensitive));
        assert!(check("endswith(name,'[%]')", Case::Ignored));
        assert!(check("endswith(name,'%')", Case::Sensitive));
    }

    #[test]
    fn null_is_not_equal_to_a_value_and_not_less() {
        assert!(check("other ne 'x'", Case::Ignored));
        assert!(!check("other lt 5", Case::Ignored));
        assert!(check("other eq null", Case::Ignored));
    }

    #[test]
    fn a_lambda_reads_its_variable() {
        assert!(check(
            "team/any(t:t/name eq 'inner' and name ne 'inner')",
            Case::Sensitive
        ));
        assert!(!check("team/all(t:t/name eq 'other')", Case::Sensitive));
    }
}
