-- What wrk sends, and its totals as one line of JSON on standard error. Times are in microseconds.
wrk.method = "POST"
wrk.body = '{"numbers":[1,2,3,4]}'
wrk.headers["Content-Type"] = "application/json"

local ffi = require("ffi")
ffi.cdef("typedef struct { uint64_t count, limit, min, max, data[]; } stats;") -- as in wrk's stats.h

-- wrk adds made-up requests for each one that took more than twice the mean ("coordinated omission"). All connections
-- are opened at once on a busy server that accepts one at a time, so their first wait would fill the tail. This takes
-- the made-up ones out again (stats_correct in wrk's stats.c, backwards): the percentile is one of real requests.
local function percentile(latency, requests, expected, part)
  local stats = ffi.cast("stats **", latency)[0]
  local counts, total = {}, 0
  for value = tonumber(stats.min), tonumber(stats.max) do counts[value] = tonumber(stats.data[value]) end
  for value = tonumber(stats.max), 2 * expected, -1 do
    local made = counts[value] or 0
    local at = value - expected
    while made > 0 and at > expected do
      counts[at] = (counts[at] or 0) - made
      at = at - expected
    end
  end
  for value = 0, tonumber(stats.max) do
    total = total + (counts[value] or 0)
    if total >= requests * part then return value end
  end
end

done = function(summary, latency)
  local errors = summary.errors
  local connections = tonumber(os.getenv("CONNECTIONS"))
  local expected = math.floor(summary.duration / math.floor(summary.requests / connections))
  io.stderr:write(string.format(
    '{"requests":%d,"duration":%d,"p99":%d,"corrected":%d,"failed":%d}\n',
    summary.requests, summary.duration, percentile(latency, summary.requests, expected, 0.99), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
