//! Every table and column that the mapping touches, and the settings that move some of them.

use cosell_guest_sdk::parts::{
    SolutionTable, company, connector, help, people, sellers, solutions,
};
use cosell_guest_sdk::prelude::*;

/// The table.
pub(crate) const TABLE: &str = "lead";
/// Topic of the lead.
pub(crate) const NAME: &str = "subject";
/// Notes.
pub(crate) const NOTES: &str = "description";
/// Expected close date.
pub(crate) const CLOSE_DATE: &str = "estimatedclosedate";
/// The company, in words.
pub(crate) const COMPANY: &str = "companyname";
/// Currency of the row.
pub(crate) const CURRENCY: &str = "transactioncurrencyid";
/// The account that the company turned out to be.
pub(crate) const PARENT_ACCOUNT: &str = "parentaccountid";
/// The contact that the person turned out to be.
pub(crate) const PARENT_CONTACT: &str = "parentcontactid";
/// Open, qualified or disqualified.
pub(crate) const STATE: &str = "statecode";

/// Join: the currency of [`CURRENCY`].
pub(crate) const CURRENCY_JOIN: &str = "currency";
/// Table of currencies, and the column with the ISO 4217 code.
pub(crate) const CURRENCIES: &str = "transactioncurrency";
pub(crate) const ISO_CODE: &str = "isocurrencycode";

/// Setting: marketplace and qualified leads stay in Partner Center.
pub(crate) const CO_SELL_ONLY: &str = "co-sell-only";
/// Setting: a lead that we sent ourselves is not qualified by being accepted.
pub(crate) const KEEP_OWN_LEADS: &str = "keep-own-leads";

const VALUE_COLUMN: &str = "value-column";
const VALUE_DEFAULT: &str = "estimatedamount";
const KEPT_AS: &str = "value-kept-as";
const AS_MONEY: &str = "money";
const AS_NUMBER: &str = "number";
const DUNS_COLUMN: &str = "duns-column";
const DEFAULT_SOLUTION: &str = "default-solution";

/// Columns that settings can move.
pub(crate) struct Columns<'a> {
    pub(crate) value: &'a str,
    /// The value's column holds no money but a plain number, in the currency of the row.
    pub(crate) value_is_number: bool,
    pub(crate) duns: Option<&'a str>,
    /// `None`: leads of this CRM keep no solutions.
    pub(crate) solutions: Option<SolutionTable<'a>>,
    /// What a lead that goes out is about.
    pub(crate) default_solution: Option<&'a str>,
}

/// The manifest with the settings of this mapping.
pub(crate) fn settings(manifest: PluginManifest) -> PluginManifest {
    let manifest = manifest
        .setting(SettingSpec::yes_no(
            CO_SELL_ONLY,
            false,
            "Sync co-sell opportunities only: leads of the marketplace and leads that Microsoft qualified stay in Partner Center until somebody accepts them.",
        ))
        .setting(SettingSpec::yes_no(
            KEEP_OWN_LEADS,
            false,
            "A lead that we sent ourselves counts as accepted in Partner Center from the start. Yes: it stays a lead until a seller qualifies it. No: it becomes an opportunity.",
        ))
        .setting(
            SettingSpec::column(VALUE_COLUMN, TABLE, "Column with the deal value.")
                .default_text(VALUE_DEFAULT),
        )
        .setting(SettingSpec::one_of(
            KEPT_AS,
            [AS_MONEY, AS_NUMBER],
            "Whether that column is a currency column or one of plain numbers in the row's currency, as `estimatedvalue` of leads is.",
        ))
        .setting(SettingSpec::column(
            DUNS_COLUMN,
            TABLE,
            "Column of the lead with the company's DUNS number. Without it no number crosses.",
        ))
        .setting(help::setting())
        .setting(SettingSpec::text(
            DEFAULT_SOLUTION,
            "Id of the solution that a lead is about when it goes out and names none, SOL-12345-ABC. Partner Center takes no deal without a solution.",
        ));
    solutions::settings(manifest, TABLE, "")
}

/// What contradicts itself in the settings.
pub(crate) fn mistakes(settings: Settings<'_>) -> Vec<Reason> {
    help::mistakes(settings)
}

impl<'a> Columns<'a> {
    pub(crate) fn of(settings: impl Into<Settings<'a>>) -> Self {
        let settings = settings.into();
        Self {
            value: settings.text(VALUE_COLUMN).unwrap_or(VALUE_DEFAULT),
            value_is_number: settings.text(KEPT_AS) == Some(AS_NUMBER),
            duns: settings.text(DUNS_COLUMN),
            solutions: SolutionTable::of(settings, TABLE),
            default_solution: settings.text(DEFAULT_SOLUTION),
        }
    }

    /// Everything that the mapping reads, joins, writes, asks for and brings along.
    pub(crate) fn needs(&self) -> Vec<Need> {
        let both = [NAME, NOTES, CLOSE_DATE, COMPANY, CURRENCY, sellers::OWNER]
            .into_iter()
            .chain([self.value])
            .chain(company::ADDRESS_COLUMNS)
            .chain(self.duns);
        let read = [STATE, company::EMPLOYEES].into_iter().chain(people::READ);
        let written = [
            connector::VISIBLE,
            connector::HELP,
            PARENT_ACCOUNT,
            PARENT_CONTACT,
        ]
        .into_iter()
        .chain(people::WRITTEN);
        let mut needs = vec![
            Need::reads(TABLE, both.clone().chain(read)),
            Need::writes(TABLE, both.chain(written)),
            sellers::asks(),
        ];
        if self.value_is_number {
            needs.push(Join::lookup(CURRENCY_JOIN, TABLE, CURRENCY, CURRENCIES, [ISO_CODE]).into());
            needs.push(Need::asks_steady(CURRENCIES, [ISO_CODE]));
        }
        needs.extend(self.solutions.iter().flat_map(|table| table.needs(TABLE)));
        needs.extend(connector::own_columns(TABLE));
        needs
    }
}
