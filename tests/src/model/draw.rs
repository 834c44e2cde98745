//! A history from a seed.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

use super::op::{Act, Birth, Deed, Field, Op};

/// What is drawn from.
#[derive(Debug, Clone, Copy)]
pub struct Scope {
    /// Most ops of a history.
    pub ops_max: usize,
}

impl Default for Scope {
    fn default() -> Self {
        Self { ops_max: 12 }
    }
}

/// The history of a seed.
#[must_use]
pub fn history(seed: u64, scope: Scope) -> Vec<Op> {
    let mut dice = StdRng::seed_from_u64(seed);
    let length = dice.random_range(2..=scope.ops_max);
    let mut ops = vec![Op::Act(Act {
        deal: 0,
        deed: Deed::Create(Birth::Whole),
    })];
    while ops.len() < length {
        ops.push(match dice.random_range(0..3) {
            0 => Op::Deliver(dice.random_range(1..4)),
            1 => Op::Run(dice.random_range(1..4)),
            _ => {
                let fields = [Field::Value, Field::Date, Field::Notes];
                let field = fields.choose(&mut dice).copied().unwrap_or(Field::Notes);
                Op::Act(Act {
                    deal: 0,
                    deed: Deed::Crm(field, dice.random_range(0..5)),
                })
            }
        });
    }
    ops
}
