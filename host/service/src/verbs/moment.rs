//! Moments as people and programs read them.

use std::fmt;

use cosell_store::Millis;
use cosell_sync::deal::Timestamp;
use serde::{Serialize, Serializer};

use super::VerbError;

/// A moment by the store's clock. RFC 3339 in JSON; to the second, in UTC, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub Millis);

impl Moment {
    fn timestamp(self) -> Timestamp {
        Timestamp::from_millisecond(self.0).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.timestamp().strftime("%Y-%m-%d %H:%M:%SZ").to_string();
        f.pad(&text)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.timestamp())
    }
}

/// Reads a moment: a day in UTC, an RFC 3339 moment, or how long before `now` (`90m`, `24h`, `7d`, `2w`).
///
/// # Errors
/// [`VerbError::When`].
pub fn since(text: &str, now: Millis) -> Result<Millis, VerbError> {
    let text = text.trim();
    let moment = |text: &str| {
        text.parse::<Timestamp>()
            .ok()
            .map(Timestamp::as_millisecond)
    };
    ago(text)
        .map(|ago| now.saturating_sub(ago))
        .or_else(|| moment(text))
        .or_else(|| moment(&format!("{text}T00:00:00Z")))
        .ok_or_else(|| VerbError::When {
            text: text.to_owned(),
        })
}

fn ago(text: &str) -> Option<Millis> {
    let minute = 60_000;
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "m" => minute,
        "h" => 60 * minute,
        "d" => 24 * 60 * minute,
        "w" => 7 * 24 * 60 * minute,
        _ => return None,
    };
    number.parse::<u32>().ok().map(|n| Millis::from(n) * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_day_a_moment_or_how_long_ago() {
        let now = 1_800_000_000_000;
        assert_eq!(since("24h", now).unwrap(), now - 86_400_000);
        assert_eq!(since("2w", now).unwrap(), now - 14 * 86_400_000);
        assert_eq!(since("1970-01-02", now).unwrap(), 86_400_000);
        assert_eq!(since("1970-01-01T00:00:01Z", now).unwrap(), 1_000);
        for bad in ["", "yesterday", "-3d", "d", "2026-13-01", "7é"] {
            assert!(since(bad, now).is_err(), "{bad}");
        }
    }

    #[test]
    fn people_and_programs_read_the_same_moment() {
        let moment = Moment(1_000);
        assert_eq!(moment.to_string(), "1970-01-01 00:00:01Z");
        assert_eq!(
            serde_json::to_string(&moment).unwrap(),
            "\"1970-01-01T00:00:01Z\""
        );
    }
}
