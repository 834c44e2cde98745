//! I11: no request before the throttle opens. A run asks when it begins; what calls from outside a run (the sweep, the subscriptions) asks before
//! each of its calls, and writes down itself that the other side wants rest.

use cosell_remote::RemoteError;
use cosell_store::StoreError;
use tracing::warn;

use crate::desk::Desk;
use crate::personal::mask;
use crate::trouble::{Rest, Trouble, Whose};

/// Whether the connection may be called now.
///
/// # Errors
/// [`Trouble::NotYet`] while one of its credentials rests, with the moment when it may be used again.
pub(crate) async fn must_be_open(desk: &Desk, connection: &str) -> Result<(), Trouble> {
    let now = desk.now();
    let closed = desk.store.throttles(connection).await?;
    match closed.into_iter().find(|throttle| throttle.until > now) {
        None => Ok(()),
        Some(throttle) => Err(Trouble::NotYet {
            until: throttle.until,
            reason: throttle.reason,
        }),
    }
}

/// Writes down that the credential of a call rests, if that is what its failure means: then everybody leaves it alone, deals too.
///
/// # Errors
/// The store.
pub(crate) async fn rest(
    desk: &Desk,
    connection: &str,
    error: &RemoteError,
) -> Result<(), StoreError> {
    let trouble = Trouble::Remote(error.clone());
    let verdict = trouble.verdict(0, rand::random(), desk.now());
    match verdict.rest {
        Some(rest) => close(desk, connection, rest).await,
        None => Ok(()),
    }
}

/// Writes down that a credential rests, and says so. What the other side has had enough of rests in every connection that it counts as the same:
/// each of them would hear a 429 of its own otherwise, and to send on lengthens the penalty.
///
/// # Errors
/// The store.
pub(crate) async fn close(desk: &Desk, connection: &str, rest: Rest) -> Result<(), StoreError> {
    let Rest { throttle, whose } = rest;
    warn!(credential = %throttle.credential, until_ms = throttle.until, reason = %mask(&throttle.reason), "the credential rests");
    let own = desk.connections.get(connection);
    let others = desk.connections.values().filter(|other| {
        whose == Whose::Identity
            && other.id != connection
            && own.is_some_and(|own| own.is_counted_with(other, &throttle.credential))
    });
    for id in others.map(|other| other.id.as_str()).chain([connection]) {
        desk.store.set_throttle(id, throttle.clone()).await?;
    }
    Ok(())
}
