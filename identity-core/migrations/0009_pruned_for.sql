-- How many sessions ended with an epoch, and when the session service last said so: of a user, or without one of the tenant itself.
-- Changes that reached the registers together are counted at the last, whose sessions include those of the others: so the next later
-- epoch says when. Reads the primary key, and nothing at all for an epoch that is null.
CREATE FUNCTION pruned_for(of_tenant uuid, of_user uuid, of_epoch bigint)
RETURNS TABLE (pruned bigint, pruned_at timestamptz) LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(p.pruned) FILTER (WHERE p.epoch = of_epoch), 0)::bigint, max(p.pruned_at)
    FROM access_prune AS p
    WHERE of_epoch IS NOT NULL AND p.tenant_id = of_tenant
      AND p.user_id = coalesce(of_user, '00000000-0000-0000-0000-000000000000')
      AND p.epoch = (
          SELECT min(next.epoch) FROM access_prune AS next
          WHERE next.tenant_id = of_tenant AND next.epoch >= of_epoch
            AND next.user_id = coalesce(of_user, '00000000-0000-0000-0000-000000000000')
      )
$$;
