//! What the benchmark computes, apart from how it runs: figures of many answers, and `pgbench` scripts made of the
//! statements that PostgreSQL saw.

pub mod figures;
pub mod script;
pub mod statement;
