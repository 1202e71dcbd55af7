-- For wrk: no two of 20,000 requests ask about the same query. They are made beforehand, 10,000 for each of two threads, and sent in
-- turn. A query names a pool by its address and a page by its cursor, so 40,000 texts come by before one comes again, which is
-- ten times what the search for attack patterns remembers.
local count, requests, at = 10000, {}, 0
local threads = 0

function setup(thread)
    thread:set("number", threads)
    threads = threads + 1
end

local function text(letters, length)
    local out = {}
    for i = 1, length do
        local n = math.random(#letters)
        out[i] = letters:sub(n, n)
    end
    return table.concat(out)
end

function init()
    local hex, base64 = "0123456789abcdef", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    local headers = {}
    math.randomseed(number + 1)
    for name, value in pairs(wrk.headers) do
        headers[name] = value
    end
    for i = 1, count do
        headers["X-Forwarded-Uri"] = "/api/v1/opportunities?chain=1&pool=0x" .. text(hex, 40) .. "&cursor=" .. text(base64, 22)
        requests[i] = wrk.format(nil, nil, headers)
    end
end

function request()
    at = at % count + 1
    return requests[at]
end
