-- Validates a session against the registers, in one round trip.
--
-- KEYS[1]  the bucket's prefix
-- ARGV     1 tenant, 2 user, 3 session id, 4 whether a lease may have come from another process (1): not to be believed
-- Returns  {'unknown'}  no such session, and access did not end
--          {'ended', 0} / {'tenant', 0}  no such session, and the user's / the tenant's access ended
--          {'valid', expires (ms)}
--          {'ended'} / {'tenant'}  the user's / the tenant's access ended
--          {'ask', tenant epoch, user epoch, expires (ms)}  a register is blank or behind, or the lease lapsed: compare
--                                                           these epochs with the core's
local prefix, tenant, user = KEYS[1], ARGV[1], ARGV[2]
local session = redis.call('HMGET', prefix .. ':s:' .. ARGV[3], 'te', 'ue', 'exp')
local gen = redis.call('GET', prefix .. ':gen')
local function register_of(name)
  return gen and redis.call('GET', prefix .. ':r:' .. gen .. ':' .. name)
end

if not session[1] then
  -- It may have been pruned already: say why, if the registers know.
  local function over(register)
    return register and string.sub(register, -2) ~= ':a'
  end
  if over(register_of('t:' .. tenant)) then
    return { 'tenant', 0 }
  end
  if over(register_of('u:' .. tenant .. ':' .. user)) then
    return { 'ended', 0 }
  end
  return { 'unknown' }
end
local ask = { 'ask', session[1], session[2], tonumber(session[3]) }
if not gen or ARGV[4] == '1' or redis.call('EXISTS', prefix .. ':lease') == 0 then
  return ask
end

local function check(name, epoch, ended)
  local register = register_of(name)
  if not register then
    return 'ask'
  end
  if register == epoch .. ':a' then
    return 'valid'
  end
  local stands = tonumber(string.match(register, '^%d+'))
  return stands < tonumber(epoch) and 'ask' or ended
end
local verdict = check('t:' .. tenant, session[1], 'tenant')
if verdict == 'valid' then
  verdict = check('u:' .. tenant .. ':' .. user, session[2], 'ended')
end
if verdict == 'ask' then
  return ask
end
if verdict == 'valid' then
  return { 'valid', tonumber(session[3]) }
end
return { verdict }
