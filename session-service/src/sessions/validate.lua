-- Validates a session against the registers, in one round trip.
--
-- KEYS[1]  the bucket's prefix
-- ARGV     1 tenant, 2 user, 3 session id, 4 how long a lease may have left to be believed (ms); 0: none is
-- Returns  a number: it is valid, until then (ms); or a text:
--          ended | tenant            the user's / the tenant's access ended
--          unknown                   no such session, and access did not end
--          pruned-ended | pruned-tenant
--                                    no such session, and the user's / the tenant's access ended
--          ask <tenant epoch> <user epoch> <expires>
--                                    a register is blank or behind, or no lease is believed: compare these epochs with the core's
local prefix, tenant, user = KEYS[1], ARGV[1], ARGV[2]
local session = redis.call('HMGET', prefix .. ':s:' .. ARGV[3], 'te', 'ue', 'exp')
local gen = redis.call('GET', prefix .. ':gen')
local left = redis.call('PTTL', prefix .. ':lease')
local of_tenant, of_user
if gen then
  local register = prefix .. ':r:' .. gen .. ':'
  local registers = redis.call('MGET', register .. 't:' .. tenant, register .. 'u:' .. tenant .. ':' .. user)
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

-- One that has longer left than any is granted for came from another clock.
if left > 0 and left <= tonumber(ARGV[4]) then
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
