//! What the store shows, and what the model has to say about it.

use cosell_store::{Bell, LaneFilter, LaneId, Lease};

use super::asked::Asked;
use super::plain::{Lane, Sent, key};
use super::{Pair, Step};
use crate::stage::*;

impl Pair {
    pub(super) async fn compare_opened(&self, lease: &Lease) -> Vec<Bell> {
        let state = self.stage.open(lease).await;
        let lane = lease.lane.0 as usize - 1;
        let records: Vec<_> = self
            .model
            .records
            .iter()
            .filter(|(_, record)| record.lane == lane)
            .collect();
        assert_eq!(
            state.members,
            records.iter().map(|(id, _)| key(**id)).collect::<Vec<_>>()
        );
        let counters: Vec<_> = state
            .bells
            .iter()
            .map(|bell| (bell.rung, bell.answered))
            .collect();
        assert_eq!(
            counters,
            records
                .iter()
                .map(|(_, record)| (record.rung, record.answered))
                .collect::<Vec<_>>()
        );
        let known = &self.model.lanes[lane];
        let open = state.intent.map(|intent| Sent {
            to_partner_center: intent.target.side == "partner-center",
            irreversible: intent.irreversible,
        });
        assert_eq!(open, known.intent);
        assert_eq!(state.parked_on, known.parked_on);
        let recent: Vec<_> = state
            .writes
            .iter()
            .map(|write| (write.side == "partner-center", write.at))
            .collect();
        assert_eq!(recent, self.model.recent(lane, self.stage.hand.now()));
        let open = |book: &[Asked]| {
            let of_lane = |asked: &&Asked| !asked.closed && asked.lane == lease.lane;
            let mut subjects: Vec<_> = book
                .iter()
                .filter(of_lane)
                .map(|asked| asked.subject.clone())
                .collect();
            subjects.sort();
            subjects
        };
        let cards: Vec<_> = state.cards.into_iter().map(|card| card.subject).collect();
        assert_eq!(cards, open(&self.model.asked.cards));
        let holds: Vec<_> = state.holds.into_iter().map(|hold| hold.subject).collect();
        assert_eq!(holds, open(&self.model.asked.holds));
        state.bells
    }

    pub(super) async fn compare(&self, number: usize, step: &Step) {
        let (store, model, now) = (&self.stage.store, &self.model, self.stage.hand.now());
        let shown: Vec<_> = store
            .lanes(HERE, 100)
            .await
            .unwrap()
            .into_iter()
            .rev()
            .map(|lane| {
                (
                    lane.lane.0,
                    lane.state,
                    lane.next_at,
                    lane.unanswered,
                    lane.attempts,
                    lane.ran,
                )
            })
            .collect();
        let expected: Vec<_> = (0..model.lanes.len())
            .map(|lane| model.summary(lane, now))
            .collect();
        assert_eq!(shown, expected, "after step {number}, {step:?}");
        assert_eq!(
            store.next_due().await.unwrap(),
            model.lanes.iter().filter_map(Lane::due).min()
        );

        let census = store.census().await.unwrap();
        assert_eq!(census.events, model.events);
        assert_eq!(
            census.intents,
            model
                .lanes
                .iter()
                .filter(|lane| lane.intent.is_some())
                .count() as i64
        );
        let waiting = model
            .records
            .values()
            .filter(|record| record.rung > record.answered)
            .count();
        assert_eq!(census.bells_unanswered, waiting as i64);
        for (lane, expected) in model.lanes.iter().enumerate() {
            let audit = store.audit(HERE, LaneId(lane as i64 + 1)).await.unwrap();
            assert_eq!(audit.len(), expected.audited);
        }
        // Most of it is history, in which nothing is lost between two comparisons.
        if number.is_multiple_of(3) {
            self.compare_asked().await;
            self.compare_counts().await;
        }
        // I9, in so many words.
        for record in model
            .records
            .values()
            .filter(|record| record.rung > record.answered)
        {
            assert!(
                model.lanes[record.lane].due().is_some(),
                "an unanswered bell in an idle lane"
            );
        }
    }

    async fn compare_asked(&self) {
        let (store, asked) = (&self.stage.store, &self.model.asked);
        let mut cards = store.cards(Some(HERE), false, 1_000).await.unwrap();
        cards.sort_by_key(|card| card.card);
        let cards: Vec<_> = cards
            .into_iter()
            .map(|card| Asked {
                lane: card.lane,
                subject: card.subject,
                what: card.body,
                opened: card.opened,
                until: None,
                said: card.answer.map(|answer| answer.choice),
                closed: card.closed.is_some(),
            })
            .collect();
        assert_eq!(cards, asked.cards);
        let mut holds = store.holds(Some(HERE), false, 1_000).await.unwrap();
        holds.sort_by_key(|hold| hold.hold);
        let holds: Vec<_> = holds
            .into_iter()
            .map(|hold| Asked {
                lane: hold.lane,
                subject: hold.subject,
                what: hold.fingerprint,
                opened: hold.opened,
                until: hold.until,
                said: hold.verdict.map(|verdict| verdict.released.to_string()),
                closed: hold.closed.is_some(),
            })
            .collect();
        assert_eq!(holds, asked.holds);
        let open = |book: &[Asked]| {
            let waiting = |asked: &&Asked| !asked.closed && asked.said.is_none();
            book.iter().filter(waiting).count() as i64
        };
        let census = store.census().await.unwrap();
        assert_eq!(
            (census.cards, census.holds),
            (open(&asked.cards), open(&asked.holds))
        );
    }

    async fn compare_counts(&self) {
        let (store, model) = (&self.stage.store, &self.model);
        let since = self.stage.hand.now() - 500;
        for (side, to_partner_center) in [("partner-center", true), ("crm", false)] {
            let written = store.writes_since(HERE, side, since).await.unwrap();
            assert_eq!(written, model.written(to_partner_center, since));
        }
        for name in 0..2_u8 {
            let note = store.note(HERE, &name.to_string()).await.unwrap();
            assert_eq!(note, model.notes.get(&name).cloned());
        }
        let mut filter = LaneFilter {
            since: Some(since),
            limit: 2,
            ..LaneFilter::default()
        };
        let mut stirred = Vec::new();
        loop {
            let page = store.lanes_page(HERE, &filter).await.unwrap();
            let Some(last) = page.last() else { break };
            filter.after = Some(last.lane);
            stirred.extend(page.iter().map(|lane| lane.lane.0));
        }
        assert_eq!(stirred, model.stirred(since));
    }
}
