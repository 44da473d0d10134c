//! What every process of the system does, without a word of its domain: secrets from the environment, logs, orderly
//! stops, and the keys by which services know each other.

pub mod grpc;
pub mod listen;
pub mod secret;
pub mod service_auth;
pub mod shutdown;
pub mod telemetry;

pub use secret::Secret;
pub use service_auth::{ServiceKey, ServiceKeys};
pub use shutdown::Shutdown;
