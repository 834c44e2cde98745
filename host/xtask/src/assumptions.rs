//! `ASSUMPTIONS.md`: every doubtful fact about the vendors, and what the host makes of its other reading.
//!
//! The facts stand in the simulator, where both readings are built; `tests/assumptions.toml` says what becomes of the host in the other one. That
//! it is so is shown by playing every story that meets it once per fact.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, bail, ensure};

use crate::plugins;
use crate::programs::side_by_side;
use crate::steps::{Workspace, cargo, heard};

const FACTS: &str = "host/simulator/src/assumptions.rs";
const VERDICTS: &str = "tests/assumptions.toml";
const DOCUMENT: &str = "ASSUMPTIONS.md";
/// The variable by which a story is told which fact to meet in its other reading (`FLIP` in `cosell-tests`).
const FLIP: &str = "COSELL_FLIP";
/// The variable by which a story is told where to note how often each fact decided something (`DECIDED` in `cosell-tests`).
const DECIDED: &str = "COSELL_DECIDED";
/// Most stories that are named where the one that should be among them is not.
const NAMED_MAX: usize = 5;

/// One switch of the simulator.
#[derive(Debug, PartialEq, Eq)]
struct Fact {
    name: String,
    /// What it means when it is on.
    says: String,
    is_on: bool,
}

/// What becomes of the host in the other reading.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Verdict {
    verdict: Outcome,
    /// Where it does not simply work: what a person notices. Where it is not met: why not.
    #[serde(default)]
    notices: String,
    /// A story in which the fact decides something, as the test runner names it: what nobody meets is not shown to work.
    #[serde(default)]
    met_in: String,
    /// Stories that are played, where most others would only wait in vain for what does not come: these show what becomes of the host.
    #[serde(default)]
    only: BTreeSet<String>,
    /// Stories that end otherwise then, each with its module, as the test runner names them.
    #[serde(default)]
    otherwise: BTreeSet<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    Works,
    Degrades,
    RefusesClearly,
    NotMet,
}

impl Outcome {
    const fn in_words(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Degrades => "degrades",
            Self::RefusesClearly => "refuses clearly",
            Self::NotMet => "is not met",
        }
    }
}

/// How many of the stories that meet a fact are played with it turned over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Breadth {
    /// All of them: a hundred facts take an hour.
    All,
    /// The one that the verdict names, those that end otherwise, and a few others.
    Few,
}

/// Others that are played besides those that a verdict names.
const OTHERS: usize = 3;

/// Those that are played: by the verdict, and of the rest some, spread evenly, so that neighbouring facts do not meet the same ones alone.
fn few(verdict: &Verdict, met: &BTreeMap<String, u64>, place: usize) -> BTreeMap<String, u64> {
    let is_named = |story: &String| *story == verdict.met_in || verdict.otherwise.contains(story);
    let others: Vec<&String> = met.keys().filter(|story| !is_named(story)).collect();
    let step = (others.len() / OTHERS).max(1);
    let chosen: BTreeSet<&String> = others
        .iter()
        .cycle()
        .skip(place)
        .step_by(step)
        .take(OTHERS.min(others.len()))
        .copied()
        .collect();
    met.iter()
        .filter(|(story, _)| is_named(story) || chosen.contains(story))
        .map(|(story, times)| (story.clone(), *times))
        .collect()
}

/// Writes the page from the table of verdicts as it is.
pub(crate) fn page(workspace: &Workspace) -> Result<()> {
    let (facts, verdicts) = table(workspace)?;
    fs::write(workspace.root().join(DOCUMENT), render(&facts, &verdicts))
        .with_context(|| format!("cannot write {DOCUMENT}"))
}

/// Plays the stories as usual, to see which of them meet which fact; then, once per fact, those that meet it in its other reading. Where a fact decides
/// nothing, it cannot make a story end otherwise. Compares with the verdicts, and writes the document.
pub(crate) fn play(workspace: &Workspace, only: &[String], breadth: Breadth) -> Result<()> {
    plugins::build(workspace)?;
    let (facts, verdicts) = table(workspace)?;
    if let Some(unknown) = only.iter().find(|name| !verdicts.contains_key(*name)) {
        bail!("{FACTS} knows no fact \"{unknown}\"");
    }
    let usual = stories(workspace, None, &BTreeMap::new())?;
    ensure!(
        usual.otherwise.is_empty(),
        "{:?} fail already in the usual readings:\n{}",
        usual.otherwise,
        usual.said
    );
    let mut asked: Vec<(usize, &Fact)> = facts
        .iter()
        .enumerate()
        .filter(|(_, fact)| only.is_empty() || only.contains(&fact.name))
        .collect();
    // The first in the table begins.
    asked.reverse();
    let wrong: Vec<String> = side_by_side(asked, |(place, fact)| {
        let verdict = &verdicts[&fact.name];
        judged(workspace, fact, verdict, &usual.told, (breadth, place))
    })?
    .concat();
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    fs::write(workspace.root().join(DOCUMENT), render(&facts, &verdicts))
        .with_context(|| format!("cannot write {DOCUMENT}"))
}

/// What is wrong with the verdict over a fact, after the stories that meet it were played in its other reading.
fn judged(
    workspace: &Workspace,
    fact: &Fact,
    verdict: &Verdict,
    usual: &str,
    (breadth, place): (Breadth, usize),
) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    let mut met = met(usual, &fact.name);
    if !met.is_empty() && !verdict.met_in.is_empty() && !met.contains_key(&verdict.met_in) {
        met.extend(met_alone(workspace, fact, verdict)?);
    }
    if let Err(problem) = met_as_said(verdict, &met) {
        wrong.push(format!("{}: {problem}", fact.name));
    }
    if met.is_empty() {
        return Ok(wrong);
    }
    let mut played = met;
    if !verdict.only.is_empty() {
        played.retain(|story, _| verdict.only.contains(story));
    }
    if breadth == Breadth::Few {
        played = few(verdict, &played, place);
    }
    if let Err(problem) = turned_over(workspace, fact, verdict, &played)? {
        wrong.push(format!("{}: {problem}", fact.name));
    }
    Ok(wrong)
}

/// Plays the story that a verdict names by itself: what a host does at its own pace, as a sweep, may have come too late among so many worlds.
fn met_alone(
    workspace: &Workspace,
    fact: &Fact,
    verdict: &Verdict,
) -> Result<BTreeMap<String, u64>> {
    let named = BTreeMap::from([(verdict.met_in.clone(), 0)]);
    let alone = format!("{}-alone", fact.name);
    let played = stories_noted(workspace, None, &named, &alone)?;
    Ok(met(&played.told, &fact.name))
}

/// Plays the stories that meet a fact with the fact turned over, and says where they do not end as the verdict expects.
fn turned_over(
    workspace: &Workspace,
    fact: &Fact,
    verdict: &Verdict,
    met_in: &BTreeMap<String, u64>,
) -> Result<Result<(), String>> {
    let expected = &verdict.otherwise;
    let mut played = stories(workspace, Some(fact), met_in)?;
    if played.otherwise != *expected {
        // So many worlds at once may have disturbed one; what the fact does, it does again.
        eprintln!("   {:?} ended otherwise: once more", played.otherwise);
        played = stories(workspace, Some(fact), met_in)?;
    }
    if played.otherwise != *expected {
        return Ok(Err(format!(
            "{VERDICTS} expects {expected:?} to end otherwise, and it was {:?}\n{}",
            played.otherwise, played.said
        )));
    }
    let times: u64 = met(&played.told, &fact.name).values().sum();
    if times == 0 {
        return Ok(Err(
            "turned over, it decided nothing: what was played shows nothing".to_owned(),
        ));
    }
    eprintln!("   {} decided {times} times", fact.name);
    Ok(Ok(()))
}

/// What came of the stories.
struct Played {
    /// Stories that failed.
    otherwise: BTreeSet<String>,
    /// What they noted: a line for each story and fact that decided something in it.
    told: String,
    /// Everything that the runner said.
    said: String,
}

/// Plays these stories, or all where none is named, with a fact turned over.
fn stories(
    workspace: &Workspace,
    fact: Option<&Fact>,
    named: &BTreeMap<String, u64>,
) -> Result<Played> {
    let note = fact.map_or("usual", |fact| fact.name.as_str());
    stories_noted(workspace, fact, named, note)
}

/// The same; what they decide is noted under this name, so that those that are played beside each other do not write into one file.
fn stories_noted(
    workspace: &Workspace,
    fact: Option<&Fact>,
    named: &BTreeMap<String, u64>,
    note: &str,
) -> Result<Played> {
    let name = fact.map_or("no fact", |fact| fact.name.as_str());
    let notes = workspace.target().join("decided-by-assumptions");
    if notes.is_file() {
        // Of an older xtask.
        fs::remove_file(&notes)?;
    }
    fs::create_dir_all(&notes)?;
    let decided = notes.join(note);
    // Of an earlier time.
    let _absent_is_good = fs::remove_file(&decided);
    let mut stories = cargo(workspace);
    stories
        .args(["test", "--quiet", "--workspace", "--test", "stories", "--"])
        // They wait for each other more than they compute.
        .args(["--test-threads", "4"])
        .env(DECIDED, &decided);
    if let Some(fact) = fact {
        stories.env(FLIP, &fact.name);
    }
    if !named.is_empty() {
        stories.arg("--exact").args(named.keys());
    }
    let count = match named.len() {
        0 => "all stories".to_owned(),
        some => format!("{some} stories"),
    };
    let said = heard(&format!("{count}, {name} turned over"), &mut stories)?;
    let otherwise = ended_otherwise(&said)
        .with_context(|| format!("{name}: the stories did not come to their end:\n{said}"))?;
    let told = fs::read_to_string(&decided)
        .with_context(|| format!("{name}: no story noted what was decided"))?;
    Ok(Played {
        otherwise,
        told,
        said,
    })
}

/// Whether every fact has a verdict, and the document says what they are.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let (facts, verdicts) = table(workspace)?;
    let path = workspace.root().join(DOCUMENT);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {DOCUMENT}"))?;
    ensure!(
        text == render(&facts, &verdicts),
        "{DOCUMENT} is not what {FACTS} and {VERDICTS} say; `cargo xtask assumptions` writes it anew"
    );
    Ok(())
}

/// Reads what the stories have noted of a fact. A story may have had several worlds.
fn met(told: &str, fact: &str) -> BTreeMap<String, u64> {
    let mut met = BTreeMap::new();
    for line in told.lines() {
        let mut columns = line.split('\t');
        if let (Some(story), Some(about), Some(Ok(decided))) = (
            columns.next(),
            columns.next(),
            columns.next().map(str::parse::<u64>),
        ) && about == fact
        {
            *met.entry(story.to_owned()).or_default() += decided;
        }
    }
    met
}

/// Whether the fact decided something where the verdict says so. A verdict over what nobody met is none.
fn met_as_said(verdict: &Verdict, met: &BTreeMap<String, u64>) -> Result<(), String> {
    let named = || {
        let some: Vec<&str> = met.keys().take(NAMED_MAX).map(String::as_str).collect();
        some.join(", ")
    };
    match (verdict.verdict, met.is_empty()) {
        (Outcome::NotMet, true) => Ok(()),
        (Outcome::NotMet, false) => Err(format!(
            "{VERDICTS} says that it is not met, and it is, in {}: what becomes of the host?",
            named()
        )),
        (_, true) => Err(
            "it decided nothing in any story, so that nothing is shown: write a story that meets it"
                .to_owned(),
        ),
        (_, false) if met.contains_key(&verdict.met_in) => Ok(()),
        (_, false) => Err(format!(
            "{VERDICTS} says `met-in = \"{}\"`, and it is met in {}",
            verdict.met_in,
            named()
        )),
    }
}

fn table(workspace: &Workspace) -> Result<(Vec<Fact>, BTreeMap<String, Verdict>)> {
    let read = |path: &str| {
        fs::read_to_string(workspace.root().join(path))
            .with_context(|| format!("cannot read {path}"))
    };
    let facts = facts(&read(FACTS)?)?;
    let verdicts: BTreeMap<String, Verdict> =
        toml::from_str(&read(VERDICTS)?).with_context(|| format!("cannot read {VERDICTS}"))?;
    let named: BTreeSet<&String> = facts.iter().map(|fact| &fact.name).collect();
    let judged: BTreeSet<&String> = verdicts.keys().collect();
    ensure!(
        named == judged,
        "{VERDICTS} has to say what becomes of the host for each fact of {FACTS}, and of no other; it differs in {:?}",
        named.symmetric_difference(&judged).collect::<Vec<_>>()
    );
    for (name, verdict) in &verdicts {
        let works = verdict.verdict == Outcome::Works;
        ensure!(
            works == verdict.notices.is_empty() && (!works || verdict.otherwise.is_empty()),
            "{VERDICTS}: {name}: what works needs no more words, and everything else needs `notices`"
        );
        ensure!(
            verdict.only.is_empty() || verdict.only.contains(&verdict.met_in),
            "{VERDICTS}: {name}: `met-in` is one of the stories that are played"
        );
        ensure!(
            (verdict.verdict == Outcome::NotMet) == verdict.met_in.is_empty(),
            "{VERDICTS}: {name}: `met-in` names a story in which it decides something, unless it is not met"
        );
    }
    Ok((facts, verdicts))
}

/// Reads the switches out of the one file where they stand: their names, their docs and their defaults.
fn facts(source: &str) -> Result<Vec<Fact>> {
    let mut facts: Vec<Fact> = Vec::new();
    let mut doc = String::new();
    for line in source.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("/// ") {
            doc.push_str(if doc.is_empty() { "" } else { " " });
            doc.push_str(text);
            continue;
        }
        let says = std::mem::take(&mut doc);
        let entry = line
            .strip_suffix(',')
            .and_then(|line| line.split_once(": "));
        if let Some((name, value)) = entry
            && let Ok(is_on) = value.parse()
        {
            facts.push(Fact {
                name: name.to_owned(),
                says,
                is_on,
            });
        }
    }
    ensure!(!facts.is_empty(), "{FACTS} has no switch that I can read");
    Ok(facts)
}

/// Which stories failed; None when the runner does not say how it ended.
fn ended_otherwise(said: &str) -> Option<BTreeSet<String>> {
    said.lines()
        .find(|line| line.starts_with("test result: "))?;
    let failed = said
        .lines()
        .filter_map(|line| line.strip_prefix("---- ")?.strip_suffix(" stdout ----"));
    Some(failed.map(str::to_owned).collect())
}

fn render(facts: &[Fact], verdicts: &BTreeMap<String, Verdict>) -> String {
    let mut text = String::from(
        "# What we assume about Partner Center, Dataverse and Entra

Microsoft's documents leave some facts open, or contradict each other or what was seen. Each such fact is a switch of the simulator, with both
readings built; the default is the likelier one, or, where both are as likely, the harder one. This page says what becomes of `cosell` if the other
reading is the true one: it *works* (every story ends the same), *degrades* (the deals are safe, and a person notices what is said here), *refuses
clearly*, or *is not met*, because the host never comes near it.

`cargo xtask assumptions` plays every story, and once more per fact those that meet it, in its other reading, and writes this page; `cargo verify
--all` plays a few of them per fact, and fails when a story ends otherwise than it says, or when the fact decided nothing in the story that is named here, because then
nothing is shown. Turn a switch over in a
simulator of your own by `[assumptions]` in its configuration; `GET /assumptions` of its control listener tells how often each decided something.

| fact | by default | what it says when it is on | in the other reading | met in |
|---|---|---|---|---|
",
    );
    for fact in facts {
        let verdict = &verdicts[&fact.name];
        let notices = match verdict.notices.as_str() {
            "" => String::new(),
            notices => format!(": {notices}"),
        };
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {}{notices} | {} |",
            fact.name,
            if fact.is_on { "on" } else { "off" },
            fact.says.replace('|', "\\|"),
            verdict.verdict.in_words(),
            match verdict.met_in.as_str() {
                "" => String::new(),
                story => format!("`{story}`"),
            },
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_are_read_with_their_docs_and_defaults() {
        let source = "
            /// What comes before them.
            macro_rules! facts { () => { name: AtomicU64, } }
            facts! {
                /// Entra: one thing,
                /// in two lines.
                one: true,
                /// Another.
                two: false,
            }";
        let read = facts(source).unwrap();
        assert_eq!(
            read,
            [
                Fact {
                    name: "one".into(),
                    says: "Entra: one thing, in two lines.".into(),
                    is_on: true
                },
                Fact {
                    name: "two".into(),
                    says: "Another.".into(),
                    is_on: false
                },
            ]
        );
    }

    #[test]
    fn a_verdict_over_what_no_story_met_is_refused() {
        let verdict = |outcome, met_in: &str| Verdict {
            verdict: outcome,
            notices: String::new(),
            met_in: met_in.to_owned(),
            only: BTreeSet::new(),
            otherwise: BTreeSet::new(),
        };
        let nowhere = met("edits::one\tother\t7\n", "fact");
        let told = "edits::one\tother\t7\nedits::two\tfact\t1\nedits::two\tfact\t2\n";
        let somewhere = met(told, "fact");
        assert_eq!(somewhere, BTreeMap::from([("edits::two".to_owned(), 3)]));
        let works = verdict(Outcome::Works, "edits::two");
        assert!(met_as_said(&works, &somewhere).is_ok());
        assert!(met_as_said(&works, &nowhere).is_err());
        assert!(met_as_said(&verdict(Outcome::Works, "edits::one"), &somewhere).is_err());
        let never = verdict(Outcome::NotMet, "");
        assert!(met_as_said(&never, &nowhere).is_ok());
        assert!(met_as_said(&never, &somewhere).is_err());
    }

    #[test]
    fn a_runner_that_did_not_end_is_no_success() {
        assert_eq!(ended_otherwise("error: could not compile"), None);
        let said = "---- edits::s5_a stdout ----\nboom\ntest result: FAILED. 1 passed";
        assert_eq!(
            ended_otherwise(said),
            Some(BTreeSet::from(["edits::s5_a".to_owned()]))
        );
        assert_eq!(ended_otherwise("test result: ok."), Some(BTreeSet::new()));
    }
}
