//! Whether requests can be served: the core answers and reaches its database.

use runtime::Standing;

use crate::core::Core;

/// One look.
pub async fn look(core: Core) -> Standing {
    if core.is_ready().await {
        Standing::Ready
    } else {
        Standing::NotReady("identity-core cannot be reached, or not its database")
    }
}
