//! Black-box tests of the whole system: the harness that starts it, the replayer of recorded traffic, and the model of
//! the access fence.
//!
//! A test gets a running system from [`System`], and speaks to it as the world does: [`scim`] over HTTP, [`grpc`] as an
//! internal service, [`System::cli`] as a person at a shell. With `PORTCULLIS_E2E_DEV_JSON` the shared system is one
//! that runs already.

pub mod balancer;
pub mod chromium;
pub mod cli;
pub mod cluster;
pub mod collector;
pub mod fence_model;
pub mod grpc;
pub mod guards;
pub mod history;
pub mod measure;
pub mod openid;
pub mod processes;
pub mod proxy;
pub mod raw_http;
pub mod replay;
pub mod scim;
pub mod system;
pub mod tenant;

pub use chromium::Chromium;
pub use cluster::Cluster;
pub use system::System;
pub use tenant::Tenant;
