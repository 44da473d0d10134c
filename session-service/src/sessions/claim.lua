-- Binds a login to the first user that it is used for: one login may become one session of one user, whichever bucket
-- the user is in.
--
-- KEYS[1]  the prefix of the login's own bucket
-- ARGV     1 jti, 2 user, 3 for how long a login is remembered (ms)
-- Returns  1, or 0 when the login is another user's.
local key = KEYS[1] .. ':login:' .. ARGV[1]
if redis.call('SET', key, ARGV[2], 'NX', 'PX', ARGV[3]) then
  return 1
end
return redis.call('GET', key) == ARGV[2] and 1 or 0
