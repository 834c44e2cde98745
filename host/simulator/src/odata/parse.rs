//! `$filter` text to expression.

use super::filter::{Expr, Op, Term, TextFunction};
use super::lex::{Token, lex};
use super::{DEPTH_MAX, QueryError, Scalar};

/// Parses a filter; `aliases` are the `@name=value` pairs of the query.
pub(crate) fn parse(text: &str, aliases: &[(String, String)]) -> Result<Expr, QueryError> {
    let mut parser = Parser {
        tokens: lex(text)?,
        at: 0,
        depth: 0,
        aliases,
    };
    let expr = parser.or()?;
    match parser.peek() {
        None => Ok(expr),
        Some(token) => Err(QueryError::new(format!(
            "Syntax error: unexpected {} in '{text}'.",
            token.name()
        ))),
    }
}

/// The only one, or all of them together.
fn one_or(mut all: Vec<Expr>, together: fn(Vec<Expr>) -> Expr) -> Expr {
    match (all.len(), all.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            all.extend(last);
            together(all)
        }
    }
}

struct Parser<'a> {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    aliases: &'a [(String, String)],
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn take(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn word(&mut self, word: &str) -> bool {
        let hit = matches!(self.peek(), Some(Token::Word(held)) if held == word);
        self.at += usize::from(hit);
        hit
    }

    fn sign(&mut self, sign: char) -> bool {
        let hit = self.peek() == Some(&Token::Punctuation(sign));
        self.at += usize::from(hit);
        hit
    }

    fn need(&mut self, sign: char) -> Result<(), QueryError> {
        if self.sign(sign) {
            Ok(())
        } else {
            Err(QueryError::new(format!("Syntax error: '{sign}' expected.")))
        }
    }

    fn or(&mut self) -> Result<Expr, QueryError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(QueryError::new("The query is nested too deeply."));
        }
        let first = self.and()?;
        let mut all = vec![first];
        while self.word("or") {
            all.push(self.and()?);
        }
        self.depth -= 1;
        Ok(one_or(all, Expr::Or))
    }

    fn and(&mut self) -> Result<Expr, QueryError> {
        let first = self.unary()?;
        let mut all = vec![first];
        while self.word("and") {
            all.push(self.unary()?);
        }
        Ok(one_or(all, Expr::And))
    }

    fn unary(&mut self) -> Result<Expr, QueryError> {
        if self.word("not") {
            self.depth += 1;
            if self.depth > DEPTH_MAX {
                return Err(QueryError::new("The query is nested too deeply."));
            }
            let inner = self.unary()?;
            self.depth -= 1;
            return Ok(Expr::Not(Box::new(inner)));
        }
        if self.sign('(') {
            let inner = self.or()?;
            self.need(')')?;
            return Ok(inner);
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Expr, QueryError> {
        if let Some(Token::Word(name)) = self.peek().cloned()
            && self.tokens.get(self.at + 1) == Some(&Token::Punctuation('('))
        {
            self.at += 2;
            return self.call(&name);
        }
        let left = match self.path_or_lambda()? {
            Ok(term) => term,
            Err(lambda) => return Ok(lambda),
        };
        let op = match self.peek() {
            Some(Token::Word(word)) => match word.as_str() {
                "eq" => Op::Eq,
                "ne" => Op::Ne,
                "gt" => Op::Gt,
                "ge" => Op::Ge,
                "lt" => Op::Lt,
                "le" => Op::Le,
                _ => return Ok(Expr::Is(left)),
            },
            _ => return Ok(Expr::Is(left)),
        };
        self.at += 1;
        match self.path_or_lambda()? {
            Ok(right) => Ok(Expr::Compare { op, left, right }),
            Err(_) => Err(QueryError::new(
                "Syntax error: a value expected after the operator.",
            )),
        }
    }

    fn call(&mut self, name: &str) -> Result<Expr, QueryError> {
        let function = match name {
            "contains" => Some(TextFunction::Contains),
            "startswith" => Some(TextFunction::StartsWith),
            "endswith" => Some(TextFunction::EndsWith),
            _ => None,
        };
        if let Some(function) = function {
            let subject = self.term()?;
            self.need(',')?;
            let needle = self.term()?;
            self.need(')')?;
            return Ok(Expr::Text {
                function,
                subject,
                needle,
            });
        }
        let Some(short) = name.strip_prefix("Microsoft.Dynamics.CRM.") else {
            return Err(QueryError::new(format!(
                "An unknown function with name '{name}' was found."
            )));
        };
        self.query_function(short)
    }

    fn query_function(&mut self, name: &str) -> Result<Expr, QueryError> {
        const KNOWN: [&str; 16] = [
            "In",
            "NotIn",
            "Between",
            "NotBetween",
            "On",
            "NotOn",
            "OnOrAfter",
            "OnOrBefore",
            "ContainValues",
            "DoesNotContainValues",
            "EqualUserId",
            "NotEqualUserId",
            "LastXHours",
            "NextXHours",
            "LastXDays",
            "NextXDays",
        ];
        if !KNOWN.contains(&name) {
            return Err(QueryError::new(format!(
                "An unknown function with name 'Microsoft.Dynamics.CRM.{name}' was found."
            )));
        }
        let (mut property, mut values) = (None, Vec::new());
        loop {
            let Some(Token::Word(key)) = self.take() else {
                return Err(QueryError::new("Syntax error: a parameter name expected."));
            };
            self.need('=')?;
            match key.as_str() {
                "PropertyName" => property = Some(self.literal_text()?),
                "PropertyValue" => values.push(self.literal()?),
                "PropertyValues" => {
                    self.need('[')?;
                    while !self.sign(']') {
                        values.push(self.literal()?);
                        self.sign(',');
                    }
                }
                _ => {
                    return Err(QueryError::new(format!(
                        "The parameter '{key}' is not known."
                    )));
                }
            }
            if self.sign(')') {
                break;
            }
            self.need(',')?;
        }
        let property =
            property.ok_or_else(|| QueryError::new("The parameter 'PropertyName' is missing."))?;
        Ok(Expr::Function {
            name: name.to_owned(),
            property,
            values,
        })
    }

    fn literal(&mut self) -> Result<Scalar, QueryError> {
        match self.term()? {
            Term::Literal(value) => Ok(value),
            Term::Path(_) => Err(QueryError::new("Syntax error: a literal expected.")),
        }
    }

    fn literal_text(&mut self) -> Result<String, QueryError> {
        match self.literal()? {
            Scalar::Text(text) => Ok(text),
            _ => Err(QueryError::new("Syntax error: a quoted name expected.")),
        }
    }

    fn term(&mut self) -> Result<Term, QueryError> {
        self.path_or_lambda()?
            .map_err(|_| QueryError::new("Syntax error: a value expected."))
    }

    /// A literal or path, or (in `Err`) a lambda that ended a path.
    fn path_or_lambda(&mut self) -> Result<Result<Term, Expr>, QueryError> {
        match self.take() {
            Some(Token::Literal(value)) => Ok(Ok(Term::Literal(value))),
            Some(Token::Alias(name)) => Ok(Ok(Term::Literal(self.alias(&name)?))),
            Some(Token::Word(word)) => match word.as_str() {
                "null" => Ok(Ok(Term::Literal(Scalar::Null))),
                "true" => Ok(Ok(Term::Literal(Scalar::Bool(true)))),
                "false" => Ok(Ok(Term::Literal(Scalar::Bool(false)))),
                _ => self.path(word),
            },
            Some(other) => Err(QueryError::new(format!(
                "Syntax error: {} where a name or value is expected.",
                other.name()
            ))),
            None => Err(QueryError::new(
                "Syntax error: the expression ends where a name or value is expected.",
            )),
        }
    }

    fn path(&mut self, first: String) -> Result<Result<Term, Expr>, QueryError> {
        let mut path = vec![first];
        while self.sign('/') {
            let Some(Token::Word(next)) = self.take() else {
                return Err(QueryError::new("Syntax error: a name expected after '/'."));
            };
            if matches!(next.as_str(), "any" | "all") && self.sign('(') {
                return self.lambda(path, next == "all").map(Err);
            }
            path.push(next);
        }
        Ok(Ok(Term::Path(path)))
    }

    fn lambda(&mut self, path: Vec<String>, all: bool) -> Result<Expr, QueryError> {
        if self.sign(')') {
            return Ok(Expr::Lambda {
                path,
                all,
                variable: String::new(),
                body: None,
            });
        }
        let Some(Token::Word(variable)) = self.take() else {
            return Err(QueryError::new("Syntax error: a range variable expected."));
        };
        self.need(':')?;
        let body = self.or()?;
        self.need(')')?;
        Ok(Expr::Lambda {
            path,
            all,
            variable,
            body: Some(Box::new(body)),
        })
    }

    fn alias(&self, name: &str) -> Result<Scalar, QueryError> {
        let value = self
            .aliases
            .iter()
            .find(|(held, _)| held.strip_prefix('@') == Some(name))
            .ok_or_else(|| {
                QueryError::new(format!("The parameter alias '@{name}' has no value."))
            })?;
        match lex(&value.1)?.as_slice() {
            [Token::Literal(value)] => Ok(value.clone()),
            [Token::Word(word)] if word == "null" => Ok(Scalar::Null),
            [Token::Word(word)] if word == "true" || word == "false" => {
                Ok(Scalar::Bool(word == "true"))
            }
            _ => Err(QueryError::new(format!(
                "The value of '@{name}' is not a literal."
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn and_binds_closer_than_or() {
        let expr = parse("a eq 1 or b eq 2 and c eq 3", &[]).unwrap();
        let Expr::Or(all) = expr else {
            panic!("{expr:?}")
        };
        assert!(
            matches!(all.as_slice(), [Expr::Compare { .. }, Expr::And(both)] if both.len() == 2)
        );
    }

    #[test]
    fn a_doubled_quote_is_one_quote() {
        let expr = parse("name eq 'O''Neil'", &[]).unwrap();
        assert_eq!(
            expr.demands("name"),
            Some(&Scalar::Text("O'Neil".to_owned()))
        );
    }

    #[test]
    fn guids_dates_and_times_stand_unquoted() {
        let text = "a eq 0a0a0a0a-0000-4000-8000-000000000001 and b ge 2026-01-31T00:00:00Z and c eq 2026-09-30";
        let expr = parse(text, &[]).unwrap();
        assert!(matches!(expr.demands("a"), Some(Scalar::Guid(_))));
        assert!(matches!(expr.demands("c"), Some(Scalar::Date(_))));
    }

    #[test]
    fn an_alias_stands_for_its_literal() {
        let aliases = [("@p".to_owned(), "'x'".to_owned())];
        assert_eq!(
            parse("name eq @p", &aliases).unwrap().demands("name"),
            Some(&Scalar::Text("x".to_owned()))
        );
    }

    #[test]
    fn hostile_text_is_refused_and_never_panics() {
        let deep = "(".repeat(100_000);
        let nots = "not ".repeat(100_000);
        for text in [
            "",
            "a eq",
            "eq eq",
            "a eq 'x",
            "a/any(",
            "a/any(x:",
            "((a eq 1)",
            "a eq 1)",
            "🦀 eq 1",
            "@",
            "-",
            &deep,
            &nots,
            "Microsoft.Dynamics.CRM.In(PropertyValues=[",
            "contains(a",
            "a eq 1 b",
            "2026-13-45T99 eq 1",
        ] {
            assert!(
                parse(text, &[]).is_err(),
                "{}",
                text.get(..20).unwrap_or(text)
            );
        }
    }
}
