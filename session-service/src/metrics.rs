//! What this service tells Prometheus beside its calls, which `runtime::observe` counts. Each name stands once.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::error::Error;
use crate::sessions::Verdict;

const SESSIONS: &str = "portcullis_sessions";
const CREATED: &str = "portcullis_sessions_created_total";
const VALIDATIONS: &str = "portcullis_session_validations_total";
const VALIDATION: &str = "portcullis_session_validation_seconds";
const ASKED: &str = "portcullis_core_asked_total";
const PRUNED: &str = "portcullis_sessions_pruned_total";
const REDIS_FAILURES: &str = "portcullis_redis_failures_total";
const DEAD_LETTERS: &str = "portcullis_dead_letters_total";
const DEAD_LETTERS_WAITING: &str = "portcullis_dead_letters_waiting";

/// Says what the metrics are.
pub(crate) fn describe() {
    describe_gauge!(
        SESSIONS,
        "Sessions in Redis, which all session services share: take the maximum, not the sum"
    );
    describe_counter!(CREATED, "Sessions created");
    describe_counter!(VALIDATIONS, "Validations, by what was answered");
    describe_histogram!(VALIDATION, "How long a validation took");
    describe_counter!(
        ASKED,
        "Validations that the registers could not answer, so that the core was asked"
    );
    describe_counter!(PRUNED, "Sessions deleted because access had ended");
    describe_counter!(
        REDIS_FAILURES,
        "Calls to Redis that failed or were not tried because it had just failed"
    );
    describe_counter!(
        DEAD_LETTERS,
        "Announcements of ended access that could not be processed five times"
    );
    describe_gauge!(
        DEAD_LETTERS_WAITING,
        "Dead letters that nobody replayed or forgot yet, which all session services share: take the maximum, not the sum"
    );
    for total in [CREATED, ASKED, PRUNED, REDIS_FAILURES, DEAD_LETTERS] {
        counter!(total).absolute(0);
    }
}

/// So many sessions live.
pub(crate) fn sessions(count: u64) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    gauge!(SESSIONS).set(count as f64);
}

/// A session was created.
pub(crate) fn created() {
    counter!(CREATED).increment(1);
}

/// A validation was answered.
pub(crate) fn validated(verdict: Result<Verdict, &Error>, took: Duration) {
    let result = match verdict {
        Ok(Verdict::Valid { .. }) => "valid",
        Ok(Verdict::Unknown) => "unknown",
        Ok(Verdict::AccessEnded) => "access_ended",
        Ok(Verdict::TenantEnded) => "tenant_ended",
        Err(_) => "unavailable",
    };
    counter!(VALIDATIONS, "result" => result).increment(1);
    histogram!(VALIDATION).record(took.as_secs_f64());
}

/// The core was asked.
pub(crate) fn core_asked() {
    counter!(ASKED).increment(1);
}

/// So many sessions were deleted.
pub(crate) fn pruned(count: i64) {
    counter!(PRUNED).increment(u64::try_from(count).unwrap_or(0));
}

/// A call to Redis failed.
pub(crate) fn redis_failed() {
    counter!(REDIS_FAILURES).increment(1);
}

/// An announcement went to the dead letters.
pub(crate) fn buried() {
    counter!(DEAD_LETTERS).increment(1);
}

/// So many dead letters wait; `None` when nobody can say.
pub(crate) fn dead_letters(waiting: Option<u32>) {
    gauge!(DEAD_LETTERS_WAITING).set(waiting.map_or(f64::NAN, f64::from));
}
