//! Sellers beside the owner: rows under the opportunity that point to users, or that carry a mail address themselves.

use cosell_guest_sdk::parts::people::is_same;
use cosell_guest_sdk::parts::sellers::{self, USER_COLUMNS, USER_ID, USER_MAIL, USERS, seller};
use cosell_guest_sdk::parts::{cut, said};
use cosell_guest_sdk::prelude::*;

use super::incomplete;
use crate::columns::TABLE;

const TABLE_SETTING: &str = "team-table";
const UP: &str = "team-opportunity-column";
const USER: &str = "team-user-column";
const MAIL: &str = "team-mail-column";
const FIRST_NAME: &str = "team-first-name-column";
const LAST_NAME: &str = "team-last-name-column";

pub(super) const SETTINGS: [(&str, &str); 6] = [
    (
        TABLE_SETTING,
        "Table with the sellers beside the owner, one row each. Empty: the owner is the only seller.",
    ),
    (UP, "Lookup of that table that points to the opportunity."),
    (
        USER,
        "Lookup of that table that points to a user. Empty: the rows carry mail address and names themselves.",
    ),
    (
        MAIL,
        "Column of that table with the mail address, where it does not point to users.",
    ),
    (
        FIRST_NAME,
        "Column of that table with the first name, where it does not point to users.",
    ),
    (
        LAST_NAME,
        "Column of that table with the last name, where it does not point to users.",
    ),
];

/// Join: the rows of the table.
const JOIN: &str = "team";
/// Join: the users that they point to.
const USER_JOIN: &str = "team-user";
/// Query: users by the mail addresses of a deal's sellers.
const SELLERS_QUERY: &str = "sellers";
/// Single-line columns hold at least so many characters.
const WORD_MAX: usize = 100;

/// Where sellers beside the owner are kept.
#[derive(Clone, Copy)]
pub(crate) struct TeamTable<'a> {
    table: &'a str,
    up: &'a str,
    kept: Kept<'a>,
}

#[derive(Clone, Copy)]
enum Kept<'a> {
    User(&'a str),
    Words {
        mail: &'a str,
        first_name: Option<&'a str>,
        last_name: Option<&'a str>,
    },
}

pub(super) fn mistakes(settings: Settings<'_>) -> Vec<Reason> {
    let has = |setting| settings.text(setting).is_some();
    let mut mistakes = Vec::new();
    if !has(TABLE_SETTING) {
        return mistakes;
    }
    if !has(UP) {
        mistakes.push(incomplete(TABLE_SETTING, UP));
    }
    match (has(USER), has(MAIL)) {
        (false, false) => mistakes.push(
            Reason::new(
                "settings-incomplete",
                format!("{TABLE_SETTING} is set, but neither {USER} nor {MAIL}"),
            )
            .about_setting(USER)
            .hint("say how a row names its seller: by a user, or by a mail address"),
        ),
        (true, true) => mistakes.push(
            Reason::new(
                "settings-contradict",
                format!("{USER} and {MAIL} are both set"),
            )
            .about_setting(MAIL)
            .hint("a row names its seller in one way; take one of them out"),
        ),
        _ => {}
    }
    mistakes
}

impl<'a> TeamTable<'a> {
    pub(crate) fn of(settings: Settings<'a>) -> Option<Self> {
        let kept = match settings.text(USER) {
            Some(user) => Kept::User(user),
            None => Kept::Words {
                mail: settings.text(MAIL)?,
                first_name: settings.text(FIRST_NAME),
                last_name: settings.text(LAST_NAME),
            },
        };
        Some(Self {
            table: settings.text(TABLE_SETTING)?,
            up: settings.text(UP)?,
            kept,
        })
    }

    fn columns(&self) -> Vec<&'a str> {
        match self.kept {
            Kept::User(user) => vec![user],
            Kept::Words {
                mail,
                first_name,
                last_name,
            } => [Some(mail), first_name, last_name]
                .into_iter()
                .flatten()
                .collect(),
        }
    }

    pub(crate) fn needs(&self) -> Vec<Need> {
        let mut needs = vec![
            Join::child(JOIN, TABLE, self.up, self.table, self.columns()).into(),
            Need::writes(self.table, self.columns()),
        ];
        if let Kept::User(user) = self.kept {
            needs.push(Join::lookup(USER_JOIN, JOIN, user, USERS, USER_COLUMNS).into());
        }
        needs
    }

    /// The seller of a row. `None`: nobody is chosen yet, or a program, or somebody without a mail address.
    fn seller(&self, seen: &Seen, row: &Row) -> Option<Person> {
        match self.kept {
            Kept::User(column) => {
                let to = row.reference(column)?;
                let user = seen
                    .rows(USER_JOIN)
                    .iter()
                    .find(|user| user.id.eq_ignore_ascii_case(&to.id))?;
                seller(user)
            }
            Kept::Words {
                mail,
                first_name,
                last_name,
            } => Some(Person {
                first_name: first_name.and_then(|column| row.owned_text(column)),
                last_name: last_name.and_then(|column| row.owned_text(column)),
                email: Some(row.owned_text(mail)?),
                phone: None,
                title: None,
                more: Vec::new(),
            }),
        }
    }

    /// The rows that should hang from the opportunity: everybody but the owner. A row whose seller cannot be told stays as it is.
    pub(crate) fn change(&self, ctx: &Context, order: &Order) -> Answer<Option<Change>> {
        let there: &[Row] = order.existing.as_ref().map_or(&[], |seen| seen.rows(JOIN));
        let seller_of = |row: &Row| {
            let seen = order.existing.as_ref()?;
            self.seller(seen, row)
        };
        let users = self.users(ctx, &order.deal)?;
        let mut wanted: Vec<Child> = Vec::new();
        for member in order.deal.team.iter().skip(1) {
            let Some(mail) = said(&member.email).map(str::to_lowercase) else {
                continue;
            };
            if wanted.iter().any(|child| child.key == mail) {
                continue;
            }
            let row = there
                .iter()
                .find(|row| seller_of(row).is_some_and(|known| is_same(&known, member)));
            if let Some(row) = row {
                wanted.push(Child::new(mail, Some(row.id.clone()), Vec::new()));
            } else if let Some(cells) = self.cells(member, &mail, users) {
                wanted.push(Child::new(mail, None, cells));
            }
        }
        let nobodys = there.iter().filter(|row| seller_of(row).is_none());
        wanted.extend(
            nobodys.map(|row| Child::new(row.id.clone(), Some(row.id.clone()), Vec::new())),
        );
        let silent = wanted.is_empty() && there.is_empty();
        Ok((!silent).then(|| Children::exactly(JOIN, wanted).into()))
    }

    /// Users by the mail addresses of the members.
    fn users<'c>(&self, ctx: &'c Context, deal: &Deal) -> Answer<&'c [Row]> {
        let mails: Vec<Value> = deal
            .team
            .iter()
            .skip(1)
            .filter_map(|member| said(&member.email))
            .map(Value::text)
            .collect();
        if mails.is_empty() || matches!(self.kept, Kept::Words { .. }) {
            return Ok(&[]);
        }
        ctx.rows(
            Query::new(SELLERS_QUERY, USERS, USER_COLUMNS)
                .meets(USER_MAIL, Test::OneOf(mails))
                .limit(500),
        )
    }

    /// Cells of a new row. `None`: the CRM does not know this seller, and a row for nobody helps nobody.
    fn cells(&self, member: &Person, mail: &str, users: &[Row]) -> Option<Vec<Cell>> {
        match self.kept {
            Kept::User(column) => {
                let user = users.iter().find(|user| {
                    user.text(USER_MAIL)
                        .is_some_and(|known| known.to_lowercase() == mail)
                })?;
                let id = user.text(USER_ID).unwrap_or(&user.id);
                Some(vec![(column.to_owned(), Value::reference(USERS, id))])
            }
            Kept::Words {
                mail: column,
                first_name,
                last_name,
            } => {
                let named = [
                    (Some(column), said(&member.email)),
                    (first_name, said(&member.first_name)),
                    (last_name, said(&member.last_name)),
                ];
                let cell = |(column, text): (Option<&str>, Option<&str>)| {
                    Some((column?.to_owned(), Value::text(cut(text?, WORD_MAX))))
                };
                Some(named.into_iter().filter_map(cell).collect())
            }
        }
    }
}

/// Our sellers: the owner, then the others, each once. Nobody at all says nothing: somebody must own the row, and is only not a person.
pub(crate) fn team(
    ctx: &Context,
    seen: &Seen,
    table: Option<&TeamTable<'_>>,
) -> Answer<Option<Fact>> {
    let mut members: Vec<Person> = Vec::new();
    if let Some(table) = table {
        members = seen
            .rows(JOIN)
            .iter()
            .filter_map(|row| table.seller(seen, row))
            .collect();
        members.sort_by_key(|member| said(&member.email).map(str::to_lowercase));
    }
    let mut team: Vec<Person> = Vec::new();
    for one in sellers::owner(ctx, &seen.row)?.into_iter().chain(members) {
        if !team.iter().any(|known| is_same(known, &one)) {
            team.push(one);
        }
    }
    Ok((!team.is_empty()).then_some(Fact::Team(team)))
}
