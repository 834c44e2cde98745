//! Ids drawn from the seed, so that the same seed and the same order of acts give the same ids.

use rand::{Rng, SeedableRng, rngs::StdRng};
use uuid::Uuid;

/// A stream of ids. Each service owns one, so that traffic at one does not shift the ids of another.
#[derive(Debug)]
pub(crate) struct Ids {
    rng: StdRng,
}

impl Ids {
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ stream),
        }
    }

    pub(crate) fn guid(&mut self) -> Uuid {
        uuid::Builder::from_random_bytes(self.rng.random()).into_uuid()
    }

    pub(crate) fn guid_text(&mut self) -> String {
        self.guid().to_string()
    }

    pub(crate) fn word(&mut self) -> u32 {
        self.rng.random()
    }

    /// Text that looks like a secret; it is one only inside this simulator.
    pub(crate) fn secret(&mut self, bytes: usize) -> String {
        let mut raw = vec![0_u8; bytes];
        self.rng.fill(raw.as_mut_slice());
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(raw)
    }
}
