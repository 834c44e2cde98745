//! Every table and column that the mapping touches, and the settings that move some of them.

use cosell_guest_sdk::parts::{
    SolutionTable, company, connector, help, people, sellers, solutions,
};
use cosell_guest_sdk::prelude::*;

use crate::people::{ContactTable, TeamTable};
use crate::tail;

/// The table.
pub(crate) const TABLE: &str = "opportunity";
/// Topic of the opportunity.
pub(crate) const NAME: &str = "name";
/// Notes.
pub(crate) const NOTES: &str = "description";
/// Expected close date.
pub(crate) const CLOSE_DATE: &str = "estimatedclosedate";
/// Yes: the CRM computes the revenue from product lines and overwrites what anybody else puts there.
pub(crate) const CALCULATED: &str = "isrevenuesystemcalculated";
/// Currency of the row.
const CURRENCY: &str = "transactioncurrencyid";
/// The customer as the sales form shows it.
pub(crate) const PARENT_ACCOUNT: &str = "parentaccountid";
/// The customer as older forms and integrations set it.
pub(crate) const CUSTOMER: &str = "customerid";
/// The main contact.
pub(crate) const PARENT_CONTACT: &str = "parentcontactid";

/// Join: the account of [`PARENT_ACCOUNT`].
pub(crate) const ACCOUNT_JOIN: &str = "account";
/// Join: the account of [`CUSTOMER`].
pub(crate) const CUSTOMER_JOIN: &str = "customer";
/// Join: the contact of [`PARENT_CONTACT`].
pub(crate) const CONTACT_JOIN: &str = "contact";

/// Columns that settings can move.
pub(crate) struct Columns<'a> {
    pub(crate) value: &'a str,
    pub(crate) ids: Vec<(&'static str, &'a str)>,
    /// `None`: this CRM keeps no solutions.
    pub(crate) solutions: Option<SolutionTable<'a>>,
    /// `None`: the main contact is the only one.
    pub(crate) contacts: Option<ContactTable<'a>>,
    /// `None`: the owner is the only seller.
    pub(crate) team: Option<TeamTable<'a>>,
}

const VALUE_COLUMN: &str = "value-column";
const VALUE_DEFAULT: &str = "estimatedvalue";
const SOLUTIONS_DEFAULT: &str = "msft_partnercentersolution";
/// Who numbers customers, and the setting that names the column of the account with the number.
const ID_COLUMNS: [(&str, &str, &str); 2] = [
    (
        "duns",
        "duns-column",
        "Column of the account with the DUNS number. Without it no number crosses.",
    ),
    (
        "external",
        "external-id-column",
        "Column of the account with the number that Partner Center knows the customer by beside the DUNS number (External).",
    ),
];

/// The manifest with the settings of this mapping.
pub(crate) fn settings(manifest: PluginManifest) -> PluginManifest {
    let manifest = manifest.setting(
        SettingSpec::column(VALUE_COLUMN, TABLE, "Currency column with the deal value.")
            .default_text(VALUE_DEFAULT),
    );
    let manifest = ID_COLUMNS
        .into_iter()
        .fold(manifest, |manifest, (_, name, doc)| {
            manifest.setting(SettingSpec::column(name, "account", doc))
        });
    let manifest = solutions::settings(manifest.setting(help::setting()), TABLE, SOLUTIONS_DEFAULT);
    let manifest = crate::people::settings(manifest);
    tail::settings(manifest)
}

/// What contradicts itself in the settings.
pub(crate) fn mistakes(settings: Settings<'_>) -> Vec<Reason> {
    let mut mistakes = help::mistakes(settings);
    mistakes.extend(crate::people::mistakes(settings));
    mistakes.extend(tail::mistakes(settings));
    mistakes
}

impl<'a> Columns<'a> {
    pub(crate) fn of(settings: impl Into<Settings<'a>>) -> Self {
        let settings = settings.into();
        Self {
            value: settings.text(VALUE_COLUMN).unwrap_or(VALUE_DEFAULT),
            ids: ID_COLUMNS
                .iter()
                .filter_map(|(scheme, setting, _)| Some((*scheme, settings.text(setting)?)))
                .collect(),
            solutions: SolutionTable::of(settings, TABLE),
            contacts: ContactTable::of(settings),
            team: TeamTable::of(settings),
        }
    }

    /// Everything that the mapping reads, joins, writes, asks for and brings along.
    pub(crate) fn needs(&self) -> Vec<Need> {
        let mut needs = vec![
            Need::reads(
                TABLE,
                [
                    NAME,
                    NOTES,
                    CLOSE_DATE,
                    CALCULATED,
                    CURRENCY,
                    sellers::OWNER,
                    self.value,
                ],
            ),
            Need::writes(
                TABLE,
                [
                    NAME,
                    NOTES,
                    CLOSE_DATE,
                    CURRENCY,
                    sellers::OWNER,
                    connector::VISIBLE,
                    connector::HELP,
                    PARENT_ACCOUNT,
                    CUSTOMER,
                    PARENT_CONTACT,
                    self.value,
                ],
            ),
            Join::lookup(CONTACT_JOIN, TABLE, PARENT_CONTACT, "contact", people::READ).into(),
            sellers::asks(),
        ];
        for (label, lookup) in [(ACCOUNT_JOIN, PARENT_ACCOUNT), (CUSTOMER_JOIN, CUSTOMER)] {
            let columns = ["name", company::EMPLOYEES]
                .into_iter()
                .chain(company::ADDRESS_COLUMNS)
                .chain(self.ids.iter().map(|(_, column)| *column));
            needs.push(Join::lookup(label, TABLE, lookup, "account", columns).into());
        }
        needs.extend(self.solutions.iter().flat_map(|table| table.needs(TABLE)));
        needs.extend(self.contacts.iter().flat_map(ContactTable::needs));
        needs.extend(self.team.iter().flat_map(TeamTable::needs));
        needs.extend(connector::own_columns(TABLE));
        needs
    }
}
