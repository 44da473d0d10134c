-- Moves an announcement from the bucket's stream to its dead letters.
--
-- KEYS[1]  the bucket's prefix
-- ARGV     1 the consumer group, 2 the entry's id, 3 why it failed, 4 how often it was tried
-- Returns  1 when it is a dead letter now, 0 when somebody else was done with it, or there was no such entry any more.
local MOST = 1000 -- letters that a bucket keeps, about
local FIELDS = 64 -- an announcement has six fields; of what has more than this the rest is cut off

local prefix, group, id = KEYS[1], ARGV[1], ARGV[2]
local stream = prefix .. ':ends'
if #redis.call('XPENDING', stream, group, id, id, 1) == 0 then
  return 0
end
local entry = redis.call('XRANGE', stream, id, id)[1]
if entry then
  local fields = {}
  for at = 1, math.min(#entry[2], 2 * FIELDS) do
    fields[at] = entry[2][at]
  end
  -- Last, as `replay.lua` takes them off again.
  for _, value in ipairs({ 'entry', id, 'why', ARGV[3], 'tries', ARGV[4] }) do
    fields[#fields + 1] = value
  end
  redis.call('XADD', prefix .. ':dead', 'MAXLEN', '~', MOST, '*', unpack(fields))
end
redis.call('XACK', stream, group, id)
return entry and 1 or 0
