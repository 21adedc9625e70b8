-- For wrk: requests of many users at once. After `--` it takes what to ask (status, heartbeat, sessions, overview), the
-- file with a user and a session in each line, and the number of threads. The last line that it prints is JSON.
--
-- Each thread has users of its own and takes them in turn, so that a heartbeat comes as long after the user's last one as can
-- be. `sessions` starts and ends sessions alternately and times both by itself; it needs a thread for each connection.
local ffi = require("ffi")
ffi.cdef("typedef struct { long seconds; long nanoseconds; } timespec_t; int clock_gettime(int, timespec_t *);")

local MONOTONIC = 1
local secret = os.getenv("TALKTIME_INTERNAL_SECRET")
local threads = {}
local time = ffi.new("timespec_t")
local own, turn, session, asked_at

local function microseconds()
  ffi.C.clock_gettime(MONOTONIC, time)
  return tonumber(time.seconds) * 1e6 + tonumber(time.nanoseconds) / 1e3
end

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

function init(arguments)
  what, own, turn = arguments[1], {}, 0
  starts, ends = {}, {}
  local count, line_number = tonumber(arguments[3]), 0
  for line in io.lines(arguments[2]) do
    if line_number % count == number then
      local user, id = line:match("^(%S+) (%S+)$")
      own[#own + 1] = { user = user, session = id }
    end
    line_number = line_number + 1
  end
  if what == "sessions" then
    response = answered
  end
end

local function ask(method, path, body)
  return wrk.format(method, path, { ["X-Internal-Secret"] = secret, ["X-User-Id"] = user }, body)
end

function request()
  if what == "overview" then
    return ask("GET", "/api/internal/overview")
  end
  if not session then
    turn = turn % #own + 1
    user = own[turn].user
  end
  if what == "status" then
    return ask("GET", "/api/session/status")
  elseif what == "heartbeat" then
    return ask("POST", "/api/session/heartbeat", '{"sessionId":"' .. own[turn].session .. '"}')
  end
  asked_at = microseconds()
  if session then
    return ask("POST", "/api/session/end", '{"sessionId":"' .. session .. '"}')
  end
  return ask("POST", "/api/session/start", '{"topic":"Ordering coffee"}')
end

function answered(_, _, body)
  local took = microseconds() - asked_at
  local times = session and ends or starts
  times[#times + 1] = took
  session = not session and body:match('"sessionId":"([^"]*)"') or nil
end

local function gathered(name)
  local all = {}
  for _, thread in ipairs(threads) do
    for _, took in ipairs(thread:get(name)) do
      all[#all + 1] = took
    end
  end
  table.sort(all)
  return all
end

local function cell(count, duration, p50, p99)
  return string.format('{"rate":%.1f,"p50":%.3f,"p99":%.3f}', count / (duration / 1e6), p50 / 1000, p99 / 1000)
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  local cells, what = {}, threads[1]:get("what")
  if what == "sessions" then
    for kind, name in pairs({ start = "starts", ["end"] = "ends" }) do
      local times = gathered(name)
      local at = function(share) return times[math.max(1, math.ceil(#times * share))] or 0 end
      cells[#cells + 1] = '"' .. kind .. '":' .. cell(#times, summary.duration, at(0.5), at(0.99))
    end
  else
    cells[1] = '"' .. what .. '":' .. cell(summary.requests, summary.duration, latency:percentile(50), latency:percentile(99))
  end
  io.write(string.format('{"failed":%d,"cells":{%s}}\n', failed, table.concat(cells, ",")))
end
