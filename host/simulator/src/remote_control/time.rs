//! Times and spans as people write them.

use jiff::{Span, SpanRelativeTo, Timestamp, Unit};

/// A span such as `14d`, `2h 30m` or `-90s`, in milliseconds; a day is 24 hours.
///
/// # Errors
/// Says what would be one.
pub fn milliseconds(text: &str) -> Result<i64, String> {
    let wrong = || format!("'{text}' is no span of time; write 14d, 2h 30m, or -90s");
    let span: Span = text.parse().map_err(|_| wrong())?;
    let relative = SpanRelativeTo::days_are_24_hours();
    let total = span
        .total((Unit::Millisecond, relative))
        .map_err(|_| wrong())?;
    // Nine quadrillion milliseconds are more years than any clock here goes.
    if total.abs() > 9e15 {
        return Err(wrong());
    }
    Ok(total as i64)
}

/// A point in time such as `2026-01-31T10:20:30Z`.
///
/// # Errors
/// Says what would be one.
pub fn moment(text: &str) -> Result<Timestamp, String> {
    text.parse()
        .map_err(|_| format!("'{text}' is no time; write 2026-01-31T10:20:30Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_people_write_them() {
        assert_eq!(milliseconds("14d"), Ok(14 * 86_400_000));
        assert_eq!(milliseconds("2h 30m"), Ok(9_000_000));
        assert_eq!(milliseconds("-90s"), Ok(-90_000));
        for wrong in ["", "soon", "3", "1mo"] {
            assert!(milliseconds(wrong).is_err(), "{wrong}");
        }
        assert!(moment("2026-01-31T10:20:30Z").is_ok() && moment("tomorrow").is_err());
    }
}
