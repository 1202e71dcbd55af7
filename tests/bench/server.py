#!/usr/bin/env python3
"""Benchmarks of the running server: server.py BUILD DIRECTORY. Prints one JSON object.

sign_hyperliquid_median_vs_ccxt  one bot over the Unix socket: median time of a signature, its durable record included,
                                 beside ccxt's own in-process signing of the same order. Below 1 is faster than ccxt.
sign_hyperliquid_rate_vs_ccxt    signatures a second with 16 bots, each with a key of its own, since a nonce is a millisecond of
                                 its key: more than 1,000 a second with one key would run away from the clock.
secret_read_vs_nginx             reads of one secret with 128 connections, durable record included, beside nginx serving a
                                 static file of the same size over a Unix socket.
"""
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD, DIRECTORY = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
ROUNDS, SECONDS, BOTS = 5, 3, 16
ORDER = ('{"type":"order","orders":[{"a":39,"b":false,"p":"69919.8","s":"49.897459","r":false,'
         '"t":{"limit":{"tif":"Gtc"}}}],"grouping":"na"}')
POLICY = {"classes": ["order"], "endpoints": ["order"], "symbols": ["39"]}


class Server:
    """A server of its own, initialised, with one Hyperliquid credential, one secret, and a key for a bot."""

    def __init__(self, home):
        self.home = home
        self.socket = home / "data/run/api.sock"
        self.env = dict(os.environ, HOLDFAST_DATA_DIR=str(home / "data"), HOLDFAST_HOME=str(home / "profile"),
                        HOLDFAST_ADDR=f"unix:{self.socket}")
        (home / "data").mkdir(mode=0o700)
        (home / "profile").mkdir(mode=0o700)
        self.write("holdfast.yaml", f"data_dir: {home}/data\nvenues_dir: {ROOT}/spec/venues\nlisten: 127.0.0.1:0\n"
                                    "argon2: {passes: 1, memory_kib: 8192}\n")
        for name in ("unseal", "approval", "password"):
            self.write(name, "Correct-horse-battery-9")
        self.process = subprocess.Popen([self.cli(), "server", "--config", str(home / "holdfast.yaml")], env=self.env,
                                        stderr=open(home / "log", "w"), stdin=subprocess.DEVNULL)

    def write(self, name, text):
        (self.home / name).write_text(text)
        (self.home / name).chmod(0o600)

    def cli(self):
        return str(BUILD / "src/cli/holdfast")

    def run(self, *words, env=None):
        done = subprocess.run([self.cli(), *words], env=env or self.env, capture_output=True, text=True, cwd=self.home,
                              stdin=subprocess.DEVNULL, timeout=60)
        if done.returncode != 0:
            sys.exit(f"bench: holdfast {' '.join(words)}: {done.stderr or done.stdout}")
        return done.stdout

    def wait(self, *words):
        until = time.monotonic() + 20
        while subprocess.run([self.cli(), *words], env=self.env, capture_output=True).returncode not in (0, 7):
            if time.monotonic() > until or self.process.poll() is not None:
                sys.exit("bench: the server did not start:\n" + (self.home / "log").read_text())
            time.sleep(0.1)

    def prepare(self):
        self.wait("operator", "status")
        init = json.loads(self.run("operator", "init", "--passphrase", "--passphrase-file", "unseal", "--administrator",
                                   "admin", "--key-passphrase-file", "approval", "-o", "json"))
        self.write("token", init["enrolment_token"])
        self.run("enrol", "admin", "--enrolment-file", "token", "--password-file", "password", "--yes")
        self.write("policy.json", json.dumps(POLICY))
        bundle = json.loads((ROOT / "docs/examples/hyperliquid.bundle.json").read_text())
        for number in range(BOTS):
            self.write("bundle.json", json.dumps({**bundle, "secret": "0x" + os.urandom(32).hex()}))
            self.run("credential", "put", f"exchange/hyperliquid/bot{number:02}", "--venue", "hyperliquid", "--scheme", "hl-l1",
                     "--policy", "policy.json", "--bundle-file", "bundle.json", "--key-passphrase-file", "approval", "--reason",
                     "bench", "--yes")
        self.write("value", "x" * 64)
        self.run("secret", "put", "bench/secret", "--value-file", "value", "--environment", "development", "--reason", "bench")
        self.bot = json.loads(self.run("key", "create", "bench-bot", "--role", "service-account", "--usage", "execute_only", "--credential",
                                       "exchange/*", "-o", "json"))["key"]
        self.reader = json.loads(self.run("key", "create", "bench-reader", "--role", "admin", "--usage", "full_access", "--access",
                                          "development", "-o", "json"))["key"]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


def load(socket, request, connections, directory):
    path = directory / "request"
    path.write_bytes(request)
    out = subprocess.run([BUILD / "tests/bench/bench_http", socket, path, str(connections), str(SECONDS)],
                         capture_output=True, text=True)
    if out.returncode != 0:
        sys.exit("bench: " + out.stderr)
    return json.loads(out.stdout)


def request(method, path, token=None, body=None):
    head = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    if token:
        head.append(f"Authorization: Bearer {token}")
    if body is not None:
        head += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return ("\r\n".join(head) + "\r\n\r\n" + (body or "")).encode()


def nginx(home, size):
    (home / "file").write_text("x" * size)
    config = home / "nginx.conf"
    config.write_text(f"""daemon off; pid {home}/nginx.pid; error_log {home}/nginx.log; worker_processes 2;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 100000000; server {{ listen unix:{home}/nginx.sock; root {home}; }} }}
""")
    home.chmod(0o755)
    process = subprocess.Popen(["nginx", "-c", config, "-p", home], stderr=subprocess.DEVNULL)
    until = time.monotonic() + 10
    while not (home / "nginx.sock").exists():
        if time.monotonic() > until:
            sys.exit("bench: nginx did not start")
        time.sleep(0.05)
    return process


def ccxt():
    return json.loads(subprocess.check_output(["node", ROOT / "tests/bench/ccxt_sign.js", "400"], text=True))


def result(value, baseline, unit):
    return {"value": value, "baseline": baseline, "ratio": round(value / baseline, 4), "unit": unit}


def measure(server, home):
    sign = request("POST", "/api/v1/sign", server.bot, json.dumps(
        {"credential": "exchange/hyperliquid/bot@@", "network": "mainnet"})[:-1] + ',"params":' + ORDER + "}")
    read = request("GET", "/api/v1/secrets/data/bench/secret", server.reader)
    web, static = nginx(home, 64), request("GET", "/file")
    rows = {"median": [], "ccxt_median": [], "rate": [], "ccxt_rate": [], "secret": [], "nginx": []}
    try:
        for number in range(ROUNDS):
            rows["median"].append(load(server.socket, sign, 1, home)["median_us"])
            theirs = ccxt()
            rows["ccxt_median"].append(theirs["median_us"])
            rows["ccxt_rate"].append(theirs["rate"])
            rows["rate"].append(load(server.socket, sign, BOTS, home)["rate"])
            rows["secret"].append(load(server.socket, read, 128, home)["rate"])
            rows["nginx"].append(load(home / "nginx.sock", static, 128, home)["rate"])
            print(f"round {number + 1}: " + ", ".join(f"{k} {v[-1]:.0f}" for k, v in rows.items()), file=sys.stderr)
    finally:
        web.terminate()
        web.wait()
    return {k: statistics.median(v) for k, v in rows.items()}


def main():
    home = pathlib.Path(tempfile.mkdtemp(prefix="server-", dir=DIRECTORY))
    server = Server(home)
    try:
        server.prepare()
        m = measure(server, home)
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)
    print(json.dumps({
        "sign_hyperliquid_median_vs_ccxt": result(m["median"], m["ccxt_median"], "us"),
        "sign_hyperliquid_rate_vs_ccxt": result(m["rate"], m["ccxt_rate"], "signatures/s"),
        "secret_read_vs_nginx": result(m["secret"], m["nginx"], "reads/s"),
    }))


main()
