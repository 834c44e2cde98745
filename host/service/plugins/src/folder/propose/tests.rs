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

/// `held` are file and version; with `!` before the version it was refused, with `=` it is as it was when the folder was heard, with `-` it is
/// switched off.
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
        .map(|(file, hash)| member(file, hash.trim_start_matches(['!', '=', '-'])))
        .collect();
    let holds = good
        .iter()
        .zip(held)
        .map(|(member, (file, hash))| {
            let state = match hash.chars().next() {
                Some('!') => Held::Refused,
                Some('=') => Held::Old,
                Some('-') => Held::Off,
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
fn a_file_that_is_switched_off_retires_its_plugin_once() {
    let current: Option<&[_]> = Some(&[("a", "1"), ("b", "1")]);
    let off = check(
        current,
        Some(&[("a", "1"), ("b", "1")]),
        &[("a", "-2"), ("b", "=1")],
    );
    assert_eq!(off, (some(&["b 1"]), list(&["a 2", "b 1"])));
    // Somebody has brought it back since, by a rollback or from another folder.
    let again = check(current, Some(&[("a", "2")]), &[("a", "-2")]);
    assert_eq!(again, (None, list(&["a 2"])));
    let banned = check(current, Some(&[("a", "")]), &[("a", "-2")]);
    assert_eq!(
        banned,
        (None, list(&["a 2"])),
        "a quarantine is not the file's word"
    );
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
