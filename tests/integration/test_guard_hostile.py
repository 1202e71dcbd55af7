"""Hostile traffic through the guard: what is smuggled, doubled or too large never reaches the application, and while slow, idle and
flooding clients do what they can, an honest one goes on and memory stays bounded. The figures are printed (pytest -s)."""
import contextlib
import http.client
import json
import pathlib
import re
import resource
import socket
import subprocess
import sys
import threading
import time

import pytest

import server as holdfast
from guarded import Application, application_behind, nginx
from server import SOURCE
from test_guard import verdict

ENDPOINTS = "[{path: /status, permission: public}, {path: /whoami, permission: authenticated}]"
IDLE = 10000


class Recorder(Application):
    """Remembers what it was asked for."""

    def __init__(self):
        self.seen = []
        super().__init__()
        handler = self.RequestHandlerClass

        class Remembering(handler):
            disable_nagle_algorithm = True

            def parse_request(self):
                good = super().parse_request()
                if good:
                    self.server.seen.append((self.command, self.path))
                return good

        self.RequestHandlerClass = Remembering


def server_with(**http_limits):
    return holdfast.Server(config={"http": http_limits, "guard": {
        "proxies": "[unix]", "networks": "{others: allow}", "endpoints": ENDPOINTS,
        "rates": "[{name: address, by: address, requests: 1000000, burst: 1000000}]"}})


@pytest.fixture(scope="module")
def desk():
    s = server_with(connections=30000, connections_per_address=30000)
    with application_behind(s, {"nginx": nginx}, Recorder):
        s.nginx = s.proxies["nginx"]
        s.key = s.admin.ok("POST", "/api/v1/keys", {"name": "honest", "roles": ["viewer"], "environment": "development", "usage": "read_only",
                                                     "per_hour": 1000000, "per_day": 10000000, "burst": 1000000})["key"]
        yield s


# --- read in two ways


HIDDEN = b"POST /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
G, P = b"GET /status HTTP/1.1\r\n", b"POST /status HTTP/1.1\r\n"
SMUGGLED = {
    "length and chunked": P + b"Host: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and length": P + b"Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": P + b"Host: a\r\nContent-Length: 0\r\nContent-Length: 36\r\n\r\n",
    "a list of lengths": P + b"Host: a\r\nContent-Length: 3, 3\r\n\r\nabc",
    "signed length": P + b"Host: a\r\nContent-Length: +3\r\n\r\nabc",
    "huge length": P + b"Host: a\r\nContent-Length: 99999999999999999999\r\n\r\nabc",
    "folded chunked": P + b"Host: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "1.0 chunked": b"POST /status HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two encodings": P + b"Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "encoding list": P + b"Host: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "encoding unknown": P + b"Host: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "encoding with a control": P + b"Host: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "name begins with encoding": P + b"Host: a\r\nTransfer-Encoding-X: chunked\r\nContent-Length : 3\r\n\r\nabc",
    "space before colon": P + b"Host: a\r\nContent-Length : 3\r\n\r\nabc",
    "tab before colon": P + b"Host: a\r\nTransfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n",
    "two hosts": G + b"Host: a\r\nHost: b\r\n\r\n",
    "no host": G + b"X: y\r\n\r\n",
    "bad host": G + b"Host: a/b\r\n\r\n",
    "bare LF between headers": P + b"Host: a\r\nX: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bare LF for the empty line": G + b"Host: a\r\n\n",
    "bare CR in a value": G + b"Host: a\r\nX: y\rTransfer-Encoding: chunked\r\n\r\n",
    "NUL in a value": G + b"Host: a\r\nX-Api-Key: b\0c\r\n\r\n",
    "NUL in the path": b"GET /status\0/b HTTP/1.1\r\nHost: a\r\n\r\n",
    "%00 in the path": b"GET /status/a%00b HTTP/1.1\r\nHost: a\r\n\r\n",
    "encoded slash": b"GET /status/a%2fb HTTP/1.1\r\nHost: a\r\n\r\n",
    "dot segments": b"GET /status/../smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
    "encoded dot segments": b"GET /status/%2e%2e/smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
    "empty segment": b"GET //smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
    "absolute form": b"GET http://b/smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
    "space in the target": b"GET /status /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
    "odd method": b"gEt /status HTTP/1.1\r\nHost: a\r\n\r\n",
    "version 1.2": b"GET /status HTTP/1.2\r\nHost: a\r\n\r\n",
    "version 0.9": b"GET /status\r\nHost: a\r\n\r\n",
    "credential twice": G + b"Host: a\r\nAuthorization: x\r\nauthorization: y\r\n\r\n",
    "key twice": G + b"Host: a\r\nX-API-Key: x\r\nX-Api-Key: x\r\n\r\n",
    "cookie twice": G + b"Host: a\r\nCookie: a=b\r\nCookie: __Host-holdfast=c\r\n\r\n",
    "no colon": G + b"Host: a\r\nX\r\n\r\n",
    "control in a value": G + b"Host: a\r\nX: a\x01b\r\n\r\n",
    "GET with a body": G + b"Host: a\r\nContent-Length: 36\r\n\r\n",
    "bad chunk size": P + b"Host: a\r\nTransfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
    "huge chunk size": P + b"Host: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\nabc\r\n0\r\n\r\n",
}


def told(s, data, seconds=5):
    """All that comes back until the other side ends it, or says nothing for a while."""
    got = b""
    with contextlib.closing(s), contextlib.suppress(OSError):
        s.settimeout(seconds)
        s.sendall(data)
        while piece := s.recv(65536):
            got += piece
            s.settimeout(0.5)
    return got


def connected(path):
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    return s


@pytest.mark.parametrize("name", SMUGGLED)
def test_nothing_is_smuggled_to_the_guard_itself(desk, name):
    """Refused, and the connection ends: what follows is never read as a request. (Of a wrong Content-Length the library sends the head of
    its refusal twice.)"""
    data = SMUGGLED[name].replace(b" /status", b" /api/v1/guard/verdict", 1)
    got = told(connected(desk.unix_socket), data + HIDDEN.replace(b"POST /smuggled", b"GET /api/v1/health"))
    assert set(re.findall(rb"HTTP/1\.1 (\d{3}) ", got)) in ({b"400"}, {b"413"}, {b"404"}, {b"505"}), got[:600]
    assert b'"state"' not in got


@pytest.mark.parametrize("name", SMUGGLED)
def test_nothing_is_smuggled_through_nginx(desk, name):
    """Whatever nginx makes of it: the application is asked for /status alone, which is public."""
    before = len(desk.application.seen)
    told(socket.create_connection(("127.0.0.1", desk.nginx.port)), SMUGGLED[name] + HIDDEN)
    seen = desk.application.seen[before:]
    assert all(path.partition("?")[0] == "/status" for _, path in seen), seen
    assert desk.nginx.ask("GET", "/status")[0] == 200


def test_of_two_headers_none_counts(desk):
    asked = {"X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/whoami", "X-Forwarded-For": "203.0.113.9", "X-API-Key": desk.key}
    assert verdict(desk, asked).status == 200
    head = [f"{k}: {v}" for k, v in asked.items()]
    for name in ("X-Forwarded-Method", "X-Forwarded-Uri", "X-API-Key", "Host"):
        twice = [line for line in ["Host: a", *head] for _ in range(1 + line.startswith(name + ":"))]
        got = told(connected(desk.unix_socket), "\r\n".join(["GET /api/v1/guard/verdict HTTP/1.1", *twice, "Connection: close", "", ""]).encode())
        assert got.split()[1] in (b"400", b"403"), (name, got[:200])
    # Of two X-Forwarded-For the last address counts, as proxies write them.
    assert verdict(desk, {**asked, "X-Forwarded-For": "203.0.113.9, 198.51.100.1"}).status == 200


@pytest.mark.parametrize("data", [
    b"GET /status HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 70000 + b"\r\n\r\n",
    b"GET /status?" + b"a" * 20000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /status HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X-%d: a\r\n" % i for i in range(400)) + b"\r\n",
    b"GET /status?" + b"&".join(b"a%d=b" % i for i in range(4000)) + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /status HTTP/1.1\r\nHost: a\r\nContent-Length: 900000000000\r\n\r\n" + b"a" * 200000,
    b"POST /status HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"ffff\r\n" + b"a" * 65535 + b"\r\n" + b"fffff\r\n" + b"a" * 200000,
], ids=["header", "target", "headers", "parameters", "length", "chunks"])
def test_what_is_too_large_is_refused_and_nothing_falls_over(desk, data):
    got = told(connected(desk.unix_socket), data.replace(b" /status", b" /api/v1/guard/verdict", 1))
    assert not got or got.split()[1][:1] == b"4", got[:200]
    before = desk.application.count
    got = told(socket.create_connection(("127.0.0.1", desk.nginx.port)), data)
    assert not got or got.split()[1][:1] == b"4", got[:200]
    assert desk.application.count == before
    assert desk.nginx.ask("GET", "/status")[0] == 200


# --- many


def rss(pid):
    """Memory of the process in MiB."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024


class Honest(threading.Thread):
    """Asks for verdicts on kept connections: over TLS itself, and through nginx."""

    def __init__(self, desk, through):
        super().__init__(daemon=True)
        self.desk, self.through = desk, through
        self.count, self.failed, self.going = 0, [], True

    def connect(self):
        if self.through:
            return http.client.HTTPConnection("127.0.0.1", self.desk.nginx.port, timeout=30)
        return http.client.HTTPSConnection("127.0.0.1", self.desk.port, timeout=30, context=self.desk.tls())

    def run(self):
        c = self.connect()
        while self.going:
            try:
                if self.through:
                    c.request("GET", "/whoami", headers={"X-API-Key": self.desk.key})
                else:
                    c.request("GET", "/api/v1/session", headers={"Authorization": f"Bearer {self.desk.token}"})
                r = c.getresponse()
                r.read()
                if r.status != 200:
                    self.failed.append(r.status)
                if r.will_close:
                    c.close()
                    c = self.connect()
            except (OSError, http.client.HTTPException) as e:
                self.failed.append(repr(e))
                c.close()
                c = self.connect()
            self.count += 1


def rates(desk, seconds):
    """Requests a second of an honest client: itself over TLS, and through nginx. None may fail."""
    clients = [Honest(desk, False), Honest(desk, True)]
    for c in clients:
        c.start()
    time.sleep(seconds)
    for c in clients:
        c.going = False
    for c in clients:
        c.join(40)
        assert not c.failed, c.failed[:5]
    return [round(c.count / seconds) for c in clients]


class Flood:
    def __init__(self, kind, seconds, **options):
        words = [f"{k}={v}" for k, v in options.items()]
        self.process = subprocess.Popen([sys.executable, SOURCE / "tests/integration/flood.py", kind, str(seconds), *words], stdout=subprocess.PIPE,
                                        text=True)
        self.kind = kind

    def ready(self):
        assert self.process.stdout.readline() == "ready\n", self.kind
        return self

    def end(self):
        out, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, self.kind
        return json.loads(out)


def test_slow_idle_and_flooding_clients_leave_room_for_an_honest_one(desk):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(IDLE, (min(soft, hard) if hard != resource.RLIM_INFINITY else soft) - 1000)
    front = desk.child("front")
    before, alone = rss(front), rates(desk, 2)
    floods = [Flood("idle", 25, count=count, path=desk.unix_socket).ready()]
    idle = rss(front)
    floods += [Flood("slow", 12, count=300, port=desk.port, source="127.0.0.2").ready()]
    slow = rates(desk, 3)
    floods += [Flood("connect", 5, port=desk.port, source="127.0.0.3").ready()]
    under, full = rates(desk, 4), rss(front)
    done = {f.kind: f.end() for f in floods}
    after = rates(desk, 2)
    print(f"\n{count} idle connections, 300 slow ones, a flood of {done['connect']['connections']} connections from one address: front "
          f"{before} MiB, with the idle ones {idle} MiB, at the end {full} MiB; honest requests a second (itself, through nginx): alone {alone}, "
          f"with idle and slow ones {slow}, with the flood as well {under}, afterwards {after}; {done}")
    assert desk.child("front") == front, "the front ended"
    assert done["idle"]["open"] == count, "idle connections within their time were ended"
    assert done["slow"]["thrown_out"] >= 300, "slow heads were not ended"
    assert full - before < 64 + 0.1 * count, "MiB: a connection takes tens of KiB at most"
    assert all(u > a / 4 for a, u in zip(alone, under)), (alone, under)


def test_one_address_gets_its_share_of_connections_and_no_more():
    s = server_with(connections=2048, connections_per_address=64)
    try:
        s.begin()
        hold = Flood("hold", 4, count=2000, port=s.port, source="127.0.0.2").ready()
        assert s.api(s.token).call("GET", "/api/v1/session").status == 200
        kept = hold.end()["kept"]
        assert 0 < kept <= 2 * 64, kept  # by each of the two threads
    finally:
        s.remove()


# --- refusals of strangers


def log_size(s):
    return s.admin.ok("GET", "/api/v1/status")["log_size"]


def size_of(s):
    return sum(f.stat().st_size for f in s.data.glob("holdfast.db*"))


def test_refusals_of_very_many_strangers_are_added_up(desk):
    """A million addresses in an hour are 300 a second: here come some hundred times as many."""
    front = desk.child("front")
    records, disk, memory, began = log_size(desk), size_of(desk), rss(front), time.monotonic()
    floods = [Flood("strangers", 15, path=desk.unix_socket, addresses=100000, first=i * 100000).ready() for i in range(2)]
    answered = sum(f.end()["answered"] for f in floods)
    seconds = time.monotonic() - began
    time.sleep(3)
    grew = {"records": log_size(desk) - records, "disk KiB": (size_of(desk) - disk) // 1024, "memory MiB": rss(front) - memory}
    print(f"\n{answered} refusals of as many addresses in {seconds:.1f} s: {grew}")
    assert answered >= 20000, "too few for the test to say anything"
    assert grew["records"] <= 2 * 64 + 2 * (seconds + 6), grew  # a burst and one a second, of each thread
    assert grew["disk KiB"] < 8192 and grew["memory MiB"] < 64, grew
    assert verdict(desk, {"X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/whoami", "X-Forwarded-For": "11.0.0.1", "X-API-Key": desk.key}).status == 200
