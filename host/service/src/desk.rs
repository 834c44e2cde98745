//! What every run has at hand: a plain struct of what the process owns.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use cosell_plugins::{Followed, Judged, PluginFolder, PluginSet, Rejection, Serving};
use cosell_remote::{Dataverse, PartnerCenter, Service};
use cosell_store::{Clock, ConnectionId, LaneId, LaneState, Millis, Store};
use cosell_sync::brake::MassLimits;
use cosell_sync::course::Patience;
use cosell_sync::delta::Order;
use cosell_sync::hold::Rules;
use cosell_sync::merge::Policies;
use cosell_sync::route::Rule;
use tokio::sync::{Notify, OnceCell};

pub use crate::pace::Pace;
use crate::recording::Keeping;
pub use crate::room::Room;
use crate::seal::Seal;
use crate::steady::Steady;
pub use crate::traces::Rings;
use crate::trouble;

/// How long a lease lasts unless a configuration says otherwise. Every write begins with a fresh one, and two calls fit into it: no write
/// outlives its lease unless the process itself is frozen.
pub const LEASE_MS: Millis = 180_000;
/// A referral that was not found is looked for once more after so long, before another POST, unless a configuration says otherwise (S14).
pub const SECOND_LOOK_MS: Millis = 60_000;

/// Everything of the process that runs share.
pub struct Desk {
    /// What we remember.
    pub store: Arc<dyn Store>,
    /// The store's clock.
    pub clock: Clock,
    /// The plugins; a run pins the set that is current when it begins (S29).
    pub plugins: Plugins,
    /// The partner tenants and their CRM environments.
    pub connections: BTreeMap<ConnectionId, Connection>,
    /// Wakes the worker.
    pub rope: Arc<Notify>,
    /// Who we are in leases.
    pub owner: String,
    /// Whether we are the host, of those on the store, that tells what all of them see alike.
    pub speaks: AtomicBool,
    /// How long a lease lasts.
    pub lease_ms: Millis,
    /// Between two looks for a referral whose creation nobody answered (S14).
    pub second_look_ms: Millis,
    /// BCP 47 tag of the people who read reasons.
    pub language: String,
    /// Where the jitter of retries is drawn from.
    pub dice: Dice,
    /// What seals what rests.
    pub seal: Arc<Seal>,
    /// How what runs see is kept for replay; None: it is not.
    pub recordings: Option<Keeping>,
    /// Fresh edits first.
    pub pace: Arc<Pace>,
    /// Whether there is room to remember.
    pub room: Room,
    /// Which bells rang for runs that have not begun: for traces.
    pub rings: Rings,
}

/// Draws a number. The system's in production, from a seed in tests.
pub type Dice = Arc<dyn Fn() -> u32 + Send + Sync>;

/// Numbers that nobody can foretell.
#[must_use]
pub fn fair_dice() -> Dice {
    Arc::new(rand::random::<u32>)
}

/// Where the set of plugins comes from.
pub enum Plugins {
    /// A folder that is watched.
    Folder(PluginFolder),
    /// What the store says, loaded once beside the hosts.
    Beside(Arc<Serving>),
    /// Sets that were loaded before, and are swapped by hand: what thousands of histories share.
    Given(Mutex<Arc<PluginSet>>),
}

impl Plugins {
    /// The set that a run begins with.
    #[must_use]
    pub fn current(&self) -> Arc<PluginSet> {
        match self {
            Self::Folder(folder) => folder.current(),
            Self::Beside(serving) => Arc::clone(&serving.set),
            Self::Given(set) => Arc::clone(&set.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    /// Files that are refused now, and why.
    #[must_use]
    pub fn refused(&self) -> Vec<Rejection> {
        match self {
            Self::Folder(folder) => folder.refused(),
            Self::Beside(_) | Self::Given(_) => Vec::new(),
        }
    }

    /// Shadows, each with the set that would serve.
    #[must_use]
    pub fn shadows(&self) -> Vec<Judged> {
        self.serving()
            .map(|serving| serving.shadows())
            .unwrap_or_default()
    }

    /// The generation that serves, with what is tried and judged beside it. None: only a set was given.
    #[must_use]
    pub fn serving(&self) -> Option<Arc<Serving>> {
        match self {
            Self::Folder(folder) => Some(folder.serving()),
            Self::Beside(serving) => Some(Arc::clone(serving)),
            Self::Given(_) => None,
        }
    }

    /// What is to be followed in the CRM (S31): all that some deal may be read with, be it only one on which a version is tried.
    #[must_use]
    pub fn followed(&self) -> Followed {
        match self.serving() {
            Some(serving) => serving.followed().clone(),
            None => self.current().followed().clone(),
        }
    }

    /// Has the keeper of a folder look soon whether the store says another set.
    pub fn follow(&self) {
        if let Self::Folder(folder) = self {
            folder.follow();
        }
    }

    /// Why no run may begin here: what serves by the store cannot be loaded (S29). Runs that have begun keep their set.
    #[must_use]
    pub fn behind(&self) -> Option<String> {
        match self {
            Self::Folder(folder) => folder.behind().map(|behind| behind.why),
            Self::Beside(_) | Self::Given(_) => None,
        }
    }
}

impl Desk {
    /// Now, by the store's clock.
    #[must_use]
    pub fn now(&self) -> Millis {
        (self.clock)()
    }

    /// The set that a run of this deal begins with: what serves, and what is tried on it.
    #[must_use]
    pub fn set_for(&self, connection: &str, lane: LaneId, state: &LaneState) -> Arc<PluginSet> {
        let Some(serving) = self.plugins.serving() else {
            return self.plugins.current();
        };
        // Each connection counts its lanes by itself: where there are several, a number alone names none of them.
        let number = (self.connections.len() == 1).then(|| lane.0.to_string());
        let key = format!("{connection}/{}", lane.0);
        let link = state.link.as_ref();
        let linked = link.map(|link| [&link.referral, &link.crm_row]);
        let linked = linked.into_iter().flatten().flatten();
        let members = state.members.iter().map(|member| &member.id);
        let ids = linked.chain(members).chain(&number);
        serving.for_deal(std::iter::once(key.as_str()).chain(ids.map(String::as_str)))
    }

    /// Versions that are tried on what no deal can be called here, each in a sentence.
    #[must_use]
    pub fn tried_in_vain(&self) -> Vec<String> {
        let serving = self.plugins.serving();
        let generation = serving.as_ref().and_then(|one| one.generation.as_ref());
        let members = generation.iter().flat_map(|one| &one.members);
        let named = members.flat_map(|one| one.detail.deals.iter().map(move |deal| (one, deal)));
        named
            .filter_map(|(member, deal)| {
                let why = names_no_lane(deal, self.connections.keys())?;
                Some(format!(
                    "{} is to be tried on deal \"{deal}\": {why}",
                    member.file
                ))
            })
            .collect()
    }

    /// Whoever sees the referrals of this connection's tenant, itself included; in no order (S23).
    pub fn sharing_tenant(&self, connection: &str) -> impl Iterator<Item = &Connection> {
        let tenant = self.connections.get(connection);
        let tenant = tenant.map(|connection| &connection.partner_tenant);
        self.connections
            .values()
            .filter(move |other| Some(&other.partner_tenant) == tenant)
    }
}

/// Why this names no lane of these connections. None: it does, or it is the id of a record.
fn names_no_lane<'a>(
    deal: &str,
    mut connections: impl ExactSizeIterator<Item = &'a ConnectionId>,
) -> Option<String> {
    let is_number = |text: &str| text.parse::<i64>().is_ok();
    match deal.rsplit_once('/') {
        None if is_number(deal) && connections.len() > 1 => Some(format!(
            "each connection counts its deals by itself, so the number alone names none: write CONNECTION/{deal}, as `cosell deals` shows it"
        )),
        Some((connection, lane))
            if is_number(lane) && !connections.any(|one| one.eq_ignore_ascii_case(connection)) =>
        {
            Some(format!("there is no connection \"{connection}\""))
        }
        _ => None,
    }
}

/// One partner tenant with one CRM environment.
pub struct Connection {
    /// Leads every key.
    pub id: ConnectionId,
    /// The referrals.
    pub partner_center: PartnerCenter,
    /// The CRM.
    pub dataverse: Dataverse,
    /// As whom the two sides count its calls.
    pub counted_as: CountedAs,
    /// Who wins when both sides have changed a unit.
    pub policies: Policies,
    /// A referral's page for people is this, followed by its id.
    pub link_base: String,
    /// The PartnerID location that owns new deals; none leaves it to Partner Center.
    pub partner_location: Option<String>,
    /// The operator has declared that every customer's contacts may be shared; else consent stands in the row (S24).
    pub contacts_consent_declared: bool,
    /// When a new deal may cross.
    pub patience: Patience,
    /// When what cannot be taken back may go (S24).
    pub holds: Rules,
    /// When a batch of writes looks like an accident (S25).
    pub mass: MassLimits,
    /// What becomes of linked deals when the mapping changes (S8).
    pub mapping_changes: Order,
    /// The tenant whose referrals these are; connections that share one share its inbound deals (S23).
    pub partner_tenant: String,
    /// Which inbound deals are ours (S23).
    pub route: Rule,
    /// Place in the configuration: of several whose rules fit, the first takes the deal.
    pub place: usize,
    /// What names the operator's choices: a deal that was parked under others is tried again (S26).
    pub configuration: String,
    /// Whether the CRM was asked since this process started whether it is still the one that we are bound to (S22).
    pub checked: OnceCell<()>,
    /// What plugins have looked up in tables that change rarely.
    pub steady: Steady,
}

/// As whom the two sides count the calls of a connection. Connections that are counted as one share its budget, and its rest after a 429.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CountedAs {
    /// The tenant and its app.
    pub partner_center: String,
    /// The organisation and the app that is its user there.
    pub dataverse: String,
}

impl Connection {
    /// Whether the service behind this credential counts both as one.
    #[must_use]
    pub fn is_counted_with(&self, other: &Self, credential: &str) -> bool {
        let (own, theirs) = (&self.counted_as, &other.counted_as);
        if credential == trouble::credential(Service::Dataverse) {
            own.dataverse == theirs.dataverse
        } else {
            own.partner_center == theirs.partner_center
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_alone_names_a_deal_where_there_is_one_connection() {
        let one = ["contoso".to_owned()];
        let two = ["contoso".to_owned(), "germany".to_owned()];
        let id = "7f3c12ab-0000-4000-8000-000000000001";
        for named in ["17", "contoso/17", "Contoso/17", id] {
            assert_eq!(names_no_lane(named, one.iter()), None, "{named}");
        }
        for named in ["contoso/17", "germany/17", id] {
            assert_eq!(names_no_lane(named, two.iter()), None, "{named}");
        }
        let why = names_no_lane("17", two.iter()).unwrap();
        assert!(why.contains("write CONNECTION/17"), "{why}");
        let why = names_no_lane("france/17", two.iter()).unwrap();
        assert_eq!(why, "there is no connection \"france\"");
    }
}
