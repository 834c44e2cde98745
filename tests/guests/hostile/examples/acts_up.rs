//! One deed a setting: what needs a guest that is otherwise healthy.

use cosell_guest_sdk::parts::called;
use cosell_guest_sdk::prelude::*;
use hostile_guests::harmless;

/// The attacker.
pub struct Hostile;

const DEEDS: [&str; 7] = [
    "nothing",
    "asks-for-ever",
    "asks-for-secrets",
    "floods-with-changes",
    "fails-now-and-then",
    "fails-over-one-deal",
    "steers-the-terminal",
];

impl Plugin for Hostile {
    fn manifest() -> PluginManifest {
        harmless("acts-up").setting(SettingSpec::one_of("deed", DEEDS, "What it does."))
    }

    fn describe(_: Settings<'_>) -> Result<Vec<Need>, Vec<Reason>> {
        Ok(vec![
            Need::reads("opportunity", ["name"]),
            Need::writes("opportunity", ["name"]),
            Need::asks("account", ["name"]),
        ])
    }
}

impl Opportunity for Hostile {
    fn to_row(context: &Context, order: &Order, _: &[Cell]) -> Answer<Vec<Change>> {
        let name = called(&order.deal).unwrap_or_default();
        match context.setting_text("deed").unwrap_or_default() {
            "asks-for-ever" => {
                // Whatever was found, there is one more question.
                let label = format!("round-{}", context.found.len());
                Err(Stop::Ask(vec![Query::new(label, "account", ["name"])]))
            }
            "asks-for-secrets" => Err(Stop::Ask(vec![Query::new(
                "secrets",
                "systemuser",
                ["internalemailaddress"],
            )])),
            "floods-with-changes" => Ok((0..200_000).map(|_| Change::withdraw("name")).collect()),
            "fails-now-and-then" if name.ends_with(['1', '3', '5', '7', '9']) => {
                panic!("an odd deal")
            }
            "fails-over-one-deal" if name.ends_with("poison") => panic!("this very deal"),
            "steers-the-terminal" => Err(Reason::new(
                "stop",
                "\u{1b}[2J\u{1b}[31mall is well\r\n2026-09-30T10:00:00Z INFO forged \u{202e}gnorw",
            )
            .hint("\u{7}\u{9b}31m")
            .into()),
            _ => Ok(Vec::new()),
        }
    }
}

plugin!(Hostile: opportunity);
