-- Moves registers of one bucket, and announces the moves that a change of access caused.
--
-- KEYS[1]  the bucket's prefix, such as {b7}
-- ARGV[1]  the generation that the epochs were read under
-- ARGV[2…] for each register seven values: tenant, user (empty: the tenant's own), epoch, state (a, i, d),
--          announce (1 or 0), and what is told with it: request id, trace parent
-- Returns  -1 when the bucket is of another generation: nothing was done; else how many registers moved.
local LIFE_MS = 7 * 24 * 3600 * 1000 -- a register that expires is blank, and blank asks the core
local RANK = { a = 1, i = 2, d = 3 }

local prefix, gen = KEYS[1], ARGV[1]
if redis.call('GET', prefix .. ':gen') ~= gen then
  return -1
end

local moved = 0
for at = 2, #ARGV, 7 do
  local tenant, user, epoch, state = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local name = user == '' and 't:' .. tenant or 'u:' .. tenant .. ':' .. user
  local key = prefix .. ':r:' .. gen .. ':' .. name

  -- A lower epoch is ignored, a higher one set; an equal one with another state: the less access wins.
  local wins = true
  local standing = redis.call('GET', key)
  if standing then
    local stood, was = string.match(standing, '^(%d+):(%a)$')
    local ahead = tonumber(epoch) - tonumber(stood)
    wins = ahead > 0 or (ahead == 0 and RANK[state] > RANK[was])
  end
  if wins then
    redis.call('SET', key, epoch .. ':' .. state, 'PX', LIFE_MS)
    moved = moved + 1
  end
  if ARGV[at + 4] == '1' then
    redis.call('XADD', prefix .. ':ends', '*', 'tenant', tenant, 'user', user, 'epoch', epoch, 'state', state,
      'request', ARGV[at + 5], 'trace', ARGV[at + 6])
  end
end
return moved
