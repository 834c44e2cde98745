//! An organisation's metadata, as far as the tests' mapping goes: an opportunity with an account that has a country table behind it.

use cosell_remote::Dataverse;

use crate::fake::{Asked, Fake, Reply, http, reply, tokens};

pub(crate) const API: &str = "/api/data/v9.2";
pub(crate) const OPPORTUNITY: &str = "0c0c0c0c-0000-4000-8000-000000000001";
pub(crate) const ACCOUNT: &str = "0a0a0a0a-0000-4000-8000-000000000001";
pub(crate) const EUR: &str = "0e0e0e0e-0000-4000-8000-000000000001";
pub(crate) const HUF: &str = "0e0e0e0e-0000-4000-8000-000000000002";

/// Answers for metadata and currencies; everything else is the test's.
pub(crate) async fn organisation(
    rest: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
) -> (Fake, Dataverse) {
    let fake = Fake::start(move |asked| metadata(asked).unwrap_or_else(|| rest(asked))).await;
    let client = Dataverse::new(fake.endpoint(""), tokens().await, http());
    (fake, client)
}

/// What was asked about rows.
pub(crate) fn row_calls(fake: &Fake) -> Vec<Asked> {
    fake.asked()
        .into_iter()
        .filter(|asked| {
            !asked.path.contains("EntityDefinitions")
                && !asked.path.ends_with("transactioncurrencies")
        })
        .collect()
}

fn metadata(asked: &Asked) -> Option<Reply> {
    let path = asked.path.strip_prefix(API)?;
    if path == "/transactioncurrencies" {
        return Some(list(&format!(
            r#"{{"transactioncurrencyid":"{EUR}","isocurrencycode":"EUR","currencyprecision":2}},{{"transactioncurrencyid":"{HUF}","isocurrencycode":"HUF","currencyprecision":0}}"#
        )));
    }
    let (table, part) = path
        .strip_prefix("/EntityDefinitions(LogicalName='")?
        .split_once("')")?;
    let Some(table) = TABLES.iter().find(|known| known.name == table) else {
        return Some(reply(
            404,
            r#"{"error":{"code":"0x80060888","message":"Could not find an entity with the given name."}}"#,
        ));
    };
    let cast = part.strip_prefix("/Attributes/Microsoft.Dynamics.CRM.");
    Some(match (part, cast) {
        ("", _) => reply(
            200,
            format!(
                r#"{{"LogicalName":"{0}","EntitySetName":"{1}","PrimaryIdAttribute":"{0}id","PrimaryNameAttribute":"{2}","ChangeTrackingEnabled":true}}"#,
                table.name, table.set, table.name_column
            ),
        ),
        ("/Attributes", _) => {
            let columns = table.columns.iter().map(|(name, kind, details)| {
                let type_name = if *kind == "Virtual" { "MultiSelectPicklistType" } else { "x" };
                let readonly = if details.contains("readonly") { r#","IsValidForUpdate":false,"IsValidForCreate":false"# } else { "" };
                format!(r#"{{"LogicalName":"{name}","AttributeType":"{kind}","AttributeTypeName":{{"Value":"{type_name}"}},"RequiredLevel":{{"Value":"None"}}{readonly}}}"#)
            });
            list(&columns.collect::<Vec<_>>().join(","))
        }
        (_, Some(cast)) => {
            let kinds: &[&str] = match cast.trim_end_matches("AttributeMetadata") {
                "Lookup" => &["Lookup", "Customer", "Owner"],
                "MultiSelectPicklist" => &["Virtual"],
                "String" => &["String"],
                "Memo" => &["Memo"],
                "Money" => &["Money"],
                "DateTime" => &["DateTime"],
                "Picklist" => &["Picklist"],
                "State" => &["State"],
                "Status" => &["Status"],
                other => panic!("{other}"),
            };
            let columns = table
                .columns
                .iter()
                .filter(|(_, kind, details)| kinds.contains(kind) && details.starts_with('"'));
            list(
                &columns
                    .map(|(name, _, details)| format!(r#"{{"LogicalName":"{name}",{details}}}"#))
                    .collect::<Vec<_>>()
                    .join(","),
            )
        }
        ("/ManyToOneRelationships", _) => {
            let lookups = table.lookups.iter().map(|(column, target, navigation, collection)| {
                format!(
                    r#"{{"ReferencingAttribute":"{column}","ReferencedEntity":"{target}","ReferencingEntityNavigationPropertyName":"{navigation}","ReferencedEntityNavigationPropertyName":"{collection}"}}"#
                )
            });
            list(&lookups.collect::<Vec<_>>().join(","))
        }
        ("/ManyToManyRelationships", _) => list(table.many),
        ("/Keys", _) => list(table.keys),
        _ => panic!("{part}"),
    })
}

pub(crate) fn list(rows: &str) -> Reply {
    reply(200, format!(r#"{{"value":[{rows}]}}"#))
}

struct FakeTable {
    name: &'static str,
    set: &'static str,
    name_column: &'static str,
    /// Name, `AttributeType`, and the members of its cast.
    columns: &'static [(&'static str, &'static str, &'static str)],
    lookups: &'static [(&'static str, &'static str, &'static str, &'static str)],
    many: &'static str,
    keys: &'static str,
}

const TABLES: [FakeTable; 5] = [
    FakeTable {
        name: "opportunity",
        set: "opportunities",
        name_column: "name",
        columns: &[
            ("opportunityid", "Uniqueidentifier", ""),
            ("name", "String", r#""MaxLength":20"#),
            ("description", "Memo", r#""MaxLength":10"#),
            (
                "estimatedvalue",
                "Money",
                r#""Precision":2,"PrecisionSource":2"#,
            ),
            (
                "estimatedvalue_base",
                "Money",
                r#""Precision":4,"PrecisionSource":0"#,
            ),
            (
                "new_finevalue",
                "Money",
                r#""Precision":4,"PrecisionSource":0"#,
            ),
            ("closeprobability", "Integer", ""),
            ("exchangerate", "Decimal", "readonly"),
            ("versionnumber", "BigInt", "readonly"),
            ("new_share", "Boolean", ""),
            (
                "estimatedclosedate",
                "DateTime",
                r#""Format":"DateOnly","DateTimeBehavior":{"Value":"DateOnly"}"#,
            ),
            (
                "new_asked",
                "DateTime",
                r#""Format":"DateOnly","DateTimeBehavior":{"Value":"UserLocal"}"#,
            ),
            (
                "opportunityratingcode",
                "Picklist",
                r#""OptionSet":{"Options":[{"Value":1,"Label":{"UserLocalizedLabel":{"Label":"Hot"}}},{"Value":2,"Label":{"LocalizedLabels":[{"Label":"Warm"}],"UserLocalizedLabel":null}}]},"GlobalOptionSet":null"#,
            ),
            (
                "new_tags",
                "Virtual",
                r#""OptionSet":null,"GlobalOptionSet":{"Options":[{"Value":7,"Label":{"UserLocalizedLabel":{"Label":"Seven"}}},{"Value":8,"Label":{"UserLocalizedLabel":{"Label":"Eight"}}}]}"#,
            ),
            (
                "statecode",
                "State",
                r#""OptionSet":{"Options":[{"Value":0,"Label":{"UserLocalizedLabel":{"Label":"Open"}}}]}"#,
            ),
            (
                "statuscode",
                "Status",
                r#""OptionSet":{"Options":[{"Value":1,"State":0,"Label":{"UserLocalizedLabel":{"Label":"In Progress"}}}]}"#,
            ),
            (
                "customerid",
                "Customer",
                r#""Targets":["account","contact"]"#,
            ),
            ("ownerid", "Owner", r#""Targets":["systemuser","team"]"#),
            (
                "transactioncurrencyid",
                "Lookup",
                r#""Targets":["transactioncurrency"]"#,
            ),
            ("new_image", "Image", ""),
        ],
        lookups: &[
            (
                "customerid",
                "account",
                "customerid_account",
                "opportunity_customer_accounts",
            ),
            (
                "customerid",
                "contact",
                "customerid_contact",
                "opportunity_customer_contacts",
            ),
            (
                "transactioncurrencyid",
                "transactioncurrency",
                "transactioncurrencyid",
                "transactioncurrency_opportunity",
            ),
        ],
        many: r#"{"SchemaName":"new_opportunity_country","Entity1LogicalName":"opportunity","Entity2LogicalName":"new_country","Entity1NavigationPropertyName":"new_Opportunity_Country","Entity2NavigationPropertyName":"new_Opportunity_Country_Back"}"#,
        keys: "",
    },
    FakeTable {
        name: "account",
        set: "accounts",
        name_column: "name",
        columns: &[
            ("accountid", "Uniqueidentifier", ""),
            ("name", "String", r#""MaxLength":160"#),
            ("accountnumber", "String", r#""MaxLength":20"#),
            ("new_countryid", "Lookup", r#""Targets":["new_country"]"#),
        ],
        lookups: &[(
            "new_countryid",
            "new_country",
            "new_CountryId",
            "new_country_accounts",
        )],
        many: "",
        keys: r#"{"SchemaName":"new_Number","KeyAttributes":["accountnumber"],"EntityKeyIndexStatus":"Active"},{"SchemaName":"new_Name","KeyAttributes":["name"],"EntityKeyIndexStatus":"Pending"}"#,
    },
    FakeTable {
        name: "new_country",
        set: "new_countries",
        name_column: "new_name",
        columns: &[
            ("new_countryid", "Uniqueidentifier", ""),
            ("new_name", "String", r#""MaxLength":100"#),
            ("new_iso2", "String", r#""MaxLength":2"#),
        ],
        lookups: &[],
        many: "",
        keys: "",
    },
    FakeTable {
        name: "new_line",
        set: "new_lines",
        name_column: "new_name",
        columns: &[
            ("new_lineid", "Uniqueidentifier", ""),
            ("new_name", "String", r#""MaxLength":100"#),
            ("new_dealid", "Lookup", r#""Targets":["opportunity"]"#),
        ],
        lookups: &[("new_dealid", "opportunity", "new_DealId", "new_deal_lines")],
        many: "",
        keys: "",
    },
    FakeTable {
        name: "opportunityclose",
        set: "opportunitycloses",
        name_column: "subject",
        columns: &[
            ("opportunitycloseid", "Uniqueidentifier", ""),
            ("subject", "String", r#""MaxLength":200"#),
        ],
        lookups: &[],
        many: "",
        keys: "",
    },
];
