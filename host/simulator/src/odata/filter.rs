//! What a `$filter` says.

use super::Scalar;

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expr {
    /// All of them. A list and not a pair: a query of ten thousand terms must not nest ten thousand deep.
    And(Vec<Expr>),
    /// Any of them.
    Or(Vec<Expr>),
    Not(Box<Expr>),
    Compare {
        op: Op,
        left: Term,
        right: Term,
    },
    /// `contains`, `startswith`, `endswith`.
    Text {
        function: TextFunction,
        subject: Term,
        needle: Term,
    },
    /// `path/any(v:…)` and `path/all(v:…)`; `any()` has no body.
    Lambda {
        path: Vec<String>,
        all: bool,
        variable: String,
        body: Option<Box<Expr>>,
    },
    /// `Microsoft.Dynamics.CRM.In(PropertyName='x',PropertyValues=['a','b'])` and its siblings.
    Function {
        name: String,
        property: String,
        values: Vec<Scalar>,
    },
    /// A bare boolean property or literal.
    Is(Term),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextFunction {
    Contains,
    StartsWith,
    EndsWith,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Term {
    Path(Vec<String>),
    Literal(Scalar),
}

impl Expr {
    /// Calls `see` with every property path outside lambdas' own variables, and with what query functions name.
    pub(crate) fn paths(&self, see: &mut impl FnMut(&[String])) {
        self.properties(see);
        self.columns(&mut |name| see(&[name.to_owned()]));
    }

    /// Calls `see` with every property path outside lambdas' own variables. What query functions name is not among them: see
    /// [`Expr::columns`].
    pub(crate) fn properties(&self, see: &mut impl FnMut(&[String])) {
        self.paths_within(&mut Vec::new(), see);
    }

    fn paths_within<'a>(&'a self, bound: &mut Vec<&'a str>, see: &mut impl FnMut(&[String])) {
        let term = |term: &Term, bound: &Vec<&str>, see: &mut dyn FnMut(&[String])| {
            if let Term::Path(path) = term
                && !bound.contains(&path[0].as_str())
            {
                see(path);
            }
        };
        match self {
            Self::And(all) | Self::Or(all) => {
                for each in all {
                    each.paths_within(bound, see);
                }
            }
            Self::Not(inner) => inner.paths_within(bound, see),
            Self::Compare { left, right, .. } => {
                term(left, bound, see);
                term(right, bound, see);
            }
            Self::Text {
                subject, needle, ..
            } => {
                term(subject, bound, see);
                term(needle, bound, see);
            }
            Self::Lambda {
                path,
                variable,
                body,
                ..
            } => {
                if !bound.contains(&path[0].as_str()) {
                    see(path);
                }
                if let Some(body) = body {
                    bound.push(variable);
                    body.paths_within(bound, see);
                    bound.pop();
                }
            }
            Self::Function { .. } => {}
            Self::Is(inner) => term(inner, bound, see),
        }
    }

    /// Calls `see` with every column that a query function names: by its logical name, which for a lookup is no property.
    pub(crate) fn columns(&self, see: &mut impl FnMut(&str)) {
        match self {
            Self::And(all) | Self::Or(all) => {
                for each in all {
                    each.columns(see);
                }
            }
            Self::Not(inner) => inner.columns(see),
            Self::Function { property, .. } => see(property),
            // Inside a lambda the columns are those of another table, which is looked up when its rows are.
            Self::Lambda { .. } | Self::Compare { .. } | Self::Text { .. } | Self::Is(_) => {}
        }
    }

    /// The value that `property eq '…'` demands, when it stands in a conjunction: a shortcut to an index.
    pub(crate) fn demands(&self, property: &str) -> Option<&Scalar> {
        match self {
            Self::And(all) => all.iter().find_map(|each| each.demands(property)),
            Self::Compare {
                op: Op::Eq,
                left: Term::Path(path),
                right: Term::Literal(value),
            } if path.len() == 1 && path[0] == property => Some(value),
            _ => None,
        }
    }
}
