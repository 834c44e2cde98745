//! How a run leaves its lane, as the columns of any store.

use crate::{LaneId, Millis, Next};

/// What is written to the lane.
pub(crate) struct End<'a> {
    pub(crate) state: &'static str,
    pub(crate) reason: Option<&'a str>,
    pub(crate) due_at: Option<Millis>,
    pub(crate) failed: bool,
    failure: Mark<'a>,
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
                failed: false,
                failure: Mark::Clear,
            },
            Next::Wait {
                until,
                failed,
                reason,
            } => Self {
                state: "waiting",
                reason: Some(reason),
                due_at: Some(*until),
                failed: *failed,
                failure: Mark::Keep,
            },
            Next::Parked { reasons, state } => Self {
                state: "parked",
                reason: Some(reasons),
                due_at: None,
                failed: false,
                failure: Mark::Set {
                    failure: reasons,
                    state: state.as_deref(),
                },
            },
            Next::Held { reason } => Self::at_rest("held", reason),
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
            failed: false,
            failure: Mark::Keep,
        }
    }

    const fn at_rest(state: &'static str, reason: &'a str) -> Self {
        Self {
            state,
            reason: Some(reason),
            due_at: None,
            failed: false,
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
