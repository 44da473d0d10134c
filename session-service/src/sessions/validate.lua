-- Validates a session against the registers, in one round trip.
--
-- KEYS[1]  the bucket's prefix
-- ARGV     1 tenant, 2 user, 3 session id, 4 whether a lease may have come from another process (1): not to be believed
-- Returns  a number: it is valid, until then (ms); or a text:
--          ended | tenant            the user's / the tenant's access ended
--          unknown                   no such session, and access did not end
--          pruned-ended | pruned-tenant
--                                    no such session, and the user's / the tenant's access ended
--          ask <tenant epoch> <user epoch> <expires>
--                                    a register is blank or behind, or the lease lapsed: compare these epochs with the core's
local prefix, tenant, user = KEYS[1], ARGV[1], ARGV[2]
local session = redis.call('HMGET', prefix .. ':s:' .. ARGV[3], 'te', 'ue', 'exp')
local trusted = redis.call('MGET', prefix .. ':gen', prefix .. ':lease')
local of_tenant, of_user
if trusted[1] then
  local register = prefix .. ':r:' .. trusted[1]
  local registers = redis.call('MGET', register .. ':t:' .. tenant, register .. ':u:' .. tenant .. ':' .. user)
  of_tenant, of_user = registers[1], registers[2]
end
local tenant_epoch, user_epoch, expires = session[1], session[2], session[3]

if not tenant_epoch then
  -- It may have been pruned already: say why, if the registers know.
  if of_tenant and string.sub(of_tenant, -2) ~= ':a' then
    return 'pruned-tenant'
  end
  if of_user and string.sub(of_user, -2) ~= ':a' then
    return 'pruned-ended'
  end
  return 'unknown'
end

if trusted[2] and ARGV[4] ~= '1' then
  local tenant_stands = of_tenant == tenant_epoch .. ':a'
  if tenant_stands and of_user == user_epoch .. ':a' then
    return tonumber(expires)
  end
  local function is_behind(register, epoch)
    return not register or tonumber(string.match(register, '^%d+')) < tonumber(epoch)
  end
  if not tenant_stands and not is_behind(of_tenant, tenant_epoch) then
    return 'tenant'
  end
  if tenant_stands and not is_behind(of_user, user_epoch) then
    return 'ended'
  end
end
return 'ask ' .. tenant_epoch .. ' ' .. user_epoch .. ' ' .. expires
