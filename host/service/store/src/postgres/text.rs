//! The one letter that PostgreSQL's texts cannot hold.
//!
//! JSON spells it out, so everything that programs read is safe. Sentences for people may repeat what a vendor said, and a run must not fail
//! again and again because of one odd name in them.

use crate::{Change, Next};

/// The text with a mark where a NUL was.
pub(super) fn storable(text: String) -> String {
    if text.contains('\0') {
        text.replace('\0', "\u{fffd}")
    } else {
        text
    }
}

/// The same for every sentence of a change, before it is hashed into the audit.
pub(super) fn storable_change(change: Change) -> Change {
    Change {
        attempt: change.attempt.map(|mut attempt| {
            attempt.detail = storable(attempt.detail);
            attempt
        }),
        audit: change
            .audit
            .into_iter()
            .map(|mut line| {
                line.message = storable(line.message);
                line
            })
            .collect(),
        ..change
    }
}

/// The same for the reason of a wait or a rest.
pub(super) fn storable_next(mut next: Next) -> Next {
    match &mut next {
        Next::Wait { reason, .. }
        | Next::Held { reason }
        | Next::Orphaned { reason }
        | Next::Paused { reason } => *reason = storable(std::mem::take(reason)),
        Next::Settled | Next::Parked { .. } | Next::Retired { .. } => {}
    }
    next
}
