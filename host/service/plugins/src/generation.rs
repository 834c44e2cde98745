//! The set as it is written down: which versions serve, which are candidates, and what follows from an order about one of them. Plain data and
//! pure functions; where it is written down is the [`Ledger`](crate::Ledger)'s business.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::inert;
use crate::plugin::Plugin;

/// The set from one moment to the next. What follows the newest generation is the next one; none is ever changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// From 1.
    pub number: u64,
    /// By file name, what serves before what does not.
    pub members: Vec<Member>,
    /// A folder, a host or a person.
    pub by: String,
    /// What changed, for people.
    pub note: String,
    /// Since when: milliseconds since the Unix epoch, by the ledger's clock.
    pub at_ms: i64,
}

/// One version of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name in the folder that it came from.
    pub file: String,
    /// Which version: SHA-256 of the component, or of engine and text together, hex.
    pub sha256: String,
    /// Of the component's bytes, or of the engine's.
    pub component: String,
    /// Of the text that an engine runs.
    pub source: Option<String>,
    /// Text of the operator file; empty without one.
    pub operator: String,
    /// The rest.
    pub detail: Detail,
}

/// What was known of a version when it came into the set.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Detail {
    /// The plugin's id.
    pub plugin: String,
    /// The plugin's own version.
    pub version: String,
    /// Whether it serves.
    pub mode: Mode,
    /// Deals on which it is tried: `CONNECTION/LANE`, numbers of lanes where there is one connection, and ids of records.
    pub deals: Vec<String>,
    /// What ends being a candidate.
    pub promote: Promote,
    /// The generation with which it came in this mode.
    pub since: u64,
    /// When that was, as [`Generation::at_ms`].
    pub since_ms: i64,
    /// Who brought it.
    pub by: String,
    /// What it had then, and so was let have.
    pub approved: Approved,
    /// The key of whoever vouched for it, as [`TrustedKey`](crate::signature::TrustedKey) is written; none: nobody was asked.
    pub signer: Option<String>,
    /// The key of whoever vouched for the engine that runs it, where one does.
    pub engine_signer: Option<String>,
    /// What it wants beyond the version that served when it came: then a person promotes it, and nothing else does.
    pub wants: Vec<String>,
}

/// What a plugin says it needs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Approved {
    /// Hooks that it serves.
    pub hooks: Vec<String>,
    /// What its component imports.
    pub imports: Vec<String>,
    /// Columns that it reads, by table.
    pub reads: BTreeMap<String, BTreeSet<String>>,
    /// Columns that it writes, by table.
    pub writes: BTreeMap<String, BTreeSet<String>>,
    /// Columns that it asks for in other rows, by table.
    pub asks: BTreeMap<String, BTreeSet<String>>,
    /// Columns that come along by its joins, by table.
    pub joins: BTreeMap<String, BTreeSet<String>>,
    /// Columns that the host fills or follows for it, each behind what for: `audit opportunity.acme_log`.
    pub roles: BTreeSet<String>,
}

/// Whether a version serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// All deals.
    #[default]
    Live,
    /// None: it is judged by what it would write.
    Shadow,
    /// The deals that are named.
    TryOn,
}

impl Mode {
    /// The spelling in operator files and `--json`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Shadow => "shadow",
            Self::TryOn => "try-on",
        }
    }
}

/// When a version that is judged comes to serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Promote {
    /// When a person says so.
    #[default]
    ByPerson,
    /// When every deal was judged and none would be different.
    NoDifference,
    /// When every deal was judged and not more than so many would be different.
    Budget(u64),
}

impl Promote {
    /// How many deals may differ; none: only a person promotes.
    #[must_use]
    pub const fn budget(self) -> Option<u64> {
        match self {
            Self::ByPerson => None,
            Self::NoDifference => Some(0),
            Self::Budget(deals) => Some(deals),
        }
    }
}

impl Member {
    /// It does not serve all deals.
    #[must_use]
    pub fn is_candidate(&self) -> bool {
        self.detail.mode != Mode::Live
    }

    /// The same bytes under the same operator file.
    pub(crate) fn is_version(&self, other: &Self) -> bool {
        self.file == other.file && self.sha256 == other.sha256 && self.operator == other.operator
    }

    /// Whether a person means this one: by file, by the file's name without its ending, by plugin id, or by the beginning of its hash.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        is_called(name, &self.file, &self.detail.plugin, &self.sha256)
    }
}

/// Whether a person who says `name` means the version with this file, plugin id and hash; each may be empty, and then is nobody's name. A hash may be
/// written in capitals.
#[must_use]
pub fn is_called(name: &str, file: &str, plugin: &str, sha256: &str) -> bool {
    let stem = file.split('.').next().unwrap_or_default();
    let is_one_of_them = [file, stem, plugin].contains(&name);
    let is_hash = || {
        let beginning = sha256.get(..name.len());
        name.len() >= HASH_MIN && beginning.is_some_and(|one| one.eq_ignore_ascii_case(name))
    };
    !name.is_empty() && (is_one_of_them || is_hash())
}

/// Hex digits that name a version.
pub const HASH_MIN: usize = 8;

impl Approved {
    pub(crate) fn of(plugin: &Plugin, imports: &[String]) -> Self {
        Self {
            hooks: plugin
                .hooks
                .iter()
                .map(|hook| hook.as_str().to_owned())
                .collect(),
            imports: imports.to_vec(),
            reads: plugin.declared.reads.clone(),
            writes: plugin.declared.writes.clone(),
            asks: plugin.declared.asks.clone(),
            joins: plugin.declared.joined_columns(),
            roles: plugin.declared.roles(),
        }
    }
}

/// Imports as what is asked for by them: of a system its parts, because another release of a toolchain names the same ones by another number.
fn asks(imports: &[String]) -> Vec<String> {
    let of_a_system = inert::packages_of(imports);
    let others = imports
        .iter()
        .filter(|name| inert::package_of(name).is_none());
    others.cloned().chain(of_a_system).collect()
}

impl Approved {
    /// What this one has and the other has not, in words; empty: nothing more.
    #[must_use]
    pub fn beyond(&self, other: &Self) -> Vec<String> {
        let mut more = Vec::new();
        let names = |what: &str, mine: &[String], theirs: &[String]| -> Vec<String> {
            let new = mine.iter().filter(|name| !theirs.contains(name));
            new.map(|name| format!("{what} {name}")).collect()
        };
        more.extend(names("answers for", &self.hooks, &other.hooks));
        more.extend(names(
            "imports",
            &asks(&self.imports),
            &asks(&other.imports),
        ));
        for (what, mine, theirs) in [
            ("reads", &self.reads, &other.reads),
            ("writes", &self.writes, &other.writes),
            ("asks for", &self.asks, &other.asks),
            ("joins", &self.joins, &other.joins),
        ] {
            for (table, columns) in mine {
                let known = theirs.get(table);
                let new = columns
                    .iter()
                    .filter(|column| known.is_none_or(|known| !known.contains(*column)));
                more.extend(new.map(|column| format!("{what} {table}.{column}")));
            }
        }
        let roles = self.roles.difference(&other.roles);
        more.extend(roles.map(|role| format!("has the host write or follow {role}")));
        more
    }
}

/// The members with this one in its place: of its file, what serves or the candidate. A version that serves takes the place of both.
#[must_use]
pub fn with(members: &[Member], member: Member) -> Vec<Member> {
    let is_replaced = |other: &&Member| {
        other.file == member.file && (!member.is_candidate() || other.is_candidate())
    };
    let mut all: Vec<Member> = members
        .iter()
        .filter(|other| !is_replaced(other))
        .cloned()
        .collect();
    all.push(member);
    in_order(all)
}

fn in_order(mut all: Vec<Member>) -> Vec<Member> {
    all.sort_by(|a, b| (&a.file, a.is_candidate()).cmp(&(&b.file, b.is_candidate())));
    all
}

/// The members without those of a file.
#[must_use]
pub fn without(members: &[Member], file: &str) -> Vec<Member> {
    members
        .iter()
        .filter(|member| member.file != file)
        .cloned()
        .collect()
}

/// The members with a candidate serving.
#[must_use]
pub fn promoted(members: &[Member], candidate: &Member) -> Vec<Member> {
    let mut live = candidate.clone();
    live.detail.mode = Mode::Live;
    // Set with the generation that it makes.
    live.detail.since = 0;
    with(members, live)
}

/// The members with a version taken away. In the place of one that served comes what served before it, as `history` has it (the newest first);
/// the second value says which, if any. None: no older generation is known that would do. A candidate of its file stays one: nobody proposes it again.
#[must_use]
pub fn without_version(
    history: &[Generation],
    out: &Member,
    is_banned: impl Fn(&str) -> bool,
) -> Option<(Vec<Member>, Option<Member>)> {
    let members = &history.first()?.members;
    let rest: Vec<Member> = members
        .iter()
        .filter(|member| *member != out)
        .cloned()
        .collect();
    if out.is_candidate() {
        return Some((rest, None));
    }
    let older = history
        .iter()
        .filter(|generation| generation.number < out.detail.since)
        .find_map(|generation| {
            let served = generation
                .members
                .iter()
                .find(|member| member.file == out.file && !member.is_candidate());
            match served {
                Some(one) if is_banned(&one.sha256) => None,
                // The same bytes under another operator file are another version.
                Some(one) if one.sha256 == out.sha256 && one.operator == out.operator => None,
                found => Some(found.cloned()),
            }
        })?;
    let members = match &older {
        Some(older) => {
            let mut again = older.clone();
            again.detail.since = 0;
            // What comes to serve is no candidate beside itself.
            let mut all = rest;
            all.retain(|one| !one.is_version(&again));
            all.push(again);
            in_order(all)
        }
        None => rest,
    };
    Some((members, older))
}

/// Names what serves together with one candidate: what was judged about the two is true as long as this is the same.
#[must_use]
pub fn pair(members: &[Member], candidate: &Member) -> String {
    let mut hash = Sha256::new();
    let live = members.iter().filter(|member| !member.is_candidate());
    for one in live.chain(std::iter::once(candidate)) {
        // Debug text of plain data: every text is quoted and escaped, so no two pairs run together.
        hash.update(format!(
            "{:?} {:?} {:?}\n",
            one.file, one.sha256, one.operator
        ));
    }
    hex::encode(hash.finalize())
}

/// Members of the next generation, with the moment in those that came with it.
#[must_use]
pub fn dated(mut members: Vec<Member>, number: u64, at_ms: i64, by: &str) -> Vec<Member> {
    for member in members.iter_mut().filter(|one| one.detail.since == 0) {
        member.detail.since = number;
        member.detail.since_ms = at_ms;
        by.clone_into(&mut member.detail.by);
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(file: &str, sha256: &str, mode: Mode, since: u64) -> Member {
        Member {
            file: file.to_owned(),
            sha256: sha256.to_owned(),
            component: sha256.to_owned(),
            source: None,
            operator: String::new(),
            detail: Detail {
                plugin: file.to_owned(),
                mode,
                since,
                ..Detail::default()
            },
        }
    }

    fn generation(number: u64, members: Vec<Member>) -> Generation {
        Generation {
            number,
            members,
            by: String::new(),
            note: String::new(),
            at_ms: 0,
        }
    }

    fn shown(members: &[Member]) -> Vec<String> {
        members
            .iter()
            .map(|one| format!("{} {} {}", one.file, one.sha256, one.detail.mode.as_str()))
            .collect()
    }

    #[test]
    fn a_candidate_stands_beside_what_serves_and_takes_its_place_when_promoted() {
        let live = vec![
            member("a", "1", Mode::Live, 1),
            member("b", "1", Mode::Live, 1),
        ];
        let both = with(&live, member("a", "2", Mode::Shadow, 0));
        assert_eq!(shown(&both), ["a 1 live", "a 2 shadow", "b 1 live"]);
        let again = with(&both, member("a", "3", Mode::TryOn, 0));
        assert_eq!(shown(&again), ["a 1 live", "a 3 try-on", "b 1 live"]);
        let done = promoted(&again, &again[1]);
        assert_eq!(shown(&done), ["a 3 live", "b 1 live"]);
        assert_eq!(shown(&without(&again, "a")), ["b 1 live"]);
    }

    #[test]
    fn what_served_before_comes_back_unless_it_is_banned() {
        let history = [
            generation(4, vec![member("a", "3", Mode::Live, 4)]),
            generation(3, vec![member("a", "2", Mode::Live, 3)]),
            generation(2, vec![member("a", "1", Mode::Live, 2)]),
            generation(1, Vec::new()),
        ];
        let out = &history[0].members[0];
        let back = |banned: &[&str]| {
            let found = without_version(&history, out, |hash| banned.contains(&hash));
            found.map(|(members, _)| shown(&members))
        };
        assert_eq!(back(&[]), Some(vec!["a 2 live".to_owned()]));
        assert_eq!(back(&["2"]), Some(vec!["a 1 live".to_owned()]));
        assert_eq!(back(&["1", "2"]), Some(Vec::new()), "nothing was before it");
        let known = without_version(&history[..1], out, |_| false);
        assert_eq!(known, None, "nothing older is known");
    }

    #[test]
    fn a_candidate_outlives_the_version_beside_which_it_was_to_be_judged() {
        let shadow = |sha256| member("a", sha256, Mode::Shadow, 3);
        let back = |candidate: Member| {
            let history = [
                generation(3, vec![member("a", "2", Mode::Live, 2), candidate]),
                generation(1, vec![member("a", "1", Mode::Live, 1)]),
            ];
            let found = without_version(&history, &history[0].members[0], |_| false);
            shown(&found.unwrap().0)
        };
        assert_eq!(back(shadow("3")), ["a 1 live", "a 3 shadow"]);
        assert_eq!(back(shadow("1")), ["a 1 live"], "it serves already");
    }

    #[test]
    fn settings_that_fail_go_back_to_the_settings_before() {
        let with_settings = |operator: &str, since| Member {
            operator: operator.to_owned(),
            ..member("a", "1", Mode::Live, since)
        };
        let history = [
            generation(4, vec![with_settings("broken", 4)]),
            generation(3, vec![with_settings("good", 2)]),
            generation(2, vec![with_settings("good", 2)]),
            generation(1, vec![member("a", "0", Mode::Live, 1)]),
        ];
        let found = without_version(&history, &history[0].members[0], |_| false);
        let (members, before) = found.unwrap();
        assert_eq!(members[0].operator, "good");
        assert_eq!(before.unwrap().sha256, "1", "the bytes were not to blame");
    }

    #[test]
    fn more_is_what_the_other_has_not() {
        let columns = |names: &[&str]| {
            let set = names.iter().map(|name| (*name).to_owned()).collect();
            BTreeMap::from([("opportunity".to_owned(), set)])
        };
        let old = Approved {
            hooks: vec!["opportunity".into()],
            reads: columns(&["name", "value"]),
            ..Approved::default()
        };
        let new = Approved {
            hooks: vec!["opportunity".into(), "country".into()],
            reads: columns(&["name"]),
            writes: columns(&["value"]),
            ..Approved::default()
        };
        assert_eq!(
            new.beyond(&old),
            ["answers for country", "writes opportunity.value"]
        );
        assert_eq!(old.beyond(&old), [""; 0], "the same is no more");
        assert_eq!(old.beyond(&new), ["reads opportunity.value"]);
    }

    #[test]
    fn asking_for_a_system_is_asking_for_more_and_another_release_of_it_is_not() {
        let importing = |names: &[&str]| Approved {
            imports: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Approved::default()
        };
        let without = importing(&["cosell:mapping/log@1.0.0"]);
        let with = importing(&[
            "cosell:mapping/log@1.0.0",
            "wasi:io/error@0.2.0",
            "wasi:io/streams@0.2.0",
            "wasi:random/random@0.2.0",
        ]);
        let later = importing(&["wasi:io/streams@0.2.6", "wasi:random/insecure-seed@0.2.6"]);
        assert_eq!(
            with.beyond(&without),
            ["imports wasi:io", "imports wasi:random"]
        );
        assert_eq!(later.beyond(&with), [""; 0]);
    }

    #[test]
    fn only_what_is_new_is_dated() {
        let members = vec![
            member("a", "1", Mode::Live, 1),
            member("b", "1", Mode::Live, 0),
        ];
        let since: Vec<_> = dated(members, 7, 70, "ada")
            .into_iter()
            .map(|one| (one.detail.since, one.detail.since_ms, one.detail.by))
            .collect();
        assert_eq!(since, [(1, 0, String::new()), (7, 70, "ada".to_owned())]);
    }
}
