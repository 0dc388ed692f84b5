-- A click in nginx: token, sold-out flag, one script call on a pooled connection, reply.
-- One worker serves, so what a worker knows is kept in plain tables, which cost less than a shared dictionary.
local ffi = require 'ffi'
local cjson = require 'cjson'
local base64 = require 'ngx.base64'
local redis = require 'nginx.redis'

local ngx, tonumber, type, concat = ngx, tonumber, type, table.concat
local byte, find, sub, gsub, floor = string.byte, string.find, string.sub, string.gsub, math.floor
local decode, from_base64url = cjson.decode, base64.decode_base64url
local now = ngx.now

local SECRET = os.getenv('PEER_SECRET')
local REDIS = 'unix:' .. os.getenv('PEER_REDIS')
local RATE = os.getenv('PEER_RATE')
local WINDOW_MS = os.getenv('PEER_WINDOW_MS')
local WINDOW_S = tonumber(WINDOW_MS) / 1000
local SOLD_OUT_S = tonumber(os.getenv('PEER_SOLD_OUT_MS')) / 1000
-- As many as clients may be connected, so that no click opens a connection of its own.
local POOL_SIZE = 4096
local IDLE_MS = 60000

local file = assert(io.open(os.getenv('PEER_SCRIPT')))
local script = file:read('*a')
file:close()
local script_sha = gsub(ngx.sha1_bin(script), '.', function(c) return string.format('%02x', byte(c)) end)

-- HMAC-SHA256 from two prepared hash states. OpenSSL's HMAC() looks its algorithm up anew on every call, which
-- costs several times as much as the hashing.
ffi.cdef [[
typedef struct { unsigned int words[28]; } sha256_state;
int SHA256_Init(sha256_state *);
int SHA256_Update(sha256_state *, const void *, size_t);
int SHA256_Final(unsigned char *, sha256_state *);
]]
local C = ffi.load('libcrypto.so.3')
local STATE_BYTES = ffi.sizeof('sha256_state')
local inner, outer, state = ffi.new('sha256_state'), ffi.new('sha256_state'), ffi.new('sha256_state')
local digest = ffi.new('unsigned char[32]')

local function prepare(into, pad)
  local block = {}
  for index = 1, 64 do
    block[index] = string.char(bit.bxor(byte(SECRET, index) or 0, pad))
  end
  C.SHA256_Init(into)
  C.SHA256_Update(into, concat(block), 64)
end
assert(#SECRET <= 64, 'the secret must have at most 64 bytes')
prepare(inner, 0x36)
prepare(outer, 0x5c)

local function hmac(text)
  ffi.copy(state, inner, STATE_BYTES)
  C.SHA256_Update(state, text, #text)
  C.SHA256_Final(digest, state)
  ffi.copy(state, outer, STATE_BYTES)
  C.SHA256_Update(state, digest, 32)
  C.SHA256_Final(digest, state)
  return ffi.string(digest, 32)
end

local headers_known = {}

local function is_hs256(header)
  local known = headers_known[header]
  if known == nil then
    local text = from_base64url(header)
    local ok, members = pcall(decode, text or '')
    known = ok and type(members) == 'table' and members.alg == 'HS256' and members.crit == nil
    if known then
      headers_known[header] = true
    end
  end
  return known
end

-- The shopper of a valid token, or nil.
local function shopper_of(authorization)
  if not authorization or sub(authorization, 1, 7) ~= 'Bearer ' then
    return nil
  end
  local first = find(authorization, '.', 8, true)
  local second = first and find(authorization, '.', first + 1, true)
  if not second or not is_hs256(sub(authorization, 8, first - 1)) then
    return nil
  end
  if from_base64url(sub(authorization, second + 1)) ~= hmac(sub(authorization, 8, second - 1)) then
    return nil
  end
  local ok, claims = pcall(decode, from_base64url(sub(authorization, first + 1, second - 1)) or '')
  if not ok or type(claims) ~= 'table' then
    return nil
  end
  local shopper, expires_at_s = claims.sub, claims.exp
  if type(shopper) ~= 'string' or shopper == '' or #shopper > 256 or type(expires_at_s) ~= 'number'
    or now() >= expires_at_s then
    return nil
  end
  return shopper
end

local counts = {}

local function reply(status, outcome, body)
  counts[outcome] = (counts[outcome] or 0) + 1
  body = body or '{"outcome":"' .. outcome .. '"}'
  ngx.status = status
  ngx.header.content_length = #body
  ngx.print(body)
end

-- The script's answer, or nil where Redis could not be asked.
local function take(offer, shopper)
  local client = redis:new()
  if not client:connect(REDIS) then
    return nil
  end
  local tag = '{' .. offer .. '}'
  local rates = tag .. ':rates:' .. floor(now() / WINDOW_S)
  local decided, problem = client:evalsha(script_sha, 4, tag, tag .. ':buyers', rates, tag .. ':stream',
    offer, shopper, RATE, WINDOW_MS)
  if decided == false and find(problem, '^NOSCRIPT') then
    decided = client:eval(script, 4, tag, tag .. ':buyers', rates, tag .. ':stream', offer, shopper, RATE, WINDOW_MS)
  end
  if decided then
    client:set_keepalive(IDLE_MS, POOL_SIZE)
  end
  return decided
end

local TICKET = '^.([^,]+),([^,]+),([^,]+),([^,]+)$'
local sold_out_until_s = {}
local SOLD_OUT = '{"outcome":"sold_out","left":0}'

local M = {}

function M.answer()
  if ngx.var.request_method ~= 'POST' then
    return reply(405, 'bad_request')
  end
  local shopper = shopper_of(ngx.var.http_authorization)
  if not shopper then
    return reply(401, 'unauthenticated')
  end
  local offer = sub(ngx.var.uri, 10)
  local until_s = sold_out_until_s[offer]
  if until_s and now() < until_s then
    return reply(409, 'sold_out', SOLD_OUT)
  end
  local decided = take(offer, shopper)
  if not decided then
    return reply(503, 'unavailable')
  end
  local letter = byte(decided)
  if letter == 87 or letter == 65 then -- W, A
    local _, _, order_no, unit, price, pay_by_ms = find(decided, TICKET)
    local outcome = letter == 87 and 'won' or 'already_won'
    return reply(letter == 87 and 201 or 200, outcome, concat {
      '{"outcome":"', outcome, '","order_no":"', order_no, '","offer":"', offer, '","units":[', unit,
      '],"quantity":1,"price":', price, ',"pay_by_ms":', pay_by_ms, '}' })
  elseif letter == 83 then -- S
    sold_out_until_s[offer] = now() + SOLD_OUT_S
    return reply(409, 'sold_out', SOLD_OUT)
  elseif letter == 82 then -- R
    return reply(429, 'rate_limited')
  elseif letter == 67 then -- C
    return reply(403, 'closed')
  end
  return reply(404, 'not_found')
end

function M.counters()
  ngx.print(cjson.encode(next(counts) and counts or { won = 0 }))
end

return M
