//! How the demo speaks: lines that a person reads.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the command line may"
)]

use super::Report;

/// Tells the story on stdout, or on stderr when stdout is for a program.
#[derive(Debug, Clone, Copy)]
pub(super) struct Teller {
    pub(super) to_stderr: bool,
}

impl Teller {
    fn line(self, text: &str) {
        if self.to_stderr {
            eprintln!("{text}")
        } else {
            println!("{text}")
        }
    }

    pub(super) fn title(self, text: &str) {
        self.line(&format!("{text}\n{}", "─".repeat(text.chars().count())));
    }

    pub(super) fn scene(self, text: &str) {
        self.line(&format!("\n{text}"));
    }

    /// What somebody does.
    pub(super) fn does(self, who: &str, what: &str) {
        self.line(&format!("  {who:<14} {what}"));
    }

    /// What came of it.
    pub(super) fn sees(self, what: &str) {
        self.line(&format!("               → {what}"));
    }

    pub(super) fn wrong(self, what: &str) {
        self.line(&format!("  ✖ {what}"));
    }

    pub(super) fn plain(self, text: &str) {
        self.line(text);
    }

    pub(super) fn figures(self, report: &Report) {
        let ledger = &report.ledger;
        self.line(&format!(
            "  {} referrals, {} opportunities, {} accounts; {} writes accepted, {} duplicates",
            ledger.referrals,
            ledger.opportunities,
            ledger.accounts,
            ledger.writes,
            ledger.duplicates
        ));
        let latency = &report.latency_ms;
        self.line(&format!(
            "  a change arrives on the other side in {} ms (median), {} ms (p95), {} ms at most",
            latency.p50, latency.p95, latency.max
        ));
        self.line(&format!(
            "  the host started again in {} ms and takes {} MB",
            report.host.ready_ms, report.host.rss_mb
        ));
        self.line(if report.ok {
            "\n✔ both sides and the store agree on every deal"
        } else {
            "\n✖ not everything went well; see above"
        });
    }
}

/// For programs.
pub(super) fn print(text: &str) {
    println!("{text}");
}
