#!/usr/bin/env python3
"""A server with 1,000,000 API keys of 100,000 users: scale_keys.py BUILD DIRECTORY [KEYS]. A table on standard error, one JSON
object on standard output.

keys_scale                verdicts on keys (POST /api/v1/keys/verify, over the Unix socket, each with its durable record) a
                          second, of keys from all over the million, beside the same for one key again and again, which
                          is in the processor's caches.
keys_scale_start_seconds  from `holdfast operator unseal` to the first authenticated request that is answered 200, the
                          passphrase's Argon2id included: the worst of several starts, from a disk that is not cached.
Also, in the table: memory, size on disk, latency of one verdict at a time. What a verification takes inside of the process is
key_verify_vs_limit. A user for each ten keys.
"""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

from desk import PASSWORD, Server, request, result
from scale import Connection, fill, memory_of, processes, restarts, say, sizes, until_idle

BUILD, DIRECTORY = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
KEYS = int(sys.argv[3]) if len(sys.argv) > 3 else 1_000_000
USERS = max(KEYS // 10, 1)
SECONDS = 10
LIMIT_SECONDS = 20.0
BUSY = 64  # connections
BCRYPT = "$2b$10$abcdefghijklmnopqrstuvABCDEFGHIJKLMNOPQRSTUVWXYZabcde"  # of no password that anybody knows
TEXT_LEN = len("hfk_live_") + 16 + 1 + 43 + 6


def populate(server, texts):
    """The texts of all keys go to that file, a line each."""
    status, body = Connection(server.socket).ask(request("POST", "/api/v1/login", None, json.dumps(
        {"name": "admin", "password": PASSWORD})))
    if status != 200:
        sys.exit(f"bench: no login: {body!r}")
    token, key = json.loads(body)["token"], re.compile(rb'"key":"([^"]+)"')
    began = time.monotonic()
    fill(server.socket, (request("POST", "/api/v1/users", token, json.dumps(
        {"name": f"user-{i:06d}", "roles": ["service-account"], "password_hash": BCRYPT})) for i in range(USERS)),
         lambda number, answer: None)
    middle = time.monotonic()
    with open(texts, "wb") as out:
        fill(server.socket, (request("POST", "/api/v1/keys", token, json.dumps(
            {"name": f"bot-{i:07d}", "owner": f"user-{i % USERS:06d}", "environment": "production", "usage": "full_access",
             "roles": ["service-account"], "per_hour": 10**9, "per_day": 10**9, "burst": 10**9})) for i in range(KEYS)),
             lambda number, answer: out.write(key.search(answer)[1] + b"\n"))
    end = time.monotonic()
    say("users made a second", round(USERS / (middle - began)))
    say("keys made a second", round(KEYS / (end - middle)))


def load(server, wire, connections, *lines):
    done = subprocess.run([BUILD / "tests/bench/bench_http", server.socket, wire, str(connections), str(SECONDS), *lines],
                          capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"bench: {done.stderr}")
    return json.loads(done.stdout)


def verdicts(server, verifier, texts):
    """Verdicts a second: on all keys, and on one."""
    with open(texts, "rb") as lines:
        one = lines.readline().strip().decode()
    wires, found = {"one key": one, "all keys": "#" * TEXT_LEN}, {}
    for what, text in wires.items():
        wire = server.home / "verify"
        wire.write_bytes(request("POST", "/api/v1/keys/verify", verifier, json.dumps({"key": text})))
        for connections in (1, BUSY):
            r = load(server, wire, connections, *([texts] if "#" in text else []))
            say(f"verdicts on {what}, {connections} at a time: rate, median, p99, p99.9",
                f"{r['rate']:.0f}/s {r['median_us']:.0f} {r['p99_us']:.0f} {r['p999_us']:.0f}", "us")
            found[what] = r["rate"]
    return found["all keys"], found["one key"]


def measure(server):
    server.start()
    server.initialise()
    verifier = server.key("bench-verifier", "service-account", "full_access")
    texts = server.home / "texts"
    before = memory_of(processes(server)["holdfast-front"])
    populate(server, texts)
    say("memory of the front, empty", before, "MiB")
    say("CPU for all of that, until every record can be searched", f"{until_idle(server):.1f}", "s")
    longest = restarts(server, request("GET", "/api/v1/session", verifier))
    say("memory of the front, right after the start", memory_of(processes(server)["holdfast-front"]), "MiB")
    say("CPU until the record and all rows are checked", f"{until_idle(server):.1f}", "s")
    rates = verdicts(server, verifier, texts)
    for role, pid in processes(server).items():
        say(f"memory of {role}", memory_of(pid), "MiB")
    server.stop()
    sizes(server)
    return longest, rates


def main():
    home = pathlib.Path(tempfile.mkdtemp(prefix="scale-", dir=DIRECTORY))
    server = Server(BUILD, home, config="")
    try:
        worst, (all_keys, one_key) = measure(server)
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)
    print(json.dumps({"keys_scale": result(round(all_keys), round(one_key), "verdicts/s"),
                      "keys_scale_start_seconds": result(round(worst, 3), LIMIT_SECONDS, "s")}))


if __name__ == "__main__":
    main()
