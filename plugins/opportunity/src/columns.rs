//! Every table and column that the mapping touches, and the settings that move some of them.

use cosell_guest_sdk::prelude::*;

use crate::help;

/// Topic of the opportunity.
pub(crate) const NAME: &str = "name";
/// Notes.
pub(crate) const NOTES: &str = "description";
/// Expected close date.
pub(crate) const CLOSE_DATE: &str = "estimatedclosedate";
/// Yes: the CRM computes the revenue from product lines and overwrites what anybody else puts there.
pub(crate) const CALCULATED: &str = "isrevenuesystemcalculated";
/// Currency of the row.
pub(crate) const CURRENCY: &str = "transactioncurrencyid";
/// The customer as the sales form shows it.
pub(crate) const PARENT_ACCOUNT: &str = "parentaccountid";
/// The customer as older forms and integrations set it.
pub(crate) const CUSTOMER: &str = "customerid";
/// The main contact.
pub(crate) const PARENT_CONTACT: &str = "parentcontactid";
/// The seller.
pub(crate) const OWNER: &str = "ownerid";

/// The seller's switch.
pub(crate) const GATE: &str = "msft_microsoftpartnercenterreferralsync";
/// Microsoft's sellers can see the deal.
pub(crate) const VISIBLE: &str = "msft_microsoftpartnercenterreferralvisible";
/// The help that is asked from Microsoft.
pub(crate) const HELP: &str = "msft_microsoftpartnercenterhelp";

/// Join: the account of [`PARENT_ACCOUNT`].
pub(crate) const ACCOUNT_JOIN: &str = "account";
/// Join: the account of [`CUSTOMER`].
pub(crate) const CUSTOMER_JOIN: &str = "customer";
/// Join: the contact of [`PARENT_CONTACT`].
pub(crate) const CONTACT_JOIN: &str = "contact";
/// Join: the solutions.
pub(crate) const SOLUTIONS_JOIN: &str = "solutions";
/// Query: the user behind [`OWNER`].
pub(crate) const OWNER_QUERY: &str = "owner";

/// The mail address of a user, by which sellers are told apart.
pub(crate) const USER_MAIL: &str = "internalemailaddress";
/// What is read of a user. `applicationid` tells a program from a person.
pub(crate) const USER_COLUMNS: [&str; 5] = [
    "systemuserid",
    "firstname",
    "lastname",
    USER_MAIL,
    "applicationid",
];

const ACCOUNT_COLUMNS: [&str; 7] = [
    "name",
    "address1_line1",
    "address1_line2",
    "address1_city",
    "address1_stateorprovince",
    "address1_postalcode",
    "numberofemployees",
];

const CONTACT_COLUMNS: [&str; 5] = [
    "firstname",
    "lastname",
    "emailaddress1",
    "telephone1",
    "jobtitle",
];

/// Columns that settings can move.
pub(crate) struct Columns<'a> {
    pub(crate) value: &'a str,
    pub(crate) duns: Option<&'a str>,
    /// `None`: this CRM keeps no solutions.
    pub(crate) solutions: Option<SolutionTable<'a>>,
}

/// The table of solutions under an opportunity.
pub(crate) struct SolutionTable<'a> {
    pub(crate) table: &'a str,
    pub(crate) lookup: &'a str,
    pub(crate) id: &'a str,
    pub(crate) name: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) publisher: &'a str,
}

const VALUE_COLUMN: &str = "value-column";
const DUNS_COLUMN: &str = "duns-column";
const SOLUTION_TABLE: &str = "solution-table";
// The connector's documents name this table and its fields only by their labels, so every name can be set.
const SOLUTION_COLUMNS: [(&str, &str, &str); 5] = [
    (
        "solution-opportunity-column",
        "msft_opportunityid",
        "Lookup of the solution table that points to the opportunity.",
    ),
    (
        "solution-id-column",
        "msft_solutionidentifier",
        "Column with the solution's id, SOL-12345-ABC.",
    ),
    (
        "solution-name-column",
        "msft_name",
        "Column with the solution's name.",
    ),
    (
        "solution-type-column",
        "msft_type",
        "Column with the solution's type, 1P or 3P.",
    ),
    (
        "solution-publisher-column",
        "msft_publishername",
        "Column with the solution's publisher.",
    ),
];

/// The manifest with the settings of this mapping.
pub(crate) fn settings(manifest: PluginManifest) -> PluginManifest {
    let manifest = manifest
        .setting(
            SettingSpec::column(
                VALUE_COLUMN,
                "opportunity",
                "Currency column with the deal value.",
            )
            .default_text("estimatedvalue"),
        )
        .setting(SettingSpec::column(
            DUNS_COLUMN,
            "account",
            "Column of the account with the DUNS number. Without it no number crosses.",
        ))
        .setting(help::setting())
        .setting(
            SettingSpec::text(
                SOLUTION_TABLE,
                "Table with a deal's solutions, one row each. Empty: solutions do not cross.",
            )
            .default_text("msft_partnercentersolution"),
        );
    SOLUTION_COLUMNS
        .into_iter()
        .fold(manifest, |manifest, (name, default, doc)| {
            manifest.setting(SettingSpec::text(name, doc).default_text(default))
        })
}

impl<'a> Columns<'a> {
    pub(crate) fn of(settings: impl Into<Settings<'a>>) -> Self {
        let settings = settings.into();
        let [lookup, id, name, kind, publisher] =
            SOLUTION_COLUMNS.map(|(setting, default, _)| settings.text(setting).unwrap_or(default));
        Self {
            value: settings.text(VALUE_COLUMN).unwrap_or("estimatedvalue"),
            duns: settings.text(DUNS_COLUMN),
            solutions: settings.text(SOLUTION_TABLE).map(|table| SolutionTable {
                table,
                lookup,
                id,
                name,
                kind,
                publisher,
            }),
        }
    }

    /// Everything that the mapping reads, joins, writes, asks for and brings along.
    pub(crate) fn needs(&self) -> Vec<Need> {
        let account_columns = || ACCOUNT_COLUMNS.into_iter().chain(self.duns);
        let mut needs = vec![
            Need::reads(
                "opportunity",
                [
                    NAME, NOTES, CLOSE_DATE, CALCULATED, CURRENCY, OWNER, GATE, VISIBLE, HELP,
                    self.value,
                ],
            ),
            Need::writes(
                "opportunity",
                [
                    NAME,
                    NOTES,
                    CLOSE_DATE,
                    CURRENCY,
                    OWNER,
                    VISIBLE,
                    HELP,
                    PARENT_ACCOUNT,
                    CUSTOMER,
                    PARENT_CONTACT,
                    self.value,
                ],
            ),
            Join::lookup(
                ACCOUNT_JOIN,
                "opportunity",
                PARENT_ACCOUNT,
                "account",
                account_columns(),
            )
            .into(),
            Join::lookup(
                CUSTOMER_JOIN,
                "opportunity",
                CUSTOMER,
                "account",
                account_columns(),
            )
            .into(),
            Join::lookup(
                CONTACT_JOIN,
                "opportunity",
                PARENT_CONTACT,
                "contact",
                CONTACT_COLUMNS,
            )
            .into(),
            Need::asks_steady("systemuser", USER_COLUMNS),
        ];
        if let Some(solutions) = &self.solutions {
            let columns = [
                solutions.id,
                solutions.name,
                solutions.kind,
                solutions.publisher,
            ];
            needs.push(
                Join::child(
                    SOLUTIONS_JOIN,
                    "opportunity",
                    solutions.lookup,
                    solutions.table,
                    columns,
                )
                .into(),
            );
            needs.push(Need::writes(solutions.table, columns));
        }
        needs.extend(own_columns());
        needs
    }
}

/// The columns of the connector. An organisation that had it has them; set-up creates them for the others.
fn own_columns() -> impl Iterator<Item = Need> {
    let text = |column, length, label, role| {
        OwnColumn::new("opportunity", column, ColumnKind::Text(length), label).role(role)
    };
    [
        OwnColumn::new(
            "opportunity",
            GATE,
            ColumnKind::Boolean,
            "Sync With Partner Center",
        )
        .role("gate"),
        OwnColumn::new(
            "opportunity",
            VISIBLE,
            ColumnKind::Boolean,
            "Microsoft Partner Center Referral Visibility",
        ),
        OwnColumn::new(
            "opportunity",
            HELP,
            ColumnKind::Choice(help::choices()),
            "How can Microsoft help?",
        ),
        text(
            "msft_microsoftpartnercenterreferralidentifier",
            100,
            "Referral Identifier",
            "identifier",
        ),
        text(
            "msft_microsoftpartnercenterreferrallink",
            500,
            "Referral Link",
            "link",
        ),
        text(
            "msft_microsoftpartnercenterreferralprogram",
            100,
            "Referral Program",
            "program",
        ),
        text(
            "msft_microsoftcrmidentifier",
            100,
            "Microsoft CRM Identifier",
            "microsoft-id",
        ),
        OwnColumn::new(
            "opportunity",
            "msft_microsoftpartnercenterreferralsyncaudit",
            ColumnKind::LongText(100_000),
            "Audit",
        )
        .role("audit"),
    ]
    .into_iter()
    .map(Need::from)
}
