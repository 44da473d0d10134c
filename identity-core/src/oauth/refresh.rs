//! Rotates a refresh token: RFC 9700 section 4.14.2. For a short grace a token that was used answers the same successor, as its
//! answer may have been lost on the way; after that it has two holders, and the family ends.

use identity_proto::identity::v1::{IssueTokenResponse, RefreshGrant};
use prost_types::Duration;
use uuid::Uuid;

use super::issue::Tokens;
use super::{OAuth, Proven, family, grant_invalid, successor};
use crate::Error;
use crate::clients::within;
use crate::credentials::secret::random;
use crate::error::database;
use crate::store::Lease;

/// The grant's lock makes uses of one family wait for each other.
const LOCK: &str = "SELECT grant_id FROM oauth_grant
    WHERE grant_id = (SELECT grant_id FROM refresh_token WHERE sha256 = $1) FOR UPDATE";

/// Read after the lock, so that it shows what the one before left.
const LOOK: &str =
    "SELECT token.expires_at <= clock_timestamp() AS expired, token.rotated_at IS NOT NULL AS rotated, token.salt,
        coalesce(clock_timestamp() - token.rotated_at < make_interval(secs => $2), false) AS in_grace,
        next.rotated_at IS NOT NULL AS successor_used, token.successor,
        granted.grant_id, granted.client_id, granted.scopes, granted.revoked_at IS NOT NULL AS revoked
    FROM refresh_token AS token
        JOIN oauth_grant AS granted ON granted.grant_id = token.grant_id
        LEFT JOIN refresh_token AS next ON next.sha256 = token.successor
    WHERE token.sha256 = $1";

const ROTATE: &str =
    "UPDATE refresh_token SET rotated_at = clock_timestamp(), salt = $2, successor = $3 WHERE sha256 = $1";

/// What is left of an access token.
const LEFT: &str = "SELECT greatest(extract(epoch FROM expires_at - clock_timestamp()), 0)::bigint, scopes
    FROM credential WHERE sha256 = $1 AND revoked_at IS NULL";

#[derive(sqlx::FromRow)]
struct Token {
    expired: bool,
    rotated: bool,
    in_grace: bool,
    successor_used: bool,
    salt: Option<Vec<u8>>,
    successor: Option<Vec<u8>>,
    grant_id: Uuid,
    client_id: Uuid,
    scopes: Vec<String>,
    revoked: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Rotate,
    /// The answer may have been lost.
    Again,
    /// Somebody else has the token as well.
    Reused,
    Refused,
}

impl OAuth {
    /// The next pair of tokens for a refresh token.
    pub(super) async fn refresh(&self, client: &Proven, grant: &RefreshGrant) -> Result<IssueTokenResponse, Error> {
        let sha256 = grant.refresh_token_sha256.as_slice();
        let (mut connection, _turn) = self.begin(client).await?;
        let locked: Option<Uuid> = sqlx::query_scalar(LOCK)
            .bind(sha256)
            .fetch_optional(&mut *connection)
            .await
            .map_err(database)?;
        locked.ok_or_else(grant_invalid)?;
        let token: Token = sqlx::query_as(LOOK)
            .bind(sha256)
            .bind(self.grace.as_secs_f64())
            .fetch_one(&mut *connection)
            .await
            .map_err(database)?;
        let answer = match judge(&token, client.0.id) {
            Verdict::Refused => return Err(grant_invalid()),
            Verdict::Again => return self.again(&mut connection, sha256, &token).await,
            Verdict::Reused => {
                family::revoke(&mut connection, client, token.grant_id, "grant.refresh_reused").await?;
                None
            }
            Verdict::Rotate => {
                let scopes = within(&token.scopes, &grant.scopes)?;
                let salt = random()?;
                let (access, refresh) = successor::pair(&self.key, sha256, &salt);
                let rotated = sqlx::query(ROTATE)
                    .bind(sha256)
                    .bind(salt.as_slice())
                    .bind(&refresh.sha256);
                rotated.execute(&mut *connection).await.map_err(database)?;
                let tokens = Tokens::of(token.grant_id, access, refresh, scopes);
                Some(tokens.write(&mut connection, client).await?)
            }
        };
        connection.commit().await.map_err(database)?;
        answer.ok_or_else(grant_invalid)
    }

    /// The same pair as before.
    async fn again(&self, connection: &mut Lease, sha256: &[u8], token: &Token) -> Result<IssueTokenResponse, Error> {
        let (access, refresh) = successor::pair(&self.key, sha256, token.salt.as_deref().unwrap_or_default());
        if token.successor.as_ref() != Some(&refresh.sha256) {
            // Made under another key, which was changed within the grace.
            return Err(grant_invalid());
        }
        let left: Option<(i64, Vec<String>)> = sqlx::query_as(LEFT)
            .bind(&access.sha256)
            .fetch_optional(&mut **connection)
            .await
            .map_err(database)?;
        let (seconds, scopes) = left.ok_or_else(grant_invalid)?;
        Ok(IssueTokenResponse {
            access_token: access.text,
            lifetime: Some(Duration { seconds, nanos: 0 }),
            refresh_token: refresh.text,
            scopes,
        })
    }
}

fn judge(token: &Token, client: Uuid) -> Verdict {
    if token.client_id != client || token.revoked {
        Verdict::Refused
    } else if token.rotated && token.in_grace && !token.successor_used {
        Verdict::Again
    } else if token.rotated {
        Verdict::Reused
    } else if token.expired {
        Verdict::Refused
    } else {
        Verdict::Rotate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: Uuid = Uuid::from_u128(1);

    #[test]
    fn a_refresh_token_is_judged() {
        let check = |change: fn(&mut Token), expect: Verdict| {
            let mut token = Token {
                expired: false,
                rotated: false,
                in_grace: false,
                successor_used: false,
                salt: None,
                successor: None,
                grant_id: Uuid::from_u128(2),
                client_id: CLIENT,
                scopes: Vec::new(),
                revoked: false,
            };
            change(&mut token);
            assert_eq!(judge(&token, CLIENT), expect);
        };
        check(|_| {}, Verdict::Rotate);
        check(|token| token.expired = true, Verdict::Refused);
        check(|token| token.revoked = true, Verdict::Refused);
        check(|token| token.client_id = Uuid::from_u128(9), Verdict::Refused);
        check(|token| (token.rotated, token.in_grace) = (true, true), Verdict::Again);
        check(|token| token.rotated = true, Verdict::Reused);
        check(
            |token| (token.rotated, token.in_grace, token.successor_used) = (true, true, true),
            Verdict::Reused,
        );
        check(|token| (token.rotated, token.expired) = (true, true), Verdict::Reused);
        check(
            |token| (token.rotated, token.client_id) = (true, Uuid::from_u128(9)),
            Verdict::Refused,
        );
    }
}
