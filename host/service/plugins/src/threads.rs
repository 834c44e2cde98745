//! The threads on which guests run. Never tokio's: a guest holds its thread until it answers or its budget is used up.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use tokio::sync::{Semaphore, oneshot};

use crate::limits::THREAD_STACK_BYTES;

type Job = Box<dyn FnOnce() + Send>;

type Later = Vec<Box<dyn FnOnce()>>;

thread_local! {
    /// What a guest thread still has to do when its answer is on its way. None on every other thread.
    static AFTERWARDS: RefCell<Option<Later>> = const { RefCell::new(None) };
}

/// Does this when the answer of the running job is on its way, so that nobody waits for it; at once on a thread that is not a guest's.
pub(crate) fn afterwards(work: impl FnOnce() + 'static) {
    let now = AFTERWARDS.with_borrow_mut(|later| match later {
        Some(later) => {
            later.push(Box::new(work));
            None
        }
        None => Some(work),
    });
    if let Some(work) = now {
        work();
    }
}

fn catch_up() {
    let later = AFTERWARDS.with_borrow_mut(|later| later.replace(Vec::new()));
    for work in later.into_iter().flatten() {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(work)) {
            tracing::error!(panic = %words(panic.as_ref()), "tidying up after a plugin call panicked; please report it");
        }
    }
}

/// A fixed number of threads behind a bounded queue. Dropping it ends them when their jobs are done. Without any, the caller's own thread
/// does the work.
pub(crate) struct GuestThreads {
    jobs: Option<mpsc::Sender<Job>>,
    seats: Arc<Semaphore>,
}

/// The job panicked: a bug of the host, in words if it had any.
#[derive(Debug)]
pub(crate) struct Lost(pub(crate) String);

impl GuestThreads {
    pub(crate) fn start(count: usize) -> std::io::Result<Self> {
        let (jobs, waiting) = mpsc::channel::<Job>();
        let waiting = Arc::new(Mutex::new(waiting));
        for number in 0..count {
            let waiting = Arc::clone(&waiting);
            std::thread::Builder::new()
                .name(format!("plugin-{number}"))
                .stack_size(THREAD_STACK_BYTES)
                .spawn(move || {
                    AFTERWARDS.set(Some(Vec::new()));
                    loop {
                        let job = waiting
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .recv();
                        match job {
                            Ok(job) => {
                                job();
                                catch_up();
                            }
                            Err(mpsc::RecvError) => return,
                        }
                    }
                })?;
        }
        Ok(Self {
            jobs: (count > 0).then_some(jobs),
            // One running and one waiting for each thread; whoever comes later waits without a thread.
            seats: Arc::new(Semaphore::new(count * 2)),
        })
    }

    /// Runs `work` on a guest thread. A caller that goes away does not stop it: its budget does.
    pub(crate) async fn run<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, Lost> {
        let gone = || Lost("the plugin threads have ended".to_owned());
        let Some(jobs) = &self.jobs else {
            return catch_unwind(AssertUnwindSafe(work))
                .map_err(|panic| Lost(words(panic.as_ref())));
        };
        let seat = Arc::clone(&self.seats)
            .acquire_owned()
            .await
            .map_err(|_| gone())?;
        let (answer, answered) = oneshot::channel();
        // What a guest thread tells belongs to the run that asks.
        let span = tracing::Span::current();
        let job: Job = Box::new(move || {
            let outcome = span
                .in_scope(|| catch_unwind(AssertUnwindSafe(work)))
                .map_err(|panic| Lost(words(panic.as_ref())));
            drop(span);
            drop(seat);
            // Nobody waits any more: the caller was cancelled, and the answer is nobody's.
            let _ = answer.send(outcome);
        });
        jobs.send(job).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

/// What a panic said.
pub(crate) fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without words".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_in_one_job_is_told_and_the_thread_lives_on() {
        let threads = GuestThreads::start(1).unwrap();
        let lost = threads
            .run(|| panic!("seven is odd"))
            .await
            .map(|(): ()| ())
            .unwrap_err();
        assert_eq!(lost.0, "seven is odd");
        assert_eq!(threads.run(|| 7).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn what_is_left_for_afterwards_is_done_once_the_answer_is_out() {
        let threads = GuestThreads::start(1).unwrap();
        let (done, look) = mpsc::channel();
        let answer = threads
            .run(move || {
                let late = done.clone();
                afterwards(move || late.send("afterwards").unwrap());
                done.send("job").unwrap();
            })
            .await;
        answer.unwrap();
        assert_eq!((look.recv(), look.recv()), (Ok("job"), Ok("afterwards")));
        let (done, look) = mpsc::channel();
        afterwards(move || done.send("at once").unwrap());
        assert_eq!(look.try_recv(), Ok("at once"));
    }

    #[tokio::test]
    async fn without_threads_the_caller_does_the_work_itself() {
        let threads = GuestThreads::start(0).unwrap();
        let here = std::thread::current().id();
        let there = threads.run(|| std::thread::current().id()).await.unwrap();
        assert_eq!(there, here);
        let lost = threads
            .run(|| panic!("seven is odd"))
            .await
            .map(|(): ()| ());
        assert_eq!(lost.unwrap_err().0, "seven is odd");
    }

    #[tokio::test]
    async fn more_jobs_than_seats_all_get_their_turn() {
        let threads = Arc::new(GuestThreads::start(2).unwrap());
        let all = (0..50_u32).map(|n| {
            let threads = Arc::clone(&threads);
            tokio::spawn(async move { threads.run(move || n).await.unwrap() })
        });
        let mut sum = 0;
        for one in all.collect::<Vec<_>>() {
            sum += one.await.unwrap();
        }
        assert_eq!(sum, 1225);
    }
}
