//! The law that the folder itself keeps watch over at every load: the same question has the same answer, on a new instance and on a used one.
//!
//! The contract gives a plugin no clock and no chance, and allows it to keep nothing between calls. One that does keeps two versions of a deal
//! alive: its answer differs at the second look, the host writes it, and looks again. Nothing else shows it before it hurts, and it cannot be
//! argued with, so it keeps a plugin out. What else is tried before a file is proposed stands in `self_test.rs`.

use std::time::{Duration, Instant};

use crate::examples::{QUESTIONS, answer, answer_warm, words};
use crate::plugin::Plugin;
use crate::rejection::{Phase, Rejection, RejectionKind};
use crate::standard::Question;

/// A load waits no longer for this than somebody who saves a script notices. Questions that are left then are the author's to test.
const PATIENCE: Duration = Duration::from_millis(250);

/// Puts every question of the plugin about the standard deal to a new instance and to one that has been asked all before.
///
/// A plugin that breaks over the standard deal is not judged here: that is told by `cosell plugin check`, and contained in service.
///
/// # Errors
/// The rejection, with both answers.
pub(crate) fn same_twice(plugin: &Plugin) -> Result<(), Rejection> {
    let until = Instant::now() + PATIENCE;
    let mut differing = Vec::new();
    for (hook, name) in QUESTIONS {
        if !plugin.hooks.contains(&hook) {
            continue;
        }
        if Instant::now() >= until {
            break;
        }
        let question =
            Question::new(name, plugin.settings.clone()).about_a_blank_row(&plugin.declared);
        let Ok(Ok(first)) = answer(plugin, &question) else {
            break;
        };
        // The first of these may have met a new instance; the second meets that one.
        let warm = || answer_warm(plugin, &question);
        let (Ok(Ok(_)), Ok(Ok(second))) = (warm(), warm()) else {
            break;
        };
        if first != second {
            differing.push(format!(
                "{name}: a new instance answers {}, and a used one {}",
                words::said(&first),
                words::said(&second)
            ));
        }
    }
    // They were brought up for this alone, and belong to no connection.
    plugin.guest.drop_warm();
    if differing.is_empty() {
        return Ok(());
    }
    Err(Rejection::new(
        Phase::Laws,
        RejectionKind::Output,
        "it answers the same question differently",
    )
    .because(differing)
    .with_hint("an answer may depend on nothing but its arguments: keep nothing between calls, and let the order of lists be fixed"))
}
