//! Chance that repeats: the same seed rolls the same numbers on every machine and in every version.

/// `SplitMix64`, whose stream is fixed by its paper and not by a library's release.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    /// For one case of one question: cases are independent, so a single one can be repeated.
    pub(crate) fn of(seed: u64, question: &str, case: u32) -> Self {
        let mut state = seed ^ 0x9e37_79b9_7f4a_7c15;
        for byte in question.bytes() {
            state = state.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte);
        }
        Self(state.wrapping_add(u64::from(case).wrapping_mul(0xd134_2543_de82_ef95)))
    }

    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `count`, which is not 0.
    pub(super) fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.roll() % (count as u64)).unwrap_or(0)
    }

    pub(super) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub(super) fn pick<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        &among[self.below(among.len())]
    }

    /// An id of a row, lower case.
    pub(super) fn row_id(&mut self) -> String {
        let (a, b) = (self.roll(), self.roll());
        format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            b >> 52,
            b & 0xffff_ffff_ffff
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_rolls_the_same_and_another_case_does_not() {
        let rolls = |case| {
            let mut dice = Dice::of(1, "opportunity.to-row", case);
            [dice.roll(), dice.roll()]
        };
        assert_eq!(rolls(7), rolls(7));
        assert_ne!(rolls(7), rolls(8));
        assert_eq!(Dice::of(1, "x", 0).row_id().len(), 36);
    }
}
