-- Access tokens stand beside static tokens: one look-up finds either, and a version before this one honours both. It counts and lists
-- them as static ones, though: clients are made once every core is of this version.
ALTER TABLE credential
    ADD COLUMN client_id         uuid, -- of an access token; null: static
    ADD COLUMN grant_id          uuid, -- of an access token by consent
    ADD COLUMN last_used_address text,
    ADD COLUMN warned_days       integer; -- the last warning of its expiry: 30, 7 or 1 days ahead
CREATE INDEX credential_of_client ON credential (client_id, expires_at) WHERE client_id IS NOT NULL;
CREATE INDEX credential_of_clients_by_expiry ON credential (expires_at) WHERE client_id IS NOT NULL;
CREATE INDEX credential_of_grant ON credential (grant_id) WHERE grant_id IS NOT NULL;
CREATE INDEX credential_by_expiry ON credential (expires_at) WHERE revoked_at IS NULL AND client_id IS NULL;
GRANT DELETE ON credential TO portcullis_system; -- access tokens that ended
