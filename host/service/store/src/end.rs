//! How a run leaves its lane, as the columns of any store.

use crate::{After, LaneId, Millis, Next};

/// What is written to the lane.
pub(crate) struct End<'a> {
    pub(crate) state: &'static str,
    pub(crate) reason: Option<&'a str>,
    pub(crate) due_at: Option<Millis>,
    /// Whether the bells that the run noted are answered.
    pub(crate) answers: bool,
    /// What becomes of the failures in a row.
    pub(crate) attempts: Attempts,
    failure: Mark<'a>,
}

/// What becomes of the failures that are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempts {
    /// There was none.
    Forget,
    /// They are as many as they were.
    Keep,
    /// One more.
    More,
}

impl Attempts {
    /// So many are counted from now on, of so many that were: `number * factor + more`, which every SQL knows.
    pub(crate) const fn factor_and_more(self) -> (i64, i64) {
        match self {
            Self::Forget => (0, 0),
            Self::Keep => (1, 0),
            Self::More => (1, 1),
        }
    }
}

/// What happens to the failure that parked the lane last, and to what the lane stood on then.
enum Mark<'a> {
    /// The lane is not in step again: the same failure is still the one that was told.
    Keep,
    /// In step; the same failure would be a new one.
    Clear,
    Set {
        failure: &'a str,
        state: Option<&'a str>,
    },
}

impl<'a> End<'a> {
    /// As the run says.
    ///
    /// # Errors
    /// It hands its lane over to this one, and leaves nothing.
    pub(crate) fn of(next: &'a Next) -> Result<Self, LaneId> {
        Ok(match next {
            Next::Retired { into } => return Err(*into),
            Next::Settled => Self {
                state: "settled",
                reason: None,
                due_at: None,
                answers: true,
                attempts: Attempts::Forget,
                failure: Mark::Clear,
            },
            Next::Wait {
                until,
                after,
                reason,
            } => Self {
                state: "waiting",
                reason: Some(reason),
                due_at: Some(*until),
                answers: matches!(after, After::Look),
                attempts: match after {
                    After::Look => Attempts::Forget,
                    After::PutOff => Attempts::Keep,
                    After::Failure => Attempts::More,
                },
                failure: Mark::Keep,
            },
            Next::Parked { reasons, state } => Self {
                state: "parked",
                reason: Some(reasons),
                due_at: None,
                answers: true,
                // Whoever mends it has the whole patience again, and not what a day of failures has left of it.
                attempts: Attempts::Forget,
                failure: Mark::Set {
                    failure: reasons,
                    state: state.as_deref(),
                },
            },
            // It was planned: what parked it last is over, and is told anew when it comes back.
            Next::Held { reason } => Self {
                failure: Mark::Clear,
                ..Self::at_rest("held", reason)
            },
            Next::Orphaned { reason } => Self::at_rest("orphaned", reason),
            Next::Paused { reason } => Self::at_rest("paused", reason),
        })
    }

    /// At rest, with nothing to say; the failure that parked it last is still the one that was told.
    pub(crate) const fn not_told() -> Self {
        Self {
            state: "settled",
            reason: None,
            due_at: None,
            answers: true,
            attempts: Attempts::Forget,
            failure: Mark::Keep,
        }
    }

    const fn at_rest(state: &'static str, reason: &'a str) -> Self {
        Self {
            state,
            reason: Some(reason),
            due_at: None,
            answers: true,
            attempts: Attempts::Forget,
            failure: Mark::Keep,
        }
    }

    /// Whether the failure is written, what it is, and what the lane stood on.
    pub(crate) const fn failure_columns(&self) -> (bool, Option<&'a str>, Option<&'a str>) {
        match self.failure {
            Mark::Keep => (false, None, None),
            Mark::Clear => (true, None, None),
            Mark::Set { failure, state } => (true, Some(failure), state),
        }
    }
}
