//! Compiles the protos without protoc, and gives the messages of `user.proto` the JSON form of RFC 7643: attribute
//! names in camelCase, unassigned attributes left out. That form is what the edge renders and what the core stores.

use prost::Message as _;
use protox::prost_reflect::prost_types::FileDescriptorSet;
use protox::prost_reflect::prost_types::field_descriptor_proto::Label;

const PROTOS: [&str; 18] = [
    "identity/v1/attribute.proto",
    "identity/v1/user.proto",
    "identity/v1/filter.proto",
    "identity/v1/patch.proto",
    "identity/v1/error_reason.proto",
    "identity/v1/quirk.proto",
    "identity/v1/group.proto",
    "identity/v1/user_service.proto",
    "identity/v1/group_service.proto",
    "identity/v1/tenant_service.proto",
    "identity/v1/credential_service.proto",
    "identity/v1/client_service.proto",
    "identity/v1/oauth_service.proto",
    "identity/v1/audit_service.proto",
    "identity/v1/access_service.proto",
    "identity/v1/event.proto",
    "identity/v1/event_service.proto",
    "session/v1/session_service.proto",
];

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=identity");
    println!("cargo:rerun-if-changed=session");
    let descriptors = protox::compile(PROTOS, ["."])?;
    let out = std::path::PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;

    let mut build = tonic_prost_build::configure().codec_path("crate::codec::Prost");
    for (path, attribute) in json_attributes(&descriptors) {
        build = match path.matches('.').count() {
            2 => build.type_attribute(path, attribute),
            _ => build.field_attribute(path, attribute),
        };
    }
    build.compile_fds(descriptors)?;
    Ok(())
}

/// The serde attributes of every message and field of `user.proto`, by protobuf path.
fn json_attributes(descriptors: &FileDescriptorSet) -> Vec<(String, String)> {
    let mut attributes = Vec::new();
    let user = descriptors
        .file
        .iter()
        .find(|file| file.name() == "identity/v1/user.proto")
        .expect("it is listed");
    for message in user
        .message_type
        .iter()
        .filter(|message| !["Meta", "Membership"].contains(&message.name()))
    {
        let path = format!("identity.v1.{}", message.name());
        let derive = "#[derive(serde::Serialize, serde::Deserialize)]\n\
                      #[serde(rename_all = \"camelCase\", default, deny_unknown_fields)]";
        attributes.push((path.clone(), derive.to_owned()));
        for field in &message.field {
            let json = match field.name() {
                "id" | "meta" | "groups" => "skip",
                "user_name" => "rename = \"userName\"",
                "enterprise" => &format!("rename = \"{ENTERPRISE}\", skip_serializing_if = \"Option::is_none\""),
                "ref" => "rename = \"$ref\", skip_serializing_if = \"Option::is_none\"",
                _ if field.label() == Label::Repeated => "skip_serializing_if = \"Vec::is_empty\"",
                _ => "skip_serializing_if = \"Option::is_none\"",
            };
            attributes.push((format!("{path}.{}", field.name()), format!("#[serde({json})]")));
        }
    }
    attributes
}
