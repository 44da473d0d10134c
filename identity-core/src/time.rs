//! PostgreSQL's time on its way to the wire. No other clock is read.

/// A column's time as protobuf has it.
pub(crate) fn to_proto(time: jiff_sqlx::Timestamp) -> prost_types::Timestamp {
    let time = time.to_jiff();
    prost_types::Timestamp {
        seconds: time.as_second(),
        nanos: time.subsec_nanosecond(),
    }
}
