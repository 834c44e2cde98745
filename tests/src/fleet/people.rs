//! Who acts on both sides, and what they said last. Each field of a deal is changed on one side only, so that what has to stand on both sides
//! in the end is known, however late or often anybody hears of it.

use anyhow::Context as _;
use cosell_simulator::Control;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::id;

/// The column by which a row names its referral.
pub const IDENTIFIER: &str = "msft_microsoftpartnercenterreferralidentifier";

/// Customers with names that have nothing in common: about others a person would be asked.
const CUSTOMERS: [&str; 12] = [
    "Fabrikam",
    "Northwind Traders",
    "Tailspin Toys",
    "Litware",
    "Proseware",
    "Lucerne Publishing",
    "Fourth Coffee",
    "Humongous Insurance",
    "Blue Yonder Airlines",
    "Coho Winery",
    "Consolidated Messenger",
    "Woodgrove Bank",
];

/// A deal, and what people said last.
#[derive(Debug, Clone)]
pub struct Deal {
    /// The row, if a seller began it.
    pub row: Option<String>,
    /// The referral, if a partner's user began it.
    pub referral: Option<String>,
    /// Said in Partner Center only, after the birth.
    pub value: i64,
    /// Said in the CRM only, after the birth.
    pub notes: String,
}

impl Deal {
    /// Its row, as it is now.
    #[must_use]
    pub fn row(&self, control: &Control) -> Option<Value> {
        match (&self.row, &self.referral) {
            (Some(row), _) => control.row("opportunity", row),
            (None, Some(referral)) => {
                let rows = control.rows("opportunity");
                rows.into_iter().find(|row| row[IDENTIFIER] == **referral)
            }
            (None, None) => None,
        }
    }

    /// Its referral, as it is now.
    #[must_use]
    pub fn referral(&self, control: &Control) -> Option<Value> {
        match (&self.referral, &self.row) {
            (Some(referral), _) => control.referral(referral),
            (None, Some(row)) => control.referrals().into_iter().find(|referral| {
                referral["organizationId"] != "msft" && referral["externalReferenceId"] == **row
            }),
            (None, None) => None,
        }
    }
}

impl Deal {
    /// Row and referral, once each names the other. What is changed before that may be asked about (S9), and nothing here is to be asked about.
    fn linked(&self, control: &Control) -> Option<(Value, Value)> {
        let (row, referral) = (self.row(control)?, self.referral(control)?);
        let is_linked = row[IDENTIFIER] == referral["id"]
            && referral["externalReferenceId"] == row["opportunityid"];
        is_linked.then_some((row, referral))
    }
}

/// See the module.
pub struct People {
    /// Every deal that was begun.
    pub deals: Vec<Deal>,
    control: Control,
    dice: StdRng,
    account: String,
    contact: String,
    said: i64,
}

impl People {
    /// A customer is there; no deal yet.
    ///
    /// # Errors
    /// What the CRM says.
    pub fn new(control: &Control, seed: u64) -> anyhow::Result<Self> {
        let account = json!({
            "name": "Contoso Kft.", "address1_line1": "Main Street 1", "address1_city": "Capital", "address1_postalcode": "1010",
            "address1_country": "Hungary",
        });
        let account = id(&control.seller_creates("account", &account)?.record);
        let contact = json!({
            "firstname": "Anna", "lastname": "Kovács", "emailaddress1": "anna.kovacs@contoso.example", "telephone1": "+36 1 555 0100",
            "parentcustomerid_account@odata.bind": format!("/accounts({account})"),
        });
        let contact = id(&control.seller_creates("contact", &contact)?.record);
        Ok(Self {
            deals: Vec::new(),
            control: control.clone(),
            dice: StdRng::seed_from_u64(seed),
            account,
            contact,
            said: 0,
        })
    }

    /// How much they have said.
    #[must_use]
    pub fn said(&self) -> i64 {
        self.said
    }

    /// A number that nobody has said before.
    fn say(&mut self) -> i64 {
        self.said += 1;
        10_000 + self.said
    }

    /// A seller begins a deal; returns its number.
    ///
    /// # Errors
    /// What the CRM says.
    pub fn seller_begins(&mut self) -> anyhow::Result<usize> {
        let said = self.say();
        let (value, notes) = (said, format!("notes {said}"));
        let row = json!({
            "name": format!("Deal {said}"), "estimatedvalue": value, "estimatedclosedate": "2026-12-15", "description": notes,
            "parentaccountid@odata.bind": format!("/accounts({})", self.account),
            "parentcontactid@odata.bind": format!("/contacts({})", self.contact),
            "msft_microsoftpartnercenterreferralsync": true,
        });
        let row = id(&self.control.seller_creates("opportunity", &row)?.record);
        let solution = json!({
            "msft_name": "Our app", "msft_solutionidentifier": "SOL-12345-ABC", "msft_type": "3P",
            "msft_OpportunityId@odata.bind": format!("/opportunities({row})"),
        });
        self.control
            .seller_creates("msft_partnercentersolution", &solution)?;
        self.deals.push(Deal {
            row: Some(row),
            referral: None,
            value,
            notes,
        });
        Ok(self.deals.len() - 1)
    }

    /// A partner's user begins one in the portal; returns its number.
    ///
    /// # Errors
    /// What Partner Center says.
    pub fn portal_begins(&mut self) -> anyhow::Result<usize> {
        let said = self.say();
        let (value, notes) = (said, format!("notes {said}"));
        let place = self.deals.len() % CUSTOMERS.len();
        let referral = json!({
            "name": format!("Deal {said}"), "type": "Independent", "qualification": "SalesQualified",
            "customerProfile": { "name": CUSTOMERS[place], "team": [],
                "address": { "addressLine1": "Main Street 1", "city": "Capital", "postalCode": (2000 + place).to_string(), "country": "DE" } },
            "consent": { "consentToToShareInfoWithOthers": true, "consentToContact": true, "consentToShareReferralWithMicrosoftSellers": false },
            "details": { "notes": notes, "dealValue": value, "currency": "EUR", "closingDateTime": "2027-03-31T00:00:00Z",
                "requirements": { "solutions": [{ "type": "Name", "id": "SOL-12345-ABC", "name": "Our app" }] } },
            "team": [{ "firstName": "Sam", "lastName": "Seller", "email": "sam.seller@partner.example", "phoneNumber": "+36 1 555 0199" }],
            "target": [],
        });
        let referral = id(&self.control.partner_user_creates(&referral)?.record);
        self.deals.push(Deal {
            row: None,
            referral: Some(referral),
            value,
            notes,
        });
        Ok(self.deals.len() - 1)
    }

    /// A seller changes the notes. False: the two are not linked yet.
    ///
    /// # Errors
    /// What the CRM says.
    pub fn seller_edits(&mut self, deal: usize) -> anyhow::Result<bool> {
        let Some((row, _)) = self.deals[deal].linked(&self.control) else {
            return Ok(false);
        };
        let notes = format!("notes {}", self.say());
        let row = row["opportunityid"].as_str().context("a row has an id")?;
        self.control
            .seller_updates("opportunity", row, &json!({ "description": notes }))?;
        self.deals[deal].notes = notes;
        Ok(true)
    }

    /// A partner's user changes the value. False: the two are not linked yet.
    ///
    /// # Errors
    /// What Partner Center says.
    pub fn portal_edits(&mut self, deal: usize) -> anyhow::Result<bool> {
        let Some((_, referral)) = self.deals[deal].linked(&self.control) else {
            return Ok(false);
        };
        let value = self.say();
        let referral = referral["id"].as_str().context("a referral has an id")?;
        let patch = json!([{ "op": "replace", "path": "/details/dealValue", "value": value }]);
        self.control.partner_user_patches(referral, &patch)?;
        self.deals[deal].value = value;
        Ok(true)
    }

    /// Somebody does something; deals are begun until there are `deals_max` of them.
    ///
    /// # Errors
    /// What the sides say.
    pub fn act(&mut self, deals_max: usize) -> anyhow::Result<()> {
        let begins =
            self.deals.len() < deals_max && (self.deals.is_empty() || self.dice.random_bool(0.3));
        if begins {
            if self.dice.random_bool(0.5) {
                self.seller_begins()?;
            } else {
                self.portal_begins()?;
            }
            return Ok(());
        }
        let deal = self.dice.random_range(0..self.deals.len());
        // What is not there yet is changed another time.
        let _there = if self.dice.random_bool(0.5) {
            self.seller_edits(deal)?
        } else {
            self.portal_edits(deal)?
        };
        Ok(())
    }

    /// How many deals are not linked yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let unlinked = |deal: &&Deal| deal.linked(&self.control).is_none();
        self.deals.iter().filter(unlinked).count()
    }
}
