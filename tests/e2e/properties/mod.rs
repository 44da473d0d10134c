//! Laws that hold for every user and every history, tried through HTTP on generated ones. Each run has new ones; a
//! test that fails shows the seed, and `PORTCULLIS_SEED=<seed>` repeats it.

mod generated;
mod isolation;
mod round_trips;
mod user_names;

use std::env;

use e2e::Tenant;
use e2e::fence_model::rng::Rng;
use uuid::Uuid;

use crate::system;

/// A stream of numbers whose seed is printed: what a test prints is shown when it fails.
fn rng() -> Rng {
    let seed = env::var("PORTCULLIS_SEED").ok();
    let seed = seed.map(|seed| seed.parse().expect("PORTCULLIS_SEED is a number"));
    let seed: u64 = seed.unwrap_or_else(|| Uuid::new_v4().as_u64_pair().0);
    println!("repeat with PORTCULLIS_SEED={seed}");
    Rng::new(seed)
}

/// A tenant that understands every deviation, and one that reads the RFCs to the letter.
async fn one_of_each_profile() -> [Tenant; 2] {
    let (interop, strict) = (Tenant::create(system()).await, Tenant::create(system()).await);
    let arguments = ["tenant", "profile", strict.name.as_str(), "--preset", "strict"];
    let set = system().cli(&arguments).await.done();
    assert_eq!(set["preset"], "strict", "{set}");
    [interop, strict]
}
