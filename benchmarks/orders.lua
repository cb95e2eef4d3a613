-- wrk script: every request orders one copy of a random book.
-- Arguments: TOKEN STYLE BOOKS (books are made-up-0000001 to made-up-BOOKS).
-- Prints one line of JSON at the end; times in it are microseconds.

local threads = {}

function setup(thread)
  table.insert(threads, thread)
  thread:set("number", #threads)
end

function init(args)
  token, style, books = args[1], args[2], tonumber(args[3])
  not_2xx = 0
  math.randomseed(os.time() * 100 + number)
  headers = { ["Authorization"] = "Bearer " .. token, ["Content-Type"] = "application/json" }
end

function request()
  local book = string.format("made-up-%07d", math.random(books))
  local body = string.format(
    '{"book_id": "%s", "quantity": 1, "payment_method": "credit_card", "saga": "%s"}', book, style)
  return wrk.format("POST", "/orders", headers, body)
end

function response(status)
  if status < 200 or status > 299 then not_2xx = not_2xx + 1 end
end

function done(summary, latency)
  local not_2xx = 0
  for _, thread in ipairs(threads) do not_2xx = not_2xx + thread:get("not_2xx") end
  local errors = summary.errors
  io.write(string.format(
    '{"responses": %d, "not_2xx": %d, "broken": %d, "duration": %d, "p50": %d, "p95": %d, "p99": %d}\n',
    summary.requests, not_2xx, errors.connect + errors.read + errors.write + errors.timeout, summary.duration,
    latency:percentile(50), latency:percentile(95), latency:percentile(99)))
end
