-- One coupon's claim on an offer's budget: reserved once, given back once. streams/budget.py
-- says the rule; this is its copy where several workers meet.
-- KEYS: the answer to this trigger id; the session's promises by offer (a hash).
-- ARGV: 'reserve' or 'release', offer_id, amount, budget, expires_at, kept_ms, budget_kept_ms.
-- An answer is '<first answer>:<amount still held>:<offer_id>'.
local answer_key, budget_key = KEYS[1], KEYS[2]
local verb, offer, amount = ARGV[1], ARGV[2], ARGV[3]

local now = redis.call('TIME')
local still_valid_ms = math.max(0, tonumber(ARGV[5]) - (now[1] * 1000 + math.floor(now[2] / 1000)))

local function keep(key, ms) -- never shortens a life
  if redis.call('PTTL', key) < ms then
    redis.call('PEXPIRE', key, ms)
  end
end

local function promise(to_offer, sign, minor_units)
  redis.call('HINCRBY', budget_key, to_offer, sign .. minor_units)
  keep(budget_key, still_valid_ms + tonumber(ARGV[7]))
end

local function remember(answer, held, by_offer)
  redis.call('SET', answer_key, answer .. ':' .. held .. ':' .. by_offer, 'KEEPTTL')
  keep(answer_key, still_valid_ms + tonumber(ARGV[6]))
  return answer
end

local earlier = redis.call('GET', answer_key)
if earlier then
  local answer, held, by_offer = earlier:match('^(%a+):(%d+):(.*)$')
  if verb == 'release' and held ~= '0' then
    promise(by_offer, '-', held)
    held = '0'
  end
  return remember(answer, held, by_offer)
end

if verb == 'release' then -- it overtook its reservation, which shall hold nothing
  return remember('exhausted', '0', offer)
end

local spent = tonumber(redis.call('HGET', budget_key, offer) or '0')
-- Subtract, not add: below 2^53 the difference is exact in a Lua number, the sum may not be.
if tonumber(amount) > tonumber(ARGV[4]) - spent then
  return remember('exhausted', '0', offer)
end
promise(offer, '', amount)
return remember('granted', amount, offer)
