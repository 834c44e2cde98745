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
    for (file, why) in retiring(said, holds) {
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

/// Files that were there when the folder was last heard and are gone, and those that were switched off since; with why, in a few words.
pub(super) fn retiring<'a>(
    said: &'a [Said],
    holds: &BTreeMap<&'a str, (Option<Said>, Held<'_>)>,
) -> Vec<(&'a str, &'static str)> {
    let gone = said.iter().map(|one| one.file.as_str());
    let gone = gone.filter(|file| !holds.contains_key(file));
    // One that was off already is no news: what serves in its place was brought by somebody else.
    let was_off = |now: &Option<Said>| {
        now.as_ref().is_some_and(|now| {
            said.iter().any(|was| {
                // Empty: its bytes were quarantined since, and that is not this file's word.
                let is_same = was.sha256 == now.sha256 || was.sha256.is_empty();
                was.file == now.file && was.operator == now.operator && is_same
            })
        })
    };
    let off = holds
        .iter()
        .filter(|(_, (content, held))| matches!(held, Held::Off) && !was_off(content))
        .map(|(file, _)| *file);
    gone.map(|file| (file, "is gone"))
        .chain(off.map(|file| (file, "is switched off in its operator file")))
        .collect()
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
mod tests;
