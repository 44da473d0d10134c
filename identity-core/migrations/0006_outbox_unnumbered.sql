-- Notes each new row of `outbox` as one without a number, whichever version writes it. A trigger, because the versions before
-- this one know nothing of numbers. (The column `outbox.sequence` was meant for them and is used by nobody: a later version
-- removes it. To fill it in would lock the rows that the relay claims.)
CREATE FUNCTION note_unnumbered() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event_unnumbered (tenant_id, outbox_id, since) VALUES (NEW.tenant_id, NEW.outbox_id, NEW.created_at);
    RETURN NULL;
END $$;
CREATE TRIGGER note_unnumbered AFTER INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION note_unnumbered();

-- Retention removes events that were applied and numbered.
GRANT DELETE ON outbox TO portcullis_system;
