//! What PostgreSQL spent its time on, by `pg_stat_statements`.

use anyhow::Result;

use crate::stage::{DATABASE, Stage};

/// Forgets what was counted.
pub fn forget(stage: &Stage) -> Result<()> {
    stage.sql.run(DATABASE, "SELECT pg_stat_statements_reset()").map(drop)
}

/// The statements of the system's database that took the most time since.
pub fn top(stage: &Stage) -> Result<String> {
    stage.sql.run(
        DATABASE,
        "SELECT format('%10s calls %8s ms each %10s ms in all  %s', calls, round(mean_exec_time::numeric, 4),
                       round(total_exec_time::numeric), left(regexp_replace(query, '\\s+', ' ', 'g'), 130))
         FROM pg_stat_statements JOIN pg_database ON pg_database.oid = dbid
         WHERE datname = current_database() AND query NOT LIKE '%pg_stat_statements%'
         ORDER BY total_exec_time DESC LIMIT 10",
    )
}
