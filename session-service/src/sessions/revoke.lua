-- Deletes one session, if it is the user's.
--
-- KEYS[1]  the bucket's prefix
-- ARGV     1 tenant, 2 user, 3 session id
-- Returns  1, or 0 when the user has no such session.
local prefix = KEYS[1]
if redis.call('ZREM', prefix .. ':us:' .. ARGV[1] .. ':' .. ARGV[2], ARGV[3]) == 0 then
  return 0
end
return redis.call('DEL', prefix .. ':s:' .. ARGV[3])
