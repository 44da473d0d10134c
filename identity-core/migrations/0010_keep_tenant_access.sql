-- As before (0008), and the last change of a tenant's own access stays as that of a user's does.
--
-- Removes about `most` events at most, the tenants in turn, each from its oldest on and without gaps: those older than `keep` that
-- all named consumers acknowledged, those older than `longest` in any case. With a change of access goes what the session
-- service acknowledged for it. The row of the last change of a user's access, and of a
-- tenant's own, stays, without its body, as nobody reads it as an event any more: it says when the register moved, and what was
-- acknowledged for it stays too. It goes with the next one. How many events it removed; to be called outside of a transaction.
-- A tenant whose oldest event stays costs one look at that event.
CREATE OR REPLACE FUNCTION trim_events(keep interval, longest interval, most bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
DECLARE
    trimmed bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(event_lock());
    WITH old AS MATERIALIZED (
        SELECT s.tenant_id, s.trimmed_sequence, c.acknowledged
        FROM event_stream AS s
        CROSS JOIN LATERAL (
            SELECT coalesce(min(c.acknowledged_sequence), s.last_sequence) AS acknowledged
            FROM event_consumer AS c WHERE c.tenant_id = s.tenant_id
        ) AS c
        CROSS JOIN LATERAL (
            SELECT o.created_at, o.access_epoch IS NOT NULL AND o.applied_at IS NULL AS waits
            FROM event_sequence AS e JOIN outbox AS o USING (tenant_id, outbox_id)
            WHERE e.tenant_id = s.tenant_id AND e.sequence = s.trimmed_sequence + 1 LIMIT 1
        ) AS oldest
        WHERE may_be_trimmed(oldest.created_at, oldest.waits, s.trimmed_sequence < c.acknowledged, keep, longest)
    ), share AS MATERIALIZED (
        SELECT greatest(most / greatest(count(*), 1), 1) AS each FROM old
    ), looked_at AS MATERIALIZED (
        SELECT events.* FROM old CROSS JOIN LATERAL (
            SELECT e.tenant_id, e.sequence, e.ctid AS sequence_place, o.ctid AS outbox_place, o.user_id, o.access_epoch,
                   coalesce(o.access_epoch = coalesce(a.epoch, t.epoch), false) AS is_last,
                   bool_and(may_be_trimmed(o.created_at, o.access_epoch IS NOT NULL AND o.applied_at IS NULL,
                                           e.sequence <= old.acknowledged, keep, longest))
                       OVER (ORDER BY e.sequence) AS goes
            FROM event_sequence AS e JOIN outbox AS o USING (tenant_id, outbox_id)
            LEFT JOIN user_access AS a ON a.tenant_id = o.tenant_id AND a.user_id = o.user_id
            LEFT JOIN tenant_access AS t ON t.tenant_id = o.tenant_id AND o.user_id IS NULL
            WHERE e.tenant_id = old.tenant_id AND e.sequence > old.trimmed_sequence
              AND e.sequence <= old.trimmed_sequence + (SELECT share.each FROM share)
        ) AS events
    ), gone AS MATERIALIZED (
        SELECT * FROM looked_at WHERE goes
    ), stream AS (
        UPDATE event_stream AS s SET trimmed_sequence = s.trimmed_sequence + g.count
        FROM (SELECT gone.tenant_id, count(*) AS count FROM gone GROUP BY gone.tenant_id) AS g
        WHERE s.tenant_id = g.tenant_id
    ), events AS (
        DELETE FROM outbox WHERE ctid = ANY (ARRAY (
            SELECT g.outbox_place FROM gone AS g WHERE NOT g.is_last
            UNION ALL
            SELECT o.ctid FROM gone AS g JOIN outbox AS o
                ON o.tenant_id = g.tenant_id AND o.user_id = g.user_id AND o.access_epoch < g.access_epoch
            UNION ALL
            SELECT o.ctid FROM gone AS g JOIN outbox AS o
                ON o.tenant_id = g.tenant_id AND o.user_id IS NULL AND o.access_epoch < g.access_epoch
            WHERE g.user_id IS NULL
        ))
    ), emptied AS (
        UPDATE outbox SET body = '' WHERE ctid = ANY (ARRAY (SELECT g.outbox_place FROM gone AS g WHERE g.is_last))
    ), prunes AS (
        DELETE FROM access_prune AS p USING gone AS g
        WHERE p.tenant_id = g.tenant_id AND p.user_id = coalesce(g.user_id, '00000000-0000-0000-0000-000000000000')
          AND p.epoch <= g.access_epoch AND NOT (g.is_last AND p.epoch = g.access_epoch)
    )
    DELETE FROM event_sequence WHERE ctid = ANY (ARRAY (SELECT g.sequence_place FROM gone AS g));
    GET DIAGNOSTICS trimmed = ROW_COUNT;
    RETURN trimmed;
END $$;
