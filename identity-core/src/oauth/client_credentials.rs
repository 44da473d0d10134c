//! A token for the client itself: RFC 6749 section 4.4. There is no refresh token: the client has its secret.

use identity_proto::identity::v1::IssueTokenResponse;

use super::issue::Tokens;
use super::{OAuth, Proven};
use crate::Error;
use crate::error::database;

impl OAuth {
    /// An access token of the client's own tenant.
    pub(super) async fn client_credentials(
        &self,
        client: &Proven,
        scopes: &[String],
    ) -> Result<IssueTokenResponse, Error> {
        let tokens = Tokens::alone(client.0.scopes(scopes)?)?;
        let (mut connection, _turn) = self.begin(client).await?;
        let issued = tokens.write(&mut connection, client).await?;
        connection.commit().await.map_err(database)?;
        Ok(issued)
    }
}
