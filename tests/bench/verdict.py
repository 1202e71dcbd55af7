#!/usr/bin/env python3
"""Benchmarks of the guard: verdict.py BUILD DIRECTORY. Prints one JSON object.

verdict_async_vs_nginx         verdicts with an API key, three limits, a feed of 100,000 networks, a database of countries and the
                               search for attack patterns, over TLS 1.3
                               with 128 connections of wrk, the record written behind, beside nginx answering a static 204 with as
                               many workers and the same certificate. One and the same request again and again, so nothing of it
                               is searched anew (src/domain/guard/patterns/clean.h).
verdict_async_varied_vs_nginx  the same with another query in each request (varied.lua); nginx gets the very same requests.
verdict_durable_vs_nginx       the same with the record durable before the answer.
verdict_auth_request_vs_nginx  requests through nginx with auth_request to the guard over its Unix socket, records behind, beside
                               the same nginx with auth_request to a static location.
verdict_auth_request_vs_ceiling  the same requests beside an nginx that asks a second nginx over a Unix socket, which answers a
                               static 204: no guard behind auth_request can be faster.
"""
import json
import pathlib
import shutil
import statistics
import sys
import tempfile

import netfiles
from desk import QUICK, ROOT, Server, free_port, result, tls_of, web_server, wrk

BUILD, DIRECTORY = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
ROUNDS, SECONDS = 5, 3
GUARD = """guard:
  proxies: [unix, 127.0.0.1]
  networks: {{others: allow}}
  record: {record}
  rates:
    - {{name: address, by: address, requests: 1000000, seconds: 1}}
    - {{name: desk, by: identity, requests: 1000000, seconds: 1}}
  countries: {{database: {home}/countries.mmdb, block: [KP], without: closed}}
  feeds: [{{name: feed, file: {home}/feed.txt}}]
  patterns: {{mode: block}}
  endpoints:
    - {{path: /api/v1/opportunities, methods: [GET], permission: mev:view, rate: {{requests: 1000000, seconds: 1}}}}
"""
ASKED = ("X-Forwarded-Method: GET", "X-Forwarded-Uri: /api/v1/opportunities?chain=1", "X-Forwarded-For: 192.0.2.7")


def ceiling_of(home):
    """docs/proxies/nginx.conf as it stands, but for whom it asks: a second nginx, which allows all and looks at nothing."""
    text = (ROOT / "docs/proxies/nginx.conf").read_text()
    if text.count("http://holdfast") != 1:
        sys.exit("bench: docs/proxies/nginx.conf asks Holdfast in another way than this benchmark knows")
    (home / "ceiling.conf").write_text(text.replace("http://holdfast", "http://judge"))
    return home / "ceiling.conf"


def judge(home):
    (home / "judge").mkdir()
    return web_server(home / "judge", f"server {{ listen unix:{home}/judge/nginx.sock; location / {{ return 204; }} }}")


def servers(home, port, guarded, static, ceiling):
    """A static 204 over TLS; the same answer behind the guard, behind a location that allows all, and behind the judge."""
    return f"""upstream holdfast {{ server unix:{home}/data/run/api.sock; keepalive 64; }}
upstream application {{ server unix:{home}/nginx.sock; keepalive 64; }}
upstream judge {{ server unix:{home}/judge/nginx.sock; keepalive 64; }}
server {{ listen unix:{home}/nginx.sock; location / {{ return 204; }} }}
server {{ listen 127.0.0.1:{port} ssl; {tls_of(home)} location / {{ return 204; }} }}
server {{ listen 127.0.0.1:{guarded}; include {ROOT}/docs/proxies/nginx.conf; }}
server {{ listen 127.0.0.1:{ceiling}; include {ceiling_of(home)}; }}
server {{ listen 127.0.0.1:{static}; auth_request /_allow; location = /_allow {{ internal; return 204; }}
location / {{ proxy_pass http://application; proxy_http_version 1.1; proxy_set_header Connection ""; }} }}"""


def run(record, measured, more=""):
    """Calls measured(server, home, key) with a server that records so; more: of its configuration."""
    home = pathlib.Path(tempfile.mkdtemp(prefix="verdict-", dir=DIRECTORY))
    netfiles.database(home / "countries.mmdb")
    netfiles.feed(home / "feed.txt", 100_000)
    server = Server(BUILD, home, config=QUICK + more + GUARD.format(record=record, home=home), port=free_port())
    home.chmod(0o755)
    try:
        server.start()
        server.initialise()
        return measured(server, home, server.key("bench-bot", "viewer", "read_only"))
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


def measure(server, home, key, rows):
    port, guarded, static, ceiling = free_port(), free_port(), free_port(), free_port()
    webs = [judge(home), web_server(home, servers(home, port, guarded, static, ceiling))]
    bearer = f"Authorization: Bearer {key}"
    try:
        for number in range(ROUNDS):
            rows["verdict"].append(wrk(server.port, "/api/v1/guard/verdict", SECONDS, bearer, *ASKED))
            rows["nginx"].append(wrk(port, "/", SECONDS, bearer))
            if "varied" in rows:
                rows["varied"].append(wrk(server.port, "/api/v1/guard/verdict", SECONDS, bearer, *ASKED, script="varied.lua"))
                rows["varied nginx"].append(wrk(port, "/api/v1/guard/verdict", SECONDS, bearer, *ASKED, script="varied.lua"))
            if "guarded" in rows:
                rows["guarded"].append(wrk(guarded, "/api/v1/opportunities", SECONDS, bearer, scheme="http"))
                rows["static"].append(wrk(static, "/api/v1/opportunities", SECONDS, bearer, scheme="http"))
                rows["ceiling"].append(wrk(ceiling, "/api/v1/opportunities", SECONDS, bearer, scheme="http"))
            print(f"round {number + 1}: " + ", ".join(f"{k} {v[-1]:.0f}" for k, v in rows.items()), file=sys.stderr)
    finally:
        for web in webs:
            web.terminate()
            web.wait()
    return {k: statistics.median(v) for k, v in rows.items()}


def main():
    kinds = ("verdict", "nginx", "varied", "varied nginx", "guarded", "static", "ceiling")
    behind = run("behind", lambda *a: measure(*a, {kind: [] for kind in kinds}))
    durable = run("durable", lambda *a: measure(*a, {"verdict": [], "nginx": []}))
    print(json.dumps({
        "verdict_async_vs_nginx": result(behind["verdict"], behind["nginx"], "verdicts/s"),
        "verdict_async_varied_vs_nginx": result(behind["varied"], behind["varied nginx"], "verdicts/s"),
        "verdict_durable_vs_nginx": result(durable["verdict"], durable["nginx"], "verdicts/s"),
        "verdict_auth_request_vs_nginx": result(behind["guarded"], behind["static"], "requests/s"),
        "verdict_auth_request_vs_ceiling": result(behind["guarded"], behind["ceiling"], "requests/s"),
    }))


if __name__ == "__main__":
    main()
