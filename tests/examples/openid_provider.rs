//! An OpenID provider to try `examples/oidc-login` with: whoever comes is whom its argument says, as claims of the ID token.
//!
//! `cargo run -p e2e --example openid_provider -- '{"sub": "1", "preferred_username": "ann@example.com"}'`

use e2e::openid::OpenIdProvider;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let claims = std::env::args().nth(1).ok_or("usage: openid_provider CLAIMS")?;
    let provider = OpenIdProvider::start(9000).await;
    provider.says(serde_json::from_str(&claims)?);
    println!("issuer {}", provider.issuer("demo"));
    tokio::signal::ctrl_c().await?;
    Ok(())
}
