//! `cosell plugin promote`, `rollback`, `quarantine`: what people order about the set. Each order is one transaction that makes the next generation;
//! hosts follow within seconds.

use cosell_plugins::generation::{is_called, pair, promoted, without_version};
use cosell_plugins::ledger::{Quarantine, Step};
use cosell_plugins::{Generation, Member, What, short_hash};
use cosell_store::{GENERATIONS_KEPT, Quarantined, SetEvent, Store, StoreError, system_clock};
use serde::Serialize;

use super::{Archive, VerbError};
use crate::set::{activation, generation};

/// How often an order is given again because a host was faster.
const OVERTAKEN_MAX: usize = 16;

/// What an order came to.
#[derive(Debug, Clone, Serialize)]
pub struct SetChanged {
    /// The generation that serves now.
    pub generation: u64,
    /// What was done.
    pub message: String,
}

/// A person lets a candidate serve.
///
/// # Errors
/// [`VerbError::NoCandidate`]; [`VerbError::Store`].
pub async fn promote_plugin(
    archive: &Archive,
    name: &str,
    by: &str,
) -> Result<SetChanged, VerbError> {
    let (members, _) = newest(&*archive.store).await?;
    let candidates: Vec<&Member> = members.iter().filter(|one| one.is_candidate()).collect();
    let candidate = candidates.iter().find(|one| one.is_called(name));
    let Some(candidate) = candidate else {
        return Err(VerbError::NoCandidate {
            asked: name.to_owned(),
            known: candidates.iter().map(|one| one.file.clone()).collect(),
        });
    };
    promote(&*archive.store, candidate, None, by, "a person said so").await
}

/// Makes the generation in which a candidate serves. `judged`: the pair, as [`pair`] names it, whose judgement says so; what was judged beside another
/// set says nothing about this one. None: a person says so.
///
/// # Errors
/// [`VerbError::NoCandidate`]; [`VerbError::JudgedBesideAnother`]; [`VerbError::Store`].
pub(crate) async fn promote(
    store: &dyn Store,
    candidate: &Member,
    judged: Option<&str>,
    by: &str,
    why: &str,
) -> Result<SetChanged, VerbError> {
    change(store, by, |history| {
        let members = history
            .first()
            .map_or(&[][..], |newest| newest.members.as_slice());
        if !members.contains(candidate) {
            return Err(VerbError::NoCandidate {
                asked: candidate.file.clone(),
                known: Vec::new(),
            });
        }
        let named = named(candidate);
        if judged.is_some_and(|judged| judged != pair(members, candidate)) {
            return Err(VerbError::JudgedBesideAnother { plugin: named });
        }
        Ok(Order {
            members: promoted(members, candidate),
            what: What::Promoted,
            about: Some(candidate.clone()),
            message: format!("{named} is promoted by {by} and serves all deals: {why}"),
            quarantine: None,
        })
    })
    .await
}

/// A person goes back to an older generation: to `to`, or to the newest in which something else served.
///
/// # Errors
/// [`VerbError::NoGeneration`]; [`VerbError::Out`] when a version of it was quarantined; [`VerbError::Store`].
pub async fn roll_back_plugins(
    archive: &Archive,
    to: Option<u64>,
    by: &str,
) -> Result<SetChanged, VerbError> {
    let out = archive.store.quarantines().await?;
    change(&*archive.store, by, |history| {
        let live = |one: &Generation| -> Vec<Member> {
            let members = one.members.iter().filter(|member| !member.is_candidate());
            members.cloned().collect()
        };
        let versions = |members: &[Member]| -> Vec<(String, String, String)> {
            let version =
                |one: &Member| (one.file.clone(), one.sha256.clone(), one.operator.clone());
            members.iter().map(version).collect()
        };
        let now = history.first().map(live).unwrap_or_default();
        let target = history.iter().skip(1).find(|one| match to {
            Some(number) => one.number == number,
            None => versions(&live(one)) != versions(&now),
        });
        let Some(target) = target else {
            let known = history.iter().skip(1).map(|one| one.number);
            return Err(VerbError::NoGeneration {
                asked: to,
                known: known.collect(),
            });
        };
        let mut members = live(target);
        for member in &mut members {
            let banned = out
                .iter()
                .find(|one| one.released.is_none() && one.sha256 == member.sha256);
            if let Some(banned) = banned {
                return Err(VerbError::Out {
                    plugin: named(member),
                    why: banned.why.clone(),
                });
            }
            match now.iter().find(|one| {
                (&one.file, &one.sha256, &one.operator)
                    == (&member.file, &member.sha256, &member.operator)
            }) {
                // It has served all the while.
                Some(same) => member.clone_from(same),
                None => member.detail.since = 0,
            }
        }
        Ok(Order {
            members,
            what: What::RolledBack,
            about: None,
            message: format!(
                "the set of generation {} serves again, by order of {by}; candidates are dropped",
                target.number
            ),
            quarantine: None,
        })
    })
    .await
}

/// A person takes a version out: the one that is called so, of the set or by its whole hash. What served before it serves again.
///
/// # Errors
/// [`VerbError::NoPlugin`]; [`VerbError::NothingOlder`]; [`VerbError::Store`].
pub async fn quarantine_plugin(
    archive: &Archive,
    name: &str,
    why: &str,
    by: &str,
) -> Result<SetChanged, VerbError> {
    let store = &*archive.store;
    let banned: Vec<String> = out_now(store)
        .await?
        .into_iter()
        .map(|one| one.sha256)
        .collect();
    let (members, number) = newest(store).await?;
    let out = match meant(&members, name) {
        Some(out) => out,
        None => {
            let message = ban(store, &members, name, why, by).await?;
            // A folder may have brought it in while it was not out yet.
            match meant(&newest(store).await?.0, name) {
                Some(out) => out,
                None => {
                    return Ok(SetChanged {
                        generation: number,
                        message,
                    });
                }
            }
        }
    };
    let out = &out;
    change(store, by, |history| {
        let (rest, before) =
            without_version(history, out, |hash| banned.iter().any(|one| one == hash))
                .ok_or_else(|| VerbError::NothingOlder { plugin: named(out) })?;
        let instead = match &before {
            Some(before) => format!("version {} serves again", before.detail.version),
            None if out.is_candidate() => "what serves goes on serving".to_owned(),
            None => "nothing served in its place before".to_owned(),
        };
        // A ban is of bytes, and these go on serving under another operator file: it would take that out as well.
        let serves_on = rest.iter().find(|one| one.sha256 == out.sha256);
        let what_else = serves_on.map_or_else(String::new, |one| {
            format!(
                "; nothing is banned, because the same bytes serve, or are to come, with other settings: to take those out as well, give the order once more, go back with `cosell plugin rollback`, or take {} out of the folder",
                one.file
            )
        });
        let ban = Quarantine {
            sha256: out.sha256.clone(),
            file: out.file.clone(),
            plugin: out.detail.plugin.clone(),
            why: format!("{by}: {why}"),
            is_released: false,
        };
        Ok(Order {
            members: rest.clone(),
            what: What::Quarantined,
            about: Some(out.clone()),
            message: format!(
                "{} is quarantined by order of {by}: {why}; {instead}{what_else}",
                named(out)
            ),
            quarantine: serves_on.is_none().then_some(ban),
        })
    })
    .await
}

/// Takes out a version that does not serve, by its whole hash.
async fn ban(
    store: &dyn Store,
    members: &[Member],
    name: &str,
    why: &str,
    by: &str,
) -> Result<String, VerbError> {
    if name.len() != 64 || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(VerbError::NoPlugin {
            asked: name.to_owned(),
            known: members.iter().map(|one| one.file.clone()).collect(),
        });
    }
    let message = format!("version {name} is not taken any more, by order of {by}: {why}");
    store
        .quarantine(Quarantined {
            sha256: name.to_ascii_lowercase(),
            file: String::new(),
            plugin: String::new(),
            why: why.to_owned(),
            by: by.to_owned(),
            at: 0,
            released: None,
        })
        .await?;
    tell(store, What::Quarantined, None, by, &message).await?;
    Ok(message)
}

/// The version that a person calls so: of a file that has both, the candidate is what a person is not sure of.
fn meant(members: &[Member], name: &str) -> Option<Member> {
    let called = || members.iter().filter(|one| one.is_called(name));
    let candidate = called().find(|one| one.is_candidate());
    candidate.or_else(|| called().next()).cloned()
}

/// A person lets a quarantined version in again: by file, plugin or the beginning of its hash. A folder that holds it proposes it anew.
///
/// # Errors
/// [`VerbError::NotOut`]; [`VerbError::Store`].
pub async fn release_plugin(
    archive: &Archive,
    name: &str,
    by: &str,
) -> Result<SetChanged, VerbError> {
    let store = &*archive.store;
    let out = out_now(store).await?;
    let found: Vec<&Quarantined> = out
        .iter()
        .filter(|one| is_called(name, &one.file, &one.plugin, &one.sha256))
        .collect();
    let [one] = found.as_slice() else {
        return Err(VerbError::NotOut {
            asked: name.to_owned(),
            known: out
                .iter()
                .map(|one| format!("{} {}", one.file, short_hash(&one.sha256)))
                .collect(),
        });
    };
    store.release(&one.sha256, by).await?;
    let message = format!(
        "{} {} is released by {by}: a folder that holds it proposes it again within half a minute",
        one.file,
        short_hash(&one.sha256)
    );
    tell(store, What::Released, Some(*one), by, &message).await?;
    Ok(SetChanged {
        generation: newest(store).await?.1,
        message,
    })
}

/// What is to be made of the set.
struct Order {
    members: Vec<Member>,
    what: What,
    about: Option<Member>,
    message: String,
    quarantine: Option<Quarantine>,
}

/// Makes the next generation of what `order` makes of the history, which it is asked again when a host was faster.
async fn change(
    store: &dyn Store,
    by: &str,
    order: impl Fn(&[Generation]) -> Result<Order, VerbError>,
) -> Result<SetChanged, VerbError> {
    let most = usize::try_from(GENERATIONS_KEPT).unwrap_or(usize::MAX);
    let mut tries = 0;
    loop {
        let history = store.set_history(most).await?;
        let history: Vec<Generation> = history.into_iter().map(generation).collect();
        let order = order(&history)?;
        let step = Step {
            base: history.first().map_or(0, |newest| newest.number),
            members: order.members,
            by: by.to_owned(),
            note: order.message.clone(),
            quarantine: order.quarantine,
            ..Step::default()
        };
        let mut next = activation(step, "", system_clock()());
        let about = order.about.as_ref();
        next.events = vec![SetEvent {
            what: order.what.as_str().to_owned(),
            file: about.map(|one| one.file.clone()).unwrap_or_default(),
            plugin: about.map(|one| one.detail.plugin.clone()),
            version: about.map(|one| one.detail.version.clone()),
            sha256: about.map(|one| one.sha256.clone()),
            by: by.to_owned(),
            message: order.message.clone(),
            ..SetEvent::default()
        }];
        tries += 1;
        match store.activate(next).await {
            Ok(made) => {
                return Ok(SetChanged {
                    generation: u64::try_from(made).unwrap_or_default(),
                    message: order.message,
                });
            }
            Err(StoreError::Overtaken { .. }) if tries < OVERTAKEN_MAX => {}
            Err(error) => return Err(error.into()),
        }
    }
}

async fn newest(store: &dyn Store) -> Result<(Vec<Member>, u64), VerbError> {
    let found = store.active_set().await?.map(generation);
    Ok(found.map_or((Vec::new(), 0), |one| (one.members, one.number)))
}

async fn out_now(store: &dyn Store) -> Result<Vec<Quarantined>, VerbError> {
    let out = store.quarantines().await?;
    Ok(out
        .into_iter()
        .filter(|one| one.released.is_none())
        .collect())
}

async fn tell(
    store: &dyn Store,
    what: What,
    about: Option<&Quarantined>,
    by: &str,
    message: &str,
) -> Result<(), VerbError> {
    let event = SetEvent {
        what: what.as_str().to_owned(),
        file: about.map(|one| one.file.clone()).unwrap_or_default(),
        plugin: about.map(|one| one.plugin.clone()),
        sha256: about.map(|one| one.sha256.clone()),
        by: by.to_owned(),
        message: message.to_owned(),
        ..SetEvent::default()
    };
    Ok(store.tell(vec![event]).await?)
}

fn named(member: &Member) -> String {
    let (plugin, version) = (&member.detail.plugin, &member.detail.version);
    format!("plugin \"{plugin}\" {version} ({})", member.file)
}

#[cfg(test)]
mod tests;
