//! Mistakes of the host that are known and not mended yet. A history that shows one is counted and told, and not made short.
//!
//! An entry goes with the mistake; the list is empty when all is well.

use super::judge::Broken;

/// What is known, the shortest history that shows it, and how it is recognised.
pub struct Known {
    /// What the host does wrong.
    pub what: &'static str,
    /// The shortest history.
    pub ops: &'static str,
    /// Promise and words of its breach.
    pub shows: fn(&Broken) -> bool,
}

/// See the module.
pub const KNOWN: &[Known] = &[];
