-- Which request made a change, as the HTTP answer named it, and its place in a trace (W3C traceparent): from an outbox row
-- an operator finds the log lines of the edge and of the core, and the prune's.
ALTER TABLE outbox ADD COLUMN request_id text, ADD COLUMN trace_parent text;
