//! How much a plugin logs over time. What one call may log is little; ten thousand deals that each log it fill a disk.

use std::time::{Duration, Instant};

use crate::limits::LOG_LINES_PER_MINUTE;

const MINUTE: Duration = Duration::from_secs(60);

/// Lines of one plugin, minute by minute.
#[derive(Debug, Default)]
pub(crate) struct Chatter {
    /// When the minute began.
    since: Option<Instant>,
    lines: usize,
    dropped: usize,
}

/// What becomes of the lines of one call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    /// So many of them are written, the first ones.
    pub(crate) lines: usize,
    /// They are the first that this minute does not take.
    pub(crate) is_first_drop: bool,
    /// The minute before is over, and did not take so many.
    pub(crate) dropped_before: usize,
}

impl Chatter {
    /// `lines` are to be written now, and `lost` were lost already.
    pub(crate) fn hear(&mut self, now: Instant, lines: usize, lost: usize) -> Heard {
        let mut dropped_before = 0;
        if self
            .since
            .is_none_or(|since| now.saturating_duration_since(since) >= MINUTE)
        {
            dropped_before = std::mem::take(&mut self.dropped);
            self.lines = 0;
            self.since = Some(now);
        }
        let taken = lines.min(LOG_LINES_PER_MINUTE.saturating_sub(self.lines));
        self.lines += taken;
        let dropped = lines - taken + lost;
        let is_first_drop = self.dropped == 0 && dropped > 0;
        self.dropped += dropped;
        Heard {
            lines: taken,
            is_first_drop,
            dropped_before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_takes_so_many_lines_and_the_next_one_says_how_many_were_dropped() {
        let mut chatter = Chatter::default();
        let start = Instant::now();
        let mut hear = |seconds: u64, lines, lost| {
            let heard = chatter.hear(start + Duration::from_secs(seconds), lines, lost);
            (heard.lines, heard.is_first_drop, heard.dropped_before)
        };
        assert_eq!(
            hear(0, LOG_LINES_PER_MINUTE - 1, 0),
            (LOG_LINES_PER_MINUTE - 1, false, 0)
        );
        assert_eq!(hear(1, 10, 0), (1, true, 0));
        assert_eq!(hear(59, 10, 5), (0, false, 0), "told once");
        assert_eq!(hear(60, 2, 0), (2, false, 24));
        assert_eq!(hear(61, 0, 0), (0, false, 0));
        assert_eq!(
            hear(200, 0, 3),
            (0, true, 0),
            "one call alone can be too much"
        );
        assert_eq!(hear(300, 0, 0), (0, false, 3));
    }
}
