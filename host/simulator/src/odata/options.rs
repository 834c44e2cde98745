//! `$select`, `$orderby`, `$expand` and their neighbours: the query options of a request or of an expand.

use super::filter::Expr;
use super::parse::parse;
use super::{DEPTH_MAX, QueryError};

/// What a query asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Options {
    pub(crate) select: Option<Vec<String>>,
    pub(crate) filter: Option<Expr>,
    pub(crate) order: Vec<Order>,
    pub(crate) top: Option<usize>,
    pub(crate) skip: Option<usize>,
    pub(crate) count: bool,
    pub(crate) expand: Vec<Expand>,
}

/// One term of `$orderby`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) path: Vec<String>,
    pub(crate) descending: bool,
}

/// One expanded navigation property.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Expand {
    pub(crate) name: String,
    pub(crate) options: Options,
    /// Its options as they were written, for a link to the next page of it.
    pub(crate) written: Vec<(String, String)>,
}

impl Options {
    /// Reads decoded query pairs; pairs that do not start with `$` are left to the caller.
    pub(crate) fn read(pairs: &[(String, String)]) -> Result<Self, QueryError> {
        Self::within(
            pairs
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
            pairs,
            0,
        )
    }

    fn within<'a>(
        pairs: impl Iterator<Item = (&'a str, &'a str)>,
        aliases: &[(String, String)],
        depth: usize,
    ) -> Result<Self, QueryError> {
        if depth > DEPTH_MAX {
            return Err(QueryError::new("The query is nested too deeply."));
        }
        let mut options = Self::default();
        for (name, value) in pairs {
            match name.trim() {
                "$select" => {
                    options.select =
                        Some(split(value, ',').into_iter().map(str::to_owned).collect())
                }
                "$filter" => options.filter = Some(parse(value, aliases)?),
                "$orderby" => options.order = order(value)?,
                "$top" => options.top = Some(number("$top", value)?),
                "$skip" => options.skip = Some(number("$skip", value)?),
                "$count" => {
                    options.count = match value {
                        "true" => true,
                        "false" => false,
                        _ => {
                            return Err(QueryError::new(format!(
                                "Invalid value '{value}' for $count query option found."
                            )));
                        }
                    }
                }
                "$expand" => {
                    for part in split(value, ',') {
                        options.expand.push(expand(part, aliases, depth)?);
                    }
                }
                _ => {}
            }
        }
        Ok(options)
    }
}

fn number(name: &str, value: &str) -> Result<usize, QueryError> {
    value.trim().parse().map_err(|_| {
        QueryError::new(format!(
            "Invalid value '{value}' for {name} query option found."
        ))
    })
}

fn order(text: &str) -> Result<Vec<Order>, QueryError> {
    split(text, ',')
        .into_iter()
        .map(|term| {
            let mut words = term.split_whitespace();
            let path = words
                .next()
                .unwrap_or_default()
                .split('/')
                .map(str::to_owned)
                .collect();
            let descending = match words.next() {
                None | Some("asc") => false,
                Some("desc") => true,
                Some(other) => {
                    return Err(QueryError::new(format!(
                        "Syntax error at '{other}' in '{text}'."
                    )));
                }
            };
            Ok(Order { path, descending })
        })
        .collect()
}

fn expand(text: &str, aliases: &[(String, String)], depth: usize) -> Result<Expand, QueryError> {
    let Some((name, rest)) = text.split_once('(') else {
        return Ok(Expand {
            name: text.to_owned(),
            options: Options::default(),
            written: Vec::new(),
        });
    };
    let inner = rest.trim_end().strip_suffix(')').ok_or_else(|| {
        QueryError::new(format!(
            "Syntax error: ')' expected at the end of '{text}'."
        ))
    })?;
    let mut pairs = Vec::new();
    for part in split(inner, ';') {
        let (option, value) = part
            .split_once('=')
            .ok_or_else(|| QueryError::new(format!("Syntax error at '{part}' in '{text}'.")))?;
        if matches!(option, "$levels" | "$count" | "$skip") {
            return Err(QueryError::new(format!(
                "The query option {option} is not supported inside $expand."
            )));
        }
        pairs.push((option, value));
    }
    let written = |(option, value): &(&str, &str)| ((*option).to_owned(), (*value).to_owned());
    Ok(Expand {
        name: name.trim().to_owned(),
        written: pairs.iter().map(written).collect(),
        options: Options::within(pairs.into_iter(), aliases, depth + 1)?,
    })
}

/// Splits outside brackets and quotes; empty parts are dropped.
fn split(text: &str, at: char) -> Vec<&str> {
    let (mut depth, mut quoted, mut from, mut parts) = (0_usize, false, 0, Vec::new());
    for (index, sign) in text.char_indices() {
        match sign {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            _ if sign == at && depth == 0 && !quoted => {
                parts.push(text[from..index].trim());
                from = index + sign.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(text[from..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Options, QueryError> {
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect();
        Options::read(&pairs)
    }

    #[test]
    fn nested_expands_keep_their_own_options() {
        let options =
            read(&[("$expand", "a($select=x,y;$expand=b($filter=c eq 'p;q)')),d")]).unwrap();
        assert_eq!(options.expand.len(), 2);
        assert_eq!(
            options.expand[0].options.select.as_deref().unwrap().len(),
            2
        );
        assert!(options.expand[0].options.expand[0].options.filter.is_some());
    }

    #[test]
    fn hostile_options_are_refused_and_never_panic() {
        let deep = "a($expand=".repeat(5_000);
        for pair in [
            ("$expand", "a(b"),
            ("$top", "-1"),
            ("$top", "x"),
            ("$count", "maybe"),
            ("$orderby", "a up"),
            ("$expand", deep.as_str()),
        ] {
            assert!(read(&[pair]).is_err(), "{}", pair.0);
        }
    }
}
