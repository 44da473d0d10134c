-- How many sessions ended with an epoch, and when the session service last said so; without a user, with a tenant's, and then when
-- the last of the 64 buckets was gone through. Reads the primary key, and nothing at all for an epoch that is null.
CREATE FUNCTION pruned_for(of_tenant uuid, of_user uuid, of_epoch bigint)
RETURNS TABLE (pruned bigint, pruned_at timestamptz) LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(p.pruned), 0)::bigint,
           CASE WHEN of_user IS NOT NULL OR count(*) = 64 THEN max(p.pruned_at) END
    FROM access_prune AS p
    WHERE of_epoch IS NOT NULL AND p.tenant_id = of_tenant AND p.epoch = of_epoch
      AND p.user_id = coalesce(of_user, '00000000-0000-0000-0000-000000000000')
$$;
