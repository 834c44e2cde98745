//! Who acts on both sides, and what they said last. Most fields of a deal are changed on one side only, so that what has to stand on both sides
//! in the end is known, however late or often anybody hears of it. The closing date is changed on both sides at once: either may win, and both show
//! the same.

use anyhow::Context as _;
use cosell_simulator::Control;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::{amount, id, text};

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

/// The column by which a seller asks Microsoft for help, which invites them; and the kind of help.
const HELP: (&str, i32) = ("msft_microsoftpartnercenterhelp", 299_600_005);
/// One of so many deals comes to an end, at most: the others are worked on.
const ENDED_MAX: usize = 4;

/// How people ended a deal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// A seller won it in the CRM.
    Won,
    /// A partner's user lost it in the portal.
    Lost,
    /// A seller deleted the row: nothing is made anew, and nothing is written until a person decides (S18).
    Deleted,
}

/// A deal, and what people said last.
#[derive(Debug, Clone)]
pub struct Deal {
    /// The row, if a seller began it or it has ended.
    pub row: Option<String>,
    /// The referral, if a partner's user began it or it has ended.
    pub referral: Option<String>,
    /// Said in Partner Center only, after the birth.
    pub value: i64,
    /// Said in the CRM only, after the birth.
    pub notes: String,
    /// When it closes, as was said at once in the CRM and in the portal. None: nobody has.
    pub dates: Option<[String; 2]>,
    /// Whether Microsoft is asked for help.
    pub invites: bool,
    /// What became of it.
    pub ended: Option<Ended>,
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
    /// What does not stand on both sides as people said it last. None: everything does.
    #[must_use]
    pub fn missing(&self, control: &Control) -> Option<String> {
        let name = self.row.as_ref().or(self.referral.as_ref())?;
        let (row, referral) = (self.row(control), self.referral(control));
        if self.ended == Some(Ended::Deleted) {
            return match (row, referral) {
                (None, Some(_)) => None,
                _ => Some(format!("deal {name} has a row again, or no referral")),
            };
        }
        let (Some(row), Some(referral)) = (row, referral) else {
            return Some(format!("deal {name} has not crossed"));
        };
        let details = &referral["details"];
        let shown = (
            amount(&row["estimatedvalue"]),
            text(&row, "description"),
            amount(&details["dealValue"]),
            text(details, "notes"),
        );
        let value = amount(&self.value.into());
        let said = (value, self.notes.clone(), value, self.notes.clone());
        if shown != said {
            return Some(format!(
                "deal {name} shows {shown:?}, and {said:?} was said"
            ));
        }
        if let Some(said) = &self.dates {
            let shown = [
                text(&row, "estimatedclosedate"),
                text(details, "closingDateTime"),
            ]
            .map(|date| date.chars().take(10).collect::<String>());
            if shown[0] != shown[1] || !said.contains(&shown[0]) {
                return Some(format!(
                    "deal {name} closes on {shown:?}, and {said:?} was said"
                ));
            }
        }
        if self.linked(control).is_none() {
            return Some(format!("deal {name} is linked on one side only"));
        }
        if self.invites && control.microsoft_referral(&text(&referral, "id")).is_none() {
            return Some(format!("Microsoft is not invited to deal {name}"));
        }
        let shown = (&row["statecode"], &referral["substatus"]);
        let ended = match self.ended {
            Some(Ended::Won) => *shown.0 == 1 && shown.1 == "Won",
            Some(Ended::Lost) => *shown.0 == 2 && shown.1 == "Lost",
            _ => *shown.0 == 0,
        };
        (!ended).then(|| format!("deal {name} is {shown:?}, and was {:?}", self.ended))
    }

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
        self.begins(false)
    }

    /// The same, and asks Microsoft for help.
    ///
    /// # Errors
    /// What the CRM says.
    pub fn seller_invites(&mut self) -> anyhow::Result<usize> {
        self.begins(true)
    }

    fn begins(&mut self, invites: bool) -> anyhow::Result<usize> {
        let said = self.say();
        let (value, notes) = (said, format!("notes {said}"));
        let mut row = json!({
            "name": format!("Deal {said}"), "estimatedvalue": value, "estimatedclosedate": "2026-12-15", "description": notes,
            "parentaccountid@odata.bind": format!("/accounts({})", self.account),
            "parentcontactid@odata.bind": format!("/contacts({})", self.contact),
            "msft_microsoftpartnercenterreferralsync": true,
        });
        if invites {
            row[HELP.0] = HELP.1.into();
        }
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
            dates: None,
            invites,
            ended: None,
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
            dates: None,
            invites: false,
            ended: None,
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

    /// A seller and a partner's user say at once, and not the same, when it closes. False: the two are not linked yet.
    ///
    /// # Errors
    /// What the sides say.
    pub fn both_edit(&mut self, deal: usize) -> anyhow::Result<bool> {
        let Some((row, referral)) = self.deals[deal].linked(&self.control) else {
            return Ok(false);
        };
        let [in_crm, in_portal] = [self.say_date(), self.say_date()];
        let date = json!({ "estimatedclosedate": in_crm });
        self.control
            .seller_updates("opportunity", &text(&row, "opportunityid"), &date)?;
        let moment = format!("{in_portal}T00:00:00Z");
        let patch =
            json!([{ "op": "replace", "path": "/details/closingDateTime", "value": moment }]);
        self.control
            .partner_user_patches(&text(&referral, "id"), &patch)?;
        self.deals[deal].dates = Some([in_crm, in_portal]);
        Ok(true)
    }

    /// A day that nobody has said for years.
    fn say_date(&mut self) -> String {
        let said = self.say();
        let (day, month, year) = (said % 28, said / 28 % 12, said / 28 / 12 % 50);
        format!("{}-{:02}-{:02}", 2030 + year, month + 1, day + 1)
    }

    /// Somebody ends a deal. False: something of it is still on its way, which a closed record could not take any more.
    ///
    /// # Errors
    /// What the sides say.
    pub fn ends(&mut self, deal: usize, how: Ended) -> anyhow::Result<bool> {
        if self.deals[deal].missing(&self.control).is_some() {
            return Ok(false);
        }
        let Some((row, referral)) = self.deals[deal].linked(&self.control) else {
            return Ok(false);
        };
        let (row, referral) = (text(&row, "opportunityid"), text(&referral, "id"));
        match how {
            Ended::Won => drop(self.control.seller_wins(&row, &json!({}))?),
            Ended::Deleted => drop(self.control.seller_deletes("opportunity", &row)?),
            Ended::Lost => {
                let patch = json!([
                    { "op": "replace", "path": "/status", "value": "Closed" },
                    { "op": "replace", "path": "/substatus", "value": "Lost" },
                    { "op": "replace", "path": "/statusReason", "value": "No budget" },
                ]);
                self.control.partner_user_patches(&referral, &patch)?;
            }
        }
        // A row that is gone is found by nothing but its referral, and that by nothing but its own id.
        (self.deals[deal].row, self.deals[deal].referral) = (Some(row), Some(referral));
        self.deals[deal].ended = Some(how);
        self.said += 1;
        Ok(true)
    }

    /// So many deals were ended in this way.
    #[must_use]
    pub fn ended(&self, how: Ended) -> usize {
        let ended = self.deals.iter().filter(|deal| deal.ended == Some(how));
        ended.count()
    }

    /// To so many deals Microsoft is invited.
    #[must_use]
    pub fn invited(&self) -> usize {
        self.deals.iter().filter(|deal| deal.invites).count()
    }

    /// Somebody does something; deals are begun until there are `deals_max` of them.
    ///
    /// # Errors
    /// What the sides say.
    pub fn act(&mut self, deals_max: usize) -> anyhow::Result<()> {
        let begins =
            self.deals.len() < deals_max && (self.deals.is_empty() || self.dice.random_bool(0.3));
        if begins {
            match self.dice.random_range(0..4) {
                0 => self.seller_invites()?,
                1 => self.seller_begins()?,
                _ => self.portal_begins()?,
            };
            return Ok(());
        }
        let open = |deal: &usize| self.deals[*deal].ended.is_none();
        let open: Vec<usize> = (0..self.deals.len()).filter(open).collect();
        // At most a part is ended, so there always is one.
        let deal = open[self.dice.random_range(0..open.len())];
        let may_end = (self.deals.len() - open.len() + 1) * ENDED_MAX <= deals_max;
        // What is not there yet is changed another time.
        let _there = match self.dice.random_range(0..100) {
            0..44 => self.seller_edits(deal)?,
            44..88 => self.portal_edits(deal)?,
            88..94 => self.both_edit(deal)?,
            94..96 if may_end => self.ends(deal, Ended::Won)?,
            96..98 if may_end => self.ends(deal, Ended::Lost)?,
            98..100 if may_end => self.ends(deal, Ended::Deleted)?,
            _ => false,
        };
        Ok(())
    }

    /// How many deals are not linked yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let unlinked = |deal: &&Deal| deal.ended.is_none() && deal.linked(&self.control).is_none();
        self.deals.iter().filter(unlinked).count()
    }
}
