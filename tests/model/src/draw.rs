//! A history from a seed.

use cosell_simulator::Service;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::op::{Act, Birth, Deed, Delta, Fate, Field, HoldFor, Kind, Op, Policy, What, When};

/// What is drawn from.
#[derive(Debug, Clone, Copy)]
pub struct Scope {
    /// Most ops of a history.
    pub ops_max: usize,
    /// Faults, lost webhooks and power cuts, too.
    pub rough: bool,
    /// Not only half of all histories are rough, and what rarely comes together comes together: for mistakes that are built in on purpose.
    pub always_rough: bool,
    /// Highest number of a set of plugins.
    pub sets: u8,
}

impl Default for Scope {
    fn default() -> Self {
        Self {
            ops_max: 18,
            rough: true,
            always_rough: false,
            sets: 4,
        }
    }
}

/// The history of a seed.
#[must_use]
pub fn history(seed: u64, scope: Scope) -> Vec<Op> {
    let mut draw = Draw {
        dice: StdRng::seed_from_u64(seed),
        deals: 1,
        scope,
    };
    // Half of all histories have nothing but people in them: those show mistakes of the merge.
    draw.scope.rough &= draw.one_in(2) || scope.always_rough;
    draw.deals = draw.of(&[(12, 1), (5, 2), (1, 3)]);
    let length = draw.dice.random_range(3..=scope.ops_max);
    let mut ops = Vec::new();
    if draw.one_in(2) {
        ops.push(Op::Policy(draw.of(&[
            (1, Policy::PartnerCenter),
            (1, Policy::Crm),
            (1, Policy::Newest),
        ])));
    }
    if draw.one_in(6) {
        ops.push(Op::Consent(false));
    }
    if draw.one_in(8) {
        ops.push(Op::Quiet(60));
    }
    if draw.one_in(4) {
        let kind = draw.of(&[
            (3, Kind::Help),
            (3, Kind::Visibility),
            (1, Kind::Contacts),
            (2, Kind::Won),
            (2, Kind::Lost),
        ]);
        let until = draw.of(&[(1, HoldFor::AMinute), (2, HoldFor::APerson)]);
        ops.push(Op::Hold(kind, until));
    }
    if draw.one_in(6) {
        ops.push(Op::Mapping(draw.of(&[(1, Delta::Edit), (1, Delta::All)])));
    }
    for deal in 0..draw.deals {
        ops.push(Op::Act(Act {
            deal,
            deed: draw.birth(),
        }));
        if draw.scope.always_rough && draw.one_in(2) {
            let interrupted = draw.interrupted();
            ops.extend(interrupted);
        }
        if draw.one_in(2) {
            ops.push(Op::Calm);
        }
    }
    if draw.scope.always_rough && draw.one_in(2) {
        // What is swept once more is known: only what happens from here on is found by the sweeps to come.
        ops.extend([Op::Calm, Op::Sweep(true), Op::Sweep(false), Op::Calm]);
    }
    while ops.len() < length {
        if draw.scope.always_rough && draw.one_in(4) {
            let phrase = draw.phrase();
            ops.extend(phrase);
        } else {
            ops.push(draw.op());
        }
    }
    ops
}

struct Draw {
    dice: StdRng,
    deals: u8,
    scope: Scope,
}

impl Draw {
    /// One of these, each as often as its weight says.
    fn of<T: Copy>(&mut self, weighted: &[(u32, T)]) -> T {
        let all = weighted.iter().map(|(weight, _)| weight).sum();
        let mut left = self.dice.random_range(0..all);
        for (weight, one) in weighted {
            if left < *weight {
                return *one;
            }
            left -= weight;
        }
        weighted[0].1
    }

    fn one_in(&mut self, many: u32) -> bool {
        self.dice.random_range(0..many) == 0
    }

    fn few(&mut self) -> u8 {
        self.of(&[(8, 1), (4, 2), (2, 3), (1, 5)])
    }

    fn op(&mut self) -> Op {
        type Make = fn(&mut Draw) -> Op;
        const CALM: [(u32, Make); 13] = [
            (40, |draw| Op::Act(draw.act())),
            (12, |_| Op::Calm),
            (10, |draw| Op::Deliver(draw.few())),
            (14, |draw| Op::Run(draw.few())),
            (4, |draw| Op::Overtake(draw.few())),
            (4, |draw| Op::Again(draw.few())),
            (4, |draw| {
                Op::Wait(draw.of(&[(4, 1), (4, 30), (2, 120), (2, 3_600), (1, 90_000)]))
            }),
            (3, |_| Op::Together),
            (2, |draw| Op::Decide(draw.few() - 1, !draw.one_in(3))),
            (3, |draw| Op::Answer(draw.few() - 1, draw.few() - 1)),
            (1, |_| Op::Retry),
            (1, |_| Op::Preview),
            (9, |draw| {
                let when = draw.when();
                Op::At(when, What::Meanwhile(draw.act()))
            }),
        ];
        const ROUGH: [(u32, Make); 11] = [
            (14, |draw| {
                let when = draw.when();
                Op::At(when, draw.what())
            }),
            (6, |draw| {
                Op::Cut(draw.dice.random_range(1..16), draw.one_in(2))
            }),
            (5, |draw| Op::Lose(draw.few())),
            (4, |draw| Op::Sweep(draw.one_in(2))),
            (1, |_| Op::Restart),
            (2, |draw| {
                Op::Step(draw.of(&[(2, 3_600), (2, -3_600), (1, 90), (1, -90)]))
            }),
            (3, |_| Op::Thaw),
            (2, |draw| {
                Op::Swap(draw.dice.random_range(0..draw.scope.sets))
            }),
            (1, |draw| Op::Consent(draw.one_in(2))),
            (1, |_| Op::Revoke),
            (1, |_| Op::Expire),
        ];
        let make = if self.scope.rough && self.one_in(3) {
            self.of(&ROUGH)
        } else {
            self.of(&CALM)
        };
        make(self)
    }

    /// Ops that show a mistake of the protocol when they follow each other.
    fn phrase(&mut self) -> Vec<Op> {
        let act = Op::Act(self.act());
        let side = self.one_in(2);
        let service = if side {
            Service::Referrals
        } else {
            Service::Dataverse
        };
        let at = |writes, nth, what| {
            let when = When {
                service: Some(service),
                writes,
                nth,
            };
            Op::At(when, what)
        };
        let nth = self.dice.random_range(1..4);
        match self.dice.random_range(0..6) {
            // The sweep is cut off while it finds what no webhook has told.
            0 => vec![
                // The first sweep of all compares everything, and so do those after a cut: the one that counts must not be the first.
                Op::Calm,
                Op::Sweep(!side),
                Op::Calm,
                act,
                Op::Lose(9),
                // Longer than sweeps overlap: the next one does not find it once more.
                Op::Wait(3_600),
                // A sweep asks the store some times before it tells it anything.
                Op::Cut(self.dice.random_range(4..10), self.one_in(2)),
                Op::Sweep(!side),
            ],
            // It rings, and the run that it rings for fails.
            1 => vec![
                act,
                Op::Lose(9),
                Op::Sweep(!side),
                at(
                    false,
                    nth,
                    self.of(&[(1, What::Answer(503)), (1, What::NoConnection)]),
                ),
                Op::Run(1),
            ],
            // Somebody acts while a host stands still.
            2 => vec![
                Op::Deliver(9),
                at(false, nth, What::Freeze),
                Op::Run(1),
                act,
                Op::Deliver(9),
                Op::Thaw,
            ],
            // Two hosts, one deal.
            3 => vec![Op::Calm, act, Op::Deliver(9), Op::Together],
            // A creation is cut off, and nobody tells of what it made.
            4 => vec![
                at(true, nth, What::CrashAfter),
                Op::Run(1),
                Op::Lose(9),
                Op::Run(2),
            ],
            _ => vec![
                act,
                Op::Deliver(9),
                at(
                    true,
                    1,
                    self.of(&[(1, What::Answer(429)), (1, What::Answer(412))]),
                ),
                Op::Run(1),
                Op::Wait(60),
            ],
        }
    }

    /// What was just begun crosses, and nobody hears how one of the writes ended. Somebody may edit before it is tried again.
    fn interrupted(&mut self) -> Vec<Op> {
        let when = When {
            service: Some(self.of(&[(1, Service::Dataverse), (1, Service::Referrals)])),
            writes: true,
            nth: self.dice.random_range(1..4),
        };
        let late = self.late();
        let what = self.of(&[
            (2, What::CutAfter),
            (2, What::DoneBut500),
            (2, What::CrashAfter),
            (1, What::Late(late)),
            (2, What::CrashLate(late)),
            (1, What::Freeze),
        ]);
        let mut ops = vec![Op::At(when, what), Op::Deliver(9), Op::Run(3)];
        if self.one_in(2) {
            ops.push(Op::Act(self.act()));
        }
        ops.extend([Op::Wait(60), Op::Thaw]);
        ops
    }

    fn birth(&mut self) -> Deed {
        self.of(&[
            (8, Deed::Create(Birth::Whole)),
            (6, Deed::Create(Birth::Helped)),
            (2, Deed::Create(Birth::Draft)),
            (1, Deed::Create(Birth::Off)),
            (3, Deed::Create(Birth::Lead)),
            (4, Deed::PortalCreate),
            (3, Deed::Arrive),
        ])
    }

    fn act(&mut self) -> Act {
        let deal = self.dice.random_range(0..self.deals);
        let value = self.of(&[(6, 0), (6, 1), (6, 2), (6, 3), (2, 8), (1, 9)]);
        let deed = match self.dice.random_range(0..100) {
            0..46 => Deed::Crm(
                self.of(&[
                    (8, Field::Value),
                    (6, Field::Date),
                    (8, Field::Notes),
                    (4, Field::Name),
                    (4, Field::Help),
                    (3, Field::Visible),
                    (8, Field::Solution),
                    (3, Field::Contact),
                    (5, Field::Switch),
                ]),
                value,
            ),
            46..80 => Deed::Portal(
                self.of(&[
                    (8, Field::Value),
                    (6, Field::Date),
                    (8, Field::Notes),
                    (2, Field::Name),
                    (2, Field::Visible),
                    (8, Field::Solution),
                    (2, Field::Contact),
                ]),
                value,
            ),
            80..88 => Deed::CrmState(self.of(&[
                (4, Fate::Won),
                (4, Fate::Lost),
                (4, Fate::Open),
                (1, Fate::Deleted),
            ])),
            88..95 => Deed::PortalState(self.of(&[
                (6, Fate::Open),
                (2, Fate::Won),
                (2, Fate::Lost),
                (1, Fate::Declined),
            ])),
            95 => Deed::Hide(self.one_in(2)),
            _ => Deed::Microsoft(self.of(&[
                (4, Fate::Open),
                (2, Fate::Declined),
                (1, Fate::Won),
                (1, Fate::Lost),
            ])),
        };
        Act { deal, deed }
    }

    fn when(&mut self) -> When {
        let (service, writes) = self.of(&[
            (4, (Some(Service::Dataverse), true)),
            (4, (Some(Service::Referrals), true)),
            (2, (Some(Service::Dataverse), false)),
            (2, (Some(Service::Referrals), false)),
            (4, (None, false)),
            (1, (Some(Service::Entra), false)),
        ]);
        let nth = self.of(&[(6, 1), (3, 2), (2, 3), (1, 5), (1, 8)]);
        When {
            service,
            writes,
            nth,
        }
    }

    /// How many calls overtake one that is late: a look takes about eight.
    fn late(&mut self) -> u8 {
        self.dice.random_range(1..40)
    }

    fn what(&mut self) -> What {
        let late = self.late();
        self.of(&[
            (3, What::Answer(412)),
            (3, What::Answer(429)),
            (3, What::Answer(503)),
            (1, What::Answer(401)),
            (3, What::DoneBut500),
            (2, What::NoConnection),
            (2, What::CutBefore),
            (4, What::CutAfter),
            (3, What::CrashBefore),
            (4, What::CrashAfter),
            (2, What::Late(late)),
            (2, What::CrashLate(late)),
            (3, What::Freeze),
        ])
    }
}
