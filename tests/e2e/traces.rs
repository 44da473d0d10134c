//! What identity providers really send, replayed: see `tests/traces`.

use std::fs;
use std::path::Path;

use e2e::Tenant;
use e2e::replay::replay;
use serde_json::Value;

use crate::system;

#[tokio::test]
async fn every_recorded_client_gets_what_it_needs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("traces");
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("traces")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    assert!(files.len() >= 49, "{files:?}");
    let tenant = Tenant::create(system()).await;
    let mut failed = Vec::new();
    for file in files {
        let trace: Value = serde_json::from_str(&fs::read_to_string(&file).expect("readable")).expect("a trace");
        let problems = replay(&tenant.scim, &trace).await;
        failed.extend(
            problems
                .into_iter()
                .map(|problem| format!("{} {problem}", trace["name"])),
        );
    }
    assert!(failed.is_empty(), "{failed:#?}");
}
