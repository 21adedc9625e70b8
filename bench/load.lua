-- For wrk: heartbeats or statuses of many users at once. bench/run sets what it reads.
local secret = os.getenv("TALKTIME_INTERNAL_SECRET")
local what = os.getenv("TALKTIME_BENCH")
local sessions = {}
for line in io.lines(os.getenv("TALKTIME_SESSIONS")) do
  local user, session = line:match("^(%S+) (%S+)$")
  sessions[#sessions + 1] = { user = user, session = session }
end

local turn = 0
local thread_count = 0
function setup(thread)
  thread:set("first", thread_count * 7919)
  thread_count = thread_count + 1
end

function init()
  turn = first
end

function request()
  turn = turn + 1
  local one = sessions[turn % #sessions + 1]
  local headers = { ["X-Internal-Secret"] = secret, ["X-User-Id"] = one.user }
  if what == "status" then
    return wrk.format("GET", "/api/session/status", headers)
  end
  return wrk.format("POST", "/api/session/heartbeat", headers, '{"sessionId":"' .. one.session .. '"}')
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format("%-9s %8.0f/s   p50 %6.2f ms   p99 %6.2f ms   failed %d\n", what,
    summary.requests / (summary.duration / 1e6), latency:percentile(50) / 1000, latency:percentile(99) / 1000, failed))
end
