//! The rows: what Microsoft's connector is known to do, or to fail at, as data. Every row has a name, by which its scenarios answer for it,
//! and which runs it alone: `cargo test -p cosell-tests --test scenarios value.out`.

mod customers;
mod fields;
mod states;
mod symptoms;

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// `value.out.update`
    pub(crate) id: String,
    pub(crate) part: Part,
    /// What it is about, for people.
    pub(crate) subject: &'static str,
    /// What is claimed of it: a direction of a field, or a sentence.
    pub(crate) claim: &'static str,
}

/// The parts of the documentation's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// Fields of an opportunity, direction by direction.
    Fields,
    /// Fields of a lead.
    Leads,
    /// Where a deal stands.
    States,
    /// Accounts and contacts.
    Customers,
    /// What went wrong with Microsoft's connector, and what its users were told to do.
    Symptoms,
}

/// All of them, part by part.
pub(crate) fn rows() -> Vec<Row> {
    let mut rows = fields::opportunity();
    rows.extend(fields::lead());
    rows.extend(sentences(Part::States, states::ROWS));
    rows.extend(sentences(Part::Customers, customers::ROWS));
    rows.extend(sentences(Part::Symptoms, symptoms::ROWS));
    rows
}

/// Name, subject, claim.
type Sentence = (&'static str, &'static str, &'static str);

fn sentences(part: Part, rows: &[Sentence]) -> impl Iterator<Item = Row> {
    rows.iter().map(move |&(id, subject, claim)| Row {
        id: id.to_owned(),
        part,
        subject,
        claim,
    })
}
