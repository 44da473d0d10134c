//! The contract between the processes: the generated messages and services, and the hand-written companions that all
//! sides must read the same way.
//!
//! [`schema`] is the one table of attributes, [`filter`] builds and prints filters, [`value`] turns attribute values
//! to JSON and back, [`status`] carries the reason of a failure through gRPC, [`credential`] is the form of a bearer
//! token, [`access`] is what core and session service agree on in Redis, and [`codec`] turns messages to bytes.

use std::collections::HashSet;
use std::sync::LazyLock;

use prost::Message;
use prost_types::{FileDescriptorSet, MethodDescriptorProto};

pub mod access;
pub mod codec;
pub mod credential;
pub mod filter;
pub mod schema;
pub mod status;
pub mod value;

/// Package `identity.v1`.
pub mod identity {
    #[expect(clippy::all, clippy::pedantic, reason = "generated")]
    pub mod v1 {
        tonic::include_proto!("identity.v1");
    }
}

/// Package `session.v1`.
pub mod session {
    #[expect(clippy::all, clippy::pedantic, reason = "generated")]
    pub mod v1 {
        tonic::include_proto!("session.v1");
    }
}

/// Descriptors of both packages, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The path of every method, such as `/identity.v1.UserService/GetUser`.
pub static METHODS: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap_or_default();
    let methods = set.file.iter().flat_map(|file| {
        file.service.iter().flat_map(move |service| {
            let of = move |method: &MethodDescriptorProto| {
                format!("/{}.{}/{}", file.package(), service.name(), method.name())
            };
            service.method.iter().map(of)
        })
    });
    methods.collect()
});

/// Metadata key under which the edge forwards the lower-case hex SHA-256 of a SCIM caller's bearer token.
pub const CREDENTIAL_METADATA: &str = "portcullis-credential";

/// Metadata key under which the edge says from where a credential was used: an IP address, as the edge saw it.
pub const ADDRESS_METADATA: &str = "portcullis-address";

#[cfg(test)]
mod tests {
    use super::METHODS;

    #[test]
    fn every_method_is_known_by_its_path() {
        for method in [
            "/identity.v1.UserService/GetUser",
            "/session.v1.SessionService/ValidateSession",
        ] {
            assert!(METHODS.contains(method), "{method} is not in {METHODS:?}");
        }
    }
}
