-- Renews the lease of one bucket: until then its registers are known to be no older than the bound.
--
-- KEYS[1]  the bucket's prefix
-- ARGV[1]  the generation that PostgreSQL confirmed
-- ARGV[2]  until when, in ms of this Redis's clock: its time before PostgreSQL was asked, plus the lease's length
-- Returns  -1 when the bucket is of another generation, 0 when the deadline has passed or a later one stands, else 1.
local prefix = KEYS[1]
if redis.call('GET', prefix .. ':gen') ~= ARGV[1] then
  return -1
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local deadline = tonumber(ARGV[2])
local standing = tonumber(redis.call('GET', prefix .. ':lease') or '0')
if deadline <= now or deadline <= standing then
  return 0
end
redis.call('SET', prefix .. ':lease', ARGV[2], 'PXAT', ARGV[2])
return 1
