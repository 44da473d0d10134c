-- Whether a change that we can see was made before a snapshot. A dump brings transaction ids of the cluster that it was made
-- in: one that this cluster has not come to yet is of a change from before the restore, and so before any login that this
-- cluster began.
CREATE FUNCTION is_unchanged_since(snapshot pg_snapshot, changed xid8) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT pg_visible_in_snapshot(changed, snapshot) OR changed >= pg_snapshot_xmax(pg_current_snapshot())
$$;
