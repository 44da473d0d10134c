-- What waits for the relay, by bucket: one Redis master that is down must not make those that are up read past all that waits for
-- it. A whole tenant's change counts as of bucket -1. They take the place of two indexes without the bucket, which would
-- still be chosen and cost what this saves; the version before this one finds its tenants with the first of these as well.
DROP INDEX outbox_waiting, outbox_waiting_since;
CREATE INDEX outbox_waiting_by_tenant ON outbox (tenant_id, coalesce(bucket, -1), outbox_id)
    WHERE access_epoch IS NOT NULL AND applied_at IS NULL;
CREATE INDEX outbox_waiting_by_age ON outbox (coalesce(bucket, -1), created_at)
    WHERE access_epoch IS NOT NULL AND applied_at IS NULL;
