//! The checker.
//!
//! A session is doomed by an end of access if its login had begun before that end was called: whatever came in between, it
//! must not be valid once the end was answered, up to the bound. A login that began after the answer is no business of the
//! end. In between, nobody can say, and nothing is asked.

use std::collections::BTreeMap;

use super::{Answer, At, Judgement, Operation, SessionNumber, Subject, What};

/// How the end of a whole tenant's access is called: what matters beside it is the others' E.
pub const SUSPENDED: &str = "suspend";

/// What may be, beside what always must.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// How long after the answer a session may be valid, µs.
    pub bound: At,
    /// Sessions of users whose access did not end may be gone: Redis lost them.
    pub sessions_may_go: bool,
    /// Two masters of Redis at once: one service may refuse what the other lets in, up to the bound.
    pub may_flap: bool,
    /// What was done in this time may be undone: PostgreSQL was put back to its beginning at its end.
    pub undone: Option<(At, At)>,
}

/// Judges a history, which is in the order of calls.
pub fn check(operations: &[Operation], rules: &Rules) -> Judgement {
    let mut found = Judgement::default();
    let subjects = by_subject(operations);
    for operations in subjects.values() {
        let subject = Story::of(operations);
        for session in subject.sessions.values() {
            session.judge(&subject, rules, &mut found);
        }
        subject.landed(&mut found);
        subject.measure(&mut found);
    }
    for operation in operations {
        match (&operation.answer, &operation.what) {
            (Answer::Wrong(why), what) => found.forbidden.push(format!("{what:?} at {}: {why}", operation.called)),
            (Answer::Unavailable, what) => {
                found.unavailable += 1;
                found.scim_unavailable += usize::from(matches!(what, What::End("patch" | "put" | "delete")));
            }
            (Answer::Yes, What::End(_)) => {
                found.slowest_end = found.slowest_end.max(operation.answered - operation.called);
            }
            _ => {}
        }
        found.validations += usize::from(matches!(operation.what, What::Validate { .. }));
    }
    found.last_valid.sort_unstable();
    found.gaps.sort_unstable();
    found
}

fn by_subject(operations: &[Operation]) -> BTreeMap<Subject, Vec<&Operation>> {
    let mut subjects: BTreeMap<Subject, Vec<&Operation>> = BTreeMap::new();
    for operation in operations {
        subjects.entry(operation.subject).or_default().push(operation);
    }
    subjects
}

/// What happened to one user.
#[derive(Default)]
struct Story<'a> {
    sessions: BTreeMap<SessionNumber, Session<'a>>,
    /// Ends that were answered with success.
    ends: Vec<&'a Operation>,
    /// Ends that may have happened.
    attempts: Vec<&'a Operation>,
    /// Sessions made, and from what.
    logins: Vec<(&'a Operation, (At, At))>,
}

#[derive(Default)]
struct Session<'a> {
    number: SessionNumber,
    begun: (At, At),
    validations: Vec<(&'a Operation, bool)>,
}

impl<'a> Story<'a> {
    fn of(operations: &[&'a Operation]) -> Self {
        let mut story = Story::default();
        for operation in operations {
            match operation.what {
                What::End(_) => {
                    story.attempts.push(operation);
                    story
                        .ends
                        .extend((operation.answer == Answer::Yes).then_some(*operation));
                }
                What::LogIn { begun, session } => {
                    if operation.answer == Answer::Yes {
                        let known = story.sessions.entry(session).or_default();
                        (known.number, known.begun) = (session, begun);
                        story.logins.push((operation, begun));
                    }
                }
                What::Validate { session, last } => {
                    let known = story.sessions.entry(session).or_default();
                    known.validations.push((operation, last));
                }
                What::Reactivate | What::Other(_) => {}
            }
        }
        story
    }

    /// Logins from before an end that became a session after it.
    fn landed(&self, found: &mut Judgement) {
        for (login, (_, begun)) in &self.logins {
            let late = |end: &&&Operation| *begun <= end.called && end.answered < login.called;
            if let Some(end) = self.ends.iter().find(late) {
                found.revived.push(format!(
                    "a login begun at {begun} became a session at {}, after access had ended at {}",
                    login.called, end.answered
                ));
            }
        }
    }

    /// E of each ending that had a session to end.
    fn measure(&self, found: &mut Judgement) {
        for end in &self.ends {
            let doomed = self.sessions.values().filter(|session| session.is_doomed_by(end));
            let last = doomed.map(|session| session.last_valid_after(end.answered)).max();
            found.endings += usize::from(last.is_some());
            match end.what {
                What::End(SUSPENDED) => found.last_valid_of_tenant = found.last_valid_of_tenant.max(last),
                _ => found.last_valid.extend(last),
            }
        }
    }
}

impl Session<'_> {
    fn is_doomed_by(&self, end: &Operation) -> bool {
        self.begun.1 <= end.called
    }

    fn last_valid_after(&self, at: At) -> At {
        let valid = self.validations.iter().filter(|(one, _)| one.answer == Answer::Yes);
        valid.map(|(one, _)| one.answered.saturating_sub(at)).max().unwrap_or(0)
    }

    fn judge(&self, story: &Story, rules: &Rules, found: &mut Judgement) {
        let end = story.ends.iter().find(|end| self.is_doomed_by(end));
        let mut refused: Option<At> = None;
        for (one, last) in &self.validations {
            let about = || format!("session {} at {} by {:?}", self.number, one.called, one.via);
            match one.answer {
                Answer::Yes => {
                    let overdue = end.filter(|end| end.answered + rules.bound < one.answered);
                    if let Some(end) = overdue {
                        found
                            .revived
                            .push(format!("{} is valid, ended at {}", about(), end.answered));
                    } else if let Some(refused) = refused.filter(|refused| *refused < one.called) {
                        if rules.may_flap {
                            found.flapped += 1;
                        } else {
                            found
                                .revived
                                .push(format!("{} was refused at {refused}, and is valid", about()));
                        }
                    }
                    if let Some(end) = end.filter(|_| *last) {
                        found
                            .lost
                            .push(format!("{} is valid, ended at {}", about(), end.answered));
                    }
                }
                Answer::No => {
                    refused = Some(refused.map_or(one.answered, |before| before.min(one.answered)));
                    if !self.may_be_refused(one, story, rules) {
                        found
                            .wrong
                            .push(format!("{} is refused, and access did not end", about()));
                    }
                }
                Answer::Unavailable | Answer::Wrong(_) => {}
            }
        }
        self.gaps(end.copied(), found);
    }

    /// Any attempt to end that was called before this was answered may be the reason; one that nobody knows the end of may
    /// also have come late.
    fn may_be_refused(&self, one: &Operation, story: &Story, rules: &Rules) -> bool {
        let attempted = |end: &Operation| {
            let over = end.answer == Answer::Yes && end.answered < self.begun.0;
            end.called <= one.answered && !over
        };
        // A session of a user whose access was touched in time that never was.
        let touched = |(from, to): (At, At)| {
            let within = |at: At| from <= at && at <= to;
            within(self.begun.1) || story.attempts.iter().any(|end| within(end.answered))
        };
        rules.sessions_may_go || story.attempts.iter().any(|end| attempted(end)) || rules.undone.is_some_and(touched)
    }

    /// Between two validations by the same service, from the end's call until it is refused.
    fn gaps(&self, end: Option<&Operation>, found: &mut Judgement) {
        let Some(end) = end else { return };
        let refused = self.validations.iter().find(|(one, _)| one.answer == Answer::No);
        let until = refused.map_or(At::MAX, |(one, _)| one.answered);
        let mut before: BTreeMap<Option<usize>, At> = BTreeMap::new();
        for (one, last) in &self.validations {
            let gap = before.insert(one.via, one.called).map(|before| one.called - before);
            if !last && one.called >= end.called && one.called <= until {
                found.gaps.extend(gap);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules {
        bound: 5_000,
        sessions_may_go: false,
        may_flap: false,
        undone: None,
    };

    fn operation(what: What, called: At, answered: At, answer: Answer) -> Operation {
        Operation {
            subject: 0,
            what,
            via: None,
            called,
            answered,
            answer,
        }
    }

    fn login(begun: At, at: At) -> Operation {
        let what = What::LogIn {
            begun: (begun, begun),
            session: 1,
        };
        operation(what, at, at, Answer::Yes)
    }

    fn validate(at: At, answer: Answer) -> Operation {
        operation(
            What::Validate {
                session: 1,
                last: false,
            },
            at,
            at,
            answer,
        )
    }

    fn last(at: At, answer: Answer) -> Operation {
        operation(What::Validate { session: 1, last: true }, at, at, answer)
    }

    fn end(called: At, answered: At, answer: Answer) -> Operation {
        operation(What::End("patch"), called, answered, answer)
    }

    /// Lost, revived, wrong.
    fn found(operations: &[Operation], rules: &Rules) -> (usize, usize, usize) {
        let judged = check(operations, rules);
        (judged.lost.len(), judged.revived.len(), judged.wrong.len())
    }

    #[test]
    fn an_end_that_holds_is_measured() {
        let history = [
            login(1, 2),
            validate(9, Answer::Yes),
            end(10, 20, Answer::Yes),
            validate(25, Answer::Yes),
            validate(26, Answer::No),
            validate(30, Answer::Unavailable),
            last(9_000, Answer::No),
        ];
        let judged = check(&history, &RULES);
        assert_eq!(found(&history, &RULES), (0, 0, 0));
        assert_eq!((judged.endings, judged.last_valid, judged.unavailable), (1, vec![5], 1));
    }

    #[test]
    fn what_must_not_be_is_found() {
        let check = |rest: &[Operation], expect: (usize, usize, usize)| {
            let mut history = vec![login(1, 2)];
            history.extend_from_slice(rest);
            assert_eq!(found(&history, &RULES), expect, "{rest:?}");
        };
        let ended = end(10, 20, Answer::Yes);
        check(&[ended.clone(), validate(5_021, Answer::Yes)], (0, 1, 0));
        check(&[ended.clone(), validate(5_020, Answer::Yes)], (0, 0, 0));
        check(
            &[ended.clone(), validate(30, Answer::No), validate(31, Answer::Yes)],
            (0, 1, 0),
        );
        check(&[ended.clone(), last(100, Answer::Yes)], (1, 0, 0));
        check(&[validate(30, Answer::No)], (0, 0, 1));
        // An attempt that nobody knows the end of excuses a refusal, and dooms nothing.
        check(&[end(10, 20, Answer::Unavailable), validate(30, Answer::No)], (0, 0, 0));
        check(&[end(10, 20, Answer::Unavailable), last(9_000, Answer::Yes)], (0, 0, 0));
        // Called before the refusal was answered: the two say nothing about each other.
        let mut slow = validate(30, Answer::No);
        slow.answered = 40;
        check(&[ended, slow, validate(35, Answer::Yes)], (0, 0, 0));
    }

    #[test]
    fn a_login_from_before_must_not_land_and_one_from_after_may() {
        let ended = end(10, 20, Answer::Yes);
        assert_eq!(found(&[ended.clone(), login(5, 21)], &RULES), (0, 1, 0));
        assert_eq!(
            found(&[ended.clone(), login(5, 20)], &RULES),
            (0, 0, 0),
            "in the same instant"
        );
        let after = [ended.clone(), login(21, 22), validate(9_000, Answer::Yes)];
        assert_eq!(found(&after, &RULES), (0, 0, 0));
        assert_eq!(
            found(&[ended, login(21, 22), validate(30, Answer::No)], &RULES),
            (0, 0, 1)
        );
    }

    #[test]
    fn what_a_fault_takes_is_taken_and_no_more() {
        let gone = [login(1, 2), validate(30, Answer::No)];
        let undone = |from, to| Rules {
            undone: Some((from, to)),
            ..RULES
        };
        let check = |rules: &Rules, expect| assert_eq!(found(&gone, rules), expect, "{rules:?}");
        check(&RULES, (0, 0, 1));
        check(
            &Rules {
                sessions_may_go: true,
                ..RULES
            },
            (0, 0, 0),
        );
        check(&undone(0, 9), (0, 0, 0));
        check(&undone(5, 9), (0, 0, 1));
    }

    #[test]
    fn flapping_is_let_pass_up_to_the_bound_only_and_where_it_may_be() {
        let rules = Rules {
            may_flap: true,
            ..RULES
        };
        let until = |at| {
            let rest = [
                end(10, 20, Answer::Yes),
                validate(30, Answer::No),
                validate(at, Answer::Yes),
            ];
            [vec![login(1, 2)], rest.to_vec()].concat()
        };
        assert_eq!(found(&until(5_020), &RULES), (0, 1, 0));
        assert_eq!(found(&until(5_020), &rules), (0, 0, 0));
        assert_eq!(check(&until(5_020), &rules).flapped, 1);
        assert_eq!(found(&until(5_021), &rules), (0, 1, 0));
    }

    #[test]
    fn forbidden_answers_are_told() {
        let history = [end(1, 2, Answer::Wrong("500".to_owned()))];
        assert_eq!(check(&history, &RULES).forbidden.len(), 1);
    }
}
