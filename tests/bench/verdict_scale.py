#!/usr/bin/env python3
"""Verdicts over 1 to 10,000 connections: verdict_scale.py BUILD DIRECTORY. A table on standard error, one JSON object on
standard output.

verdict_connections  verdicts a second over 10,000 connections of wrk, TLS 1.3, asked and configured as in verdict.py with records
                     behind, beside the same over 128.

All connect at once. Rates, CPU and memory are those of a window that begins when each has sent its first request; what was answered
in it is what the server itself counted for the key. Latencies are wrk's, of the whole run with its handshakes. A connection that
fails ends the benchmark.
"""
import json
import pathlib
import re
import resource
import signal
import subprocess
import sys
import time

import verdict
from desk import KEY_LIMIT, result
from scale import Connection, cpu_seconds, processes

CONNECTIONS = (1, 8, 64, 128, 512, 1_000, 10_000)
ROUNDS, SECONDS = 3, 4
SPARE = 500  # descriptors beside those of connections
HEAD_SECONDS = 60  # instead of 10: a machine that does other work as well needs longer for 10,000 handshakes
HTTP = f"http: {{connections: 25000, connections_per_address: 25000, head_seconds: {HEAD_SECONDS}}}\n"
LUA = """done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\\nRESULT {"median": %d, "p99": %d, "failed": %d}\\n', latency:percentile(50), latency:percentile(99),
                         e.connect + e.read + e.write + e.status + e.timeout))
end
"""


def raise_limit():
    """wrk and the front each have a descriptor for every connection."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < max(CONNECTIONS) + SPARE:
        sys.exit(f"bench: 10,000 connections need more descriptors than {hard}: raise the hard limit (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Front:
    def __init__(self, server, key):
        self.pid = next(pid for role, pid in processes(server).items() if "front" in role)
        self.connection = Connection(server.socket)
        self.wire = f"GET /api/v1/session HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
        self.answered()

    def answered(self):
        """Requests with this key so far."""
        self.connection.ask(self.wire)
        return KEY_LIMIT - int(re.search(rb'"day";r=(\d+)', self.connection.have)[1])

    def look(self):
        return time.monotonic(), self.answered(), cpu_seconds(self.pid)

    def memory_mib(self):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024


def asking(port):
    """Connections that have sent a request: it comes behind the beginning and the end of a handshake, each in a segment."""
    out = subprocess.check_output(["ss", "-tinH", f"sport = :{port}"], text=True)
    return sum(int(n) >= 3 for n in re.findall(r"data_segs_in:(\d+)", out))


def load(server, home, key, connections):
    headers = (f"Authorization: Bearer {key}", *verdict.ASKED)
    return subprocess.Popen(
        ["wrk", f"-t{min(connections, 2)}", f"-c{connections}", f"-d{HEAD_SECONDS + SECONDS + 60}s", "--timeout", "60s", "-s",
         home / "done.lua", *[w for h in headers for w in ("-H", h)], f"https://127.0.0.1:{server.port}/api/v1/guard/verdict"],
        stdout=subprocess.PIPE, text=True)


def wait_for_all(server, wrk, connections):
    until = time.monotonic() + HEAD_SECONDS
    while asking(server.port) < connections:
        if time.monotonic() > until or wrk.poll() is not None:
            wrk.kill()
            sys.exit(f"bench: {connections} connections did not come up")
        time.sleep(0.5)


def measure(server, home, key, front, connections):
    wrk = load(server, home, key, connections)
    wait_for_all(server, wrk, connections)
    time.sleep(1)
    began, answered, cpu = front.look()
    time.sleep(SECONDS)
    memory = front.memory_mib()
    ended, answered_then, cpu_then = front.look()
    wrk.send_signal(signal.SIGINT)  # it says what it saw
    said = re.search(r"^RESULT (.*)$", wrk.communicate()[0], re.M)
    found = json.loads(said[1]) if said else {"failed": connections}
    if wrk.returncode != 0 or found["failed"]:
        sys.exit(f"bench: of {connections} connections some were not served: wrk counted {found['failed']} failures")
    count = answered_then - answered
    return {"rate": count / (ended - began), "median_ms": found["median"] / 1e3, "p99_ms": found["p99"] / 1e3,
            "cpu_us": (cpu_then - cpu) / count * 1e6, "memory_mib": memory}


def middle(rows):
    """The round with the median rate, as it was."""
    return sorted(rows, key=lambda row: row["rate"])[len(rows) // 2]


def measure_all(server, home, key):
    (home / "done.lua").write_text(LUA)
    front = Front(server, key)
    print("| connections | verdicts/s | median | 99th percentile | front's CPU for one | front's memory |\n|---|---|---|---|---|---|",
          file=sys.stderr)
    rates = {}
    for connections in CONNECTIONS:
        row = middle([measure(server, home, key, front, connections) for _ in range(ROUNDS)])
        rates[connections] = row["rate"]
        print(f"| {connections:,} | {row['rate']:,.0f} | {row['median_ms']:.2f} ms | {row['p99_ms']:.1f} ms | {row['cpu_us']:.1f} µs |"
              f" {row['memory_mib']:.0f} MiB |", file=sys.stderr, flush=True)
    return rates


def main():
    raise_limit()
    rates = verdict.run("behind", measure_all, HTTP)
    print(json.dumps({"verdict_connections": result(round(rates[10_000]), round(rates[128]), "verdicts/s")}))


if __name__ == "__main__":
    main()
