-- Creates a session, if access is as the login was checked against.
--
-- KEYS[1]  the bucket's prefix
-- ARGV     1 tenant, 2 user, 3 session id, 4 tenant epoch, 5 user epoch, 6 jti of the login, 7 for how long a login is
--          remembered (ms), 8 the session's lifetime (ms), 9 how many sessions a user may have, 10 how long a
--          lease may have left to be believed (ms)
-- Returns  {'later'}  no lease that is believed, or a register that is blank or behind: nobody can know now
--          {'ended'}  access changed since the login was checked
--          {'used'}   a session was already created with this login
--          {'ok', created (ms), expires (ms)}; the user's oldest sessions beyond the cap are gone
local prefix, tenant, user, id = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local owner = tenant .. ':' .. user
local gen = redis.call('GET', prefix .. ':gen')
local left = redis.call('PTTL', prefix .. ':lease')
if not gen or left <= 0 or left > tonumber(ARGV[10]) then
  return { 'later' }
end

local function check(name, epoch)
  local register = redis.call('GET', prefix .. ':r:' .. gen .. ':' .. name)
  if not register then
    return 'later'
  end
  local stands, state = string.match(register, '^(%d+):(%a)$')
  if tonumber(stands) < tonumber(epoch) then
    return 'later'
  end
  return stands == epoch and state == 'a' and 'ok' or 'ended'
end
for _, verdict in ipairs({ check('t:' .. tenant, ARGV[4]), check('u:' .. owner, ARGV[5]) }) do
  if verdict ~= 'ok' then
    return { verdict }
  end
end

if not redis.call('SET', prefix .. ':jti:' .. ARGV[6], '1', 'NX', 'PX', ARGV[7]) then
  return { 'used' }
end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local expires = now + tonumber(ARGV[8])
local session, owned = prefix .. ':s:' .. id, prefix .. ':us:' .. owner
redis.call('HSET', session, 'te', ARGV[4], 'ue', ARGV[5], 'at', now, 'exp', expires)
redis.call('PEXPIREAT', session, expires)
redis.call('ZADD', owned, now, id)
redis.call('ZADD', prefix .. ':users', 0, owner)
local cap = tonumber(ARGV[9])
if redis.call('ZCARD', owned) > cap then
  for _, known in ipairs(redis.call('ZRANGE', owned, 0, -1)) do
    if redis.call('EXISTS', prefix .. ':s:' .. known) == 0 then -- it expired
      redis.call('ZREM', owned, known)
    end
  end
end
local surplus = redis.call('ZCARD', owned) - cap
if surplus > 0 then
  for _, oldest in ipairs(redis.call('ZRANGE', owned, 0, surplus - 1)) do
    redis.call('DEL', prefix .. ':s:' .. oldest)
    redis.call('ZREM', owned, oldest)
  end
end
return { 'ok', now, expires }
