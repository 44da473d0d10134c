-- Deletes the sessions of one user whose epochs are over, and notes how many for the acknowledgement.
--
-- KEYS[1]  the bucket's prefix
-- ARGV     1 tenant, 2 user (empty: nobody, and the tenant's ending is noted with what was counted for it), 3 user epoch, 4 tenant epoch: sessions of a lower one are over. An empty epoch is read from
--          the register, if there is one.
-- Returns  how many sessions were deleted.
local KEEP_MS = 24 * 3600 * 1000 -- how long a count waits to be acknowledged
local prefix, tenant, user = KEYS[1], ARGV[1], ARGV[2]
local owner = tenant .. ':' .. user
local owned = prefix .. ':us:' .. owner

local function floor(given, name)
  if given ~= '' then
    return given
  end
  local gen = redis.call('GET', prefix .. ':gen')
  local register = gen and redis.call('GET', prefix .. ':r:' .. gen .. ':' .. name)
  return register and string.match(register, '^%d+') or '0'
end
local user_floor, tenant_floor = floor(ARGV[3], 'u:' .. owner), floor(ARGV[4], 't:' .. tenant)

local function note(ending, count)
  local key = prefix .. ':pruned:' .. ending
  redis.call('INCRBY', key, count)
  redis.call('PEXPIRE', key, KEEP_MS)
  redis.call('SADD', prefix .. ':acks', ending)
end

local by_user, by_tenant = 0, 0
for _, id in ipairs(redis.call('ZRANGE', owned, 0, -1)) do
  local session = redis.call('HMGET', prefix .. ':s:' .. id, 'te', 'ue')
  local over_user = session[2] and tonumber(session[2]) < tonumber(user_floor)
  local over_tenant = session[1] and tonumber(session[1]) < tonumber(tenant_floor)
  if over_user then
    by_user = by_user + 1
  elseif over_tenant then
    by_tenant = by_tenant + 1
  end
  if over_user or over_tenant or not session[1] then
    redis.call('DEL', prefix .. ':s:' .. id)
    redis.call('ZREM', owned, id)
  end
end
if redis.call('EXISTS', owned) == 0 then
  redis.call('ZREM', prefix .. ':users', owner)
end
if by_user > 0 or ARGV[3] ~= '' then
  note(tenant .. ':' .. user .. ':' .. user_floor, by_user)
end
if by_tenant > 0 or user == '' then
  note(tenant .. '::' .. tenant_floor, by_tenant)
end
return by_user + by_tenant
