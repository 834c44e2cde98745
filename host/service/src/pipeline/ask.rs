//! Questions that need rows first: fetch what a plugin asks for, and ask the same question again.

use cosell_plugins::Asking;
use cosell_sync::row::Query;

use super::run::Run;
use crate::trouble::Trouble;

/// Asks, fetches what is asked back, and asks again, under the question's name; whoever asks in more rounds than the contract allows is faulty.
macro_rules! rounds {
    ($run:expr, $name:expr, |$asking:ident| $question:expr) => {{
        let mut $asking = $run.asking();
        loop {
            match $question.await {
                Err(cosell_plugins::Stop {
                    kind: cosell_plugins::StopKind::Ask(queries),
                    ..
                }) => {
                    $asking.round += 1;
                    super::ask::fetch($run, &mut $asking, &queries).await?;
                }
                other => {
                    $run.sees.hear($name, &other);
                    break other.map_err(crate::trouble::Trouble::from);
                }
            }
        }
    }};
}
pub(super) use rounds;

/// Fetches all queries of a round together.
pub(super) async fn fetch(
    run: &Run<'_>,
    asking: &mut Asking,
    queries: &[Query],
) -> Result<(), Trouble> {
    let found = run
        .sees
        .lookups(queries, &run.set.needs().steady, run.desk.now());
    asking.found.extend(found.await?);
    Ok(())
}
