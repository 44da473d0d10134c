//! Questions that several callers may share. After Redis lost its registers each validation has one about its user, and
//! an application may validate the same session a hundred times a second.
//!
//! An answer may be older than its arrival: it is as old as the question. So a caller joins only a question that is yet to
//! be put, never one that is under way: what was true when that was put may have ended before this caller came. One
//! question of a kind is under way, and one waits for all who came since: until the first is answered, or for so long that those
//! who wait would run out of time with a slow core.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

/// How long the next question waits for the one that is under way.
const PATIENCE: Duration = Duration::from_millis(200);

/// Puts a question. It may be large.
type Put<A> = Pin<Box<dyn Future<Output = A> + Send>>;

/// Questions by what they are about. Clones share them.
pub struct Questions<K, A>(Arc<Mutex<HashMap<K, Option<Question<A>>>>>);

/// A question that is yet to be put, and who waits for its answer.
struct Question<A> {
    put: Put<A>,
    callers: Vec<oneshot::Sender<A>>,
}

impl<K, A> Questions<K, A>
where
    K: Copy + Eq + Hash + Send + 'static,
    A: Clone + Send + 'static,
{
    /// The answer to a question about `key` that is put after this was called: to `put`, or to another caller's. `None`
    /// if it panicked. A caller who gives up takes nothing from the others.
    pub async fn ask(&self, key: K, put: Put<A>) -> Option<A> {
        let (caller, answer) = oneshot::channel();
        let question = |caller| {
            Some(Question {
                put,
                callers: vec![caller],
            })
        };
        match self.all().entry(key) {
            Entry::Vacant(nothing) => {
                nothing.insert(question(caller));
                tokio::spawn(self.clone().put(key));
            }
            Entry::Occupied(mut under_way) => match under_way.get_mut() {
                Some(waits) => waits.callers.push(caller),
                nothing => *nothing = question(caller),
            },
        }
        answer.await.ok()
    }

    /// Puts one question after the other, until nobody waits.
    async fn put(self, key: K) {
        while let Some(question) = self.next(key) {
            let answering = tokio::spawn(async move {
                let answer = question.put.await;
                for caller in question.callers {
                    // Who gave up meanwhile is not there.
                    let _ = caller.send(answer.clone());
                }
            });
            // One that takes longer is answered all the same.
            let _ = tokio::time::timeout(PATIENCE, answering).await;
        }
    }

    fn next(&self, key: K) -> Option<Question<A>> {
        let mut all = self.all();
        let next = all.get_mut(&key).and_then(Option::take);
        let wanted = next.filter(|question| question.callers.iter().any(|caller| !caller.is_closed()));
        if wanted.is_none() {
            all.remove(&key);
        }
        wanted
    }

    fn all(&self) -> MutexGuard<'_, HashMap<K, Option<Question<A>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, A> Default for Questions<K, A> {
    fn default() -> Self {
        Questions(Arc::default())
    }
}

impl<K, A> Clone for Questions<K, A> {
    fn clone(&self) -> Self {
        Questions(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;
    use tokio::task::JoinHandle;

    use super::*;

    /// A truth that changes, and someone who is asked for it: who looks when the question is put, and answers when told to.
    struct Core {
        truth: watch::Sender<u32>,
        put: watch::Sender<u32>,
        may_answer: watch::Sender<u32>,
        questions: Questions<u32, u32>,
    }

    impl Core {
        fn new() -> Arc<Self> {
            Arc::new(Core {
                truth: watch::Sender::new(1),
                put: watch::Sender::new(0),
                may_answer: watch::Sender::new(0),
                questions: Questions::default(),
            })
        }

        /// A caller, who has come when this returns.
        async fn ask(self: &Arc<Self>, key: u32) -> JoinHandle<Option<u32>> {
            let core = self.clone();
            let caller = tokio::spawn(async move {
                let put = core.clone();
                let question = async move {
                    let truth = *put.truth.borrow();
                    put.put.send_modify(|put| *put += 1);
                    let number = *put.put.borrow();
                    let mut may_answer = put.may_answer.subscribe();
                    may_answer.wait_for(|may| *may >= number).await.unwrap();
                    truth
                };
                core.questions.ask(key, Box::pin(question)).await
            });
            tokio::time::sleep(Duration::from_millis(1)).await;
            caller
        }

        async fn were_put(&self, count: u32) {
            self.put.subscribe().wait_for(|put| *put == count).await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_while_a_question_is_under_way_gets_the_next_one_and_shares_it() {
        let core = Core::new();
        let first = core.ask(7).await;
        core.were_put(1).await;
        core.truth.send_replace(2);
        let mut later = Vec::new();
        for _ in 0..100 {
            later.push(core.ask(7).await);
        }
        assert_eq!(*core.put.borrow(), 1, "one is under way");
        core.may_answer.send_replace(2);
        assert_eq!(first.await.unwrap(), Some(1));
        for caller in later {
            assert_eq!(
                caller.await.unwrap(),
                Some(2),
                "the truth of when it came, or a later one"
            );
        }
        assert_eq!(*core.put.borrow(), 2, "a hundred callers shared one question");
        assert!(core.questions.all().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_answer_holds_up_the_next_question_for_a_while_only() {
        let core = Core::new();
        let first = core.ask(7).await;
        core.were_put(1).await;
        core.truth.send_replace(2);
        let (second, third) = (core.ask(7).await, core.ask(7).await);
        let came = tokio::time::Instant::now();
        core.were_put(2).await;
        assert!(came.elapsed() <= PATIENCE, "{:?}", came.elapsed());
        core.truth.send_replace(3);
        let fourth = core.ask(7).await;
        assert_eq!(*core.put.borrow(), 2, "it does not join what was put before it came");
        core.may_answer.send_replace(3);
        assert_eq!((second.await.unwrap(), third.await.unwrap()), (Some(2), Some(2)));
        assert_eq!((first.await.unwrap(), fourth.await.unwrap()), (Some(1), Some(3)));
        assert!(core.questions.all().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_questions_about_others() {
        let core = Core::new();
        let (one, other) = (core.ask(1).await, core.ask(2).await);
        core.were_put(2).await;
        core.may_answer.send_replace(2);
        assert_eq!((one.await.unwrap(), other.await.unwrap()), (Some(1), Some(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_takes_nothing_from_the_others_and_leaves_nothing_behind() {
        let core = Core::new();
        let (first, second, third) = (core.ask(7).await, core.ask(7).await, core.ask(7).await);
        first.abort();
        second.abort();
        core.may_answer.send_replace(2);
        assert_eq!(third.await.unwrap(), Some(1));
        assert_eq!(*core.put.borrow(), 2);

        let (first, second) = (core.ask(7).await, core.ask(7).await);
        first.abort();
        second.abort();
        core.may_answer.send_replace(3);
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(*core.put.borrow(), 3, "nobody waits for the second question any more");
        assert!(core.questions.all().is_empty());
    }

    #[tokio::test]
    async fn a_question_that_panics_is_unanswered_and_the_next_one_is_put() {
        let questions: Questions<u32, u32> = Questions::default();
        assert_eq!(questions.ask(7, Box::pin(async { panic!("on purpose") })).await, None);
        assert_eq!(questions.ask(7, Box::pin(async { 1 })).await, Some(1));
    }
}
