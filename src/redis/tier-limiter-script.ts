/**
 * The Lua scripts of the tier limiter. Their arithmetic is that of domain/limits, and a test compares the two step by step.
 *
 * A merchant has two keys. KEYS[1], `...:windows`, is a string of 536 bytes, changed in place (little-endian):
 *   0  three doubles: when it was last written by the merchant's clock, what that clock is ahead of Redis's (both in
 *      microseconds), and the level of the bucket (a request is 1 000 000; perSecond drain in a microsecond)
 *  24  of the minute: requests in all its 61 sub-buckets, in the newest of them, and when it was warned of (seconds)
 *  36  the same of the hour
 *  48  61 sub-buckets of a second each, and from 292 of a minute each, at their number modulo 61; the newest is not kept here
 * KEYS[2], `...:concurrent`, is a sorted set of leases by the time at which they run out (microseconds of that clock).
 *
 * One string for bucket, minute and hour, because each key more costs a read, a write and a line of the append-only file: with a
 * key for each of the three a fifth fewer requests were decided in a second (93 000 against 117 000, measured). A request in the
 * same second as the one before it neither reads nor writes a sub-bucket, and makes no function.
 */

/** How long the set of leases is kept: longer than a lease, which may be given a second after this was set. */
const leasesKeptMs = (leaseMs: number) => `'${leaseMs + 5_000}'`;
/** Longer than the 61 sub-buckets of the hour, which may turn a minute after this was set. */
const WINDOWS_KEPT_MS = `'${63 * 60_000}'`;

/**
 * A small step back of Redis's clock is waited out; a larger one is a new clock, on which no time has passed yet.
 * @param time the argument with another time than Redis's own, microseconds; only tests give it
 */
const clock = (time: string) => `
local call, unpack = redis.call, struct.unpack
local raw = ${time}
if raw then raw = tonumber(raw) else
  local clock = call('TIME')
  raw = clock[1] * 1000000 + clock[2]
end
local header = call('GETRANGE', KEYS[1], '0', '47')
local isNew = #header < 48
local last, ahead, level, mSum, mNewest, mWarned, hSum, hNewest, hWarned = raw, 0, 0, 0, 0, 0, 0, 0, 0
if not isNew then
  last, ahead, level, mSum, mNewest, mWarned, hSum, hNewest, hWarned = unpack('<dddI4I4I4I4I4I4', header)
end
local now, isNewClock = raw + ahead, false
if now < last then
  if last - now > 1000000 then ahead, isNewClock = last - raw, true end
  now = last
end
`;

/** What has drained, and what has left the windows since they were last written: from and to are the newest sub-buckets. */
const PASS = `
level = level - (now - last) * perSecond
if level < 0 then level = 0 end
local mFrom, mTo = (last - last % 1000000) / 1000000, (now - now % 1000000) / 1000000
local hFrom, hTo = (mFrom - mFrom % 60) / 60, (mTo - mTo % 60) / 60
if mTo > mFrom then
  local function passed(ring, from, to, sum)
    if to == from then return 0 end
    if to - from > 60 then return sum end
    if to - from == 1 then
      local at = ring + 4 * (to % 61)
      local count = unpack('<I4', call('GETRANGE', KEYS[1], at, at + 3))
      return count
    end
    local slots, count = call('GETRANGE', KEYS[1], ring, ring + 243), 0
    for bucket = from + 1, to do count = count + unpack('<I4', slots, 1 + 4 * (bucket % 61)) end
    return count
  end
  mSum = mSum - passed(48, mFrom, mTo, mSum)
  hSum = hSum - passed(292, hFrom, hTo, hSum)
end
`;

/** How long until a window has more left than now; only for the one that has the least, or that refuses. */
const WAITS = `
local mWait, hWait
local mTight = mLeft <= 0 or (mLeft <= hLeft and mLeft <= cLeft and mLeft * 1000000 <= room)
local hTight = hLeft <= 0 or (hLeft <= mLeft and hLeft <= cLeft and hLeft * 1000000 <= room)
if mTight or hTight then
  mWait, hWait = 0, 0
  local function wait(ring, from, to, newest, left, size)
    local slots = call('GETRANGE', KEYS[1], ring, ring + 243)
    if left > 0 then left = 0 end
    local gone = 0
    for bucket = to - 60, from do
      if bucket == from then gone = gone + newest
      elseif not isNew then gone = gone + unpack('<I4', slots, 1 + 4 * (bucket % 61)) end
      if gone > -left then return (bucket + 61) * size - now end
    end
    return (to + 61) * size - now
  end
  if mTight then mWait = wait(48, mFrom, mTo, mNewest, mLeft, 1000000) end
  if hTight then hWait = wait(292, hFrom, hTo, hNewest, hLeft, 60000000) end
end
`;

/** The sub-bucket that was the newest goes to its place, and those without a request are emptied. */
const TURN = `
if isNew then call('SETRANGE', KEYS[1], '535', '\\0') end
if mTo > mFrom then
  local rep = string.rep
  local function turn(ring, from, to, newest)
    if to - from > 60 then return call('SETRANGE', KEYS[1], ring, rep('\\0', 244)) end
    call('SETRANGE', KEYS[1], ring + 4 * (from % 61), struct.pack('<I4', newest))
    local first, skipped = (from + 1) % 61, to - from - 1
    local straight = math.min(skipped, 61 - first)
    if straight > 0 then call('SETRANGE', KEYS[1], ring + 4 * first, rep('\\0', 4 * straight)) end
    if skipped > straight then call('SETRANGE', KEYS[1], ring, rep('\\0', 4 * (skipped - straight))) end
  end
  turn(48, mFrom, mTo, mNewest)
  mNewest = 0
  if hTo > hFrom then
    turn(292, hFrom, hTo, hNewest)
    hNewest = 0
  end
end
`;

/**
 * May this request go on? Everything is looked at before anything is written, so that a refused request consumes nothing.
 * ARGV perSecond, perMinute, perHour, burst and concurrency in one, which costs less than five; lease. Answers bits (1 allowed,
 * 2 warning of the minute, 4 of the hour), the time in microseconds, the level, requests of the minute and of the hour, leases,
 * and where they matter the two waits in microseconds.
 */
export const acquireScript = (leaseMs: number) => `
local perSecond, perMinute, perHour, burst, concurrency = ARGV[1]:match('(%d+) (%d+) (%d+) (%d+) (%d+)')
${clock('ARGV[3]')}${PASS}
local members = call('ZCARD', KEYS[2])
local leases = members
if members > 0 and (mTo > mFrom or members - concurrency >= 0) then
  leases = call('ZCOUNT', KEYS[2], ('(%d'):format(now), '+inf')
end

local mLeft, hLeft, cLeft, room = perMinute - mSum, perHour - hSum, concurrency - leases, burst * 1000000 - level
local isAllowed = mLeft > 0 and hLeft > 0 and cLeft > 0 and room >= 1000000
if isAllowed then
  mLeft, hLeft, cLeft, room = mLeft - 1, hLeft - 1, cLeft - 1, room - 1000000
  mSum, hSum, leases, level = mSum + 1, hSum + 1, leases + 1, level + 1000000
end
${WAITS}
if not isAllowed then
  -- Or the new clock would stand still for as long as everything is refused.
  if isNewClock then call('SETRANGE', KEYS[1], '8', struct.pack('<d', ahead)) end
  return { 0, raw, level, mSum, hSum, leases, mWait, hWait }
end
${TURN}
local bits = 1
if 4 * mLeft <= mSum and mTo - mWarned >= 60 then bits, mWarned = bits + 2, mTo end
if 4 * hLeft <= hSum and mTo - hWarned >= 3600 then bits, hWarned = bits + 4, mTo end
call('SETRANGE', KEYS[1], '0', struct.pack('<dddI4I4I4I4I4I4',
  now, ahead, level, mSum, mNewest + 1, mWarned, hSum, hNewest + 1, hWarned))
if isNew or hTo > hFrom then call('PEXPIRE', KEYS[1], ${WINDOWS_KEPT_MS}) end
if leases <= members then call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now) end
-- As text: Redis would write the number with all digits of a double, which takes it a microsecond.
call('ZADD', KEYS[2], ('%d'):format(now + ${leaseMs}000), ARGV[2])
if leases == 1 or mTo > mFrom then call('PEXPIRE', KEYS[2], ${leasesKeptMs(leaseMs)}) end
return { bits, raw, level, mSum, hSum, leases, mWait, hWait }`;

/** ARGV lease. Answers 1, or 0 for a lease that has run out or was given back. */
export const renewScript = (leaseMs: number) => `${clock('ARGV[2]')}
local ending = call('ZSCORE', KEYS[2], ARGV[1])
if not ending or tonumber(ending) <= now then return 0 end
call('ZADD', KEYS[2], now + ${leaseMs}000, ARGV[1])
call('PEXPIRE', KEYS[2], ${leasesKeptMs(leaseMs)})
return 1`;

/** ARGV perSecond. Changes nothing. Answers the level, requests of the minute and of the hour, leases. */
export const USAGE = `
local perSecond = ARGV[1]
${clock('ARGV[2]')}${PASS}
return { level, mSum, hSum, call('ZCOUNT', KEYS[2], ('(%d'):format(now), '+inf') }`;

/** Empties bucket and windows. The clock and the leases, which belong to requests at work, stay. */
export const UNBLOCK = `
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('SETRANGE', KEYS[1], '16', string.rep('\\0', 520)) end`;
