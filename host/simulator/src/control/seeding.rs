//! Data by the dozen or by the hundred thousand: made from the world's seed, through the rules that hold for people.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::partners::at_partner_center;
use super::sellers::in_crm;
use super::{Control, ControlError};
use crate::ids::Ids;

/// Most records of a kind in one order: what a machine of this size holds.
const RECORDS_MAX: usize = 1_000_000;
const FIRST_WORDS: [&str; 12] = [
    "Northwind",
    "Fabrikam",
    "Adventure",
    "Tailspin",
    "Wingtip",
    "Litware",
    "Proseware",
    "Lucerne",
    "Alpine",
    "Coho",
    "Margie",
    "Woodgrove",
];
const SECOND_WORDS: [&str; 8] = [
    "Traders",
    "Works",
    "Toys",
    "Publishing",
    "Vineyard",
    "Bank",
    "Airlines",
    "Health",
];
const SUBJECTS: [&str; 8] = [
    "rollout",
    "pilot",
    "migration",
    "renewal",
    "data platform",
    "service desk",
    "assessment",
    "extension",
];
const PEOPLE: [(&str, &str); 8] = [
    ("Anna", "Berger"),
    ("Béla", "Kovács"),
    ("Chloé", "Martin"),
    ("Dan", "O'Neil"),
    ("Emre", "Yıldız"),
    ("Freya", "Lund"),
    ("Giulia", "Rossi"),
    ("Hana", "Sato"),
];
const PLACES: [(&str, &str, &str); 6] = [
    ("US", "Redmond", "98052"),
    ("DE", "München", "80331"),
    ("HU", "Budapest", "1051"),
    ("GB", "London", "EC1A 1BB"),
    ("FR", "Lyon", "69001"),
    ("AT", "Wien", "1010"),
];
/// Of the CRM's accounts, how many deals share one.
const DEALS_AN_ACCOUNT: usize = 3;

/// How many of each to make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeedOrder {
    /// Deals of the partner at Partner Center.
    pub referrals: usize,
    /// Referrals that arrive from Microsoft.
    pub inbound: usize,
    /// Opportunities, with an account and a contact for every three of them.
    pub opportunities: usize,
    /// Leads.
    pub leads: usize,
}

/// What was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seeded {
    /// At Partner Center, both directions.
    pub referrals: usize,
    /// Opportunity rows.
    pub opportunities: usize,
    /// Lead rows.
    pub leads: usize,
    /// Account rows.
    pub accounts: usize,
    /// Contact rows.
    pub contacts: usize,
}

impl Control {
    /// Makes data of any size. The same seed and the same orders make the same data; webhooks tell of it as of any work of people.
    ///
    /// # Errors
    /// [`ControlError::Malformed`] for an order beyond a million of a kind; otherwise what the sides' own rules say.
    pub fn seed(&self, order: &SeedOrder) -> Result<Seeded, ControlError> {
        let at = self.world.ledger.now_ms();
        let SeedOrder {
            referrals,
            inbound,
            opportunities,
            leads,
        } = *order;
        if [referrals, inbound, opportunities, leads]
            .iter()
            .any(|count| *count > RECORDS_MAX)
        {
            let reason = format!("at most {RECORDS_MAX} of a kind can be made in one order");
            return Err(ControlError::Malformed { reason });
        }
        // What was there before moves the stream: a second order makes other data than the first.
        let before = self.counts();
        let made = (before.referrals + before.opportunities + before.leads) as u64;
        let mut draw = Draw(Ids::new(self.world.config.seed, 0x5D ^ (made << 8)));
        let mut seeded = Seeded::default();
        for _ in 0..referrals {
            let body = draw.referral();
            let made = self.world.referrals.create_by_hand(self.partner(), &body);
            made.map_err(|refusal| at_partner_center("seed referral", refusal))?;
            seeded.referrals += 1;
        }
        for _ in 0..inbound {
            let body = draw.referral();
            let made = self.world.referrals.inbound(self.partner(), &body);
            made.map_err(|refusal| at_partner_center("seed referral", refusal))?;
            seeded.referrals += 1;
        }
        let mut account = String::new();
        for index in 0..opportunities {
            if index % DEALS_AN_ACCOUNT == 0 {
                account = self.row_seeded("account", &draw.account())?;
                self.row_seeded("contact", &draw.contact(&account))?;
                seeded.accounts += 1;
                seeded.contacts += 1;
            }
            self.row_seeded("opportunity", &draw.opportunity(&account))?;
            seeded.opportunities += 1;
        }
        for _ in 0..leads {
            self.row_seeded("lead", &draw.lead())?;
            seeded.leads += 1;
        }
        self.world.ledger.act(at, "operator", "seed", "");
        Ok(seeded)
    }

    fn row_seeded(&self, table: &str, values: &Value) -> Result<String, ControlError> {
        let made = self.world.dataverse.create_by_hand(table, values);
        made.map_err(|refusal| in_crm(&format!("seed {table}"), refusal))
    }
}

/// Draws plausible values.
struct Draw(Ids);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0.word() as usize % bound
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    /// A company: two words and a number, so that not all of a hundred thousand are namesakes.
    fn company(&mut self) -> String {
        let (first, second) = (self.of(&FIRST_WORDS), self.of(&SECOND_WORDS));
        format!("{first} {second} {}", self.below(10_000))
    }

    fn value(&mut self) -> usize {
        (self.below(500) + 1) * 1_000
    }

    /// A day of the next months, by no clock: the same seed gives the same day.
    fn day(&mut self) -> String {
        format!("2027-{:02}-{:02}", self.below(12) + 1, self.below(28) + 1)
    }

    fn person(&mut self, host: &str) -> Value {
        let (first, last) = self.of(&PEOPLE);
        let host: String = host
            .to_lowercase()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        let mail: String = last
            .to_lowercase()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        json!({"firstName": first, "lastName": last, "email": format!("{mail}@{host}.example"), "phoneNumber": "+1 425 555 0100"})
    }

    fn referral(&mut self) -> Value {
        let company = self.company();
        let (country, city, postal) = self.of(&PLACES);
        let kind = self.of(&["Shared", "Independent"]);
        let visible = kind == "Shared";
        json!({
            "name": format!("{company} {}", self.of(&SUBJECTS)), "type": kind, "qualification": "SalesQualified",
            "customerProfile": {"name": company, "size": "51to250employees", "team": [self.person(&company)],
                "address": {"addressLine1": "1 Main St", "city": city, "postalCode": postal, "country": country}},
            "consent": {"consentToToShareInfoWithOthers": true, "consentToContact": true,
                "consentToShareReferralWithMicrosoftSellers": visible},
            "details": {"notes": "Seeded.", "dealValue": self.value(), "currency": "USD",
                "closingDateTime": format!("{}T00:00:00Z", self.day()),
                "requirements": {"solutions": [{"type": "Name", "id": "SOL-12345-ABC", "name": "Our app"}]}},
            "team": [self.person("contoso")],
        })
    }

    fn account(&mut self) -> Value {
        let (country, city, postal) = self.of(&PLACES);
        json!({"name": self.company(), "address1_line1": "1 Main St", "address1_city": city,
            "address1_postalcode": postal, "address1_country": country})
    }

    fn contact(&mut self, account: &str) -> Value {
        let person = self.person("customer");
        json!({"firstname": person["firstName"], "lastname": person["lastName"], "emailaddress1": person["email"],
            "parentcustomerid_account@odata.bind": format!("/accounts({account})")})
    }

    fn opportunity(&mut self, account: &str) -> Value {
        let subject = self.of(&SUBJECTS);
        json!({"name": format!("{} {}", self.of(&FIRST_WORDS), subject), "estimatedvalue": self.value(),
            "isrevenuesystemcalculated": false, "estimatedclosedate": self.day(),
            "customerid_account@odata.bind": format!("/accounts({account})")})
    }

    fn lead(&mut self) -> Value {
        let company = self.company();
        let person = self.person(&company);
        json!({"subject": format!("{company} {}", self.of(&SUBJECTS)), "companyname": company,
            "firstname": person["firstName"], "lastname": person["lastName"], "emailaddress1": person["email"]})
    }
}
