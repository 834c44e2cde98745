//! The immutable set of plugins that a run starts and ends with.

use std::collections::BTreeSet;
use std::sync::Arc;

use cosell_sync::row::Needs;
use sha2::{Digest, Sha256};

use crate::engine::Engine;
use crate::health::Failing;
use crate::inert::Wasi;
use crate::pace::Slow;
use crate::plugin::{Hook, Plugin};
use crate::stop::{Speaker, short_hash};

/// Plugins in file-name order. The questions are in the `hooks` module.
pub struct PluginSet {
    pub(crate) engine: Engine,
    pub(crate) chain: Arc<Chain>,
    generation: u64,
    hash: String,
    terms: String,
    infos: Vec<PluginInfo>,
    followed: Followed,
    /// Whom to tell about a plugin that fails again and again.
    pub(crate) alarm: Option<Alarm>,
}

/// What is to be heard of in the CRM (S31).
#[derive(Debug, Clone)]
pub struct Followed {
    /// Names it: who has subscribed to this once need not do it again.
    pub name: String,
    /// All that some deal may be read with.
    pub needs: Arc<Needs>,
}

impl Followed {
    /// What these sets follow, all together.
    pub(crate) fn by<'a>(sets: impl Iterator<Item = &'a Arc<PluginSet>>) -> Self {
        let mut all = Needs::default();
        let mut name = String::new();
        for set in sets {
            name = format!("{name}/{}", set.hash());
            let needs = set.needs();
            for (from, to) in [(&needs.reads, &mut all.reads), (&needs.asks, &mut all.asks)] {
                for (table, columns) in from {
                    let known = to.entry(table.clone()).or_default();
                    known.extend(columns.iter().cloned());
                }
            }
            for join in &needs.joins {
                if !all.joins.contains(join) {
                    all.joins.push(join.clone());
                }
            }
            for own in &needs.brings {
                if !all.brings.contains(own) {
                    all.brings.push(own.clone());
                }
            }
        }
        Self {
            name,
            needs: Arc::new(all),
        }
    }
}

/// See [`PluginSet::alarm`].
pub(crate) type Alarm = Arc<dyn Fn(Concern) + Send + Sync>;

/// What the keeper of the folder is told about a plugin in service.
pub(crate) enum Concern {
    /// It fails over one deal after the other.
    Failing(Failing),
    /// It became slow, or is no longer.
    Pace {
        file: String,
        sha256: String,
        slow: Option<Slow>,
    },
}

/// The plugins themselves, shared with the threads that ask them.
pub(crate) struct Chain {
    pub(crate) plugins: Vec<Arc<Plugin>>,
}

impl Chain {
    /// Those that serve `hook`, in the order of asking.
    pub(crate) fn of(&self, hook: Hook) -> impl Iterator<Item = &Plugin> {
        self.plugins
            .iter()
            .map(AsRef::as_ref)
            .filter(move |plugin| plugin.hooks.contains(&hook))
    }
}

/// What can be told about a plugin in service.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the doc")]
pub struct PluginInfo {
    pub id: String,
    pub version: String,
    /// Name in the folder.
    pub file: String,
    /// Of the component, hex.
    pub sha256: String,
    pub hooks: Vec<Hook>,
    /// One sentence, the plugin's own.
    pub summary: String,
}

impl PluginInfo {
    /// How its word is booked.
    #[must_use]
    pub fn speaker(&self) -> Speaker {
        Speaker {
            plugin: self.id.clone(),
            version: self.version.clone(),
            hash: short_hash(&self.sha256).to_owned(),
        }
    }
}

impl PluginSet {
    pub(crate) fn new(
        engine: Engine,
        generation: u64,
        plugins: Vec<Arc<Plugin>>,
        alarm: Option<Alarm>,
    ) -> Self {
        let infos = plugins.iter().map(|plugin| info(plugin)).collect();
        let hash = hash_of(&plugins);
        Self {
            engine,
            generation,
            terms: terms_of(&hash, &plugins),
            infos,
            followed: Followed {
                needs: Arc::new(needs_of(&plugins)),
                name: hash.clone(),
            },
            hash,
            chain: Arc::new(Chain { plugins }),
            alarm,
        }
    }

    /// The generation of the set that is written down, from 1; 0 when nothing is.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// The same with a plugin in the place of the one of its file, or beside the others.
    pub(crate) fn with(&self, plugin: &Arc<Plugin>, alarm: Option<Alarm>) -> Self {
        let mut plugins: Vec<Arc<Plugin>> = self.chain.plugins.clone();
        plugins.retain(|other| other.file != plugin.file);
        plugins.push(Arc::clone(plugin));
        plugins.sort_by(|a, b| a.file.cmp(&b.file));
        Self::new(self.engine.clone(), self.generation, plugins, alarm)
    }

    /// SHA-256 over ids, components and settings in order, hex: the same set has the same hash in every process.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The same, and under which limits they are asked: what a deal may be parked for. It names nothing that a mapping can read, so deals whose bases
    /// stand under [`PluginSet::hash`] are not read again for it.
    #[must_use]
    pub fn terms(&self) -> &str {
        &self.terms
    }

    /// The plugins, in the order of asking.
    #[must_use]
    pub fn plugins(&self) -> &[PluginInfo] {
        &self.infos
    }

    /// Plugins that are near their limit now, by id.
    #[must_use]
    pub fn slow(&self) -> Vec<(String, Slow)> {
        let plugins = self.chain.plugins.iter();
        plugins
            .filter_map(|plugin| Some((plugin.id().to_owned(), plugin.pace.slow()?)))
            .collect()
    }

    /// What all of them together declare. Labels of joins are `plugin-id/label`; columns that a plugin brings along count as read.
    #[must_use]
    pub fn needs(&self) -> &Needs {
        &self.followed.needs
    }

    /// The same by its name, as if no other set were beside it.
    #[must_use]
    pub const fn followed(&self) -> &Followed {
        &self.followed
    }
}

impl std::fmt::Debug for PluginSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PluginSet")
            .field("generation", &self.generation)
            .field("hash", &self.hash)
            .field("plugins", &self.infos)
            .finish_non_exhaustive()
    }
}

fn info(plugin: &Plugin) -> PluginInfo {
    PluginInfo {
        id: plugin.id().to_owned(),
        version: plugin.speaker.version.clone(),
        file: plugin.file.clone(),
        sha256: plugin.sha256.clone(),
        hooks: plugin.hooks.clone(),
        summary: plugin.summary.clone(),
    }
}

fn hash_of(plugins: &[Arc<Plugin>]) -> String {
    let mut hash = Sha256::new();
    for plugin in plugins {
        // Debug text of plain data: every text is quoted and escaped, so no two sets run together.
        hash.update(format!(
            "{:?} {:?} {:?}\n",
            plugin.id(),
            plugin.sha256,
            plugin.settings
        ));
        if plugin.wasi == Wasi::Inert {
            // Only where it is said, so that what serves already keeps its name.
            hash.update("wasi inert\n");
        }
    }
    hex::encode(hash.finalize())
}

fn terms_of(set: &str, plugins: &[Arc<Plugin>]) -> String {
    let mut hash = Sha256::new_with_prefix(set);
    for plugin in plugins {
        hash.update(format!("{:?}\n", plugin.guest.limits));
    }
    hex::encode(hash.finalize())
}

fn needs_of(plugins: &[Arc<Plugin>]) -> Needs {
    let mut needs = Needs::default();
    let mut changing = BTreeSet::new();
    for plugin in plugins {
        plugin.declared.add_to(plugin.id(), &mut needs);
        changing.extend(plugin.declared.changing.iter().cloned());
    }
    // Steady only if nobody says otherwise, or writes there.
    needs.steady = needs
        .asks
        .keys()
        .filter(|table| !changing.contains(*table) && !needs.writes.contains_key(*table))
        .cloned()
        .collect();
    needs
}
