//! Where a test may end or freeze this process, or one task of it: before and after each step of the protocol.
//!
//! Only in builds with debug assertions. In a release the macro is empty, and neither the variable nor a point's name is in the binary; `cargo verify
//! --all` looks. Not a cargo feature: that would compile the host a second time, and tests would prove another program than they build.
//!
//! An order is a file, named by the variable, so that it can be given while the host runs: `POINT DEED [SKIP]`. It is taken away before it is
//! carried out, so that the next start lives.

/// Here a test may end the process.
macro_rules! failpoint {
    ($point:literal) => {
        #[cfg(debug_assertions)]
        $crate::failpoint::reached($point);
    };
}

/// Every point, in the order of the protocol.
#[cfg(debug_assertions)]
pub const POINTS: [&str; 15] = [
    "accept.before",
    "accept.after",
    "sweep.before",
    "sweep.after",
    "claim.before",
    "claim.after",
    "settle.before",
    "plan.after",
    "intent.before",
    "intent.after",
    "call.after",
    "close.before",
    "close.after",
    "end.before",
    "end.after",
];

/// The variable that names the file.
#[cfg(debug_assertions)]
pub const ORDERS: &str = "COSELL_FAILPOINT";

/// Carries out the order that is there for this point, if any.
#[cfg(debug_assertions)]
pub(crate) fn reached(point: &'static str) {
    use std::path::PathBuf;
    use std::sync::{Mutex, OnceLock, PoisonError};

    static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();
    // Runs reach points side by side, and an order is carried out once.
    static TURN: Mutex<()> = Mutex::new(());
    debug_assert!(POINTS.contains(&point), "{point} is not in the list");
    let Some(file) = FILE.get_or_init(|| std::env::var_os(ORDERS).map(PathBuf::from)) else {
        return;
    };
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let Ok(text) = std::fs::read_to_string(file) else {
        return;
    };
    let mut words = text.split_whitespace();
    let (Some(wanted), Some(deed)) = (words.next(), words.next()) else {
        return;
    };
    if wanted != point {
        return;
    }
    let skip: u32 = words.next().and_then(|skip| skip.parse().ok()).unwrap_or(0);
    let noted = match skip.checked_sub(1) {
        Some(left) => std::fs::write(file, format!("{wanted} {deed} {left}")),
        None => std::fs::remove_file(file),
    };
    if noted.is_err() || skip > 0 {
        return;
    }
    tracing::warn!(
        point,
        deed,
        "a test ends or freezes this process, or this task, here"
    );
    match deed {
        "abort" => std::process::abort(),
        "kill" => signal("-KILL"),
        "freeze" => signal("-STOP"),
        "panic" => panic!("a test lets the task end here that reached {point}"),
        _ => {}
    }
}

/// Sends a signal to this process, and waits until it has come.
#[cfg(debug_assertions)]
fn signal(which: &str) {
    let id = std::process::id().to_string();
    let sent = std::process::Command::new("kill")
        .args([which, &id])
        .status();
    // Nothing may happen between the point and the signal, whatever the signal does.
    if sent.is_ok_and(|status| status.success()) {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}
