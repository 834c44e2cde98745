//! Ids drawn from the seed, so that the same seed and the same order of acts give the same ids.

use std::sync::{Mutex, PoisonError};

use rand::{Rng, RngCore as _, SeedableRng, rngs::StdRng};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A stream of ids. Each service owns one, so that traffic at one does not shift the ids of another.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Place", into = "Place")]
pub(crate) struct Ids {
    rng: StdRng,
    place: Place,
}

/// How far a stream has come: what a saved world keeps of it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Place {
    seed: u64,
    stream: u64,
    /// Words of 32 bits drawn so far.
    words: u64,
}

impl From<Place> for Ids {
    fn from(place: Place) -> Self {
        let mut ids = Self::new(place.seed, place.stream);
        for _ in 0..place.words {
            let _drawn_before = ids.rng.next_u32();
        }
        ids.place = place;
        ids
    }
}

impl From<Ids> for Place {
    fn from(ids: Ids) -> Self {
        ids.place
    }
}

impl Ids {
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ stream),
            place: Place {
                seed,
                stream,
                words: 0,
            },
        }
    }

    pub(crate) fn guid(&mut self) -> Uuid {
        // Each byte of such an array is drawn as a word of its own.
        self.place.words += 16;
        uuid::Builder::from_random_bytes(self.rng.random()).into_uuid()
    }

    pub(crate) fn guid_text(&mut self) -> String {
        self.guid().to_string()
    }

    pub(crate) fn word(&mut self) -> u32 {
        self.place.words += 1;
        self.rng.random()
    }

    /// Text that looks like a secret; it is one only inside this simulator.
    pub(crate) fn secret(&mut self, bytes: usize) -> String {
        let mut raw = vec![0_u8; bytes];
        self.place.words += bytes.div_ceil(4) as u64;
        self.rng.fill(raw.as_mut_slice());
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(raw)
    }
}

/// Ids that only name a request or an answer. Reading has them too, so they are a stream of their own: it moves no record's id.
#[derive(Debug)]
pub(crate) struct Traces(Mutex<Ids>);

impl Traces {
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        Self(Mutex::new(Ids::new(seed, stream)))
    }

    pub(crate) fn guid(&self) -> Uuid {
        let mut ids = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ids.guid()
    }

    pub(crate) fn guid_text(&self) -> String {
        self.guid().to_string()
    }

    pub(crate) fn saved(&self) -> Ids {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Goes on as the stream that was written down.
    pub(crate) fn restore(&self, saved: Ids) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = saved;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_was_written_down_goes_on_where_it_was() {
        let mut ids = Ids::new(7, 3);
        for round in 0..40 {
            let _draws = (ids.guid(), ids.word(), ids.secret(round));
        }
        let text = serde_json::to_string(&ids).unwrap();
        let mut read: Ids = serde_json::from_str(&text).unwrap();
        assert_eq!(read.guid(), ids.guid());
        assert_eq!(read.secret(30), ids.secret(30));
        assert_eq!(read.word(), ids.word());
    }
}
