//! The columns of Microsoft's co-sell connector for Dynamics 365. An organisation that had it has them; set-up creates them for the
//! others.

use super::help;
use crate::types::{ColumnKind, Need, OwnColumn};

/// The seller's switch: nothing leaves the CRM unless it is yes.
pub const GATE: &str = "msft_microsoftpartnercenterreferralsync";
/// Microsoft's sellers can see the deal.
pub const VISIBLE: &str = "msft_microsoftpartnercenterreferralvisible";
/// The help that is asked from Microsoft.
pub const HELP: &str = "msft_microsoftpartnercenterhelp";
/// Id of the referral; the host fills it.
pub const IDENTIFIER: &str = "msft_microsoftpartnercenterreferralidentifier";

/// All of them, for one table. Identifier, link, program, Microsoft's id and audit are filled by the host.
pub fn own_columns(table: &str) -> impl Iterator<Item = Need> + use<> {
    let own =
        |column: &str, kind, label: &str| OwnColumn::new(table, column, kind, label.to_owned());
    let text = |column: &str, length, label: &str| own(column, ColumnKind::Text(length), label);
    [
        own(GATE, ColumnKind::Boolean, "Sync With Partner Center").role("gate"),
        own(
            VISIBLE,
            ColumnKind::Boolean,
            "Microsoft Partner Center Referral Visibility",
        ),
        own(
            HELP,
            ColumnKind::Choice(help::choices()),
            "How can Microsoft help?",
        ),
        text(IDENTIFIER, 100, "Referral Identifier").role("identifier"),
        text(
            "msft_microsoftpartnercenterreferrallink",
            500,
            "Referral Link",
        )
        .role("link"),
        text(
            "msft_microsoftpartnercenterreferralprogram",
            100,
            "Referral Program",
        )
        .role("program"),
        text(
            "msft_microsoftcrmidentifier",
            100,
            "Microsoft CRM Identifier",
        )
        .role("microsoft-id"),
        own(
            "msft_microsoftpartnercenterreferralsyncaudit",
            ColumnKind::LongText(100_000),
            "Audit",
        )
        .role("audit"),
    ]
    .map(Need::from)
    .into_iter()
}
