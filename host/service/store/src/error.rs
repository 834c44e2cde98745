//! Why the store did not do it.

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The lease is no longer ours; nothing was changed.
    #[error("lane {lane} was taken over by another run (fence {fence} is old)")]
    Fenced {
        /// Lane number.
        lane: i64,
        /// The fence that was presented.
        fence: i64,
    },
    /// The record belongs to another lane or link already (I4).
    #[error("{record} is linked in lane {lane} already")]
    Linked {
        /// Which record.
        record: String,
        /// By whom.
        lane: i64,
    },
    /// A second intent while one is open (I5).
    #[error("lane {lane} has an open intent already")]
    IntentOpen {
        /// Lane number.
        lane: i64,
    },
    /// A person has cancelled what the intent would do, and it cannot be taken back (S24).
    #[error("hold {hold} of lane {lane} is cancelled: this write is not made")]
    Cancelled {
        /// Lane number.
        lane: i64,
        /// Hold number.
        hold: i64,
    },
    /// A write was closed that no intent had opened (I5).
    #[error("lane {lane} has no open intent{}", .operation.as_deref().map(|id| format!(" with operation {id}")).unwrap_or_default())]
    NoIntent {
        /// Lane number.
        lane: i64,
        /// The attempt's operation, if it named one.
        operation: Option<String>,
    },
    /// There is no such lane.
    #[error("there is no lane {lane} that could be meant here")]
    NoLane {
        /// Lane number.
        lane: i64,
    },
    /// The card cannot be answered.
    #[error("{}; `cosell cards` lists those that can be answered", gone("card", *.card, .closed.as_deref()))]
    NoCard {
        /// Card number.
        card: i64,
        /// Why it was closed; none when there never was such a card.
        closed: Option<String>,
    },
    /// The hold cannot be released or cancelled.
    #[error("{}; `cosell holds` lists those that can be released or cancelled", gone("hold", *.hold, .closed.as_deref()))]
    NoHold {
        /// Hold number.
        hold: i64,
        /// Why it was closed; none when there never was such a hold.
        closed: Option<String>,
    },
    /// Somebody else has changed the set of plugins since it was looked at; nothing was changed.
    #[error(
        "the set of plugins is at generation {now} already, and this was meant to follow {base}; look again"
    )]
    Overtaken {
        /// What it was made from.
        base: i64,
        /// What there is.
        now: i64,
    },
    /// A version that is to come into the set was taken out of service before it could; nothing was changed.
    #[error("the bytes of {file} ({hash}) were taken out of service meanwhile; look again")]
    TakenOut {
        /// Whose.
        file: String,
        /// Which version.
        hash: String,
    },
    /// A generation names bytes that nobody gave.
    #[error("the bytes of {file} are not in the store ({hash})")]
    NoBytes {
        /// Whose.
        file: String,
        /// Which.
        hash: String,
    },
    /// Too much is waiting; the caller shall come again.
    #[error("the store is full: {what}")]
    Full {
        /// Which limit.
        what: String,
    },
    /// There is no room left, and it goes on when there is: nothing was changed.
    #[error("the store takes nothing more: {what}")]
    NoRoom {
        /// Where, and as far as known how much.
        what: String,
    },
    /// The database failed: disk, corruption, a version from the future.
    #[error("the store failed while trying to {doing}")]
    Broken {
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

fn gone(what: &str, number: i64, closed: Option<&str>) -> String {
    match closed {
        Some(why) => format!("{what} {number} is closed already ({why})"),
        None => format!("there is no {what} {number}"),
    }
}
