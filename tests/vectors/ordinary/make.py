#!/usr/bin/env python3
"""Writes requests.jsonl, whole requests of ordinary API traffic: make.py > requests.jsonl. One object a line: method, target
as it stands on the request line, headers, body."""
import json
import sys

AGENTS = """Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36
Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15
Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0
Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:115.0) Gecko/20100101 Firefox/115.0
Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1
Mozilla/5.0 (Linux; Android 14; Pixel 8 Pro Build/AP2A.240605.024; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0.6478.71 Mobile Safari/537.36
Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.2592.68
Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Safari/537.36 OPR/111.0.0.0
Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.1; Trident/6.0)
Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; SLCC2; .NET CLR 2.0.50727; .NET4.0C; .NET4.0E; rv:11.0) like Gecko
Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)
Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)
Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36
Mozilla/5.0 (iPad; CPU OS 16_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/126.0.6478.54 Mobile/15E148 Safari/604.1
Opera/9.80 (Windows NT 6.1; U; en) Presto/2.12.388 Version/12.18
Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)
curl/7.88.1
Wget/1.21.3
python-requests/2.32.3
Python/3.11 aiohttp/3.9.5
python-httpx/0.27.0
Python-urllib/3.11
ccxt/4.3.50 (+https://github.com/ccxt/ccxt)
Go-http-client/1.1
Go-http-client/2.0
okhttp/4.12.0
Java/17.0.11
Java-http-client/21.0.3
Apache-HttpClient/4.5.14 (Java/17.0.11)
axios/1.7.2
node-fetch/1.0 (+https://github.com/bitinn/node-fetch)
undici
got (https://github.com/sindresorhus/got)
PostmanRuntime/7.39.0
insomnia/9.2.0
HTTPie/3.2.2
RestSharp/110.2.0.0
Ruby
Faraday v2.9.1
GuzzleHttp/7
libwww-perl/6.77
reqwest/0.12.5
hyper/1.3.1
Prometheus/2.53.0
Grafana/11.0.0
kube-probe/1.30
ELB-HealthChecker/2.0
HAProxy/2.6.12
Datadog Agent/7.54.0
GitHub-Hookshot/7a5f2e1
Stripe/1.0 (+https://stripe.com/docs/webhooks)
TradingView-Webhook
Dart/3.4 (dart:io)
CFNetwork/1494.0.7 Darwin/23.4.0
MyDesk-Bot/1.0 (select; update; drop)
Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17628; Pro)
WindowsPowerShell/5.1.22621.2506
Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.19041.4412""".split("\n")

BINANCE = [{"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.00100000", "price": "64000.10",
            "newClientOrderId": "x-R4BD3S82e6", "recvWindow": 5000, "timestamp": 1719400000000},
           {"symbol": "1000SHIBUSDT", "side": "SELL", "type": "STOP_MARKET", "stopPrice": "1.2e-5", "closePosition": "true"},
           {"symbol": "ETHUSDT", "side": "SELL", "type": "TRAILING_STOP_MARKET", "callbackRate": "0.8", "reduceOnly": True,
            "workingType": "MARK_PRICE"}]
PHEMEX = [{"symbol": "BTCUSDT", "clOrdID": "uuid-1573058952273", "side": "Sell", "priceEp": 93185000, "orderQtyRq": "0.01",
           "ordType": "Limit", "reduceOnly": False, "timeInForce": "PostOnly", "takeProfitRp": "55000", "text": "O'Brien's hedge"},
          {"actionBy": "FromOrderPlacement", "symbol": "sBTCUSDT", "qtyType": "ByQuote", "quoteQtyEv": 5000000000, "stopPxEp": 0}]
HYPERLIQUID = [{"action": {"type": "order", "orders": [{"a": 4, "b": True, "p": "1100", "s": "0.2", "r": False,
                                                        "t": {"limit": {"tif": "Gtc"}}}], "grouping": "na"},
                "nonce": 1719400000000, "signature": {"r": "0x53749d5b30552aeb2fca34b530185976545bb22d0b3ce6f62e31be961a59298",
                                                      "s": "0x755c40ba9bf05223521753995abb2f73ab3229be8ec921f350cb447e384d8ed8",
                                                      "v": 27}, "vaultAddress": None},
               {"type": "l2Book", "coin": "kPEPE"},
               {"type": "userFills", "user": "0x31ca8395cf837de08b24da3f660e77761dfb974b"}]
JSON_BODIES = [("/api/v1/orders", b) for b in BINANCE + PHEMEX] + [("/exchange", b) for b in HYPERLIQUID] + [
    ("/api/v1/notes", {"note": "Please select the best price from the union of both books; drop the rest.", "tags": ["or", "and", "--"]}),
    ("/api/v1/notes", {"note": "SELECT price FROM fills; was slow -- see dashboard", "author": "D'Arcy"}),
    ("/api/v1/notes", {"title": "Post-mortem", "text": "1. Opened `psql`\n2. Ran: DELETE FROM stale_orders WHERE age > 5;\n3. Restarted\n"}),
    ("/api/v1/issues", {"title": "alert() missing", "body": "Steps:\n```js\nwindow.alert('filled')\n```\nExpected: a *toast*."}),
    ("/api/v1/issues", {"title": "Escape <script> in titles", "body": "Titles such as `<b>` are shown raw & ugly"}),
    ("/api/v1/issues", {"body": "curl -s https://api.example.com/orders | jq '.[] | .id' shows 3; expected 2"}),
    ("/api/v1/issues", {"body": "#!/bin/bash\nset -euo pipefail\nfor f in *.csv; do\n  wc -l \"$f\"\ndone\n", "lang": "bash"}),
    ("/api/v1/issues", {"body": "import os\nprint(os.environ.get('HOME'))\n", "lang": "python"}),
    ("/api/v1/issues", {"body": "if (a < b && c > d) { return `${a}: ${b}`; }", "lang": "js"}),
    ("/api/v1/strategies", {"name": "grid", "code": "def on_bar(bar):\n    if bar.close > ema(20) and bar.volume < 1e6:\n        order('BUY', 0.1)\n"}),
    ("/api/v1/strategies", {"name": "pine", "code": "//@version=5\nstrategy(\"x\")\nif ta.crossover(ta.sma(close, 14), ta.sma(close, 28))\n    strategy.entry(\"L\", strategy.long)"}),
    ("/api/v1/strategies", {"expr": "(close - open) / open > 0.01 or rsi(14) < 30 and not halted"}),
    ("/api/v1/strategies", {"expr": "price > 100 && qty <= 5 || symbol == 'BTC/USDT;PERP'"}),
    ("/api/v1/alerts", {"message": "{{strategy.order.action}} {{ticker}} @ {{close}}", "webhook": "https://hooks.example.com/a?b=c&d=e"}),
    ("/api/v1/alerts", {"when": "BTCUSDT > 70000", "then": "notify('desk')", "sleep": "10s"}),
    ("/api/v1/templates", {"html": "<table><tr><td>Filled</td></tr></table>", "text": "Filled & closed"}),
    ("/api/v1/upload", {"name": "report.pdf", "content": "JVBERi0xLjQKJcfsj6IKNSAwIG9iago8PC9MZW5ndGggNiAwIFIvRmlsdGVyIC9GbGF0ZURlY29kZT4+CnN0cmVhbQp4nC2Kuw=="}),
    ("/api/v1/users", {"name": "Sinéad O’Connor", "email": "sinead+desk@example.ie", "phone": "+353 1 555 0100", "address": "5 O'Connell St; Apt #4"}),
    ("/api/v1/users", {"password": "x'; y-- \"z\" (1=1)!", "name": "Null"}),
    ("/api/v1/search", {"query": {"bool": {"must": [{"match": {"title": "drop table"}}], "filter": {"range": {"price": {"gte": 10}}}}}}),
    ("/api/v1/search", {"$and": [{"price": {"$gt": 5}}, {"side": "BUY"}]}),
    ("/api/v1/batch", [{"method": "GET", "path": "/a?b=c"}, {"method": "DELETE", "path": "/orders/5"}]),
    ("/api/v1/rpc", {"jsonrpc": "2.0", "method": "eth_call", "params": [{"to": "0x6b175474e89094c44da98b954eedeac495271d0f", "data": "0x70a08231"}, "latest"], "id": 1}),
    ("/api/v1/config", {"path": "/var/lib/bot/state.db", "log": "../logs/bot.log", "shell": "/bin/bash", "cron": "*/5 * * * *"}),
    ("/api/v1/config", {"regex": "^(BTC|ETH)[/-]?USD[TC]?$", "glob": "**/*.csv", "format": "%Y-%m-%d %H:%M:%S"}),
    ("/api/v1/metrics/query", {"query": "sum by (le) (rate(http_request_duration_seconds_bucket{job=\"api\"}[5m]))"}),
    ("/api/v1/chat", {"text": "can you select * for me from the union menu? 1 or 2 is = fine :-) <3"}),
    ("/api/v1/chat", {"text": "it's \"urgent\" -- don't wait; call me & then (maybe) sleep(8 hours)"}),
    ("/api/v1/chat", {"text": "لا بأس 👍 نلتقي غدًا؛ «حسنًا»"}),
    ("/api/v1/webhook", {"event": "push", "ref": "refs/heads/fix/select-from-union", "commits": [{"message": "Don't drop table; update set where needed (#42)"}]}),
    ("/api/v1/jwks", {"keys": [{"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}),
]
GRAPHQL = [
    "{ viewer { id name } }",
    "query Orders($first: Int = 10, $where: OrderFilter) { orders(first: $first, where: $where) { edges { node { id symbol price } } pageInfo { endCursor } } }",
    "mutation Place($in: OrderInput!) { placeOrder(input: $in) { order { id status } errors { field message } } }",
    "query { __typename }",
    "query Search { search(text: \"select O'Brien or 1\") { ... on User { name } ... on Desk { title } } }",
    "mutation { updateNote(id: 5, text: \"drop; table -- done\") { ok } }",
    "query A { a: orders(side: BUY) @include(if: true) { ...F } } fragment F on Order { id }",
]
FORMS = [
    "grant_type=authorization_code&code=SplxlOBeZQQYbYS6WxSbIA&redirect_uri=https%3A%2F%2Fapp.example.com%2Fcb&code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    "grant_type=client_credentials&scope=orders%3Aread+orders%3Awrite&client_id=desk-1",
    "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=9000.5&recvWindow=5000&timestamp=1591702613943&signature=3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9",
    "username=o%27brien&password=p%40ss+word%21+%26+more%3B--",
    "comment=I+said+%22select+one+from+the+menu%22%2C+didn%27t+I%3F&rating=5",
    "q=union+or+select+%28both%29&page=1",
    "SAMLResponse=PHNhbWxwOlJlc3BvbnNlIHhtbG5zOnNhbWxwPSJ1cm46b2FzaXM6bmFtZXM6dGM6U0FNTDoyLjA6cHJvdG9jb2wiPjwvc2FtbHA6UmVzcG9uc2U%2B&RelayState=%2Fdashboard",
    "csv=id%2Cname%0A1%2C%22O%27Brien%22%0A2%2CSmith&delimiter=%3B",
    "note=line+one%0D%0Aline+two%0D%0A--+%0D%0Abest+regards%2C+Pat&to=desk%40example.com",
    "markdown=%23+Title%0A%0A*+a%0A*+b%0A%0A%60code%60+%3E+quote&save=1",
]
TARGETS = [
    "/", "/health", "/favicon.ico", "/robots.txt", "/.well-known/openid-configuration", "/api/v1/opportunities?limit=100&min_profit=0.01",
    "/api/v3/depth?symbol=BTCUSDT&limit=1000", "/api/v3/klines?symbol=ETHBTC&interval=1m&startTime=1719400000000&endTime=1719403600000",
    "/api/v3/ticker/price?symbols=%5B%22BTCUSDT%22,%22BNBUSDT%22%5D", "/fapi/v1/order?symbol=BTCUSDT_241227&origClientOrderId=web_abc",
    "/api/v1/markets/BTC%2FUSDT%3APERP/book", "/api/v1/markets/BTC/USDT;PERP", "/api/v1/users/o'brien", "/api/v1/users/o%27brien/orders",
    "/api/v1/orders?filter[status]=open&filter[side]=BUY&sort=-created_at&page[size]=50", "/api/v1/orders?ids=1,2,3&fields=id,price,(fees)",
    "/api/v1/search?q=%22select+a+date%22+from+calendar", "/api/v1/search?q=rock+%27n%27+roll", "/api/v1/search?q=C%2B%2B+or+C%23",
    "/api/v1/search?q=50%25+off", "/api/v1/search?q=%E6%97%A5%E6%9C%AC%E8%AA%9E", "/api/v1/search?q=%F0%9F%9A%80&lang=ja",
    "/api/v1/search?q=a+%3C+b+and+c+%3E+d", "/api/v1/search?q=union+square+select+hotel&near=5+km", "/api/v1/search?q=AT%26T+%26+T-Mobile",
    "/login?next=/orders?id=5", "/login?redirect_uri=https%3A%2F%2Fapp.example.com%2Fcb%3Fa%3D1%26b%3D2&response_type=code&scope=openid+profile",
    "/assets/app.3f9a1c.js?v=1.2.3", "/assets/fonts/inter.woff2", "/images/chart%20(1).png", "/docs/sql-injection.html#top", "/docs/etc/passwords.html",
    "/files/report%20final%20v2.pdf", "/files/2024/12/27/fills.csv.gz", "/a/b/../c", "/wiki/Cross-site_scripting", "/api/v1/export?format=csv&sep=%3B&quote=%22",
    "/api/v1/history?from=2024-12-01T00:00:00Z&to=2024-12-27T08:00:00%2B01:00", "/api/v1/quote?price=1e-8&qty=1.5E%2B3&tol=%C2%B15%25",
    "/api/v1/query?expr=price>100&&qty<5", "/api/v1/me?fields=*", "/api/v1/keys?cursor=eyJpZCI6MTIzfQ==", "/api/v1/orders?symbol=BTC-27DEC24-100000-C",
    "/graphql?query=%7Borders%7Bid%20price%7D%7D", "/metrics", "/api/v1/tail?file=app.log&lines=100", "/socket.io/?EIO=4&transport=polling&t=P0x1y2z&sid=abc",
    "/api/v1/orders/550e8400-e29b-41d4-a716-446655440000", "/x?utm_source=newsletter&utm_campaign=it%27s+time%21&gclid=Cj0KCQjw",
    "/api/v1/eval?model=42", "/exec/reports?id=7", "/select/date", "/union/members?drop=1", "/bin/list", "/etc/", "/cgi-bin-info.html", "/admin/update?set=1",
]
COOKIES = [
    "__Host-session=5b6f1c0e2d9a4b7f8c3d; theme=dark; lang=en-GB",
    "_ga=GA1.2.1234567890.1719400000; _gid=GA1.2.987654321.1719400000; _gat=1",
    "session=eyJhbGciOiJIUzI1NiJ9.eyJ1IjoxfQ.c2ln; csrf=Zm9v/YmFy+Cg==",
    "OptanonConsent=isGpcEnabled=0&datestamp=Thu+Jun+27+2024+10%3A00%3A00+GMT%2B0200&version=6.33.0&groups=C0001%3A1%2CC0002%3A0",
    "prefs=%7B%22tz%22%3A%22Europe%2FBerlin%22%2C%22name%22%3A%22O%27Brien%22%7D; seen=[1,2,3]",
    "cart=a:1|b:2; last_search=union+select+hotel; __cf_bm=1.2.3-abc-1719400000-0-AfX/yz+Q==",
]
REFERERS = ["https://app.example.com/orders?sort=-price&filter=(a,b)", "https://www.google.com/search?q=select+from+where+sql+tutorial&hl=en",
            "https://app.example.com/search?q=O%27Brien", "android-app://com.google.android.gm/", "https://example.com/#/orders/5?tab=fills"]
TEXTS = [("text/plain", "just a note -- it's fine; select one"), ("text/csv", "id,name\n1,\"O'Brien, Pat\"\n2,Smith\n"),
         ("application/xml", "<?xml version=\"1.0\" encoding=\"UTF-8\"?><order><symbol>BTCUSDT</symbol><side>BUY</side></order>"),
         ("text/xml", "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body><GetPrice><Symbol>O&amp;P</Symbol></GetPrice></soap:Body></soap:Envelope>"),
         ("multipart/form-data; boundary=----W7MA4YWxkTrZu0gW", "------W7MA4YWxkTrZu0gW\r\nContent-Disposition: form-data; name=\"file\"; filename=\"fills (1).csv\"\r\nContent-Type: text/csv\r\n\r\nid,price\r\n1,5\r\n------W7MA4YWxkTrZu0gW--\r\n")]


def put(target, agent=2, method="GET", body="", kind=None, **more):
    headers = {"Host": "api.example.com", "User-Agent": AGENTS[agent % len(AGENTS)], "Accept": "*/*"}
    if kind:
        headers["Content-Type"] = kind
    headers.update({k.replace("_", "-"): v for k, v in more.items()})
    print(json.dumps({"method": method, "target": target, "headers": headers, "body": body}, ensure_ascii=False))


def main():
    for i in range(len(AGENTS)):
        put("/api/v1/opportunities?limit=10", i, Accept="application/json")
    for i, target in enumerate(TARGETS):
        put(target, i, Accept="text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", Accept_Language="de-DE,de;q=0.9,en;q=0.8")
    for i, (target, body) in enumerate(JSON_BODIES):
        put(target, i + 16, "POST", json.dumps(body, ensure_ascii=i % 2 == 0), "application/json")
    for i, query in enumerate(GRAPHQL):
        put("/graphql", i, "POST", json.dumps({"query": query, "variables": {"first": 5, "where": {"side": "BUY"}}}), "application/json; charset=utf-8")
    for i, body in enumerate(FORMS):
        put("/api/v1/form", i + 3, "POST", body, "application/x-www-form-urlencoded")
    for i, cookie in enumerate(COOKIES):
        put("/dashboard", i, Cookie=cookie, Sec_CH_UA='"Not/A)Brand";v="8", "Chromium";v="126"', Upgrade_Insecure_Requests="1")
    for i, referer in enumerate(REFERERS):
        put("/dashboard", i, Referer=referer, If_None_Match='W/"33a64df5"', X_Forwarded_For="192.0.2.1, 198.51.100.2", X_Request_Id="a;b=c")
    for i, (kind, body) in enumerate(TEXTS):
        put("/api/v1/upload", i + 17, "POST", body, kind)


sys.exit(main())
