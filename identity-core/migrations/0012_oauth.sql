-- OAuth clients and what they hold. Only the system role sees these tables: everything here is found by the hash of a secret or by
-- an administrator, before a tenant is known.
CREATE TABLE oauth_client (
    client_id     uuid PRIMARY KEY,
    tenant_id     uuid NOT NULL REFERENCES tenant,
    name          text NOT NULL,
    kind          text NOT NULL CONSTRAINT oauth_client_kind CHECK (kind IN ('code', 'public_code', 'secret', 'assertion')),
    scopes        text[] NOT NULL,
    redirect_uris text[] NOT NULL DEFAULT '{}',
    issuer        text, -- of its assertions, as are the next three
    jwks_url      text,
    subject       text,
    audience      text,
    token_seconds integer NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    revoked_at    timestamptz,
    CONSTRAINT oauth_client_assertion CHECK ((kind = 'assertion') = (num_nulls(issuer, jwks_url, subject, audience) = 0))
);
CREATE INDEX oauth_client_of_tenant ON oauth_client (tenant_id, created_at DESC);

CREATE TABLE client_secret (
    secret_id         uuid PRIMARY KEY,
    client_id         uuid NOT NULL REFERENCES oauth_client,
    sha256            bytea NOT NULL CONSTRAINT client_secret_sha256_length CHECK (octet_length(sha256) = 32),
    hint              text NOT NULL,
    created_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at        timestamptz NOT NULL,
    warned_days       integer, -- the last warning of its expiry: 30, 7 or 1 days ahead
    last_used_at      timestamptz,
    last_used_address text,
    revoked_at        timestamptz,
    CONSTRAINT client_secret_key UNIQUE (client_id, sha256)
);
CREATE INDEX client_secret_by_expiry ON client_secret (expires_at) WHERE revoked_at IS NULL;

-- What an administrator consented to: the family of the refresh tokens and access tokens that came of it.
CREATE TABLE oauth_grant (
    grant_id    uuid PRIMARY KEY,
    client_id   uuid NOT NULL REFERENCES oauth_client,
    scopes      text[] NOT NULL,
    approved_by uuid NOT NULL REFERENCES credential,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    revoked_at  timestamptz
);
CREATE INDEX oauth_grant_of_client ON oauth_grant (client_id);
CREATE INDEX oauth_grant_by_approval ON oauth_grant (approved_by);

CREATE TABLE authorization_code (
    sha256       bytea PRIMARY KEY,
    grant_id     uuid NOT NULL REFERENCES oauth_grant,
    redirect_uri text NOT NULL, -- as the request said it; empty if it did not
    challenge    text,
    expires_at   timestamptz NOT NULL,
    used_at      timestamptz
);
CREATE INDEX authorization_code_by_expiry ON authorization_code (expires_at);

-- A refresh token that was used knows how to make its successor again, from its own hash and a key that the database does not have.
CREATE TABLE refresh_token (
    sha256     bytea PRIMARY KEY,
    grant_id   uuid NOT NULL REFERENCES oauth_grant,
    expires_at timestamptz NOT NULL,
    rotated_at timestamptz,
    salt       bytea,
    successor  bytea,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX refresh_token_of_grant ON refresh_token (grant_id);
CREATE INDEX refresh_token_by_expiry ON refresh_token (expires_at);
CREATE INDEX refresh_token_rotated ON refresh_token (rotated_at) WHERE rotated_at IS NOT NULL;

-- Ids of assertions that were used, until they expire.
CREATE TABLE assertion_used (
    client_id  uuid NOT NULL REFERENCES oauth_client,
    jti        text COLLATE "C" NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (client_id, jti)
);
CREATE INDEX assertion_used_until ON assertion_used (expires_at);

-- What was done to credentials, written with the change. Nobody may change or remove a row.
CREATE TABLE audit (
    audit_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id  uuid NOT NULL REFERENCES tenant,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor      text NOT NULL, -- service:<name>, credential:<id>, client:<id>, system
    action     text NOT NULL,
    subject_id uuid NOT NULL,
    request_id text,
    detail     jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_of_tenant ON audit (tenant_id, audit_id DESC);
CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END $$;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();

GRANT SELECT, INSERT, UPDATE ON oauth_client, client_secret, oauth_grant TO portcullis_system;
GRANT SELECT, INSERT, UPDATE, DELETE ON authorization_code, refresh_token, assertion_used TO portcullis_system;
GRANT SELECT, INSERT ON audit TO portcullis_system;
