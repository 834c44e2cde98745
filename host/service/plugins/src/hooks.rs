//! The questions, asked of a set: every plugin that serves a hook, in file-name order, each seeing the draft of those before it, the last
//! word winning and booked to its speaker. A stop ends it.

mod customer;
mod deciding;
mod reading;
mod writing;

use std::sync::Arc;

use cosell_sync::deal::Deal;
use cosell_sync::row::{RecordKind, Row, RowState, Seen};

use crate::health::Failing;
use crate::question::{
    Arrival, Asking, Candidate, ContactQuestion, Draft, Order, Reading, Report, Resolution, Search,
    Verdict,
};
use crate::set::{Chain, Concern, PluginSet};
use crate::stop::{FaultKind, PluginFault, Speaker, Spoken, Stop, StopKind};

impl PluginSet {
    /// Whether a deal is kept in step, and as what. None: nobody decided, and the deal is skipped.
    ///
    /// # Errors
    /// A plugin stopped.
    pub async fn decide(
        &self,
        asking: &Asking,
        arrival: Arrival,
    ) -> Result<Option<Spoken<Verdict>>, Stop> {
        let asking = asking.clone();
        self.ask(asking.about, "should-sync.decide", move |chain| {
            deciding::decide(chain, &asking, &arrival)
        })
        .await
    }

    /// What a row says about the deal: `to-deal` of the kind, then the country into the address, then the state. The name in `seen` comes
    /// without its mark: the caller takes it off.
    ///
    /// # Errors
    /// A plugin stopped.
    pub async fn read(
        &self,
        asking: &Asking,
        kind: RecordKind,
        seen: &Seen,
    ) -> Result<Reading, Stop> {
        let (asking, seen) = (asking.clone(), seen.clone());
        self.ask(asking.about, reading::question(kind), move |chain| {
            reading::read(chain, &asking, kind, &seen)
        })
        .await
    }

    /// What the row of the deal should hold: `to-row` of the kind; for a lead the country follows. On an update ask twice about the same
    /// row, for the deal as it shows it and as it should be, and write the columns on which the answers differ.
    ///
    /// # Errors
    /// A plugin stopped.
    pub async fn write(
        &self,
        asking: &Asking,
        kind: RecordKind,
        order: &Order,
    ) -> Result<Draft, Stop> {
        let (asking, order) = (asking.clone(), order.clone());
        self.ask(asking.about, writing::question(kind), move |chain| {
            writing::write(chain, &asking, kind, &order)
        })
        .await
    }

    /// State and status reason that the row should have, which is there or is to be made. None: the state does not cross.
    ///
    /// # Errors
    /// A plugin stopped.
    pub async fn write_state(
        &self,
        asking: &Asking,
        kind: RecordKind,
        order: &Order,
    ) -> Result<Option<Spoken<RowState>>, Stop> {
        let (asking, order) = (asking.clone(), order.clone());
        self.ask(asking.about, "status.to-row", move |chain| {
            writing::state(chain, &asking, kind, &order)
        })
        .await
    }

    /// How to look for the customer's account. None: nobody knows a search.
    ///
    /// # Errors
    /// A plugin stopped.
    pub async fn account_searches(
        &self,
        asking: &Asking,
        deal: &Deal,
    ) -> Result<Option<Spoken<Vec<Search>>>, Stop> {
        let (asking, deal) = (asking.clone(), deal.clone());
        self.ask(asking.about, "account.searches", move |chain| {
            customer::account_searches(chain, &asking, &deal)
        })
        .await
    }

    /// Which account it is. None: nobody decides, and a person is asked.
    ///
    /// # Errors
    /// A plugin stopped.
    pub async fn account_choose(
        &self,
        asking: &Asking,
        deal: &Deal,
        candidates: Vec<Candidate>,
    ) -> Result<Option<Spoken<Resolution>>, Stop> {
        let (asking, deal) = (asking.clone(), deal.clone());
        self.ask(asking.about, "account.choose", move |chain| {
            customer::account_choose(chain, &asking, &deal, &candidates)
        })
        .await
    }

    /// Columns of the account, its country included.
    ///
    /// # Errors
    /// A plugin stopped.
    pub async fn account_row(
        &self,
        asking: &Asking,
        deal: &Deal,
        existing: Option<Row>,
    ) -> Result<Draft, Stop> {
        let (asking, deal) = (asking.clone(), deal.clone());
        self.ask(asking.about, "account.to-row", move |chain| {
            customer::account_row(chain, &asking, &deal, existing.as_ref())
        })
        .await
    }

    /// How to look for a person's contact row. Searches for all people travel best in one batch.
    ///
    /// # Errors
    /// A plugin stopped.
    pub async fn contact_searches(
        &self,
        asking: &Asking,
        question: &ContactQuestion,
    ) -> Result<Option<Spoken<Vec<Search>>>, Stop> {
        let (asking, question) = (asking.clone(), question.clone());
        self.ask(asking.about, "contact.searches", move |chain| {
            customer::contact_searches(chain, &asking, &question)
        })
        .await
    }

    /// Which contact it is. None: this person does not cross.
    ///
    /// # Errors
    /// A plugin stopped.
    pub async fn contact_choose(
        &self,
        asking: &Asking,
        question: &ContactQuestion,
        candidates: Vec<Candidate>,
    ) -> Result<Option<Spoken<Resolution>>, Stop> {
        let (asking, question) = (asking.clone(), question.clone());
        self.ask(asking.about, "contact.choose", move |chain| {
            customer::contact_choose(chain, &asking, &question, &candidates)
        })
        .await
    }

    /// Columns of the contact row.
    ///
    /// # Errors
    /// A plugin stopped.
    pub async fn contact_row(
        &self,
        asking: &Asking,
        question: &ContactQuestion,
        existing: Option<Row>,
    ) -> Result<Draft, Stop> {
        let (asking, question) = (asking.clone(), question.clone());
        self.ask(asking.about, "contact.to-row", move |chain| {
            customer::contact_row(chain, &asking, &question, existing.as_ref())
        })
        .await
    }

    /// The mark before the name; the empty text is no mark, None leaves what is there.
    ///
    /// # Errors
    /// A plugin stopped.
    pub async fn mark(
        &self,
        asking: &Asking,
        report: Report,
    ) -> Result<Option<Spoken<String>>, Stop> {
        let asking = asking.clone();
        self.ask(asking.about, "decorate.mark", move |chain| {
            deciding::mark(chain, &asking, &report)
        })
        .await
    }

    /// How the plugins are doing: those before the one that failed have answered, and nobody knows about those behind it.
    /// Questions to a set that does not serve are rehearsals.
    fn book(&self, about: u64, question: &'static str, stop: Option<&Stop>) {
        let Some(alarm) = &self.alarm else { return };
        for plugin in &self.chain.plugins {
            if let Some(slow) = plugin.pace.news() {
                alarm(Concern::Pace {
                    file: plugin.file.clone(),
                    sha256: plugin.sha256.clone(),
                    slow,
                });
            }
        }
        for plugin in &self.chain.plugins {
            let fault = match stop {
                Some(stop) if stop.plugin == plugin.speaker => match &stop.kind {
                    StopKind::Fault(fault) if fault.kind != FaultKind::Host => fault,
                    // The question is not at its end.
                    StopKind::Ask(_) => return,
                    // It refuses: it is well.
                    _ => return plugin.health.is_well(question),
                },
                _ => {
                    plugin.health.is_well(question);
                    continue;
                }
            };
            if let Some((faults, deals, answers)) = plugin.health.failed(question, about) {
                alarm(Concern::Failing(Failing {
                    file: plugin.file.clone(),
                    sha256: plugin.sha256.clone(),
                    operator: plugin.operator.clone(),
                    question,
                    faults,
                    deals,
                    answers,
                    last: fault.message.clone(),
                }));
            }
            return;
        }
    }

    /// The whole chain is one job: the draft never changes threads.
    async fn ask<R: Send + 'static>(
        &self,
        about: u64,
        question: &'static str,
        work: impl FnOnce(&Chain) -> Result<R, Stop> + Send + 'static,
    ) -> Result<R, Stop> {
        let chain = Arc::clone(&self.chain);
        match self.engine.run(move || work(&chain)).await {
            Ok(answer) => {
                self.book(about, question, answer.as_ref().err());
                answer
            }
            Err(lost) => Err(Stop {
                plugin: Speaker {
                    plugin: "host".to_owned(),
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    hash: String::new(),
                },
                hook: question,
                kind: StopKind::Fault(Box::new(PluginFault::new(
                    FaultKind::Host,
                    format!(
                        "the host itself failed while it asked plugins: {}; please report this",
                        lost.0
                    ),
                ))),
            }),
        }
    }
}
