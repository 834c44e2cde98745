//! What a simulated world starts with.

use serde::{Deserialize, Serialize};

use crate::assumptions::Assumptions;

/// A world's start. Every field has a default; unknown keys are refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimulatorConfig {
    /// Same seed, same ids.
    pub seed: u64,
    /// HTTPS with a certificate authority made at start, or plain HTTP.
    pub tls: bool,
    /// First of seven consecutive ports (Entra, referrals, webhook registration, Dataverse, certificates, control, metadata);
    /// any free ports when absent.
    pub base_port: Option<u16>,
    /// Milliseconds added to every API call (not to control).
    pub latency_ms: u64,
    /// Rows on a page of referrals.
    pub referral_page_size: usize,
    /// Wait before the second delivery attempt of a Partner Center webhook, doubled for each further one; milliseconds.
    pub webhook_retry_ms: u64,
    /// How long the receiver of a webhook may take to answer, milliseconds. Dataverse documents 60 s.
    pub webhook_answer_ms: u64,
    /// Further roots (PEM) that webhook deliveries to https receivers trust, beside the simulator's own.
    pub trusted_roots_pem: Option<String>,
    /// Partner organisations beside Microsoft. One, named Contoso, when empty.
    pub organizations: Vec<OrganizationConfig>,
    /// Certificates (PEM, RSA) that the app for Dataverse may prove itself with instead of its secret.
    pub crm_certificates_pem: Vec<String>,
    /// Where the clock stands until control moves it; it goes when absent. The same seed and the same script then give the same ledger.
    pub clock_stands_at: Option<jiff::Timestamp>,
    /// Currency of the CRM organisation.
    pub base_currency: String,
    /// Custom tables of the CRM organisation.
    pub tables: Vec<TableConfig>,
    /// Custom columns on tables that exist already.
    pub columns: Vec<TableColumnConfig>,
    /// Many-to-many relationships, such as further contacts of an opportunity or its sales team.
    pub relationships: Vec<ManyConfig>,
    /// Status reasons of the organisation's own, such as its loss reasons.
    pub statuses: Vec<StatusConfig>,
    /// Rows to start with.
    pub rows: Vec<RowConfig>,
    /// Dataverse's service protection; none lets everything pass.
    pub service_protection: Option<ServiceProtection>,
    /// Which reading of each doubtful vendor fact to take.
    pub assumptions: Assumptions,
}

/// How much a user may ask of Dataverse. The default is what is documented.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServiceProtection {
    /// Length of the sliding window, seconds.
    pub window_s: u32,
    /// Most requests in a window.
    pub requests_max: u32,
    /// Most execution time in a window, milliseconds, of all requests together.
    pub execution_ms_max: u64,
    /// Most requests at a time.
    pub concurrent_max: u32,
    /// What each operation counts as execution time beside what it really takes, milliseconds: this server is faster than the real one.
    pub operation_ms: u64,
}

impl Default for ServiceProtection {
    fn default() -> Self {
        Self {
            window_s: 300,
            requests_max: 6_000,
            execution_ms_max: 1_200_000,
            concurrent_max: 52,
            operation_ms: 0,
        }
    }
}

/// A partner organisation at Partner Center.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OrganizationConfig {
    /// Display name.
    pub name: String,
    /// Partner location id.
    pub mpn_id: String,
    /// Mail of the user that consented to the app.
    pub user_mail: String,
    /// Certificates (PEM, RSA) that the organisation's app may prove itself with instead of its secret.
    pub certificates_pem: Vec<String>,
}

/// A custom table.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableConfig {
    /// Schema name with publisher prefix, such as `new_Country`; the logical name is its lower case.
    pub schema_name: String,
    /// Entity set, such as `new_countries`.
    pub entity_set: String,
    /// Logical name of the primary name column; it must be among `columns`.
    pub primary_name: String,
    /// Columns beside the standard ones.
    pub columns: Vec<ColumnConfig>,
    /// Alternate keys: lists of column logical names.
    #[serde(default)]
    pub keys: Vec<Vec<String>>,
}

/// A custom column of a table that exists already.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableColumnConfig {
    /// Logical name of the table.
    pub table: String,
    /// The column.
    pub column: ColumnConfig,
}

/// A custom column.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnConfig {
    /// Schema name, such as `new_CountryId`; the logical name is its lower case.
    pub schema_name: String,
    /// What it holds.
    pub kind: ColumnKind,
    /// System-required: creates without it fail.
    #[serde(default)]
    pub required: bool,
}

/// What a custom column holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum ColumnKind {
    /// One line of text.
    Text {
        /// Most characters.
        max_length: usize,
    },
    /// Many lines of text.
    Memo {
        /// Most characters.
        max_length: usize,
    },
    /// Whole number.
    Whole,
    /// Exact decimal number with this many decimals.
    Decimal {
        /// Decimals kept.
        precision: u32,
    },
    /// Amount in the row's currency.
    Money,
    /// Yes or no.
    Boolean,
    /// Date without time.
    DateOnly,
    /// Point in time.
    DateTime,
    /// One of these options.
    Choice {
        /// Value and label.
        options: Vec<(i32, String)>,
    },
    /// Reference to a row of another table.
    Lookup {
        /// Logical name of that table.
        target: String,
    },
}

/// A many-to-many relationship. On both sides the collection is named like the relationship.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManyConfig {
    /// Schema name, such as `new_Opportunity_Contact`.
    pub schema_name: String,
    /// Logical name of one table.
    pub first: String,
    /// Logical name of the other.
    pub second: String,
}

/// A status reason.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusConfig {
    /// Logical name of the table.
    pub table: String,
    /// Its `statuscode`; own ones start at the publisher's prefix times 10,000, such as 727000000.
    pub value: i32,
    /// What people read.
    pub label: String,
    /// The `statecode` that it belongs to.
    pub state: i32,
}

/// A row to start with.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowConfig {
    /// Logical name of the table.
    pub table: String,
    /// Columns as the Web API takes them.
    pub values: serde_json::Value,
}

impl Default for SimulatorConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            tls: true,
            base_port: None,
            latency_ms: 0,
            referral_page_size: 100,
            webhook_retry_ms: 100,
            webhook_answer_ms: 60_000,
            trusted_roots_pem: None,
            organizations: Vec::new(),
            crm_certificates_pem: Vec::new(),
            clock_stands_at: None,
            base_currency: "EUR".to_owned(),
            tables: Vec::new(),
            columns: Vec::new(),
            relationships: Vec::new(),
            statuses: Vec::new(),
            rows: Vec::new(),
            service_protection: None,
            assumptions: Assumptions::default(),
        }
    }
}

impl SimulatorConfig {
    /// The demo's world: the default one plus a country table with a lookup from account, and a custom opportunity column.
    ///
    /// `new_country` (`new_name`, `new_iso2`) holds a dozen countries; `account.new_countryid` refers to it (bind name
    /// `new_CountryId`); `opportunity.new_costcentre` is text of 20 characters that control can make required.
    pub fn demo() -> Self {
        const COUNTRIES: [(&str, &str); 12] = [
            ("Austria", "AT"),
            ("Czechia", "CZ"),
            ("France", "FR"),
            ("Germany", "DE"),
            ("Hungary", "HU"),
            ("Netherlands", "NL"),
            ("Poland", "PL"),
            ("Spain", "ES"),
            ("Sweden", "SE"),
            ("Switzerland", "CH"),
            ("United Kingdom", "GB"),
            ("United States", "US"),
        ];
        let text = |schema_name: &str, max_length| ColumnConfig {
            schema_name: schema_name.to_owned(),
            kind: ColumnKind::Text { max_length },
            required: false,
        };
        Self {
            tables: vec![TableConfig {
                schema_name: "new_Country".to_owned(),
                entity_set: "new_countries".to_owned(),
                primary_name: "new_name".to_owned(),
                columns: vec![text("new_Name", 100), text("new_Iso2", 2)],
                keys: vec![vec!["new_iso2".to_owned()]],
            }],
            columns: vec![
                TableColumnConfig {
                    table: "account".to_owned(),
                    column: ColumnConfig {
                        schema_name: "new_CountryId".to_owned(),
                        kind: ColumnKind::Lookup {
                            target: "new_country".to_owned(),
                        },
                        required: false,
                    },
                },
                TableColumnConfig {
                    table: "opportunity".to_owned(),
                    column: text("new_CostCentre", 20),
                },
            ],
            rows: COUNTRIES
                .iter()
                .map(|(name, iso2)| RowConfig {
                    table: "new_country".to_owned(),
                    values: serde_json::json!({ "new_name": name, "new_iso2": iso2 }),
                })
                .collect(),
            ..Self::default()
        }
    }
}
