//! Deals that keep coming in from Partner Center while something else happens.

use std::cell::RefCell;
use std::convert::Infallible;
use std::time::Duration;

use serde_json::{Value, json};

use super::stage::Stage;

/// Between two deals: a new one begins before the one before is through.
const EVERY: Duration = Duration::from_millis(80);

/// Who buys. Names that have nothing in common: the stock matching asks a person about customers that are too much alike. When the list is through,
/// it begins anew, because a customer may well have a second deal.
const CUSTOMERS: [&str; 30] = [
    "Fabrikam",
    "Northwind Traders",
    "Tailspin Toys",
    "Litware",
    "Proseware",
    "Lucerne Publishing",
    "Margie's Travel",
    "Fourth Coffee",
    "Graphic Design Institute",
    "Humongous Insurance",
    "Blue Yonder Airlines",
    "City Power & Light",
    "Coho Winery",
    "Consolidated Messenger",
    "Southridge Video",
    "Trey Research",
    "Wide World Importers",
    "Woodgrove Bank",
    "VanArsdel",
    "Relecloud",
    "First Up Consultants",
    "Best For You Organics",
    "Munson's Pickles",
    "Nod Publishers",
    "Alpine Ski House",
    "Bellows College",
    "Lamna Healthcare",
    "School of Fine Art",
    "Datum Corporation",
    "Cohesive Robotics",
];

/// A busy partner.
pub(super) struct Traffic<'a> {
    stage: &'a Stage,
    /// Ids of the referrals, in the order in which they came.
    came: RefCell<Vec<String>>,
}

impl<'a> Traffic<'a> {
    pub(super) fn on(stage: &'a Stage) -> Self {
        Self {
            stage,
            came: RefCell::default(),
        }
    }

    /// Lets one deal after the other come in, as long as this is awaited.
    pub(super) async fn pour(&self) -> anyhow::Result<Infallible> {
        let mut tick = tokio::time::interval(EVERY);
        loop {
            tick.tick().await;
            let number = self.came() + 1;
            let customer = CUSTOMERS[number % CUSTOMERS.len()];
            let referral = comes(self.stage, customer, "DE", number)?;
            self.came.borrow_mut().push(referral);
        }
    }

    /// How many have come so far.
    pub(super) fn came(&self) -> usize {
        self.came.borrow().len()
    }

    /// The rows of those that have crossed.
    pub(super) fn crossed(&self) -> Vec<Value> {
        let came = self.came.borrow();
        let is_ours = |row: &Value| came.iter().any(|id| is_of(row, id));
        let rows = self.stage.control().rows("opportunity");
        rows.into_iter().filter(is_ours).collect()
    }

    /// How many have come and not crossed yet.
    pub(super) fn under_way(&self) -> usize {
        self.came().saturating_sub(self.crossed().len())
    }

    /// Waits until all have crossed that have come by now.
    pub(super) async fn all_through(&self, max: Duration) -> anyhow::Result<()> {
        let until_now = self.came.borrow().clone();
        self.stage
            .until("every deal that came to cross", max, |control| {
                let rows = control.rows("opportunity");
                let is_through = |id: &String| rows.iter().any(|row| is_of(row, id));
                until_now.iter().all(is_through).then_some(())
            })
            .await
    }
}

fn is_of(row: &Value, referral: &str) -> bool {
    row["msft_microsoftpartnercenterreferralidentifier"] == referral
}

/// A partner's user makes a referral of ours in the portal; returns its id.
pub(super) fn comes(
    stage: &Stage,
    customer: &str,
    country: &str,
    number: usize,
) -> anyhow::Result<String> {
    let place = CUSTOMERS.iter().position(|name| *name == customer);
    let referral = json!({
        "name": format!("{customer} rollout {number}"), "type": "Independent", "qualification": "SalesQualified",
        "customerProfile": { "name": customer, "address": { "addressLine1": "Main Street 1", "city": "Capital", "postalCode": (1010 + place.unwrap_or_default()).to_string(), "country": country }, "team": [] },
        "consent": { "consentToToShareInfoWithOthers": true, "consentToContact": true, "consentToShareReferralWithMicrosoftSellers": false },
        "details": { "notes": "from the portal", "dealValue": 10_000 + number, "currency": "EUR", "closingDateTime": "2027-03-31T00:00:00Z",
            "requirements": { "solutions": [{ "type": "Name", "id": "SOL-12345-ABC", "name": "Contoso Data Platform" }] } },
        "team": [{ "firstName": "Sam", "lastName": "Seller", "email": "sam.seller@partner.example", "phoneNumber": "+36 1 555 0199" }], "target": [],
    });
    let act = stage.control().partner_user_creates(&referral)?;
    Ok(super::scenes::id(&act.record))
}
