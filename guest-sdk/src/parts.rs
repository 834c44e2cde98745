//! Parts of a mapping that more than one plugin needs; the stock plugins are made of them, and yours may be too.
//!
//! Each part knows one thing of a CRM: the columns of Microsoft's co-sell connector, a person in a row, an address in a row, the
//! owner, a table of solutions, a column of codes. It brings what the three questions need: what to declare, facts out of a row,
//! changes for a row.

pub mod codes;
pub mod company;
pub mod connector;
pub mod help;
pub mod people;
pub mod sellers;
pub mod solutions;

pub use codes::Codes;
pub use solutions::SolutionTable;

/// At most so many characters, as the CRM counts them (UTF-16), and never half of one. Of a single-line column a longer text stops the
/// write.
#[must_use]
pub fn cut(text: &str, units_max: usize) -> String {
    let mut units = 0;
    text.chars()
        .take_while(|character| {
            units += character.len_utf16();
            units <= units_max
        })
        .collect()
}

/// A text that says something, without the blanks around it.
#[must_use]
pub fn said(text: &Option<String>) -> Option<&str> {
    text.as_deref()
        .map(str::trim)
        .filter(|text| !text.is_empty())
}
