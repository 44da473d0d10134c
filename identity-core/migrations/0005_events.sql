-- Events: the rows of `outbox`, numbered for each tenant without gaps. A writer numbers nothing: it only notes that its row
-- waits for a number (0006), and a core numbers what is committed.

-- Rows of `outbox` without a number. Emptied all the time, so it is vacuumed by number and not by share.
CREATE TABLE event_unnumbered (
    tenant_id uuid NOT NULL,
    outbox_id bigint NOT NULL,
    since     timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, outbox_id)
) WITH (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);

-- Which row has which number. No foreign key leads to `outbox`: its check would lock the row, and the relay skips locked
-- rows, so that an end of access would wait.
CREATE TABLE event_sequence (
    tenant_id uuid NOT NULL,
    sequence  bigint NOT NULL,
    outbox_id bigint NOT NULL,
    PRIMARY KEY (tenant_id, sequence)
);

-- What was numbered and what was removed since: kept are the numbers above `trimmed_sequence`.
CREATE TABLE event_stream (
    tenant_id        uuid PRIMARY KEY,
    last_sequence    bigint NOT NULL,
    trimmed_sequence bigint NOT NULL DEFAULT 0
);

-- How far a service of the platform came.
CREATE TABLE event_consumer (
    tenant_id             uuid NOT NULL,
    name                  text COLLATE "C" NOT NULL,
    acknowledged_sequence bigint NOT NULL,
    acknowledged_at       timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, name)
);

DO $$
DECLARE
    one text;
BEGIN
    FOREACH one IN ARRAY ARRAY ['event_unnumbered', 'event_sequence', 'event_stream', 'event_consumer'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', one);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', one);
        EXECUTE format('CREATE POLICY of_tenant ON %I TO portcullis_tenant '
                       'USING (tenant_id = current_setting(''portcullis.tenant_id'')::uuid)', one);
        EXECUTE format('CREATE POLICY of_system ON %I TO portcullis_system USING (true)', one);
    END LOOP;
END $$;
GRANT INSERT ON event_unnumbered TO portcullis_tenant;
GRANT SELECT ON event_sequence, event_stream, event_consumer TO portcullis_tenant;
GRANT SELECT, INSERT, DELETE ON event_unnumbered, event_sequence TO portcullis_system;
GRANT SELECT, INSERT, UPDATE ON event_stream TO portcullis_system;
GRANT SELECT, INSERT, UPDATE, DELETE ON event_consumer TO portcullis_system;

-- One process at a time numbers or removes events. The lock ends with the statement, whatever becomes of its client.
CREATE FUNCTION event_lock() RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT 7304679091520251 $$;

-- Numbers about `most` rows at most, the tenants in turn; how many it numbered. To be called outside of a transaction.
--
-- The order of one resource's events is that of its commits: a writer holds the lock of the resource's row when it draws
-- `outbox_id`, until its commit. So the one after it draws a higher one, and whoever sees the later row sees the earlier. The
-- statement after the lock has a snapshot of its own, which shows all that the holder before did: no row is numbered twice.
-- Rows are found by index and removed where they were found, whatever the statistics say: a queue has none to go by. (What is not
-- to be used counts as dear, and what is dear would be compiled first.)
CREATE FUNCTION number_events(most bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE SET enable_seqscan = off SET jit = off AS $$
DECLARE
    numbered bigint;
BEGIN
    IF NOT pg_try_advisory_xact_lock(event_lock()) THEN
        RETURN 0;
    END IF;
    WITH RECURSIVE tenants AS (
        (SELECT u.tenant_id FROM event_unnumbered AS u ORDER BY u.tenant_id LIMIT 1)
        UNION ALL
        SELECT (SELECT u.tenant_id FROM event_unnumbered AS u WHERE u.tenant_id > t.tenant_id
                ORDER BY u.tenant_id LIMIT 1)
        FROM tenants AS t WHERE t.tenant_id IS NOT NULL
    ), share AS MATERIALIZED (
        SELECT greatest(most / greatest(count(t.tenant_id), 1), 1) AS each FROM tenants AS t
    ), picked AS MATERIALIZED (
        SELECT turns.*, count(*) OVER (PARTITION BY turns.tenant_id) AS count
        FROM tenants AS t CROSS JOIN LATERAL (
            SELECT u.tenant_id, u.outbox_id, u.ctid AS place, row_number() OVER (ORDER BY u.outbox_id) AS turn
            FROM event_unnumbered AS u WHERE u.tenant_id = t.tenant_id
            ORDER BY u.outbox_id LIMIT (SELECT share.each FROM share)
        ) AS turns
    ), stream AS (
        INSERT INTO event_stream AS s (tenant_id, last_sequence)
        SELECT p.tenant_id, p.count FROM picked AS p WHERE p.turn = 1
        ON CONFLICT (tenant_id) DO UPDATE SET last_sequence = s.last_sequence + excluded.last_sequence
        RETURNING s.tenant_id, s.last_sequence
    ), sequence AS (
        INSERT INTO event_sequence (tenant_id, sequence, outbox_id)
        SELECT p.tenant_id, stream.last_sequence - p.count + p.turn, p.outbox_id
        FROM picked AS p JOIN stream USING (tenant_id)
    )
    DELETE FROM event_unnumbered AS u WHERE u.ctid = ANY (ARRAY (SELECT p.place FROM picked AS p));
    GET DIAGNOSTICS numbered = ROW_COUNT;
    RETURN numbered;
END $$;
