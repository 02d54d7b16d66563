-- A small agent call as SDKs send it: ten headers and a JSON body of about 200 bytes. Each of the prepared requests has its
-- own session and trace, so that no proxy can profit from remembering the last one; preparing them keeps wrk itself cheap.
local REQUESTS = 1024
local requests, last = {}, 0

local body = '{"model":"gpt-4o-mini","temperature":0,"messages":[{"role":"system","content":"You plan trips."},'
  .. '{"role":"user","content":"Two days in Lisbon with a child of six; we like trams and fish."}]}'

local function hex(digits)
  local out = {}
  for i = 1, digits do out[i] = string.format("%x", math.random(0, 15)) end
  return table.concat(out)
end

-- 0 or unset: one path; else so many routes, asked for in turn.
local routes = tonumber(os.getenv("BENCH_ROUTES") or "0")
local step = tonumber(os.getenv("BENCH_ROUTE_STEP") or "1")
local more_headers = tonumber(os.getenv("BENCH_HEADERS") or "0")

function init(args)
  math.randomseed(42) -- every proxy gets the same sessions and so the same share for each lane
  for i = 1, REQUESTS do
    local path = os.getenv("BENCH_PATH") or (routes > 0 and ("/agents/r" .. (i % routes * step) .. "/v1/chat/completions")) or nil
    local headers = {
      ["User-Agent"] = "OpenAI/Python 2.8.0",
      ["Accept"] = "application/json",
      ["Accept-Encoding"] = "gzip, deflate",
      ["Content-Type"] = "application/json",
      ["Authorization"] = "Bearer not-a-real-key-0123456789abcdef",
      ["X-Stainless-Retry-Count"] = "0",
      ["X-Session-Id"] = "session-" .. hex(16),
      ["traceparent"] = "00-" .. hex(32) .. "-" .. hex(16) .. "-01",
    }
    for name, value in string.gmatch(os.getenv("BENCH_EXTRA") or "", "([%w-]+): ([^;]+)") do headers[name] = value end
    for extra = 1, more_headers do headers["X-Extra-" .. extra] = "the same value each time" end
    requests[i] = wrk.format("POST", path, headers, body)
  end
end

function request()
  last = last % REQUESTS + 1
  return requests[last]
end

function done(summary, latency, _)
  local e = summary.errors
  io.write(string.format(
    '\nresult {"requests": %d, "duration_us": %d, "p50_us": %d, "p99_us": %d, "connect": %d, "read": %d, "write": %d, '
      .. '"status": %d, "timeout": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect, e.read, e.write, e.status, e.timeout))
end
