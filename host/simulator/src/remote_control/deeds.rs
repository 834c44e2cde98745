//! What people do, as words on a command line: one line a deed.

use serde_json::{Map, Value, json};

use super::Order;
use crate::wire::encode;

/// What is said beside the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// Nothing.
    Nothing,
    /// Fields of the body, some of which are fixed.
    Fields(&'static [(&'static str, &'static str)]),
    /// Paths of a JSON Patch.
    Paths,
}

/// Something that somebody does.
#[derive(Clone, Copy, Debug)]
pub struct Deed {
    /// `partner`, `microsoft`, `seller` or `user`.
    pub who: &'static str,
    /// What they do.
    pub verb: &'static str,
    /// What is named after the verb, such as `ID`.
    pub targets: &'static [&'static str],
    /// Pairs that it usually takes, for the help.
    pub pairs: &'static str,
    method: &'static str,
    /// `{0}` and `{1}` are the targets.
    path: &'static str,
    says: Says,
}

const fn deed(
    (who, verb): (&'static str, &'static str),
    targets: &'static [&'static str],
    pairs: &'static str,
    (method, path): (&'static str, &'static str),
    says: Says,
) -> Deed {
    Deed {
        who,
        verb,
        targets,
        pairs,
        method,
        path,
        says,
    }
}

const ID: &[&str] = &["ID"];
const FREE: Says = Says::Fields(&[]);

/// Everything that can be done.
pub const DEEDS: &[Deed] = &[
    deed(
        ("partner", "create"),
        &[],
        "name=… customerProfile/name=… customerProfile/address/country=US …",
        ("POST", "/referrals"),
        FREE,
    ),
    deed(
        ("partner", "set"),
        ID,
        "details/notes=…",
        ("PATCH", "/referrals/{0}"),
        Says::Paths,
    ),
    deed(
        ("partner", "accept"),
        ID,
        "",
        ("POST", "/referrals/{0}/partner/accept"),
        Says::Nothing,
    ),
    deed(
        ("partner", "decline"),
        ID,
        "reason=…",
        ("POST", "/referrals/{0}/partner/decline"),
        FREE,
    ),
    deed(
        ("partner", "win"),
        ID,
        "",
        ("POST", "/referrals/{0}/partner/close"),
        Says::Fields(&[("substatus", "Won")]),
    ),
    deed(
        ("partner", "lose"),
        ID,
        "reason=…",
        ("POST", "/referrals/{0}/partner/close"),
        Says::Fields(&[("substatus", "Lost")]),
    ),
    deed(
        ("microsoft", "send"),
        &["KIND"],
        "name=… customerProfile/name=… …",
        ("POST", "/referrals/inbound/{0}"),
        FREE,
    ),
    deed(
        ("microsoft", "set"),
        ID,
        "trackingInfo/microsoftMsxId=…",
        ("PATCH", "/referrals/{0}/microsoft"),
        Says::Paths,
    ),
    deed(
        ("microsoft", "accept"),
        ID,
        "msx_id=…",
        ("POST", "/referrals/{0}/accept"),
        FREE,
    ),
    deed(
        ("microsoft", "decline"),
        ID,
        "reason=…",
        ("POST", "/referrals/{0}/decline"),
        FREE,
    ),
    deed(
        ("microsoft", "win"),
        ID,
        "",
        ("POST", "/referrals/{0}/win"),
        Says::Nothing,
    ),
    deed(
        ("microsoft", "lose"),
        ID,
        "reason=…",
        ("POST", "/referrals/{0}/lose"),
        FREE,
    ),
    deed(
        ("microsoft", "review"),
        ID,
        "status=Approved",
        ("POST", "/referrals/{0}/registration"),
        FREE,
    ),
    deed(
        ("microsoft", "fail"),
        ID,
        "",
        ("POST", "/referrals/{0}/error"),
        Says::Nothing,
    ),
    deed(
        ("microsoft", "mend"),
        ID,
        "",
        ("POST", "/referrals/{0}/mended"),
        Says::Nothing,
    ),
    deed(
        ("microsoft", "rotate-certificate"),
        &[],
        "",
        ("POST", "/webhook-certificate/rotate"),
        Says::Nothing,
    ),
    deed(
        ("seller", "create"),
        &["TABLE"],
        "name=…",
        ("POST", "/rows/{0}"),
        FREE,
    ),
    deed(
        ("seller", "set"),
        &["TABLE", "ID"],
        "estimatedvalue=…",
        ("PATCH", "/rows/{0}/{1}"),
        FREE,
    ),
    deed(
        ("seller", "delete"),
        &["TABLE", "ID"],
        "",
        ("DELETE", "/rows/{0}/{1}"),
        Says::Nothing,
    ),
    deed(
        ("seller", "win"),
        ID,
        "",
        ("POST", "/rows/opportunity/{0}/win"),
        FREE,
    ),
    deed(
        ("seller", "lose"),
        ID,
        "Status=4",
        ("POST", "/rows/opportunity/{0}/lose"),
        FREE,
    ),
    deed(
        ("seller", "reopen"),
        ID,
        "",
        ("POST", "/rows/opportunity/{0}/reopen"),
        Says::Nothing,
    ),
    deed(
        ("seller", "qualify"),
        ID,
        "",
        ("POST", "/rows/lead/{0}/qualify"),
        FREE,
    ),
    deed(
        ("seller", "disqualify"),
        ID,
        "status=…",
        ("POST", "/rows/lead/{0}/disqualify"),
        FREE,
    ),
    deed(
        ("seller", "reactivate"),
        ID,
        "",
        ("POST", "/rows/lead/{0}/reactivate"),
        Says::Nothing,
    ),
    deed(
        ("user", "sign-in"),
        &["CODE"],
        "user=MAIL",
        ("POST", "/device-codes/{0}/sign-in"),
        FREE,
    ),
    deed(
        ("user", "decline"),
        &["CODE"],
        "",
        ("POST", "/device-codes/{0}/decline"),
        Says::Nothing,
    ),
    deed(
        ("user", "password-expires"),
        &["MAIL"],
        "",
        ("POST", "/users/{0}/password-expires"),
        Says::Nothing,
    ),
    deed(
        ("user", "consent"),
        &["MAIL"],
        "",
        ("POST", "/users/{0}/consents"),
        Says::Nothing,
    ),
    deed(
        ("user", "role"),
        &["MAIL"],
        "role=referrals-user",
        ("POST", "/users/{0}/role"),
        FREE,
    ),
];

/// The order that these words are.
pub(super) fn read(words: &[String], body: Option<Value>) -> Result<Order, String> {
    let [who, verb, rest @ ..] = words else {
        return Err(format!(
            "say who does what: {}",
            list(|deed| format!("{} {}", deed.who, deed.verb))
        ));
    };
    let known = DEEDS
        .iter()
        .find(|deed| deed.who == who && deed.verb == verb);
    let deed = known.ok_or_else(|| {
        let of = DEEDS
            .iter()
            .filter(|deed| deed.who == who)
            .map(|deed| deed.verb)
            .collect::<Vec<_>>();
        match of.as_slice() {
            [] => format!(
                "nobody here is called '{who}'; there are partner, microsoft, seller and user"
            ),
            of => format!("{who} cannot '{verb}'; {who} can {}", of.join(", ")),
        }
    })?;
    let wanted = deed.targets.len();
    let (targets, pairs) = rest.split_at_checked(wanted).ok_or_else(|| usage(deed))?;
    if targets
        .iter()
        .any(|target| target.is_empty() || target.contains('='))
    {
        return Err(usage(deed));
    }
    let mut path = deed.path.to_owned();
    for (index, target) in targets.iter().enumerate() {
        path = path.replace(&format!("{{{index}}}"), &encode(target));
    }
    let mut said = Vec::new();
    for pair in pairs {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| format!("'{pair}' is no NAME=VALUE; {}", usage(deed)))?;
        said.push((name.trim_matches('/'), value_of(value)));
    }
    let body = match deed.says {
        Says::Nothing if said.is_empty() && body.is_none() => None,
        Says::Nothing => return Err(format!("nothing more is said with it; {}", usage(deed))),
        Says::Fields(fixed) => {
            let mut fields = body.unwrap_or_else(|| json!({}));
            if !fields.is_object() {
                return Err("the body is to be a JSON object".to_owned());
            }
            for (name, value) in fixed {
                fields[*name] = json!(value);
            }
            for (name, value) in said {
                put(&mut fields, name, value)?;
            }
            Some(fields)
        }
        Says::Paths => {
            let mut patch = match body {
                None => Vec::new(),
                Some(Value::Array(operations)) => operations,
                Some(_) => return Err("the body is to be a JSON Patch, a list".to_owned()),
            };
            patch.extend(said.into_iter().map(|(name, value)| json!({"op": "replace", "path": format!("/{name}"), "value": value})));
            if patch.is_empty() {
                return Err(usage(deed));
            }
            Some(Value::Array(patch))
        }
    };
    Ok(Order {
        method: deed.method,
        path,
        body,
    })
}

/// How a deed is called.
fn usage(deed: &Deed) -> String {
    let targets = deed.targets.join(" ");
    let words = [deed.who, deed.verb, &targets, deed.pairs]
        .into_iter()
        .filter(|word| !word.is_empty());
    format!("it is called as: {}", words.collect::<Vec<_>>().join(" "))
}

fn list(each: impl Fn(&Deed) -> String) -> String {
    DEEDS.iter().map(each).collect::<Vec<_>>().join(", ")
}

/// JSON where it is something else than text.
fn value_of(text: &str) -> Value {
    serde_json::from_str(text)
        .ok()
        .filter(|value: &Value| !value.is_string())
        .unwrap_or_else(|| json!(text))
}

fn put(body: &mut Value, name: &str, value: Value) -> Result<(), String> {
    let mut here = body;
    for step in name.split('/') {
        if here.is_null() {
            *here = Value::Object(Map::new());
        }
        let Value::Object(fields) = here else {
            return Err(format!("'{name}' leads into something that is no object"));
        };
        here = fields.entry(step.to_owned()).or_insert(Value::Null);
    }
    *here = value;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(words: &str) -> Result<Order, String> {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        read(&words, None)
    }

    #[test]
    fn words_become_the_order_that_control_takes() {
        let order = said("partner set 7 details/dealValue=12.5 details/notes=hello").unwrap();
        let patch = json!([{"op": "replace", "path": "/details/dealValue", "value": 12.5},
            {"op": "replace", "path": "/details/notes", "value": "hello"}]);
        assert_eq!(
            (order.method, order.path.as_str(), order.body),
            ("PATCH", "/referrals/7", Some(patch))
        );
        let order = said("partner lose 7 reason=gone").unwrap();
        assert_eq!(
            order.body,
            Some(json!({"substatus": "Lost", "reason": "gone"}))
        );
        let order = said("seller create lead subject=A a/b=1 a/c=true").unwrap();
        assert_eq!(
            order.body,
            Some(json!({"subject": "A", "a": {"b": 1, "c": true}}))
        );
        assert_eq!(
            said("user sign-in A/B user=a@b.example").unwrap().path,
            "/device-codes/A%2fB/sign-in"
        );
    }

    #[test]
    fn words_that_are_no_order_are_told_what_is_known() {
        for (words, says) in [
            ("partner", "partner create, partner set"),
            (
                "boss win 7",
                "there are partner, microsoft, seller and user",
            ),
            ("microsoft dance 7", "microsoft can send, set, accept"),
            ("partner accept", "it is called as: partner accept ID"),
            ("partner accept 7 reason=x", "nothing more is said with it"),
            (
                "seller set opportunity x=1",
                "it is called as: seller set TABLE ID",
            ),
            (
                "partner set 7",
                "it is called as: partner set ID details/notes=…",
            ),
            ("partner set 7 notes", "'notes' is no NAME=VALUE"),
            (
                "seller create lead a=1 a/b=2",
                "'a/b' leads into something that is no object",
            ),
        ] {
            let error = said(words).unwrap_err();
            assert!(error.contains(says), "{words}: {error}");
        }
    }
}
