//! A token for the client itself: RFC 6749 section 4.4. There is no refresh token: the client has its secret.

use identity_proto::identity::v1::IssueTokenResponse;

use super::issue::Tokens;
use super::{OAuth, Proven};
use crate::Error;

impl OAuth {
    /// An access token of the client's own tenant.
    pub(super) async fn client_credentials(
        &self,
        client: &Proven,
        scopes: &[String],
    ) -> Result<IssueTokenResponse, Error> {
        let tokens = Tokens::alone(client.0.scopes(scopes)?)?;
        tokens.write(&mut self.store.connection().await?, client).await
    }
}
