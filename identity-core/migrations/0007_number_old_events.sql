-- The rows from before the trigger. It could be made when no writer was at work on the table, so all of them are committed; and
-- nothing is numbered yet, as no core of this version serves before this is done. As the system role: row-level security
-- holds the owner too.
SET LOCAL ROLE portcullis_system;
INSERT INTO event_unnumbered (tenant_id, outbox_id, since)
SELECT tenant_id, outbox_id, created_at FROM outbox
ON CONFLICT (tenant_id, outbox_id) DO NOTHING;
RESET ROLE;
