-- Posts real rows in turn and prints the run's figures as one line of JSON.
-- wrk -s http_body.lua URL -- FILE       FILE: one JSON document a line
-- RAYGATE_BENCH_AUTHORIZATION: value of that header, or empty
local requests, position = {}, 0

function init(arguments)
  local headers = { ["Content-Type"] = "application/json" }
  local authorization = os.getenv("RAYGATE_BENCH_AUTHORIZATION") or ""
  if authorization ~= "" then
    headers["Authorization"] = authorization
  end
  for line in io.lines(arguments[1]) do
    requests[#requests + 1] = wrk.format("POST", nil, headers, line)
  end
end

function request()
  position = position % #requests + 1
  return requests[position]
end

function done(summary, latency, _)
  local errors = summary.errors
  local figures = '{"requests": %d, "microseconds": %d, "p50": %d, "p95": %d, "p99": %d, '
    .. '"bad_status": %d, "socket_errors": %d}\n'
  io.write(figures:format(
    summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(95), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout
  ))
end
