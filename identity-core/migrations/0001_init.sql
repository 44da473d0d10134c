-- Roles: every statement runs as one of these two, never as the owner. The tenant role sees one tenant's rows, through
-- row-level security; the system role sees the few tables that stand above tenants, as ARCHITECTURE.md lists them.
DO $$
BEGIN
    CREATE ROLE portcullis_tenant NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
DO $$
BEGIN
    CREATE ROLE portcullis_system NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
GRANT portcullis_tenant, portcullis_system TO CURRENT_USER;

CREATE TABLE tenant (
    tenant_id    uuid PRIMARY KEY,
    name         text COLLATE "C" NOT NULL,
    state        text NOT NULL DEFAULT 'active' CONSTRAINT tenant_state CHECK (state IN ('active', 'suspended', 'deleted')),
    scim_enabled boolean NOT NULL DEFAULT true,
    profile      text NOT NULL DEFAULT 'interop' CONSTRAINT tenant_profile CHECK (profile IN ('interop', 'strict')),
    quirks       jsonb NOT NULL DEFAULT '{}', -- by name, where the tenant differs from its profile
    refuse_passwords boolean NOT NULL DEFAULT false,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE UNIQUE INDEX tenant_name_key ON tenant (name) WHERE state <> 'deleted';

CREATE TABLE credential (
    credential_id uuid PRIMARY KEY,
    tenant_id     uuid NOT NULL REFERENCES tenant,
    sha256        bytea NOT NULL CONSTRAINT credential_sha256_length CHECK (octet_length(sha256) = 32),
    hint          text NOT NULL,
    scopes        text[] NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at    timestamptz NOT NULL,
    last_used_at  timestamptz,
    revoked_at    timestamptz,
    CONSTRAINT credential_sha256_key UNIQUE (sha256)
);
CREATE INDEX credential_tenant ON credential (tenant_id, created_at DESC);

-- The document is the truth; the key columns are taken from it. `keys` is the same document with every string that
-- compares without regard to case folded, and is what filters read.
CREATE TABLE users (
    tenant_id        uuid NOT NULL REFERENCES tenant,
    user_id          uuid NOT NULL,
    attributes       jsonb NOT NULL,
    keys             jsonb NOT NULL,
    user_name_key    text COLLATE "C" NOT NULL GENERATED ALWAYS AS (keys ->> 'userName') STORED,
    external_id      text COLLATE "C" GENERATED ALWAYS AS (attributes ->> 'externalId') STORED,
    active           boolean GENERATED ALWAYS AS ((attributes ->> 'active')::boolean) STORED,
    password_hash    text,
    version          bigint NOT NULL DEFAULT 1,
    created_at       timestamptz NOT NULL,
    last_modified_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, user_id),
    CONSTRAINT users_user_name_key UNIQUE (tenant_id, user_name_key)
);
CREATE INDEX users_external_id ON users (tenant_id, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX users_last_modified ON users (tenant_id, last_modified_at);

-- Searchable values: one row for each, so that one row can match both the type and the value of a value filter.
CREATE TABLE user_value (
    tenant_id uuid NOT NULL,
    user_id   uuid NOT NULL,
    path      text COLLATE "C" NOT NULL, -- emails, phoneNumbers, displayName
    value_key text COLLATE "C" NOT NULL, -- folded
    type_key  text COLLATE "C",          -- folded
    FOREIGN KEY (tenant_id, user_id) REFERENCES users ON DELETE CASCADE
);
CREATE INDEX user_value_by_value ON user_value (tenant_id, path, value_key, type_key, user_id);
CREATE INDEX user_value_by_user ON user_value (tenant_id, user_id);

-- Access. Rows stay after the user is deleted: an id is never used again.
CREATE TABLE user_access (
    tenant_id   uuid NOT NULL REFERENCES tenant,
    user_id     uuid NOT NULL,
    epoch       bigint NOT NULL,
    state       text NOT NULL CONSTRAINT user_access_state CHECK (state IN ('active', 'inactive', 'deleted')),
    changed_xid xid8 NOT NULL,
    changed_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
);
CREATE TABLE tenant_access (
    tenant_id   uuid PRIMARY KEY REFERENCES tenant,
    epoch       bigint NOT NULL,
    state       text NOT NULL CONSTRAINT tenant_access_state CHECK (state IN ('active', 'inactive', 'deleted')),
    changed_xid xid8 NOT NULL,
    changed_at  timestamptz NOT NULL
);

-- Rises on every change, and a database restored to an earlier time never gives an epoch twice.
CREATE FUNCTION next_epoch(current bigint) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT greatest(current + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
$$;

-- The one place where a user's state changes, and its epoch with it. Deleted is final: a deleted user's row answers nothing.
CREATE FUNCTION move_user_access(of_tenant uuid, of_user uuid, new_state text) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    INSERT INTO user_access AS access (tenant_id, user_id, epoch, state, changed_xid, changed_at)
    VALUES (of_tenant, of_user, next_epoch(NULL), new_state, pg_current_xact_id(), clock_timestamp())
    ON CONFLICT (tenant_id, user_id) DO UPDATE
        SET epoch = next_epoch(access.epoch), state = excluded.state,
            changed_xid = excluded.changed_xid, changed_at = clock_timestamp() -- not before a lock was waited for
        WHERE access.state <> 'deleted'
    RETURNING epoch
$$;

-- Ends every session of a user and leaves the state to whoever else changes it at the same moment.
CREATE FUNCTION end_user_access(of_tenant uuid, of_user uuid) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    UPDATE user_access
    SET epoch = next_epoch(epoch), changed_xid = pg_current_xact_id(), changed_at = clock_timestamp()
    WHERE tenant_id = of_tenant AND user_id = of_user AND state <> 'deleted'
    RETURNING epoch
$$;

-- The one place where a tenant's state changes, and its epoch with it.
CREATE FUNCTION move_tenant_access(of_tenant uuid, new_state text) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    INSERT INTO tenant_access AS access (tenant_id, epoch, state, changed_xid, changed_at)
    VALUES (of_tenant, next_epoch(NULL), new_state, pg_current_xact_id(), clock_timestamp())
    ON CONFLICT (tenant_id) DO UPDATE
        SET epoch = next_epoch(access.epoch), state = excluded.state,
            changed_xid = excluded.changed_xid, changed_at = clock_timestamp() -- not before a lock was waited for
        WHERE access.state <> 'deleted'
    RETURNING epoch
$$;

-- One row for each event, in the transaction of its change. With `access_epoch` it also moves a register: that is the
-- relay's first duty and never waits for the rest.
CREATE TABLE outbox (
    tenant_id     uuid NOT NULL REFERENCES tenant,
    outbox_id     bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    event_id      uuid NOT NULL,
    kind          text NOT NULL,             -- RFC 9967's name, or access:ended, tenant:access
    user_id       uuid,                      -- null: the whole tenant
    body          bytea NOT NULL,            -- identity.v1.Event without sequence, time and epoch
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    sequence      bigint,                    -- per tenant, given by the relay over committed rows
    access_epoch  bigint,
    bucket        smallint,                  -- null with an access_epoch: every bucket
    claim         uuid,
    claimed_until timestamptz,
    applied_at    timestamptz,
    PRIMARY KEY (tenant_id, outbox_id)
);
-- What waits for the relay: by tenant to be taken in turn, by age to be noticed when it waits too long.
CREATE INDEX outbox_waiting ON outbox (tenant_id, outbox_id) WHERE access_epoch IS NOT NULL AND applied_at IS NULL;
CREATE INDEX outbox_waiting_since ON outbox (created_at) WHERE access_epoch IS NOT NULL AND applied_at IS NULL;
CREATE INDEX outbox_access ON outbox (tenant_id, user_id, access_epoch) WHERE access_epoch IS NOT NULL;

-- How many sessions ended with an epoch, as the session service acknowledged it, bucket by bucket.
CREATE TABLE access_prune (
    tenant_id uuid NOT NULL REFERENCES tenant,
    user_id   uuid NOT NULL,                 -- the nil UUID: the whole tenant
    epoch     bigint NOT NULL,
    bucket    smallint NOT NULL,
    pruned    bigint NOT NULL,
    pruned_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, user_id, epoch, bucket)
);

-- Which Redis process, seen from which PostgreSQL, holds the registers of a bucket's generation.
CREATE TABLE access_bucket (
    bucket            smallint PRIMARY KEY,
    gen               bigint NOT NULL DEFAULT 0,
    redis_incarnation text NOT NULL DEFAULT '',
    pg_incarnation    text NOT NULL DEFAULT ''
);
INSERT INTO access_bucket (bucket) SELECT generate_series(0, 63);

-- Differs after every restart, restore, promotion and re-creation of this database.
CREATE FUNCTION pg_incarnation() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT concat_ws('/', system.system_identifier, checkpoint.timeline_id,
                     extract(epoch FROM pg_postmaster_start_time()), database.oid, 'access_bucket'::regclass::oid)
    FROM pg_control_system() AS system, pg_control_checkpoint() AS checkpoint, pg_database AS database
    WHERE database.datname = current_database()
$$;

-- Row-level security: the second fence between tenants. The first is TenantStore.
DO $$
DECLARE
    one text;
BEGIN
    FOREACH one IN ARRAY ARRAY ['users', 'user_value', 'user_access', 'tenant_access', 'outbox', 'access_prune'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', one);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', one);
        EXECUTE format('CREATE POLICY of_tenant ON %I TO portcullis_tenant '
                       'USING (tenant_id = current_setting(''portcullis.tenant_id'')::uuid)', one);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO portcullis_tenant', one);
    END LOOP;
END $$;
REVOKE UPDATE, DELETE ON outbox FROM portcullis_tenant;
REVOKE DELETE ON user_access FROM portcullis_tenant;
REVOKE INSERT, UPDATE, DELETE ON tenant_access FROM portcullis_tenant;
REVOKE INSERT, UPDATE, DELETE ON access_prune FROM portcullis_tenant;

CREATE POLICY of_system ON user_access TO portcullis_system USING (true);
CREATE POLICY of_system ON outbox TO portcullis_system USING (true);
CREATE POLICY of_system ON users TO portcullis_system USING (true);
CREATE POLICY of_system ON tenant_access TO portcullis_system USING (true);
CREATE POLICY of_system ON access_prune TO portcullis_system USING (true);
GRANT SELECT, INSERT, UPDATE ON tenant, tenant_access, credential, outbox, access_prune TO portcullis_system;
GRANT SELECT, UPDATE ON access_bucket TO portcullis_system;
GRANT SELECT ON user_access TO portcullis_system;
GRANT DELETE, SELECT (tenant_id, user_id) ON users TO portcullis_system; -- deleting a tenant
