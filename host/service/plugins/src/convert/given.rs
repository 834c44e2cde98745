//! What a guest is shown. Only what the domain really says; the contract's open tails stay empty.

use std::collections::{BTreeMap, BTreeSet};

use cosell_sync::deal::{
    Address, Category, Deal, DealState, Direction, Help, MicrosoftView, Money, Person,
    ReferralFacts, Solution, Standing, Unit, UnitValue, Units,
};
use cosell_sync::row::{
    Cell, Choice, Found, Reason, RecordKind, Reference, Related, Row, RowKey, Seen,
};
use cosell_sync::side::Side;

use super::lexical::timestamp_text;
use crate::bindings::cosell::mapping::types as wit;
use crate::question::{Candidate, ContactQuestion, Outcome, Report};

/// Which columns of which tables a plugin may see.
pub(crate) type Columns = BTreeMap<String, BTreeSet<String>>;

pub(crate) fn deal(deal: &Deal) -> wit::Deal {
    let units = &deal.units;
    wit::Deal {
        name: text(units, &Unit::Name).unwrap_or_default(),
        value: match units.get(&Unit::Value) {
            Some(UnitValue::Money(money)) => money.as_ref().map(self::money),
            _ => None,
        },
        close_date: match units.get(&Unit::CloseDate) {
            Some(UnitValue::Date(day)) => day.map(|day| day.to_string()),
            _ => None,
        },
        notes: text(units, &Unit::Notes),
        state: match units.get(&Unit::State) {
            Some(UnitValue::State(state)) => self::state(state),
            // Nobody has said where it stands: then nobody has accepted it.
            _ => wit::DealState {
                standing: wit::Standing::Pending,
                reason: None,
            },
        },
        sales_stage: text(units, &Unit::SalesStage),
        campaign: text(units, &Unit::Campaign),
        visible_to_microsoft: matches!(units.get(&Unit::Visibility), Some(UnitValue::Flag(true))),
        help: match units.get(&Unit::Help) {
            Some(UnitValue::Help(help)) => help.as_ref().map(self::help),
            _ => None,
        },
        company: company(units),
        contacts: people(units, &Unit::Contacts),
        team: people(units, &Unit::Team),
        solutions: match units.get(&Unit::Solutions) {
            Some(UnitValue::Solutions(solutions)) => solutions.iter().map(solution).collect(),
            _ => Vec::new(),
        },
        external_reference: text(units, &Unit::ExternalReference),
        referral: deal.referral.as_ref().map(referral),
        more: units
            .iter()
            .filter_map(|(unit, value)| match (unit, value) {
                (Unit::More(name), UnitValue::Text(text)) => Some((
                    name.clone(),
                    text.clone().map_or(wit::Value::Empty, wit::Value::Text),
                )),
                _ => None,
            })
            .collect(),
    }
}

fn text(units: &Units, unit: &Unit) -> Option<String> {
    match units.get(unit) {
        Some(UnitValue::Text(text)) => text.clone(),
        _ => None,
    }
}

fn people(units: &Units, unit: &Unit) -> Vec<wit::Person> {
    match units.get(unit) {
        Some(UnitValue::People(people)) => people.iter().map(person).collect(),
        _ => Vec::new(),
    }
}

fn company(units: &Units) -> wit::Company {
    wit::Company {
        name: text(units, &Unit::CompanyName).unwrap_or_default(),
        size: text(units, &Unit::CompanySize),
        address: match units.get(&Unit::Address) {
            Some(UnitValue::Address(address)) => self::address(address),
            _ => address(&Address::default()),
        },
        ids: match units.get(&Unit::CompanyIds) {
            Some(UnitValue::Ids(ids)) => ids
                .iter()
                .map(|one| wit::ExternalId {
                    scheme: one.scheme.clone(),
                    id: one.id.clone(),
                })
                .collect(),
            _ => Vec::new(),
        },
        more: Vec::new(),
    }
}

pub(crate) fn money(money: &Money) -> wit::Money {
    wit::Money {
        amount: money.amount.to_string(),
        currency: money.currency.clone(),
    }
}

pub(crate) fn state(state: &DealState) -> wit::DealState {
    wit::DealState {
        standing: match &state.standing {
            Standing::Pending => wit::Standing::Pending,
            Standing::Received => wit::Standing::Received,
            Standing::Accepted => wit::Standing::Accepted,
            Standing::Won => wit::Standing::Won,
            Standing::Lost => wit::Standing::Lost,
            Standing::Declined => wit::Standing::Declined,
            Standing::Expired => wit::Standing::Expired,
            Standing::Error => wit::Standing::Error,
            Standing::Unlisted(other) => wit::Standing::Unlisted(other.clone()),
        },
        reason: state.reason.clone(),
    }
}

fn help(help: &Help) -> wit::Help {
    match help {
        Help::WorkloadValueProposition => wit::Help::WorkloadValueProposition,
        Help::TechnicalArchitecture => wit::Help::TechnicalArchitecture,
        Help::ProofOfConceptOrDemo => wit::Help::ProofOfConceptOrDemo,
        Help::QuotesOrLicensing => wit::Help::QuotesOrLicensing,
        Help::PostSalesSuccess => wit::Help::PostSalesSuccess,
        Help::GeneralOrOther => wit::Help::GeneralOrOther,
        Help::Unlisted(other) => wit::Help::Unlisted(other.clone()),
    }
}

pub(crate) fn address(address: &Address) -> wit::Address {
    wit::Address {
        line1: address.line1.clone(),
        line2: address.line2.clone(),
        city: address.city.clone(),
        state: address.state.clone(),
        postal_code: address.postal_code.clone(),
        region: address.region.clone(),
        country: address.country.clone(),
    }
}

fn person(person: &Person) -> wit::Person {
    wit::Person {
        first_name: person.first_name.clone(),
        last_name: person.last_name.clone(),
        email: person.email.clone(),
        phone: person.phone.clone(),
        title: person.title.clone(),
        more: Vec::new(),
    }
}

fn solution(solution: &Solution) -> wit::Solution {
    wit::Solution {
        id: solution.id.clone(),
        name: solution.name.clone(),
        kind: solution.kind.clone(),
        publisher: solution.publisher.clone(),
        price: solution.price.as_ref().map(money),
        quantity: solution.quantity.map(|quantity| quantity.to_string()),
        close_date: solution.close_date.map(|day| day.to_string()),
        more: Vec::new(),
    }
}

fn referral(facts: &ReferralFacts) -> wit::Referral {
    wit::Referral {
        id: facts.id.clone(),
        engagement_id: facts.engagement_id.clone(),
        link: facts.link.clone(),
        category: match facts.category {
            Category::MarketplaceLead => wit::Category::MarketplaceLead,
            Category::QualifiedLead => wit::Category::QualifiedLead,
            Category::CoSell => wit::Category::CoSell,
            Category::Unclear => wit::Category::Unclear,
        },
        direction: match facts.direction {
            Direction::Incoming => wit::Direction::Incoming,
            Direction::Outgoing => wit::Direction::Outgoing,
        },
        program: facts.program.clone(),
        microsoft_crm_id: facts.microsoft_crm_id.clone(),
        partner_location: facts.partner_location.clone(),
        registration: facts.registration.clone(),
        created_at: timestamp_text(facts.created_at),
        updated_at: timestamp_text(facts.updated_at),
        respond_by: facts.respond_by.map(timestamp_text),
        accepted_at: facts.accepted_at.map(timestamp_text),
        closed_at: facts.closed_at.map(timestamp_text),
        microsoft: facts.microsoft.as_ref().map(microsoft),
        more: Vec::new(),
    }
}

fn microsoft(view: &MicrosoftView) -> wit::MicrosoftView {
    wit::MicrosoftView {
        state: state(&view.state),
        team: view.team.iter().map(person).collect(),
        updated_at: view.updated_at.map(timestamp_text),
        more: Vec::new(),
    }
}

pub(crate) fn value(cell: &Cell) -> wit::Value {
    match cell {
        Cell::Empty => wit::Value::Empty,
        Cell::Text(text) => wit::Value::Text(text.clone()),
        Cell::Integer(number) => wit::Value::Integer(*number),
        Cell::Decimal(number) => wit::Value::Decimal(number.to_string()),
        Cell::Money(money) => wit::Value::Money(self::money(money)),
        Cell::Bool(flag) => wit::Value::Boolean(*flag),
        Cell::Date(day) => wit::Value::Date(day.to_string()),
        Cell::Timestamp(moment) => wit::Value::Timestamp(timestamp_text(*moment)),
        Cell::Choice(choice) => wit::Value::Choice(self::choice(choice)),
        Cell::Choices(choices) => wit::Value::Choices(choices.iter().map(choice).collect()),
        Cell::Reference(reference) => wit::Value::Reference(self::reference(reference)),
        Cell::RowWhere(key) => wit::Value::RowWhere(row_key(key)),
    }
}

fn choice(choice: &Choice) -> wit::Choice {
    wit::Choice {
        code: choice.code,
        label: choice.label.clone(),
    }
}

pub(crate) fn reference(reference: &Reference) -> wit::Reference {
    wit::Reference {
        table: reference.table.clone(),
        id: reference.id.clone(),
        name: reference.name.clone(),
    }
}

fn row_key(key: &RowKey) -> wit::RowKey {
    wit::RowKey {
        table: key.table.clone(),
        parts: key.parts.clone(),
        if_missing: if key.leave_out_if_missing {
            wit::IfMissing::LeaveOut
        } else {
            wit::IfMissing::Refuse
        },
    }
}

/// The row with the columns that `seen` allows for its table, sorted by name.
pub(crate) fn row(row: &Row, seen: impl Fn(&str) -> bool) -> wit::Row {
    wit::Row {
        table: row.table.clone(),
        id: row.id.clone(),
        cells: row
            .cells
            .iter()
            .filter(|(column, _)| seen(column))
            .map(|(column, cell)| (column.clone(), value(cell)))
            .collect(),
    }
}

/// The record with this plugin's columns and this plugin's joins, labels bare.
pub(crate) fn seen(
    seen: &Seen,
    plugin: &str,
    reads: &Columns,
    joins: &BTreeMap<String, BTreeSet<String>>,
) -> wit::Seen {
    wit::Seen {
        row: row(&seen.row, |column| may(reads, &seen.row.table, column)),
        related: joins
            .iter()
            .map(|(label, columns)| wit::Related {
                label: label.clone(),
                rows: rows_under(&seen.related, plugin, label)
                    .map(|related| row(related, |column| columns.contains(column)))
                    .collect(),
            })
            .collect(),
    }
}

fn rows_under<'a>(
    related: &'a [Related],
    plugin: &'a str,
    label: &'a str,
) -> impl Iterator<Item = &'a Row> {
    related
        .iter()
        .filter(move |one| own_label(&one.label, plugin) == Some(label))
        .flat_map(|one| &one.rows)
}

/// `label` of `plugin/label`, if it is this plugin's.
pub(crate) fn own_label<'a>(full: &'a str, plugin: &str) -> Option<&'a str> {
    full.strip_prefix(plugin)?.strip_prefix('/')
}

pub(crate) fn may(columns: &Columns, table: &str, column: &str) -> bool {
    columns
        .get(table)
        .is_some_and(|columns| columns.contains(column))
}

/// What this plugin asked for earlier in this question.
pub(crate) fn found(found: &[Found], plugin: &str, asks: &Columns) -> Vec<wit::Found> {
    found
        .iter()
        .filter_map(|one| {
            Some(wit::Found {
                label: own_label(&one.label, plugin)?.to_owned(),
                rows: one
                    .rows
                    .iter()
                    .map(|found| row(found, |column| may(asks, &found.table, column)))
                    .collect(),
                cut: one.cut,
            })
        })
        .collect()
}

pub(crate) fn candidate(
    candidate: &Candidate,
    visible: impl Fn(&str, &str) -> bool,
) -> wit::Candidate {
    wit::Candidate {
        row: row(&candidate.row, |column| {
            visible(&candidate.row.table, column)
        }),
        found_by: candidate.found_by.clone(),
    }
}

pub(crate) fn contact_question(question: &ContactQuestion) -> wit::ContactQuestion {
    wit::ContactQuestion {
        person: person(&question.person),
        company: company(&question.deal.units),
        account: question.account.as_ref().map(reference),
        more: Vec::new(),
    }
}

pub(crate) fn side(side: Side) -> wit::Side {
    match side {
        Side::PartnerCenter => wit::Side::PartnerCenter,
        Side::Crm => wit::Side::Crm,
    }
}

pub(crate) fn kind(kind: RecordKind) -> wit::RecordKind {
    match kind {
        RecordKind::Opportunity => wit::RecordKind::Opportunity,
        RecordKind::Lead => wit::RecordKind::Lead,
    }
}

pub(crate) fn report(report: &Report) -> wit::Report {
    wit::Report {
        kind: kind(report.kind),
        outcome: match &report.outcome {
            Outcome::InStep => wit::Outcome::InStep,
            Outcome::Failed(reasons) => wit::Outcome::Failed(reasons.iter().map(reason).collect()),
            Outcome::Paused(why) => wit::Outcome::Paused(reason(why)),
        },
        name: report.name.clone(),
        state: state(&report.state),
        more: Vec::new(),
    }
}

fn reason(reason: &Reason) -> wit::Reason {
    wit::Reason {
        code: reason.code.clone(),
        message: reason.message.clone(),
        about: reason.about.as_deref().map(subject),
        hint: reason.hint.clone(),
    }
}

/// The domain keeps a subject as one text; `table.column` is the only shape with exactly one point and no deal field before it.
fn subject(about: &str) -> wit::Subject {
    if let Some(setting) = about.strip_prefix("setting ") {
        return wit::Subject::Setting(setting.to_owned());
    }
    match about.split_once('.') {
        Some((table, column))
            if super::is_logical_name(table)
                && super::is_logical_name(column)
                && !is_deal_field(table) =>
        {
            wit::Subject::Column(wit::ColumnName {
                table: table.to_owned(),
                column: column.to_owned(),
            })
        }
        _ => wit::Subject::Deal(about.to_owned()),
    }
}

fn is_deal_field(word: &str) -> bool {
    matches!(
        word,
        "company"
            | "value"
            | "state"
            | "referral"
            | "contacts"
            | "team"
            | "solutions"
            | "more"
            | "help"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(table: &str, columns: &[&str]) -> Row {
        Row {
            table: table.to_owned(),
            id: "0c0c0c0c-0000-4000-8000-000000000001".to_owned(),
            cells: columns
                .iter()
                .map(|column| ((*column).to_owned(), Cell::Bool(true)))
                .collect(),
        }
    }

    fn names(row: &wit::Row) -> Vec<&str> {
        row.cells
            .iter()
            .map(|(column, _)| column.as_str())
            .collect()
    }

    fn columns(table: &str, names: &[&str]) -> Columns {
        Columns::from([(
            table.to_owned(),
            names.iter().map(|name| (*name).to_owned()).collect(),
        )])
    }

    #[test]
    fn a_plugin_is_shown_its_own_columns_and_joins_and_no_others() {
        let related = |label: &str| Related {
            label: label.to_owned(),
            rows: vec![row("account", &["name", "creditlimit"])],
        };
        let record = Seen {
            row: row("opportunity", &["name", "salary", "statecode"]),
            related: vec![
                related("acme/customer"),
                related("other/customer"),
                related("acme/undeclared"),
            ],
        };
        let shown = seen(
            &record,
            "acme",
            &columns("opportunity", &["name", "statecode"]),
            &columns("customer", &["name"]),
        );
        assert_eq!(names(&shown.row), ["name", "statecode"]);
        assert_eq!(shown.related.len(), 1);
        assert_eq!(shown.related[0].label, "customer");
        assert_eq!(shown.related[0].rows.len(), 1);
        assert_eq!(names(&shown.related[0].rows[0]), ["name"]);
    }

    #[test]
    fn a_join_without_rows_is_there_and_empty() {
        let record = Seen {
            row: row("opportunity", &[]),
            related: Vec::new(),
        };
        let shown = seen(
            &record,
            "acme",
            &Columns::new(),
            &columns("customer", &["name"]),
        );
        assert_eq!(
            (shown.related[0].label.as_str(), shown.related[0].rows.len()),
            ("customer", 0)
        );
    }

    #[test]
    fn found_rows_go_back_to_whoever_asked_and_to_nobody_else() {
        let answer = |label: &str| Found {
            label: label.to_owned(),
            rows: vec![row("systemuser", &["fullname", "systemuserid"])],
            cut: false,
        };
        let asks = columns("systemuser", &["systemuserid"]);
        // An id that begins like another one is another one.
        let shown = found(
            &[answer("acme/users"), answer("acme-two/users")],
            "acme",
            &asks,
        );
        assert_eq!(shown.len(), 1);
        assert_eq!(shown[0].label, "users");
        assert_eq!(names(&shown[0].rows[0]), ["systemuserid"]);
    }

    #[test]
    fn the_subject_of_a_reason_finds_its_shape_again() {
        assert!(matches!(
            subject("opportunity.estimatedvalue"),
            wit::Subject::Column(_)
        ));
        assert!(matches!(
            subject("company.address.country"),
            wit::Subject::Deal(_)
        ));
        assert!(matches!(subject("company.name"), wit::Subject::Deal(_)));
        assert!(matches!(
            subject("contacts[0].email"),
            wit::Subject::Deal(_)
        ));
        assert!(matches!(
            subject("setting value-column"),
            wit::Subject::Setting(_)
        ));
    }
}
