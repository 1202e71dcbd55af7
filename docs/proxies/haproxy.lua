-- Asks Holdfast about each request, and puts who it is into the request's headers.
local socket = os.getenv("HOLDFAST_SOCKET") or "/run/holdfast/api.sock"

-- The client's headers go along, since they are searched for attacks, but for those that are about its connection and
-- body, and those with which only a proxy speaks.
local kept = {connection = true, ["keep-alive"] = true, upgrade = true, te = true, trailer = true, expect = true,
              ["transfer-encoding"] = true, ["content-length"] = true, ["content-encoding"] = true,
              ["proxy-connection"] = true, ["x-envoy-auth-partial-body"] = true, ["x-original-method"] = true,
              ["x-original-uri"] = true, ["x-real-ip"] = true}
local remote = {"remote-user", "remote-groups", "remote-name", "remote-email"}
-- What the client is told of the answer, and the variables that haproxy.cfg tells it from.
local told = {["x-holdfast-verdict"] = "txn.holdfast_verdict", ["ratelimit"] = "txn.holdfast_limit",
              ["ratelimit-policy"] = "txn.holdfast_limits", ["retry-after"] = "txn.holdfast_retry"}

local function values(headers, name)
    local found = {}
    for i = 0, 63 do
        if headers[name] and headers[name][i] then
            found[#found + 1] = headers[name][i]
        end
    end
    return found
end

-- Is this all of the body? HAProxy holds what its buffer has room for, with the head.
local function whole(sent, body)
    if #body > 0 and sent["content-encoding"] then
        return false -- nobody unpacks it
    end
    if sent["content-length"] then
        return tonumber(sent["content-length"][0]) == #body
    end
    local head = 0
    for name, lines in pairs(sent) do
        for i = 0, 63 do
            head = head + (lines[i] and #name + #lines[i] + 16 or 0)
        end
    end
    return #body + head < 32768
end

local function question(txn)
    local sent, headers = txn.http:req_get_headers(), {}
    local body = txn.sf:req_body() or ""
    for name in pairs(sent) do
        if not kept[name] then
            headers[name] = values(sent, name)
        end
    end
    headers["x-forwarded-method"] = {txn.sf:method()}
    headers["x-forwarded-uri"] = {txn.sf:pathq()}
    headers["x-forwarded-for"] = {txn.sf:src()}
    headers["x-forwarded-proto"] = {txn.sf:ssl_fc() == "1" and "https" or "http"}
    if not whole(sent, body) then
        headers["x-envoy-auth-partial-body"] = {"true"} -- as Envoy says it
    end
    return headers, body
end

core.register_action("holdfast", {"http-req"}, function(txn)
    local headers, body = question(txn)
    local client = core.httpclient()
    local ask = #body > 0 and client.post or client.get
    local answer = ask(client, {
        url = "http://holdfast/api/v1/guard/verdict",
        dst = "unix@" .. socket,
        headers = headers,
        body = #body > 0 and body or nil,
        timeout = 5000,
    })
    -- Everything that a client could send as one of these goes, whatever came of the question.
    for _, name in ipairs(remote) do
        txn.http:req_del_header(name)
        txn.http:req_del_header((name:gsub("-", "_")))
    end
    if not answer or not answer.status then
        return
    end
    txn:set_var("txn.holdfast_status", answer.status)
    local function first(name)
        return answer.headers and answer.headers[name] and answer.headers[name][0] or ""
    end
    for name, variable in pairs(told) do
        if first(name) ~= "" then
            txn:set_var(variable, first(name))
        end
    end
    if answer.status == 200 then
        for _, name in ipairs(remote) do
            txn.http:req_set_header(name, first(name))
        end
    end
end, 0)
