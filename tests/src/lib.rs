//! Black-box tests of the whole system: the harness that starts it, the replayer of recorded traffic, and the model of
//! the access fence.

pub mod fence_model;
