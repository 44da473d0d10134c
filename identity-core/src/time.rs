//! PostgreSQL's time on its way to the wire. No other clock is read.

/// A column's time as protobuf has it.
pub(crate) fn to_proto(time: jiff_sqlx::Timestamp) -> prost_types::Timestamp {
    jiff_to_proto(time.to_jiff())
}

/// The same of a time that PostgreSQL wrote into JSON.
pub(crate) fn jiff_to_proto(time: jiff::Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.as_second(),
        nanos: time.subsec_nanosecond(),
    }
}
