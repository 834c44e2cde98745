//! `cosell simulator fault`: an order made of options.

use std::path::PathBuf;

use clap::ValueEnum;
use cosell_simulator::Order;
use serde_json::{Map, Value, json};

use super::orders::read_json;

/// The examples of the help.
pub(super) const EXAMPLES: &str = "Examples:
  cosell simulator fault dataverse answer --status 429 --retry-after 5 --count 3
  cosell simulator fault referrals drop-after --method POST --count 1    committed, and the answer is lost
  cosell simulator fault referrals answer --status 503 --chance 0.1      one request in ten
  cosell simulator fault dataverse delay --ms 2000 --route /api/data/v9.2/opportunities
  cosell simulator fault referrals wrong-clock --ms=-3600000             an hour behind
  cosell simulator fault partner-center duplicate --webhook --count 5
  cosell simulator fault partner-center reorder --webhook --chance 0.2
  cosell simulator fault --script steps.json
  cosell simulator fault --clear

On requests: answer, drop-before, drop-after, delay, wrong-clock, expired-delta.
On webhooks: drop, duplicate, delay, reorder, tamper, byte-order-mark, unsigned, weak-algorithm, expired-certificate, foreign-certificate.";

/// The services that can be struck.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Service {
    Entra,
    Referrals,
    PartnerCenter,
    Dataverse,
    Certificates,
    Metadata,
}

/// What goes wrong, and when.
#[derive(Debug, clap::Args)]
pub(super) struct What {
    /// The service.
    #[arg(value_name = "SERVICE", required_unless_present_any = ["clear", "script"])]
    service: Option<Service>,
    /// What happens.
    #[arg(value_name = "KIND", required_unless_present_any = ["clear", "script"])]
    kind: Option<String>,
    /// Take all faults away.
    #[arg(long, conflicts_with_all = ["service", "kind"])]
    clear: bool,
    /// A JSON file that says what becomes of each of the next requests of a route: {"service", "method", "path_prefix", "steps": [null, {"do": …}]}.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["service", "kind", "clear"])]
    script: Option<PathBuf>,
    /// On the webhooks that the service sends, not on requests to it.
    #[arg(long, conflicts_with_all = ["method", "route", "skip", "status", "code", "retry_after"])]
    webhook: bool,
    /// Only this HTTP method.
    #[arg(long)]
    method: Option<String>,
    /// Only paths that start so; a segment `*` is any one segment.
    #[arg(long, value_name = "PATH")]
    route: Option<String>,
    /// So many pass first.
    #[arg(long, value_name = "N")]
    skip: Option<u32>,
    /// So many are struck; without it, until cleared.
    #[arg(long, value_name = "N")]
    count: Option<u32>,
    /// With this probability, 0 to 1, drawn from the simulator's seed.
    #[arg(long, value_name = "P")]
    chance: Option<f64>,
    /// Of `answer`: the HTTP status.
    #[arg(long)]
    status: Option<u16>,
    /// Of `answer`: the error code in the body; a fitting one unless given.
    #[arg(long)]
    code: Option<String>,
    /// Of `answer`: Retry-After.
    #[arg(long, value_name = "SECONDS")]
    retry_after: Option<u64>,
    /// Of `delay` and `wrong-clock`: milliseconds.
    #[arg(long, allow_hyphen_values = true)]
    ms: Option<i64>,
}

impl What {
    /// The order; what does not fit together is the simulator's to say.
    pub(super) fn order(&self) -> anyhow::Result<Order> {
        if self.clear {
            return Ok(Order {
                method: "DELETE",
                path: "/faults".to_owned(),
                body: None,
            });
        }
        if let Some(file) = &self.script {
            return Ok(Order::post("/fault-scripts", read_json(file)?));
        }
        let kind = [
            ("do", self.kind.as_deref().map(|kind| json!(kind))),
            ("status", self.status.map(|status| json!(status))),
            ("code", self.code.as_deref().map(|code| json!(code))),
            (
                "retry_after_s",
                self.retry_after.map(|seconds| json!(seconds)),
            ),
            ("ms", self.ms.map(|ms| json!(ms))),
        ];
        let service = self.service.and_then(|service| service.to_possible_value());
        let fault = [
            ("service", service.map(|service| json!(service.get_name()))),
            ("method", self.method.as_deref().map(|method| json!(method))),
            (
                "path_prefix",
                self.route.as_deref().map(|route| json!(route)),
            ),
            ("skip", self.skip.map(|skip| json!(skip))),
            ("count", self.count.map(|count| json!(count))),
            ("chance", self.chance.map(|chance| json!(chance))),
            ("kind", Some(Value::Object(given(kind)))),
        ];
        let path = if self.webhook {
            "/webhook-faults"
        } else {
            "/faults"
        };
        Ok(Order::post(path, Value::Object(given(fault))))
    }

    /// What was done, to people.
    pub(super) const fn said(&self) -> &'static str {
        if self.clear {
            "no faults any more"
        } else {
            "it will go wrong; `cosell simulator fault --clear` ends it"
        }
    }
}

fn given<const N: usize>(pairs: [(&str, Option<Value>); N]) -> Map<String, Value> {
    let given = pairs
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    given.collect()
}
