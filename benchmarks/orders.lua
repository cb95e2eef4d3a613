-- wrk script: every request orders one copy of a random book.
-- Arguments: TOKEN STYLE BOOKS [KEY] (books are made-up-0000001 to made-up-BOOKS).
-- With KEY, every request has an Idempotency-Key that begins with it.
-- Prints one line of JSON at the end; times in it are microseconds, and latencies are pairs of a time and how many
-- requests took it.

local threads = {}

function setup(thread)
  table.insert(threads, thread)
  thread:set("number", #threads)
end

function init(args)
  token, style, books, key = args[1], args[2], tonumber(args[3]), args[4]
  not_2xx, sent = 0, 0
  math.randomseed(os.time() * 100 + number)
  headers = { ["Authorization"] = "Bearer " .. token, ["Content-Type"] = "application/json" }
end

function request()
  local book = string.format("made-up-%07d", math.random(books))
  local body = string.format(
    '{"book_id": "%s", "quantity": 1, "payment_method": "credit_card", "saga": "%s"}', book, style)
  sent = sent + 1
  if key then headers["Idempotency-Key"] = string.format("%s-%d-%d", key, number, sent) end
  return wrk.format("POST", "/orders", headers, body)
end

function response(status)
  if status < 200 or status > 299 then not_2xx = not_2xx + 1 end
end

function done(summary, latency)
  local not_2xx = 0
  for _, thread in ipairs(threads) do not_2xx = not_2xx + thread:get("not_2xx") end
  local errors = summary.errors
  local latencies = {}
  for index = 1, #latency do
    local value, count = latency(index)
    table.insert(latencies, string.format("[%d, %d]", value, count))
  end
  io.write(string.format(
    '{"responses": %d, "not_2xx": %d, "broken": %d, "duration": %d, "latencies": [%s]}\n',
    summary.requests, not_2xx, errors.connect + errors.read + errors.write + errors.timeout, summary.duration,
    table.concat(latencies, ", ")))
end
