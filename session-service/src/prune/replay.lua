-- Announces a dead letter once more, as the newest entry of the bucket's stream, and forgets it.
--
-- KEYS[1]  the bucket's prefix
-- ARGV     1 the letter's id
-- Returns  the new entry's id; nothing when there is no such letter.
local prefix, id = KEYS[1], ARGV[1]
local letter = redis.call('XRANGE', prefix .. ':dead', id, id)[1]
if not letter then
  return false
end
local fields = letter[2]
-- What was noted when it was buried. Versions before this one noted `entry` alone.
for _, name in ipairs({ 'tries', 'why', 'entry' }) do
  if fields[#fields - 1] == name then
    fields[#fields] = nil
    fields[#fields] = nil
  end
end
local entry = redis.call('XADD', prefix .. ':ends', '*', unpack(fields))
redis.call('XDEL', prefix .. ':dead', id)
return entry
