-- Asks Holdfast about each request, and puts who it is into the request's headers.
local socket = os.getenv("HOLDFAST_SOCKET") or "/run/holdfast/api.sock"

-- What the client shows, and what tells a browser's request from another site's.
local shown = {"authorization", "x-api-key", "cookie", "user-agent", "origin", "sec-fetch-site", "x-holdfast-request", "host"}
local remote = {"remote-user", "remote-groups", "remote-name", "remote-email"}

local function values(headers, name)
    local found = {}
    for i = 0, 15 do
        if headers[name] and headers[name][i] then
            found[#found + 1] = headers[name][i]
        end
    end
    return found
end

local function question(txn)
    local sent, headers = txn.http:req_get_headers(), {}
    for _, name in ipairs(shown) do
        if sent[name] then
            headers[name] = values(sent, name)
        end
    end
    headers["x-forwarded-method"] = {txn.sf:method()}
    headers["x-forwarded-uri"] = {txn.sf:pathq()}
    headers["x-forwarded-for"] = {txn.sf:src()}
    headers["x-forwarded-proto"] = {txn.sf:ssl_fc() == "1" and "https" or "http"}
    return headers
end

core.register_action("holdfast", {"http-req"}, function(txn)
    local answer = core.httpclient():get{
        url = "http://holdfast/api/v1/guard/verdict",
        dst = "unix@" .. socket,
        headers = question(txn),
        timeout = 5000,
    }
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
    txn:set_var("txn.holdfast_verdict", first("x-holdfast-verdict"))
    txn:set_var("txn.holdfast_retry", first("retry-after"))
    if answer.status == 200 then
        for _, name in ipairs(remote) do
            txn.http:req_set_header(name, first(name))
        end
    end
end, 0)
