"""The guard's policy as a file: checked, compared with what is in force, and put in force without a request lost."""
import contextlib
import http.client
import json
import re
import signal
import threading
import time

import pytest

import server as holdfast
from server import until
from test_guard import Application, Proxy, nginx

ENDPOINTS = "[{path: /status, permission: public}, {path: /whoami, permission: authenticated}%s]"
PROXIES = "[unix, 127.0.0.1]"


def guard(more="", **other):
    return {"proxies": PROXIES, "endpoints": ENDPOINTS % more, **other}


@pytest.fixture(scope="module")
def desk():
    s = holdfast.Server(config={"guard": guard()})
    s.application = Application()
    s.nginx = None
    try:
        s.start()
        s.init()
        s.serving()
        s.enrol()
        s.token = s.login()
        s.admin = s.api(s.token)
        made = s.admin.ok("POST", "/api/v1/keys", {"name": "bot", "roles": ["viewer"], "environment": "development", "usage": "read_only",
                                                    "per_hour": 1000000, "per_day": 10000000, "burst": 100000})
        s.key = made["key"]
        s.nginx = Proxy(s, "nginx", nginx)
        yield s
    finally:
        if s.nginx:
            s.nginx.stop()
        s.application.shutdown()
        s.remove()


def reload(s, **policy):
    """Gives the configuration's file this guard, and waits until a front serves by it."""
    s.config["guard"] = guard(**policy)
    s.write_config()
    before = s.child("front")
    s.process.send_signal(signal.SIGHUP)
    s.child("front", other_than=before)
    s.serving()


class Client(threading.Thread):
    """Asks again and again, and never a second time for the same answer: what is lost is lost."""

    def __init__(self, connect, path, headers, kept):
        super().__init__(daemon=True)
        self.connect, self.path, self.headers, self.kept = connect, path, headers, kept
        self.count, self.lost, self.longest, self.going, self.connections = 0, [], 0.0, True, 0

    def run(self):
        c = None
        while self.going:
            began = time.monotonic()
            if c is None:
                c = self.connect()
                self.connections += 1
            try:
                c.request("GET", self.path, headers=self.headers)
                r = c.getresponse()
                body = r.read()
                if r.status != 200:
                    self.lost.append((r.status, body[:200]))
                last = r.will_close or not self.kept
            except (OSError, http.client.HTTPException) as e:
                self.lost.append(repr(e))
                last = True
            self.count += 1
            self.longest = max(self.longest, time.monotonic() - began)
            if last:
                c.close()
                c = None
            time.sleep(0.001)


def test_a_reload_loses_no_request(desk):
    asked = {"X-Original-Method": "GET", "X-Original-URI": "/whoami", "X-Real-IP": "127.0.0.1", "X-API-Key": desk.key}
    verdict = "/api/v1/guard/verdict"
    clients = [
        Client(lambda: holdfast.UnixConnection(desk.unix_socket, 20), verdict, asked, True),
        Client(lambda: http.client.HTTPSConnection("127.0.0.1", desk.port, timeout=20, context=desk.tls()), verdict, asked, True),
        Client(lambda: http.client.HTTPSConnection("127.0.0.1", desk.port, timeout=20, context=desk.tls()), verdict, asked, False),
        Client(lambda: http.client.HTTPConnection("127.0.0.1", desk.nginx.port, timeout=20), "/whoami", {"X-API-Key": desk.key}, True),
        Client(lambda: http.client.HTTPConnection("127.0.0.1", desk.nginx.port, timeout=20), "/whoami", {"X-API-Key": desk.key}, False),
    ]
    for c in clients:
        c.start()
    try:
        for i in range(10):
            reload(desk, more=", {path: /n%d, permission: authenticated}" % i)
            time.sleep(0.3)
    finally:
        for c in clients:
            c.going = False
        for c in clients:
            c.join(30)
    told = [(c.count, c.connections, round(c.longest, 3), c.lost[:3]) for c in clients]
    print(told)
    assert not any(c.lost for c in clients), told
    assert all(c.count > 100 for c in clients), told
