//! What a folder proposes. It speaks only of what is news in it: what is different from what it held when it was last heard, and never because
//! what serves is different from it. So two folders never fight, and a folder that is older, emptied by nobody or joins later changes nothing.

use std::collections::BTreeMap;

use super::events::{PluginEvent, What};
use crate::generation::{Generation, Member, Mode, Promote, with, without};
use crate::ledger::Said;
use crate::rejection::{Phase, Rejection, RejectionKind};

/// A file of the folder, as far as it matters here.
pub(super) enum Held<'a> {
    /// It passed every check.
    Good(&'a Member),
    /// Switched off in its operator file.
    Off,
    /// As it was when the folder was last heard, and so not even looked at.
    Old,
    /// It did not pass, or could not be read.
    Refused,
}

/// What follows from a look into the folder.
#[derive(Debug, Default)]
pub(super) struct Proposal {
    /// Members of the next generation; none: nothing changes.
    pub(super) members: Option<Vec<Member>>,
    /// What the folder holds: written down whether anything changes or not.
    pub(super) said: Vec<Said>,
    /// What happens to files.
    pub(super) events: Vec<PluginEvent>,
    /// Good by itself, and its id is taken.
    pub(super) clashes: Vec<Rejection>,
    /// Files that are different from what serves, of a folder that was never heard before.
    pub(super) unheard: Vec<String>,
}

/// How what is new comes in.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Entry {
    /// It is judged first, unless its operator file says otherwise.
    pub(super) shadow_first: bool,
    /// A version that wants more than the one that serves waits for a person, whatever its operator file says.
    pub(super) ask_for_more: bool,
}

/// `holds` by file name, each with what it is in a few words of the ledger (none: nobody knows).
pub(super) fn propose(
    current: Option<&Generation>,
    said: Option<&[Said]>,
    holds: &BTreeMap<&str, (Option<Said>, Held<'_>)>,
    entry: Entry,
) -> Proposal {
    let before: &[Member] = current.map_or(&[], |generation| &generation.members);
    let mut proposal = Proposal::default();
    if said.is_none() && !before.is_empty() {
        // A stranger: what it holds is known from now on, and nothing follows.
        for (file, (content, _)) in holds {
            let serves = |content: &Said| {
                before
                    .iter()
                    .any(|one| one.file == *file && one.sha256 == content.sha256)
            };
            if content.as_ref().is_none_or(|content| !serves(content)) {
                proposal.unheard.push((*file).to_owned());
            }
            proposal.said.extend(content.clone());
        }
        return proposal;
    }
    let said = said.unwrap_or_default();
    let mut members = before.to_vec();
    let gone = said
        .iter()
        .filter(|one| !holds.contains_key(one.file.as_str()));
    let off = holds
        .iter()
        .filter(|(_, (_, held))| matches!(held, Held::Off))
        .map(|(file, _)| *file);
    for (file, why) in gone
        .map(|one| (one.file.as_str(), "is gone"))
        .chain(off.map(|file| (file, "is switched off in its operator file")))
    {
        let retired = members.iter().find(|member| member.file == file);
        proposal.events.extend(retired.map(|member| {
            let message = format!("{file} {why}: plugin \"{}\" retires", member.detail.plugin);
            PluginEvent::of(member, What::Retired, message)
        }));
        members = without(&members, file);
    }
    for (file, (content, held)) in holds {
        let was = said.iter().find(|one| one.file == *file);
        let is_taken = match held {
            Held::Good(member) => put(&mut members, member, current, entry, &mut proposal),
            Held::Off | Held::Old => true,
            Held::Refused => false,
        };
        // A file that is not taken is tried again with every start, and its name is not forgotten: when it goes, what served by it goes.
        let known = if is_taken { content.as_ref() } else { was };
        proposal.said.extend(known.cloned());
    }
    if members != before {
        proposal.members = Some(members);
    }
    proposal
}

/// False: its id is taken.
fn put(
    members: &mut Vec<Member>,
    member: &Member,
    current: Option<&Generation>,
    entry: Entry,
    proposal: &mut Proposal,
) -> bool {
    if let Some(same) = members.iter().find(|other| other.is_version(member)) {
        if !same.is_candidate() {
            // What serves is what the file says again: whatever was judged or tried in its place is not wanted any more.
            members.retain(|other| other.file != member.file || !other.is_candidate());
        }
        return true;
    }
    let twin = members
        .iter()
        .find(|other| other.file != member.file && other.detail.plugin == member.detail.plugin);
    if let Some(twin) = twin {
        proposal.clashes.push(clash(member, &twin.file));
        return false;
    }
    let mut member = member.clone();
    if entry.shadow_first && current.is_some() && !says_mode(&member) {
        member.detail.mode = Mode::Shadow;
    }
    // By its id; and by its file, because another id in the place of what serves is no smaller step.
    let stands_for = |other: &&Member| {
        !other.is_candidate()
            && (other.detail.plugin == member.detail.plugin || other.file == member.file)
    };
    let serves = members.iter().find(stands_for);
    // Who changes the operator file of the same bytes is the person.
    let is_update = |serves: &&Member| entry.ask_for_more && serves.sha256 != member.sha256;
    if let Some(serves) = serves.filter(is_update) {
        member.detail.wants = member.detail.approved.beyond(&serves.detail.approved);
        if !member.detail.wants.is_empty() {
            // No rule but a person: that it writes the same today says nothing about tomorrow.
            member.detail.promote = Promote::ByPerson;
            if member.detail.mode == Mode::Live {
                member.detail.mode = Mode::Shadow;
            }
        }
    }
    if member.is_candidate() {
        let (id, version) = (&member.detail.plugin, &member.detail.version);
        let what = match member.detail.mode {
            Mode::TryOn => format!("is tried on deals {}", member.detail.deals.join(", ")),
            _ if !member.detail.wants.is_empty() => format!(
                "wants more than the version that serves was let have ({}), and waits for a person: cosell plugin promote {} --by WHO",
                some_of(&member.detail.wants),
                member.file
            ),
            _ => "is judged by what it would write, and serves when it is promoted".to_owned(),
        };
        let message = format!("{}: plugin \"{id}\" {version} {what}", member.file);
        proposal
            .events
            .push(PluginEvent::of(&member, What::Candidate, message));
    }
    *members = with(members, member);
    true
}

/// A line is read, a page is not.
const WANTS_TOLD: usize = 5;

fn some_of(wants: &[String]) -> String {
    let told = wants.iter().take(WANTS_TOLD).cloned().collect::<Vec<_>>();
    let rest = wants.len().saturating_sub(WANTS_TOLD);
    let mut text = told.join(", ");
    if rest > 0 {
        text.push_str(&format!(" and {rest} more"));
    }
    text
}

/// Its operator file has a word on it, so the configuration has none.
fn says_mode(member: &Member) -> bool {
    crate::operator::Operator::read(&member.operator).is_ok_and(|operator| operator.mode.is_some())
}

fn clash(member: &Member, other: &str) -> Rejection {
    let id = &member.detail.plugin;
    Rejection {
        file: member.file.clone(),
        plugin: Some(id.clone()),
        hash: Some(member.sha256.clone()),
        ..Rejection::new(
            Phase::Set,
            RejectionKind::Duplicate,
            format!("its id \"{id}\" is taken by {other}, which serves already or comes first"),
        )
        .with_hint("keep one of the two files; to replace a plugin, overwrite its file")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::Detail;

    fn member(file: &str, sha256: &str) -> Member {
        Member {
            file: file.to_owned(),
            sha256: sha256.to_owned(),
            component: sha256.to_owned(),
            source: None,
            operator: String::new(),
            detail: Detail {
                plugin: format!("plugin-{}", file.trim_matches('0')),
                ..Detail::default()
            },
        }
    }

    fn says(file: &str, sha256: &str) -> Said {
        Said {
            file: file.to_owned(),
            sha256: sha256.to_owned(),
            operator: String::new(),
        }
    }

    /// `held` are file and version; with `!` before the version it was refused, with `=` it is as it was when the folder was heard.
    fn check(
        current: Option<&[(&str, &str)]>,
        said: Option<&[(&str, &str)]>,
        held: &[(&str, &str)],
    ) -> (Option<Vec<String>>, Vec<String>) {
        let generation = current.map(|members| Generation {
            number: 1,
            members: members
                .iter()
                .map(|(file, hash)| member(file, hash))
                .collect(),
            by: String::new(),
            note: String::new(),
            at_ms: 0,
        });
        let said: Option<Vec<Said>> =
            said.map(|said| said.iter().map(|(file, hash)| says(file, hash)).collect());
        let good: Vec<Member> = held
            .iter()
            .map(|(file, hash)| member(file, hash.trim_start_matches(['!', '='])))
            .collect();
        let holds = good
            .iter()
            .zip(held)
            .map(|(member, (file, hash))| {
                let state = match hash.chars().next() {
                    Some('!') => Held::Refused,
                    Some('=') => Held::Old,
                    _ => Held::Good(member),
                };
                (*file, (Some(says(file, &member.sha256)), state))
            })
            .collect();
        let proposal = propose(
            generation.as_ref(),
            said.as_deref(),
            &holds,
            Entry::default(),
        );
        let words = |(file, hash): (String, String)| format!("{file} {hash}");
        (
            proposal.members.map(|members| {
                let pairs = members.into_iter().map(|one| (one.file, one.sha256));
                pairs.map(words).collect()
            }),
            proposal
                .said
                .into_iter()
                .map(|one| words((one.file, one.sha256)))
                .collect(),
        )
    }

    fn some(members: &[&str]) -> Option<Vec<String>> {
        Some(members.iter().map(|text| (*text).to_owned()).collect())
    }

    fn list(said: &[&str]) -> Vec<String> {
        said.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn the_first_folder_of_all_makes_the_set() {
        let made = check(None, None, &[("a", "1"), ("b", "!1")]);
        assert_eq!(made, (some(&["a 1"]), list(&["a 1"])));
        let empty = check(None, None, &[]);
        assert_eq!(empty, (None, list(&[])), "and an empty one makes none");
    }

    #[test]
    fn a_stranger_changes_nothing() {
        let joins = check(Some(&[("a", "2")]), None, &[("a", "1"), ("c", "1")]);
        assert_eq!(joins, (None, list(&["a 1", "c 1"])));
        let joins = check(Some(&[("a", "2")]), None, &[]);
        assert_eq!(joins, (None, list(&[])), "not even by what it has not");
    }

    #[test]
    fn only_what_changed_in_the_folder_is_proposed() {
        let current: Option<&[_]> = Some(&[("a", "2"), ("b", "1")]);
        let same = check(current, Some(&[("a", "1")]), &[("a", "=1")]);
        assert_eq!(
            same,
            (None, list(&["a 1"])),
            "somebody else has changed a since"
        );
        let news = check(current, Some(&[("a", "1")]), &[("a", "3")]);
        assert_eq!(news, (some(&["a 3", "b 1"]), list(&["a 3"])));
        let already = check(current, Some(&[("a", "1")]), &[("a", "2")]);
        assert_eq!(already, (None, list(&["a 2"])));
        let gone = check(current, Some(&[("a", "1")]), &[]);
        assert_eq!(gone, (some(&["b 1"]), list(&[])));
    }

    #[test]
    fn a_refused_file_leaves_what_serves_until_it_goes() {
        let current: Option<&[_]> = Some(&[("a", "1")]);
        let bad = check(current, Some(&[("a", "1")]), &[("a", "!2")]);
        assert_eq!(bad, (None, list(&["a 1"])));
        let gone = check(current, Some(&[("a", "1")]), &[]);
        assert_eq!(gone, (some(&[]), list(&[])));
    }

    #[test]
    fn what_was_quarantined_is_news_once_it_passes_again() {
        let back = check(Some(&[("a", "1")]), Some(&[("a", "")]), &[("a", "2")]);
        assert_eq!(back, (some(&["a 2"]), list(&["a 2"])));
    }

    #[test]
    fn a_file_that_says_what_serves_again_takes_its_candidate_back() {
        let live = member("a", "1");
        let mut tried = member("a", "2");
        tried.detail.mode = Mode::TryOn;
        let generation = Generation {
            number: 1,
            members: vec![live.clone(), tried],
            by: String::new(),
            note: String::new(),
            at_ms: 0,
        };
        let holds = [("a", (Some(says("a", "1")), Held::Good(&live)))].into();
        let proposal = propose(
            Some(&generation),
            Some(&[says("a", "2")]),
            &holds,
            Entry::default(),
        );
        assert_eq!(proposal.members, Some(vec![live.clone()]));
    }

    #[test]
    fn a_version_that_wants_more_waits_for_a_person_and_one_that_wants_less_does_not() {
        let with_writes = |hash: &str, columns: &[&str]| {
            let mut one = member("a", hash);
            let columns = columns.iter().map(|name| (*name).to_owned()).collect();
            one.detail
                .approved
                .writes
                .insert("opportunity".to_owned(), columns);
            one.detail.promote = Promote::NoDifference;
            one
        };
        let live = with_writes("1", &["name", "value"]);
        let generation = Generation {
            number: 1,
            members: vec![live.clone()],
            by: String::new(),
            note: String::new(),
            at_ms: 0,
        };
        let proposed = |new: &Member, ask_for_more: bool| {
            let holds = [("a", (Some(says("a", &new.sha256)), Held::Good(new)))].into();
            let entry = Entry {
                ask_for_more,
                ..Entry::default()
            };
            propose(Some(&generation), Some(&[says("a", "1")]), &holds, entry)
        };
        let more = with_writes("2", &["name", "creditlimit"]);
        let proposal = proposed(&more, true);
        let members = proposal.members.unwrap();
        assert_eq!(members[0], live, "what serves goes on serving");
        assert_eq!(members[1].detail.mode, Mode::Shadow);
        assert_eq!(members[1].detail.promote, Promote::ByPerson);
        assert_eq!(members[1].detail.wants, ["writes opportunity.creditlimit"]);
        assert!(
            proposal.events[0]
                .message
                .contains("writes opportunity.creditlimit"),
            "{:?}",
            proposal.events
        );
        // What comes along by a join, and what the host writes for a plugin, is had as well; and by another name it is no less.
        let mut other = with_writes("4", &["name"]);
        let approved = &mut other.detail.approved;
        let mails = ["emailaddress1".to_owned()].into();
        approved.joins.insert("contact".to_owned(), mails);
        approved.roles.insert("audit opportunity.name".to_owned());
        other.detail.plugin = "another".to_owned();
        let members = proposed(&other, true).members.unwrap();
        assert_eq!(members[0], live, "what serves goes on serving");
        assert_eq!(
            members[1].detail.wants,
            [
                "joins contact.emailaddress1",
                "has the host write or follow audit opportunity.name"
            ]
        );
        for (new, ask) in [(with_writes("3", &["name"]), true), (more, false)] {
            let members = proposed(&new, ask).members.unwrap();
            assert_eq!(members.len(), 1);
            assert_eq!(members[0].detail.mode, Mode::Live);
        }
    }

    #[test]
    fn a_file_that_was_renamed_keeps_its_plugin() {
        // Both names belong to one plugin.
        let renamed = check(Some(&[("a", "1")]), Some(&[("a", "1")]), &[("0a", "1")]);
        assert_eq!(renamed, (some(&["0a 1"]), list(&["0a 1"])));
        let twin = check(
            Some(&[("a", "1")]),
            Some(&[("a", "1")]),
            &[("0a", "1"), ("a", "=1")],
        );
        assert_eq!(
            twin,
            (None, list(&["a 1"])),
            "and a second one is refused, whatever its name"
        );
    }
}
