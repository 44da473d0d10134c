//! Exchanges an authorization code: RFC 6749 section 4.1.3, RFC 7636 section 4.6. A code works once, for the client that it was made
//! for; whatever else comes with it wrong burns it, and a code that comes twice ends what came of it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use identity_proto::credential::Kind;
use identity_proto::identity::v1::{CodeGrant, IssueTokenResponse};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::issue::Tokens;
use super::{OAuth, Proven, family, grant_invalid};
use crate::Error;
use crate::credentials::secret::Secret;
use crate::error::database;

const LOCK: &str = "SELECT code.redirect_uri, code.challenge, code.used_at IS NOT NULL AS used,
        code.expires_at <= clock_timestamp() AS expired,
        granted.grant_id, granted.client_id, granted.scopes, granted.revoked_at IS NOT NULL AS revoked
    FROM authorization_code AS code JOIN oauth_grant AS granted ON granted.grant_id = code.grant_id
    WHERE code.sha256 = $1 FOR UPDATE";

const USE: &str = "UPDATE authorization_code SET used_at = clock_timestamp() WHERE sha256 = $1";

#[derive(sqlx::FromRow)]
struct Code {
    redirect_uri: String,
    challenge: Option<String>,
    used: bool,
    expired: bool,
    grant_id: Uuid,
    client_id: Uuid,
    scopes: Vec<String>,
    revoked: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Tokens for it.
    Good,
    /// Refused, and as it was.
    Refused,
    /// Refused, now and ever.
    Burnt,
    /// Refused, and so is what was given for it.
    Replayed,
}

impl OAuth {
    /// Tokens for a code.
    pub(super) async fn exchange(&self, client: &Proven, grant: &CodeGrant) -> Result<IssueTokenResponse, Error> {
        let (mut connection, _turn) = self.begin(client).await?;
        let code: Option<Code> = sqlx::query_as(LOCK)
            .bind(&grant.code_sha256)
            .fetch_optional(&mut *connection)
            .await
            .map_err(database)?;
        let code = code.ok_or_else(grant_invalid)?;
        let verdict = judge(&code, client.0.id, grant);
        let tokens = match verdict {
            Verdict::Refused => return Err(grant_invalid()),
            Verdict::Replayed => {
                family::revoke(&mut connection, client, code.grant_id, "grant.code_replayed").await?;
                None
            }
            Verdict::Burnt | Verdict::Good => {
                let used = sqlx::query(USE).bind(&grant.code_sha256);
                used.execute(&mut *connection).await.map_err(database)?;
                match verdict {
                    Verdict::Good => {
                        let (access, refresh) = (Secret::random(Kind::Token)?, Secret::random(Kind::RefreshToken)?);
                        let tokens = Tokens::of(code.grant_id, access, refresh, code.scopes);
                        Some(tokens.write(&mut connection, client).await?)
                    }
                    _ => None,
                }
            }
        };
        connection.commit().await.map_err(database)?;
        tokens.ok_or_else(grant_invalid)
    }
}

fn judge(code: &Code, client: Uuid, grant: &CodeGrant) -> Verdict {
    if code.client_id != client || code.revoked {
        return Verdict::Refused;
    }
    if code.used {
        return Verdict::Replayed;
    }
    if code.expired {
        return Verdict::Refused;
    }
    let verified = match &code.challenge {
        Some(challenge) => verifies(challenge, &grant.code_verifier),
        None => grant.code_verifier.is_empty(),
    };
    if verified && grant.redirect_uri == code.redirect_uri {
        Verdict::Good
    } else {
        Verdict::Burnt
    }
}

fn verifies(challenge: &str, verifier: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let fits = (43..=128).contains(&verifier.len()) && verifier.bytes().all(unreserved);
    let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    fits && digest.as_bytes().ct_eq(challenge.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: Uuid = Uuid::from_u128(1);
    // RFC 7636 appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn code(challenge: Option<&str>) -> Code {
        Code {
            redirect_uri: "https://app.example/cb".to_owned(),
            challenge: challenge.map(str::to_owned),
            used: false,
            expired: false,
            grant_id: Uuid::from_u128(2),
            client_id: CLIENT,
            scopes: Vec::new(),
            revoked: false,
        }
    }

    fn grant(verifier: &str) -> CodeGrant {
        CodeGrant {
            code_sha256: Vec::new(),
            redirect_uri: "https://app.example/cb".to_owned(),
            code_verifier: verifier.to_owned(),
        }
    }

    #[test]
    fn a_code_is_judged_with_all_that_comes_with_it() {
        use Verdict::{Burnt, Good, Refused, Replayed};
        let check =
            |challenge: Option<&str>, verifier: &str, change: fn(&mut Code, &mut CodeGrant), expect: Verdict| {
                let (mut code, mut grant) = (code(challenge), grant(verifier));
                change(&mut code, &mut grant);
                assert_eq!(judge(&code, CLIENT, &grant), expect, "{challenge:?} {verifier:?}");
            };
        check(Some(CHALLENGE), VERIFIER, |_, _| {}, Good);
        check(None, "", |_, _| {}, Good);
        check(Some(CHALLENGE), "wrong", |_, _| {}, Burnt);
        check(Some(CHALLENGE), CHALLENGE, |_, _| {}, Burnt);
        check(Some(CHALLENGE), "", |_, _| {}, Burnt);
        check(None, VERIFIER, |_, _| {}, Burnt);
        check(None, "", |_, grant| grant.redirect_uri.push('/'), Burnt);
        check(None, "", |_, grant| grant.redirect_uri.clear(), Burnt);
        check(None, "", |code, _| code.used = true, Replayed);
        check(None, "", |code, _| code.expired = true, Refused);
        check(None, "", |code, _| code.revoked = true, Refused);
        check(None, "", |code, _| code.client_id = Uuid::from_u128(9), Refused);
        check(
            None,
            "",
            |code, _| (code.used, code.client_id) = (true, Uuid::from_u128(9)),
            Refused,
        );
    }
}
