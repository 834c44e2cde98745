//! The parts of [`Layer`] that are about plugins and recordings: handed on. Histories are given their sets, and write none down.

use async_trait::async_trait;
use cosell_store::{
    Activation, Generation, History, HistoryPlace, Judgement, Keep, LaneId, Pruned, Quarantined,
    Recording, Recordings, Said, SaidFile, SetEvent, Sets, StoreError,
};

use super::layer::Layer;

#[async_trait]
impl Sets for Layer {
    async fn generation(&self) -> Result<i64, StoreError> {
        self.inner.generation().await
    }

    async fn active_set(&self) -> Result<Option<Generation>, StoreError> {
        self.inner.active_set().await
    }

    async fn set_history(&self, limit: usize) -> Result<Vec<Generation>, StoreError> {
        self.inner.set_history(limit).await
    }

    async fn component(&self, hash: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.component(hash).await
    }

    async fn activate(&self, next: Activation) -> Result<i64, StoreError> {
        self.inner.activate(next).await
    }

    async fn said(&self, folder: &str) -> Result<Option<Vec<SaidFile>>, StoreError> {
        self.inner.said(folder).await
    }

    async fn say(&self, said: Said) -> Result<(), StoreError> {
        self.inner.say(said).await
    }

    async fn quarantines(&self) -> Result<Vec<Quarantined>, StoreError> {
        self.inner.quarantines().await
    }

    async fn quarantine(&self, what: Quarantined) -> Result<(), StoreError> {
        self.inner.quarantine(what).await
    }

    async fn release(&self, sha256: &str, by: &str) -> Result<bool, StoreError> {
        self.inner.release(sha256, by).await
    }

    async fn tell(&self, events: Vec<SetEvent>) -> Result<(), StoreError> {
        self.inner.tell(events).await
    }

    async fn set_events(&self, limit: usize) -> Result<Vec<SetEvent>, StoreError> {
        self.inner.set_events(limit).await
    }

    async fn judgements(&self, pair: &str) -> Result<Vec<Judgement>, StoreError> {
        self.inner.judgements(pair).await
    }

    async fn judge(
        &self,
        pair: &str,
        judgements: Vec<Judgement>,
        others: &[String],
    ) -> Result<(), StoreError> {
        self.inner.judge(pair, judgements, others).await
    }
}

#[async_trait]
impl Recordings for Layer {
    async fn record(&self, recording: Recording, keep: Keep) -> Result<(), StoreError> {
        self.inner.record(recording, keep).await
    }

    async fn recordings(
        &self,
        connection: &str,
        lane: LaneId,
    ) -> Result<Vec<Recording>, StoreError> {
        self.inner.recordings(connection, lane).await
    }

    async fn expire_recordings(&self, bytes_max: u64) -> Result<u64, StoreError> {
        self.inner.expire_recordings(bytes_max).await
    }
}

#[async_trait]
impl History for Layer {
    async fn prune_history(&self, after: Option<HistoryPlace>) -> Result<Pruned, StoreError> {
        self.inner.prune_history(after).await
    }
}
