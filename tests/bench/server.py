#!/usr/bin/env python3
"""Benchmarks of the running server: server.py BUILD DIRECTORY. Prints one JSON object.

sign_hyperliquid_median_vs_ccxt  one bot over the Unix socket: median time of a signature, its durable record included,
                                 beside ccxt's own in-process signing of the same order. Below 1 is faster than ccxt.
sign_hyperliquid_rate_vs_ccxt    signatures a second with 16 bots, each with a key of its own, since a nonce is a millisecond of
                                 its key: more than 1,000 a second with one key would run away from the clock.
secret_read_vs_nginx             reads of one secret with 128 connections over TLS 1.3, as services on other hosts read them,
                                 durable record included, beside nginx serving a static file of the same size the same way,
                                 with the same certificate; wrk is the client.
secret_read_unix_vs_nginx        the same over a Unix socket, where nginx has next to nothing to do.
"""
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

from desk import BOTS, ROOT, Server, free_port, load, request, result, tls_of, web_server, wrk

BUILD, DIRECTORY = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
ROUNDS, SECONDS = 5, 3
ORDER = ('{"type":"order","orders":[{"a":39,"b":false,"p":"69919.8","s":"49.897459","r":false,'
         '"t":{"limit":{"tif":"Gtc"}}}],"grouping":"na"}')


def nginx(home, size, port):
    (home / "file").write_text("x" * size)
    return web_server(home, f"""root {home}; server {{ listen unix:{home}/nginx.sock; }}
server {{ listen 127.0.0.1:{port} ssl; {tls_of(home)} }}""")


def ccxt():
    return json.loads(subprocess.check_output(["node", ROOT / "tests/bench/ccxt_sign.js", "400"], text=True))


def measure(server, home):
    sign = request("POST", "/api/v1/sign", server.bot, json.dumps(
        {"credential": "exchange/hyperliquid/bot@@", "network": "mainnet"})[:-1] + ',"params":' + ORDER + "}")
    path = "/api/v1/secrets/data/bench/secret?reason=bench"
    read = request("GET", path, server.reader)
    port = free_port()
    web, static = nginx(home, 64, port), request("GET", "/file")

    def loaded(socket, body, connections, seconds=SECONDS):
        return load(BUILD, socket, body, connections, seconds, home)

    rows = {"median": [], "ccxt_median": [], "rate": [], "ccxt_rate": [], "secret": [], "nginx": [], "secret_tls": [], "nginx_tls": []}
    try:
        for number in range(ROUNDS):
            # Briefly: one credential's nonces rise by a millisecond each, and may not run far ahead of the clock.
            rows["median"].append(loaded(server.socket, sign, 1, 1)["median_us"])
            theirs = ccxt()
            rows["ccxt_median"].append(theirs["median_us"])
            rows["ccxt_rate"].append(theirs["rate"])
            rows["rate"].append(loaded(server.socket, sign, BOTS)["rate"])
            rows["secret"].append(loaded(server.socket, read, 128)["rate"])
            rows["nginx"].append(loaded(home / "nginx.sock", static, 128)["rate"])
            rows["secret_tls"].append(wrk(server.port, path, SECONDS, f"Authorization: Bearer {server.reader}"))
            rows["nginx_tls"].append(wrk(port, "/file", SECONDS))
            print(f"round {number + 1}: " + ", ".join(f"{k} {v[-1]:.0f}" for k, v in rows.items()), file=sys.stderr)
    finally:
        web.terminate()
        web.wait()
    return {k: statistics.median(v) for k, v in rows.items()}


def main():
    home = pathlib.Path(tempfile.mkdtemp(prefix="server-", dir=DIRECTORY))
    server = Server(BUILD, home, port=free_port())
    home.chmod(0o755)
    try:
        server.start()
        server.prepare()
        m = measure(server, home)
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)
    print(json.dumps({
        "sign_hyperliquid_median_vs_ccxt": result(m["median"], m["ccxt_median"], "us"),
        "sign_hyperliquid_rate_vs_ccxt": result(m["rate"], m["ccxt_rate"], "signatures/s"),
        "secret_read_vs_nginx": result(m["secret_tls"], m["nginx_tls"], "reads/s"),
        "secret_read_unix_vs_nginx": result(m["secret"], m["nginx"], "reads/s"),
    }))


main()
