//! Which queries this world understands: what the documents leave open about `$filter` and `$orderby`. (partner-center 3.3)

use super::Refusal;
use crate::assumptions::Readings;
use crate::odata::Scalar;
use crate::odata::filter::{Expr, Term};
use crate::odata::options::Options;

const EXTERNAL_REFERENCE: &str = "externalReferenceId";

/// Brings a query to what it means here.
pub(super) fn understand(options: &mut Options, assumptions: &Readings) -> Result<(), Refusal> {
    let refused = |what: &str| Err(Refusal::invalid("invalidQuery", what));
    let by_updated = |path: &[String]| path.first().is_some_and(|name| name == "updatedDateTime");
    if options.order.iter().any(|order| by_updated(&order.path))
        && assumptions.order_by_updated_is_refused()
    {
        return refused("Referrals are ordered by 'createdDateTime' only.");
    }
    let Some(filter) = &mut options.filter else {
        return Ok(());
    };
    let mut by_reference = false;
    filter.paths(&mut |path| by_reference |= is(path, EXTERNAL_REFERENCE));
    if by_reference && assumptions.external_reference_filter_is_refused() {
        return refused(
            "The property 'externalReferenceId' cannot be used in the $filter query option.",
        );
    }
    if by_reference && assumptions.external_reference_filter_is_ignored() {
        put_instead(filter, &Expr::And(Vec::new()));
    }
    if by_reference && assumptions.external_reference_filter_finds_nothing() {
        put_instead(filter, &Expr::Or(Vec::new()));
    }
    moments(filter, assumptions)
}

fn is(path: &[String], name: &str) -> bool {
    path.len() == 1 && path[0] == name
}

/// Whatever is said about our id always holds, or never: all of nothing does, and one of nothing does not.
fn put_instead(filter: &mut Expr, held: &Expr) {
    match filter {
        Expr::And(all) | Expr::Or(all) => {
            all.iter_mut().for_each(|each| put_instead(each, held));
        }
        Expr::Not(inner) => put_instead(inner, held),
        one => {
            let mut named = false;
            one.paths(&mut |path| named |= is(path, EXTERNAL_REFERENCE));
            if named {
                *one = held.clone();
            }
        }
    }
}

/// Moments are compared as the world wants them written: bare, or quoted like everything else.
fn moments(filter: &mut Expr, assumptions: &Readings) -> Result<(), Refusal> {
    match filter {
        Expr::And(all) | Expr::Or(all) => all
            .iter_mut()
            .try_for_each(|each| moments(each, assumptions)),
        Expr::Not(inner) => moments(inner, assumptions),
        Expr::Compare { left, right, .. } => {
            let (path, literal) = match (left, right) {
                (Term::Path(path), Term::Literal(literal))
                | (Term::Literal(literal), Term::Path(path)) => (path, literal),
                _ => return Ok(()),
            };
            if !path.last().is_some_and(|name| name.ends_with("DateTime")) {
                return Ok(());
            }
            moment(&path.join("/"), literal, assumptions)
        }
        _ => Ok(()),
    }
}

fn moment(path: &str, literal: &mut Scalar, assumptions: &Readings) -> Result<(), Refusal> {
    if assumptions.date_filters_are_refused() {
        let message = format!("The property '{path}' cannot be used in the $filter query option.");
        return Err(Refusal::invalid("invalidQuery", message));
    }
    let parsed = match literal {
        Scalar::Text(text) => text.parse().ok(),
        _ => None,
    };
    let mistyped = match (&*literal, parsed) {
        (Scalar::Null, _) => false,
        (Scalar::Text(_), Some(at)) if assumptions.date_filters_need_quotes() => {
            *literal = Scalar::Time(at);
            false
        }
        (Scalar::Text(_), _) => true,
        _ => assumptions.date_filters_need_quotes(),
    };
    if mistyped {
        let message = format!(
            "A binary operator with incompatible types was detected: '{path}' is not compared with such a value."
        );
        return Err(Refusal::invalid("invalidQuery", message));
    }
    Ok(())
}
