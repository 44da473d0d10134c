//! What every process of the system does, without a word of its domain: secrets from the environment, telemetry, health,
//! orderly stops, and the keys by which services know each other.

pub mod admin;
pub mod grpc;
pub mod health;
pub mod listen;
pub mod observe;
pub mod request;
pub mod sabotage;
pub mod secret;
pub mod service_auth;
pub mod shutdown;
pub mod telemetry;
pub mod trace;

pub use health::{Health, Standing};
pub use request::RequestId;
pub use secret::Secret;
pub use service_auth::{ServiceKey, ServiceKeys};
pub use shutdown::Shutdown;
