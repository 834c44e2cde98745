//! Deals as stories begin with them, and an organisation's own tables.

use cosell_simulator::{ColumnConfig, ColumnKind, Control, Fault, FaultKind, Service, TableConfig};
use serde_json::{Value, json};

use crate::{World, id, text};

/// The column in which a row tells what became of it.
const AUDIT: &str = "msft_microsoftpartnercenterreferralsyncaudit";

impl World {
    /// An account with a country that the stock plugin knows.
    ///
    /// # Errors
    /// What the CRM says.
    pub fn account(&self, name: &str, country: &str) -> anyhow::Result<String> {
        account_in(self.control(), name, country)
    }

    /// A seller's opportunity with sync on; `more` is laid over it. The solution comes after, as sellers do it.
    ///
    /// # Errors
    /// What the CRM says.
    pub fn opportunity(&self, account: &str, more: &Value) -> anyhow::Result<String> {
        opportunity_in(self.control(), account, more)
    }

    /// A referral that a partner's user makes in the portal.
    ///
    /// # Errors
    /// What Partner Center says.
    pub fn referral(&self, name: &str, customer: &str, country: &str) -> anyhow::Result<String> {
        let referral = json!({
            "name": name, "type": "Independent", "qualification": "SalesQualified",
            "customerProfile": { "name": customer, "team": [],
                "address": { "addressLine1": "Main Street 1", "city": "Capital", "postalCode": "1010", "country": country } },
            "consent": { "consentToToShareInfoWithOthers": true, "consentToContact": true, "consentToShareReferralWithMicrosoftSellers": false },
            "details": { "notes": "from the portal", "dealValue": 10_000, "currency": "EUR", "closingDateTime": "2027-03-31T00:00:00Z",
                "requirements": { "solutions": [{ "type": "Name", "id": "SOL-12345-ABC", "name": "Our app" }] } },
            "team": [{ "firstName": "Sam", "lastName": "Seller", "email": "sam.seller@partner.example", "phoneNumber": "+36 1 555 0199" }],
            "target": [],
        });
        Ok(id(&self.control().partner_user_creates(&referral)?.record))
    }

    /// Waits for the referral of a row.
    ///
    /// # Errors
    /// As [`World::until`].
    pub async fn referral_of(&self, row: &str) -> anyhow::Result<Value> {
        self.until("the referral of a row", |control| {
            control.referrals().into_iter().find(|referral| {
                referral["organizationId"] != "msft" && referral["externalReferenceId"] == row
            })
        })
        .await
    }

    /// A seller's deal with both records, at rest: the ids of row and referral. `more` is laid over the row.
    ///
    /// # Errors
    /// What the CRM says, or that it never gets there.
    pub async fn linked(&self, more: &Value) -> anyhow::Result<(String, String)> {
        let account = self.account("Contoso Kft.", "HU")?;
        let row = self.opportunity(&account, more)?;
        let referral = text(&self.referral_of(&row).await?, "id");
        self.row_of(&referral).await?;
        self.quiet().await?;
        Ok((row, referral))
    }

    /// Partner Center refuses every change from now on, a seller makes one (the notes say "refused"), and the deal is parked with a cross.
    ///
    /// # Errors
    /// What the CRM says, or that the cross never comes.
    pub async fn refused(&self, row: &str) -> anyhow::Result<()> {
        self.control().fault(Fault {
            service: Service::Referrals,
            method: Some("PATCH".into()),
            path_prefix: String::new(),
            skip: 0,
            count: None,
            kind: FaultKind::Answer {
                status: 400,
                code: None,
                retry_after_s: None,
            },
        });
        let notes = json!({ "description": "refused" });
        self.control().seller_updates("opportunity", row, &notes)?;
        self.until("the cross", |control| {
            let row = control.row("opportunity", row)?;
            text(&row, AUDIT).contains("not in step").then_some(())
        })
        .await?;
        self.quiet().await?;
        Ok(())
    }

    /// Waits for the row of a referral.
    ///
    /// # Errors
    /// As [`World::until`].
    pub async fn row_of(&self, referral: &str) -> anyhow::Result<Value> {
        self.until("the row of a referral", |control| {
            control
                .rows("opportunity")
                .into_iter()
                .find(|row| row["msft_microsoftpartnercenterreferralidentifier"] == referral)
        })
        .await
    }
}

/// As [`World::account`], in the CRM under these hands.
///
/// # Errors
/// What the CRM says.
pub fn account_in(control: &Control, name: &str, country: &str) -> anyhow::Result<String> {
    let account = json!({
        "name": name, "address1_line1": "Main Street 1", "address1_city": "Capital", "address1_postalcode": "1010", "address1_country": country,
    });
    Ok(id(&control.seller_creates("account", &account)?.record))
}

/// As [`World::opportunity`], in the CRM under these hands.
///
/// # Errors
/// What the CRM says.
pub fn opportunity_in(control: &Control, account: &str, more: &Value) -> anyhow::Result<String> {
    let contact = json!({
        "firstname": "Anna", "lastname": "Kovács", "emailaddress1": "anna.kovacs@contoso.example", "telephone1": "+36 1 555 0100",
        "parentcustomerid_account@odata.bind": format!("/accounts({account})"),
    });
    let contact = id(&control.seller_creates("contact", &contact)?.record);
    let mut row = json!({
        "name": "Data platform", "estimatedvalue": 125_000, "estimatedclosedate": "2026-12-15", "description": "first notes",
        "parentaccountid@odata.bind": format!("/accounts({account})"), "parentcontactid@odata.bind": format!("/contacts({contact})"),
        "msft_microsoftpartnercenterreferralsync": true,
    });
    for (column, value) in more.as_object().into_iter().flatten() {
        row[column] = value.clone();
    }
    let row = id(&control.seller_creates("opportunity", &row)?.record);
    let solution = json!({
        "msft_name": "Our app", "msft_solutionidentifier": "SOL-12345-ABC", "msft_type": "3P",
        "msft_OpportunityId@odata.bind": format!("/opportunities({row})"),
    });
    control.seller_creates("msft_partnercentersolution", &solution)?;
    Ok(row)
}

/// A table of an organisation's own: who else works on an opportunity, by lookups to both.
#[must_use]
pub fn deal_sellers() -> TableConfig {
    let column = |schema_name: &str, kind| ColumnConfig {
        schema_name: schema_name.to_owned(),
        kind,
        required: false,
    };
    let lookup = |target: &str| ColumnKind::Lookup {
        target: target.to_owned(),
    };
    TableConfig {
        schema_name: "new_DealSeller".to_owned(),
        entity_set: "new_dealsellers".to_owned(),
        primary_name: "new_name".to_owned(),
        columns: vec![
            column("new_Name", ColumnKind::Text { max_length: 100 }),
            column("new_OpportunityId", lookup("opportunity")),
            column("new_UserId", lookup("systemuser")),
        ],
        keys: Vec::new(),
    }
}
