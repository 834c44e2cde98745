//! Columns that are searched, compared and written, and the settings that move them.

use cosell_guest_sdk::parts::company;
use cosell_guest_sdk::prelude::*;

pub(crate) const TABLE: &str = "account";
pub(crate) const ID: &str = "accountid";
pub(crate) const NAME: &str = "name";
pub(crate) const POSTCODE: &str = company::POSTCODE;
pub(crate) const STATE: &str = "statecode";
/// Yes: another account has taken this one over.
pub(crate) const MERGED: &str = "merged";
/// Which one.
pub(crate) const MASTER: &str = "masterid";

/// Labels of the searches.
pub(crate) const BY_DUNS: &str = "duns";
pub(crate) const BY_EXTERNAL_ID: &str = "external-id";
pub(crate) const BY_NAME: &str = "name";
pub(crate) const BY_NAME_AND_POSTCODE: &str = "name-and-postcode";
pub(crate) const BY_NAME_IN_COUNTRY: &str = "name-in-country";
pub(crate) const BY_WEBSITE: &str = "website";
pub(crate) const BY_MAIL: &str = "mail-domain";
/// Beside the labels, the host says whether one of the searches identifies.
pub(crate) const IDENTIFIES: &str = "identifies";

const DUNS_COLUMN: &str = "duns-column";
const EXTERNAL_ID_COLUMN: &str = "external-id-column";
const WEBSITE_COLUMN: &str = "website-column";
const MAIL_COLUMN: &str = "mail-column";
const COUNTRY_COLUMN: &str = "country-column";
const FILL_WEBSITE: &str = "fill-website";
const TAKE_FROM: &str = "take-from";
const ASK_FROM: &str = "ask-from";
pub(crate) const PUBLIC_DOMAINS: &str = "public-mail-domains";

const TAKE_DEFAULT: i32 = 80;
const ASK_DEFAULT: i32 = 40;

/// Where this CRM keeps what customers are known by.
pub(crate) struct Columns<'a> {
    pub(crate) duns: Option<&'a str>,
    pub(crate) external: Option<&'a str>,
    pub(crate) website: Option<&'a str>,
    pub(crate) mail: Option<&'a str>,
    pub(crate) country: Option<&'a str>,
    /// A new account gets the domain of its people's mail as its web site.
    pub(crate) fill_website: bool,
    /// From so many points an account is taken.
    pub(crate) take_from: i32,
    /// From so many a person is asked; below, it is another company.
    pub(crate) ask_from: i32,
}

pub(crate) fn settings(manifest: PluginManifest) -> PluginManifest {
    manifest
        .setting(SettingSpec::column(
            DUNS_COLUMN,
            TABLE,
            "Column of the account with the DUNS number. One hit by it proves that it is the customer.",
        ))
        .setting(SettingSpec::column(
            EXTERNAL_ID_COLUMN,
            TABLE,
            "Column of the account with the number that Partner Center knows the customer by beside the DUNS number (External). One hit by it proves that it is the customer.",
        ))
        .setting(
            SettingSpec::text(
                WEBSITE_COLUMN,
                "Column of the account with the web site. Empty: web sites are not compared.",
            )
            .default_text("websiteurl"),
        )
        .setting(
            SettingSpec::text(
                MAIL_COLUMN,
                "Column of the account with a mail address. Empty: mail domains are not compared.",
            )
            .default_text("emailaddress1"),
        )
        .setting(
            SettingSpec::text(
                COUNTRY_COLUMN,
                "Text column of the account with the country, as a code or an English name. Empty: countries are not compared.",
            )
            .default_text("address1_country"),
        )
        .setting(SettingSpec::yes_no(
            FILL_WEBSITE,
            true,
            "A new account gets the domain of its people's mail as its web site, so that the next deal finds it by that.",
        ))
        .setting(SettingSpec::integer(
            TAKE_FROM,
            TAKE_DEFAULT,
            "Points, of 100, from which the best account is taken when no other comes near. Name and postal code have 80.",
        ))
        .setting(SettingSpec::integer(
            ASK_FROM,
            ASK_DEFAULT,
            "Points from which a person is asked. An account with less is another company.",
        ))
        .setting(SettingSpec::texts(
            PUBLIC_DOMAINS,
            "Further mail domains that belong to no company. The usual ones, gmail.com and so on, are known.",
        ))
}

pub(crate) fn mistakes(settings: Settings<'_>) -> Vec<Reason> {
    let columns = Columns::of(settings);
    let fits =
        0 < columns.ask_from && columns.ask_from <= columns.take_from && columns.take_from <= 100;
    if fits {
        return Vec::new();
    }
    vec![
        Reason::new(
            "points-contradict",
            format!(
                "{ASK_FROM} is {} and {TAKE_FROM} is {}",
                columns.ask_from, columns.take_from
            ),
        )
        .about_setting(TAKE_FROM)
        .hint("points go from 1 to 100, and a person is asked before an account is taken"),
    ]
}

impl<'a> Columns<'a> {
    pub(crate) fn of(settings: impl Into<Settings<'a>>) -> Self {
        let settings = settings.into();
        Self {
            duns: settings.text(DUNS_COLUMN),
            external: settings.text(EXTERNAL_ID_COLUMN),
            website: settings.text(WEBSITE_COLUMN),
            mail: settings.text(MAIL_COLUMN),
            country: settings.text(COUNTRY_COLUMN),
            fill_website: settings.yes(FILL_WEBSITE).unwrap_or(true),
            take_from: settings.integer(TAKE_FROM).unwrap_or(TAKE_DEFAULT),
            ask_from: settings.integer(ASK_FROM).unwrap_or(ASK_DEFAULT),
        }
    }

    /// What is fetched of an account that could be the customer.
    pub(crate) fn compared(&self) -> impl Iterator<Item = &'a str> {
        [ID, NAME, POSTCODE, STATE, MERGED, MASTER]
            .into_iter()
            .chain(self.duns)
            .chain(self.external)
            .chain(self.website)
            .chain(self.mail)
            .chain(self.country)
    }

    pub(crate) fn needs(&self) -> Vec<Need> {
        let written = [NAME]
            .into_iter()
            .chain(company::ADDRESS_COLUMNS)
            .chain(self.duns)
            .chain(self.external)
            .chain(self.website.filter(|_| self.fill_website));
        vec![
            Need::asks(TABLE, self.compared()),
            Need::writes(TABLE, written),
        ]
    }
}
