-- Writes the live state of one execution and appends it to the stream of its
-- followers, unless Redis already holds this version or a newer one.
--
-- KEYS[1] state hash, KEYS[2] stream (one hash tag, so one slot)
-- ARGV[1] version, fixed width: compared as text, because Lua's numbers lose
--         precision above 2^53
-- ARGV[2] stream id of that version
-- ARGV[3] length the stream is cut to, roughly
-- ARGV[4] milliseconds until both keys expire, '0' for never
-- ARGV[5..] field, value, field, value ...; the first field is 'version'
-- returns 1 when written, 0 when Redis is as new or newer
--
-- A script is atomic but not rolled back: after the first write nothing is left
-- that the state of the keys could refuse.
local version = ARGV[1]

-- A version of another form was not written by this script and gives way.
local held = redis.call('HGET', KEYS[1], 'version')
if held and #held == #version and held >= version then
  return 0
end

-- A stream refuses an id that is not above its last: only then is it read. It may
-- be as new or newer than the hash where a writer without scripts died half way or
-- where keys are evicted.
local added = redis.pcall('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], ARGV[2], unpack(ARGV, 5))
if type(added) == 'table' and added.err then
  local top = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
  local streamed = top and top[2][1] == 'version' and #top[2][2] == #version and top[2][2]
  if streamed and streamed > version then
    return 0
  end
  if streamed ~= version then
    return added
  end
end
redis.call('HSET', KEYS[1], unpack(ARGV, 5))
for _, key in ipairs(KEYS) do
  if ARGV[4] == '0' then
    redis.call('PERSIST', key)
  else
    redis.call('PEXPIRE', key, ARGV[4])
  end
end
return 1
