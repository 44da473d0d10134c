//! What an administrator enters where, by the names that the pages of the identity provider give to it.

use identity_proto::identity::v1::client::Kind;

/// Whose page it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Provider {
    Okta,
    Entra,
    /// Named as in RFC 6749.
    Other,
}

/// The next step after a client was made.
pub(super) struct Guide<'a> {
    pub provider: Provider,
    pub kind: Kind,
    /// As it was typed.
    pub tenant: &'a str,
    pub client: &'a str,
    /// What comes before the paths, where it is known.
    pub edge: Option<&'a str>,
}

/// The names of fields.
struct Names {
    scim: &'static str,
    token: &'static str,
    authorize: &'static str,
    client: &'static str,
    secret: &'static str,
}

impl Guide<'_> {
    pub const SCIM: &'static str = "/scim/v2";
    pub const AUTHORIZE: &'static str = "/oauth/authorize";
    pub const TOKEN: &'static str = "/oauth/token";

    /// Whether an administrator has to agree in a browser.
    pub fn asks_for_consent(&self) -> bool {
        matches!(self.kind, Kind::Code | Kind::PublicCode)
    }

    /// Lines for people: where to go, what to enter, what to press.
    pub fn to_text(&self) -> String {
        let mut lines = vec![self.place().to_owned()];
        let fields = self.fields();
        let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        lines.extend(fields.iter().map(|(name, value)| format!("  {name:width$}  {value}")));
        if self.edge.is_none() {
            lines.push("where EDGE is the address under which identity providers reach this system".to_owned());
        }
        lines.extend(self.last_step());
        lines.join("\n")
    }

    fn place(&self) -> &'static str {
        match (self.provider, self.kind) {
            (Provider::Okta, _) => {
                "next, in Okta's admin console, in the app's provisioning settings, with authentication mode OAuth 2:"
            }
            (Provider::Entra, Kind::Assertion) => {
                "next, in the Entra admin center, on the application's Connectivity page, with authentication method Workload Identity Federation:"
            }
            (Provider::Entra, _) => {
                "next, in the Entra admin center, on the application's Provisioning page, with authentication method \
                 OAuth2 Client Credentials Grant:"
            }
            (Provider::Other, _) => "next, in the identity provider:",
        }
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        let names = self.names();
        let url = |path: &str| format!("{}{path}", self.edge.unwrap_or("EDGE"));
        let mut fields = vec![(names.scim, url(Self::SCIM)), (names.token, url(Self::TOKEN))];
        if self.asks_for_consent() {
            fields.push((names.authorize, url(Self::AUTHORIZE)));
        }
        fields.push((names.client, self.client.to_owned()));
        if matches!(self.kind, Kind::Code | Kind::Secret) {
            fields.push((names.secret, "what was answered above".to_owned()));
        }
        fields
    }

    fn last_step(&self) -> Option<String> {
        let consent = format!(
            "asks for a SCIM token of the tenant: token create --tenant {}",
            self.tenant
        );
        match (self.provider, self.asks_for_consent()) {
            (Provider::Okta, _) => Some(format!("then press Authenticate; the page that opens {consent}")),
            (_, true) => Some(format!("the page on which an administrator agrees {consent}")),
            (Provider::Entra, false) => Some("then press Test Connection".to_owned()),
            (Provider::Other, false) => None,
        }
    }

    fn names(&self) -> Names {
        match (self.provider, self.kind) {
            (Provider::Okta, _) => Names {
                scim: "SCIM connector base URL",
                token: "Access token endpoint URI",
                authorize: "Authorization endpoint URI",
                client: "Client ID",
                secret: "Client Secret",
            },
            (Provider::Entra, Kind::Assertion) => Names {
                scim: "SCIM URL",
                token: "Token URL",
                client: "Client ID",
                ..Names::PLAIN
            },
            (Provider::Entra, _) => Names {
                scim: "Tenant URL",
                token: "Token endpoint",
                client: "Client identifier",
                secret: "Client secret",
                ..Names::PLAIN
            },
            (Provider::Other, _) => Names::PLAIN,
        }
    }
}

impl Names {
    /// Those of RFC 6749.
    const PLAIN: Names = Names {
        scim: "SCIM base URL",
        token: "token endpoint",
        authorize: "authorization endpoint",
        client: "client_id",
        secret: "client_secret",
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guide(provider: Provider, kind: Kind, edge: Option<&str>) -> String {
        let (tenant, client) = ("acme", "the-client");
        Guide {
            provider,
            kind,
            tenant,
            client,
            edge,
        }
        .to_text()
    }

    #[test]
    fn okta_is_told_by_the_names_of_its_page() {
        let text = guide(Provider::Okta, Kind::Code, Some("http://127.0.0.1:8080"));
        assert_eq!(
            text,
            "next, in Okta's admin console, in the app's provisioning settings, with authentication mode OAuth 2:
  SCIM connector base URL     http://127.0.0.1:8080/scim/v2
  Access token endpoint URI   http://127.0.0.1:8080/oauth/token
  Authorization endpoint URI  http://127.0.0.1:8080/oauth/authorize
  Client ID                   the-client
  Client Secret               what was answered above
then press Authenticate; the page that opens asks for a SCIM token of the tenant: token create --tenant acme"
        );
    }

    #[test]
    fn entra_is_told_by_the_names_of_either_page() {
        let check = |kind, fields: [&str; 3], has_secret: bool| {
            let text = guide(Provider::Entra, kind, None);
            for field in fields.into_iter().chain(["Test Connection", "EDGE/oauth/token"]) {
                assert!(text.contains(field), "{field}: {text}");
            }
            assert_eq!(text.contains("Client secret"), has_secret, "{text}");
            assert!(!text.contains("/oauth/authorize"), "{text}");
        };
        check(
            Kind::Secret,
            ["Tenant URL", "Token endpoint", "Client identifier"],
            true,
        );
        check(Kind::Assertion, ["SCIM URL", "Token URL", "Client ID"], false);
    }
}
