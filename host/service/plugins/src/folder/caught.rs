//! A bug of ours over one file is that file's trouble: it ends no thread, and holds up no other file.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::rejection::{Phase, Rejection, RejectionKind};
use crate::threads::words;

/// The error is what the panic said. Whatever the work was changing has to be looked at anew by the caller.
pub(super) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| words(panic.as_ref()))
}

/// What the file's author is told.
pub(super) fn our_fault(file: &str, words: String) -> Rejection {
    Rejection {
        file: file.to_owned(),
        ..Rejection::new(
            Phase::Compile,
            RejectionKind::Compile,
            "cosell itself failed on this file",
        )
        .because([words])
        .with_hint("please report it, with the file if you can; the log has the place")
    }
}
