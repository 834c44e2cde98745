//! Our own people: users of the CRM, known by their mail address.

use crate::types::{Change, Context, Deal, Need, Person, Query, Row, RowKey, Stop};

/// The seller of a row.
pub const OWNER: &str = "ownerid";
/// Table of the CRM's users.
pub const USERS: &str = "systemuser";
/// Key of that table.
pub const USER_ID: &str = "systemuserid";
/// The mail address of a user, by which sellers are told apart.
pub const USER_MAIL: &str = "internalemailaddress";
/// What is read of a user. `applicationid` tells a program from a person.
pub const USER_COLUMNS: [&str; 5] = [USER_ID, "firstname", "lastname", USER_MAIL, "applicationid"];
/// Label of the question for the user behind [`OWNER`].
pub const OWNER_QUERY: &str = "owner";

/// What the questions about users need.
#[must_use]
pub fn asks() -> Need {
    Need::asks_steady(USERS, USER_COLUMNS)
}

/// The owner, when it is a person with a mail address. A row that a team or a program owns has no seller to tell about.
///
/// # Errors
/// [`Stop::Ask`], until the user is there.
pub fn owner(ctx: &Context, row: &Row) -> Result<Option<Person>, Stop> {
    let Some(owner) = row.reference(OWNER).filter(|owner| owner.table == USERS) else {
        return Ok(None);
    };
    let users = ctx.rows(
        Query::new(OWNER_QUERY, USERS, USER_COLUMNS)
            .equals(USER_ID, owner.id.as_str())
            .limit(1),
    )?;
    Ok(users.first().and_then(seller))
}

/// A user as a seller. `None` for programs, and for users that cannot be told apart.
#[must_use]
pub fn seller(user: &Row) -> Option<Person> {
    if user.text("applicationid").is_some() {
        return None;
    }
    Some(Person {
        first_name: user.owned_text("firstname"),
        last_name: user.owned_text("lastname"),
        email: Some(user.owned_text(USER_MAIL)?),
        phone: None,
        title: None,
        more: Vec::new(),
    })
}

/// The first seller becomes the owner, when the CRM knows the mail address.
#[must_use]
pub fn set_owner(deal: &Deal) -> Option<Change> {
    let mail = deal.team.first()?.email.as_deref()?.trim();
    (!mail.is_empty())
        .then(|| Change::set(OWNER, RowKey::new(USERS, USER_MAIL, mail).or_leave_out()))
}
