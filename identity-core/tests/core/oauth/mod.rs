//! Clients and what they get, as the edge asks for it: by hashes of secrets, on a real PostgreSQL.

mod audit;
mod clients;
mod codes;
mod expiry;
mod refresh;

use identity_proto::credential::hash;
use identity_proto::identity::v1::client::Kind;
use identity_proto::identity::v1::client_authentication::Proof;
use identity_proto::identity::v1::issue_token_request::Grant;
use identity_proto::identity::v1::*;
use tonic::Status;

use crate::harness::*;

const REDIRECT: &str = "https://system-admin.okta.com/admin/app/cpc/acme_1/oauth/callback";

/// A client, and who may ask on its behalf.
struct Asking {
    core: Core,
    /// A static token of the tenant `acme`.
    key: String,
    client: Client,
    secret: String,
}

fn request(kind: Kind) -> CreateClientRequest {
    CreateClientRequest {
        tenant: "acme".to_owned(),
        name: "Okta".to_owned(),
        kind: kind.into(),
        redirect_uris: match kind {
            Kind::Code | Kind::PublicCode => vec![REDIRECT.to_owned()],
            _ => Vec::new(),
        },
        ..Default::default()
    }
}

impl Asking {
    async fn start(kind: Kind) -> Self {
        let core = Core::start().await;
        core.tenant("acme").await;
        let key = core.token("acme").await.secret;
        let created = core.clients().create_client(request(kind)).await.unwrap().into_inner();
        Asking {
            core,
            key,
            client: created.client.unwrap(),
            secret: created.secret,
        }
    }

    fn authentication(&self) -> ClientAuthentication {
        let proof = Proof::SecretSha256(hash(&self.secret).to_vec());
        ClientAuthentication {
            client_id: self.client.id.clone(),
            proof: (!self.secret.is_empty()).then_some(proof),
        }
    }

    async fn authorize(&self, key: &str, challenge: &str) -> Result<AuthorizeResponse, Status> {
        let request = AuthorizeRequest {
            client_id: self.client.id.clone(),
            redirect_uri: REDIRECT.to_owned(),
            code_challenge: challenge.to_owned(),
            ..Default::default()
        };
        let answer = self.core.oauth(As::scim(key)).authorize(request).await;
        answer.map(tonic::Response::into_inner)
    }

    async fn code(&self) -> String {
        self.authorize(&self.key, "").await.unwrap().code
    }

    async fn issue_as(&self, client: ClientAuthentication, grant: Grant) -> Result<IssueTokenResponse, Status> {
        let request = IssueTokenRequest {
            client: Some(client),
            grant: Some(grant),
        };
        let answer = self.core.oauth(As::service(EDGE)).issue_token(request).await;
        answer.map(tonic::Response::into_inner)
    }

    async fn issue(&self, grant: Grant) -> Result<IssueTokenResponse, Status> {
        self.issue_as(self.authentication(), grant).await
    }

    async fn exchange(&self, code: &str, verifier: &str) -> Result<IssueTokenResponse, Status> {
        self.issue(by_code(code, verifier)).await
    }

    async fn refresh(&self, token: &str) -> Result<IssueTokenResponse, Status> {
        self.issue(by_refresh(token)).await
    }

    async fn introspect(&self, token: &str) -> IntrospectTokenResponse {
        let request = IntrospectTokenRequest {
            client: Some(self.authentication()),
            token_sha256: hash(token).to_vec(),
        };
        let mut oauth = self.core.oauth(As::service(EDGE));
        oauth.introspect_token(request).await.unwrap().into_inner()
    }

    async fn revoke(&self, token: &str) {
        let request = RevokeIssuedTokenRequest {
            client: Some(self.authentication()),
            token_sha256: hash(token).to_vec(),
        };
        let mut oauth = self.core.oauth(As::service(EDGE));
        oauth.revoke_issued_token(request).await.unwrap();
    }

    /// Whether SCIM is let in, and as what. Never by what was remembered.
    async fn enters(&self, token: &str) -> Result<AuthenticateResponse, Status> {
        tokio::time::sleep(std::time::Duration::from_millis(450)).await;
        let mut edge = self.core.credentials(As::scim(token));
        edge.authenticate(AuthenticateRequest {})
            .await
            .map(tonic::Response::into_inner)
    }
}

fn by_code(code: &str, verifier: &str) -> Grant {
    Grant::Code(CodeGrant {
        code_sha256: hash(code).to_vec(),
        redirect_uri: REDIRECT.to_owned(),
        code_verifier: verifier.to_owned(),
    })
}

fn by_refresh(token: &str) -> Grant {
    Grant::Refresh(RefreshGrant {
        refresh_token_sha256: hash(token).to_vec(),
        scopes: Vec::new(),
    })
}

fn credentials_of_client(scopes: &[&str]) -> Grant {
    Grant::ClientCredentials(ClientCredentialsGrant {
        scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
    })
}
