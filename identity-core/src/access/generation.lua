-- Begins a generation in one bucket: every register is blank from here on, and no lease stands.
--
-- KEYS[1]  the bucket's prefix
-- ARGV[1]  the generation that stood when the relay looked; empty: none
-- ARGV[2]  the new one, already recorded in PostgreSQL
-- Returns  1, or 0 when another relay was faster.
local prefix = KEYS[1]
if (redis.call('GET', prefix .. ':gen') or '') ~= ARGV[1] then
  return 0
end
redis.call('SET', prefix .. ':gen', ARGV[2])
redis.call('DEL', prefix .. ':lease')
return 1
