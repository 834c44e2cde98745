//! What a token says of itself, unproven: who issued it, for whom, about whom. Told to people whose federated credential does not match; nothing is
//! decided by it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::http::readable;

/// Longest claim that is told. Issuers and subjects are addresses and names.
const CHARS_MAX: usize = 300;
/// The audience `api://AzureADTokenExchange` as a token of Entra's second version spells it: the id of that application, the same in every tenant.
const EXCHANGE_ID: &str = "fb60f99c-7a34-4190-8149-302f77469936";

/// The three by which an application knows whom it trusts. Empty where the token does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claims {
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) audience: String,
}

impl Claims {
    /// None when the text is no JWT. Its signature is not looked at: that is for whoever it is shown to.
    pub(super) fn read(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let raw = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
        let claims: Value = serde_json::from_slice(&raw).ok()?;
        let claims = claims.as_object()?;
        let text = |name: &str| {
            let words = match claims.get(name) {
                Some(Value::String(one)) => one.clone(),
                Some(Value::Array(many)) => {
                    let many = many.iter().filter_map(Value::as_str);
                    many.collect::<Vec<_>>().join(" ")
                }
                _ => String::new(),
            };
            readable(&words).chars().take(CHARS_MAX).collect::<String>()
        };
        Some(Self {
            issuer: text("iss"),
            subject: text("sub"),
            audience: text("aud"),
        })
    }
}

impl fmt::Display for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            issuer,
            subject,
            audience,
        } = self;
        write!(
            f,
            "issuer \"{issuer}\", subject \"{subject}\", audience \"{audience}\""
        )?;
        if audience == EXCHANGE_ID {
            f.write_str(" (that is api://AzureADTokenExchange)")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("e30.{}.AAAA", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn claims_are_read_and_nothing_else_is_a_token() {
        let told = Claims::read(&token(
            r#"{"iss":"https://i.example","sub":"a\nb","aud":["one","two"]}"#,
        ));
        let told = told.unwrap().to_string();
        assert_eq!(
            told,
            "issuer \"https://i.example\", subject \"a b\", audience \"one two\""
        );
        let managed = Claims::read(&token(
            r#"{"aud":"fb60f99c-7a34-4190-8149-302f77469936","sub":7}"#,
        ));
        assert!(
            managed
                .unwrap()
                .to_string()
                .ends_with("(that is api://AzureADTokenExchange)")
        );
        for text in ["", "a.b", "a.b.c", "a.b.c.d", "e30.W10.AAAA", "no token"] {
            assert_eq!(Claims::read(text), None, "{text}");
        }
    }
}
