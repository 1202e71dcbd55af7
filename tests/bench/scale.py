#!/usr/bin/env python3
"""A server with 100,000 secrets and 100,000 API keys: scale.py BUILD DIRECTORY [COUNT]. A table on standard error, one JSON
object on standard output.

scale_start_seconds  from `holdfast operator unseal` to the first authenticated request that is answered 200, the passphrase's
               Argon2id included: the worst of several starts, beside the two seconds that it may take.
Also, in the table: when the keeper answers, memory of each process, size on disk, and how fast one secret, a page of a
listing and the verdict on a key are answered, right after the start (while the stored rows are being checked) and later.
"""
import collections
import json
import os
import pathlib
import select
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from desk import PASSWORD, Server, request, result

BUILD, DIRECTORY = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
COUNT = int(sys.argv[3]) if len(sys.argv) > 3 else 100_000
CONNECTIONS, STARTS, LIMIT_SECONDS = 128, 3, 2.0
GROUP = 100  # secrets below one prefix
SAMPLES = 300
ANSWER_MAX = 1 << 20


class Connection:
    """One keep-alive connection. What was sent is known to whoever uses it."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(str(path))
        self.have = b""
        self.asked = None

    def send(self, wire):
        self.have = b""
        self.socket.sendall(wire)

    def receive(self):
        """(status, body) when it is whole, None before."""
        more = self.socket.recv(ANSWER_MAX)
        if not more:
            raise ConnectionError("the server closed the connection")
        self.have += more
        head, end, body = self.have.partition(b"\r\n\r\n")
        if not end:
            return None
        at = head.lower().find(b"content-length:")
        length = int(head[at + 15:].split(b"\r", 1)[0]) if at >= 0 else 0
        return (int(head[9:12]), body) if len(body) >= length else None

    def ask(self, wire):
        self.send(wire)
        while True:
            answer = self.receive()
            if answer:
                return answer


def fill(path, requests, take):
    """Sends all requests over many connections; take(number, body) sees each answer, which has to be 201."""
    poll, connections = select.epoll(), {}
    requests = enumerate(requests)

    def next_on(c):
        number, wire = next(requests, (None, None))
        if wire is None:
            poll.unregister(c.socket)
            del connections[c.socket.fileno()]
            c.socket.close()
            return
        c.asked = number
        c.send(wire)

    for _ in range(CONNECTIONS):
        c = Connection(path)
        connections[c.socket.fileno()] = c
        poll.register(c.socket, select.EPOLLIN)
    for c in list(connections.values()):
        next_on(c)
    while connections:
        for fd, _ in poll.poll():
            c = connections[fd]
            answer = c.receive()
            if not answer:
                continue
            if answer[0] != 201:
                sys.exit(f"bench: request {c.asked} was answered {answer[0]}: {answer[1][:300]!r}")
            take(c.asked, answer[1])
            next_on(c)


def secret_path(number):
    return f"desk/{number // GROUP:04d}/secret-{number % GROUP:02d}"


def populate(server):
    status, body = Connection(server.socket).ask(request("POST", "/api/v1/login", None, json.dumps(
        {"name": "admin", "password": PASSWORD})))
    if status != 200:
        sys.exit(f"bench: no login: {body!r}")
    token, texts = json.loads(body)["token"], {}

    def keep(number, answer):
        if number % (COUNT // GROUP or 1) == 0:
            texts[number] = json.loads(answer)["key"]

    start = time.monotonic()
    fill(server.socket, (request("POST", "/api/v1/secrets", token, json.dumps(
        {"path": secret_path(i), "kind": "password", "environment": "development", "value": f"{i:064d}",
         "description": "a secret of the benchmark", "reason": "bench"})) for i in range(COUNT)), lambda number, answer: None)
    middle = time.monotonic()
    fill(server.socket, (request("POST", "/api/v1/keys", token, json.dumps(
        {"name": f"bot-{i:06d}", "environment": "production", "usage": "full_access", "roles": ["service-account"],
         "per_hour": 10**9, "per_day": 10**9, "burst": 10**9, "description": "a key of the benchmark"})) for i in range(COUNT)), keep)
    end = time.monotonic()
    say("secrets stored a second", round(COUNT / (middle - start)))
    say("keys made a second", round(COUNT / (end - middle)))
    return list(texts.values())


def say(what, value, unit=""):
    print(f"{what:<68} {value:>14} {unit}", file=sys.stderr, flush=True)


# --- the start


def ask_until_200(path, wire, until):
    """None before there is a socket; a server that is sealed answers 503."""
    connection = None
    while time.monotonic() < until:
        try:
            connection = connection or Connection(path)
            if connection.ask(wire)[0] == 200:
                return time.monotonic()
        except OSError:
            connection = None
        time.sleep(0.002)
    sys.exit("bench: no answer of 200 within a minute after the unsealing")


def evict(directory):
    """As after a boot: nothing of the data is in the system's memory."""
    for file in directory.rglob("*"):
        if file.is_file():
            with open(file, "rb") as f:
                os.fsync(f.fileno())
                os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def start(server, wire):
    evict(server.home / "data")
    began = time.monotonic()
    server.start()
    server.wait("operator", "status", pause=0.01)
    keeper = time.monotonic()
    unseal = subprocess.Popen([server.cli(), "operator", "unseal", "--passphrase-file", "unseal"], env=server.env,
                              cwd=server.home, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    serves = ask_until_200(server.socket, wire, keeper + 60)
    if unseal.wait(60) != 0:
        sys.exit("bench: holdfast operator unseal failed")
    return {"process start to the keeper's answer": keeper - began, "unseal to the first 200": serves - keeper}


# --- while it runs


def latency(server, wires):
    connection, times = Connection(server.socket), []
    for wire in wires:
        began = time.monotonic()
        status, body = connection.ask(wire)
        times.append((time.monotonic() - began) * 1e3)
        if status != 200:
            sys.exit(f"bench: answered {status}: {body[:300]!r}")
    times.sort()
    return statistics.median(times), times[int(len(times) * 0.99)]


def latencies(server, keys, tokens, when):
    reader, verifier = tokens
    pick = [i * (COUNT // SAMPLES or 1) % COUNT for i in range(SAMPLES)]
    kinds = {
        "read one secret": [request("GET", f"/api/v1/secrets/data/{secret_path(i)}?reason=bench", reader) for i in pick],
        "list one prefix of 100 secrets": [request("GET", f"/api/v1/secrets?prefix=desk/{i // GROUP:04d}/&reason=bench", reader)
                                           for i in pick],
        "verify one key": [request("POST", "/api/v1/keys/verify", verifier, json.dumps({"key": keys[i % len(keys)]}))
                           for i in pick],
    }
    for what, wires in kinds.items():
        median, worst = latency(server, wires)
        say(f"{what}, {when}: median, p99", f"{median:.2f} {worst:.2f}", "ms")


def memory_of(pid):
    """MiB. The processes can't be looked into (they are not dumpable) but by root."""
    names = {"Rss:": "RSS", "Pss:": "PSS", "Locked:": "locked"}
    lines = [line.split() for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()]
    return ", ".join(f"{names[line[0]]} {int(line[1]) / 1024:.1f}" for line in lines if line[0] in names)


def processes(server):
    """{role: pid}; the supervisor is the process that was started."""
    children = pathlib.Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    found = {pathlib.Path(f"/proc/{pid}/comm").read_text().strip(): int(pid) for pid in children}
    return {"supervisor": server.process.pid, **found}


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def until_idle(server):
    """Waits for the check of all rows that follows a start; CPU seconds of all processes till then."""
    total, before = 0.0, -1.0
    while total - before > 0.05:
        before = total
        time.sleep(1)
        total = sum(cpu_seconds(pid) for pid in processes(server).values())
    return total


def sizes(server):
    totals = collections.Counter()
    for file in (server.home / "data").rglob("*"):
        if file.is_file():
            totals[file.name] += file.stat().st_size
    for name, size in totals.most_common(3):
        say(f"on disk: {name}", f"{size / 1e6:.1f}", "MB")
    say("on disk: everything", f"{sum(totals.values()) / 1e6:.1f}", "MB")


def restarts(server, wire):
    """Stops and starts it several times. The longest from unsealing to the first 200, in seconds."""
    longest = 0.0
    for _ in range(STARTS):
        began = time.monotonic()
        server.stop()
        say("orderly stop", f"{time.monotonic() - began:.2f}", "s")
        times = start(server, wire)
        for what, seconds in times.items():
            say(what, f"{seconds:.2f}", "s")
        longest = max(longest, times["unseal to the first 200"])
    return longest


def measure(server):
    server.start()
    server.initialise()
    reader = server.key("bench-reader", "admin", "full_access", "--access", "development")
    verifier = server.key("bench-verifier", "service-account", "full_access")
    keys = populate(server)
    say("CPU for all of that, until every record can be searched", f"{until_idle(server):.1f}", "s")
    longest = restarts(server, request("GET", "/api/v1/session", reader))
    latencies(server, keys, (reader, verifier), "right after the start")
    say("CPU until the record and all rows are checked", f"{until_idle(server):.1f}", "s")
    latencies(server, keys, (reader, verifier), "later")
    for role, pid in processes(server).items():
        say(f"memory of {role}", memory_of(pid), "MiB")
    say("records in the log", json.loads(Connection(server.socket).ask(request("GET", "/api/v1/health"))[1])["log_size"])
    server.stop()
    sizes(server)
    return longest


def main():
    home = pathlib.Path(tempfile.mkdtemp(prefix="scale-", dir=DIRECTORY))
    server = Server(BUILD, home, config="")
    try:
        worst = measure(server)
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)
    print(json.dumps({"scale_start_seconds": result(round(worst, 3), LIMIT_SECONDS, "s")}))


if __name__ == "__main__":
    main()
