//! `[store] keys` and `[recordings]`: what rests sealed, and what is kept for replay.

use std::time::Duration;

use secrecy::SecretString;

use super::page::Section;
use super::secret;
use crate::seal::Seal;

const KEEP_DAYS: u64 = 7;
const PER_DEAL: u64 = 3;
const MEGABYTES: u64 = 256;

/// `[recordings]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recordings {
    /// What runs see is kept.
    pub enabled: bool,
    /// For so long after it was seen last.
    pub keep: Duration,
    /// Of one deal.
    pub per_deal: usize,
    /// Of all deals.
    pub bytes_max: u64,
}

/// Keys that seal and open; none seals nothing.
pub(super) fn keys(section: &Section<'_>) -> Option<Vec<SecretString>> {
    let keys = secret::list(section, "keys")?;
    match (Seal::new(&keys), section.get("keys")) {
        (Err(error), Some(value)) => {
            section.broken(
                "keys",
                value,
                "one of them is no key".to_owned(),
                &error.to_string(),
            );
            None
        }
        _ => Some(keys),
    }
}

/// `has_key`: something can be sealed.
pub(super) fn read(section: &Section<'_>, has_key: bool) -> Option<Recordings> {
    let enabled = section.flag("enabled", false);
    let days = section.number("keep_days", 1..=90, KEEP_DAYS);
    let per_deal = section.number("per_deal", 1..=20, PER_DEAL);
    let megabytes = section.number("megabytes", 1..=100_000, MEGABYTES);
    if let (Some(true), false, Some(value)) = (enabled, has_key, section.get("enabled")) {
        section.broken(
            "enabled",
            value,
            "recordings hold names, mails and phones of people, and there is no key to seal them with".to_owned(),
            "add [store] keys = [{ file = \"secrets/store-key\" }] with what `openssl rand -hex 32` prints, or leave recordings off",
        );
        return None;
    }
    Some(Recordings {
        enabled: enabled?,
        keep: Duration::from_secs(days? * 86_400),
        per_deal: usize::try_from(per_deal?).ok()?,
        bytes_max: megabytes? * 1024 * 1024,
    })
}
