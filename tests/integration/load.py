"""Clients that change, read and sign without pause, and remember what they were promised."""
import base64
import http.client
import json
import random
import re
import threading
import time

import desk as job
import server as holdfast

GONE = (OSError, http.client.HTTPException)
# What a client may be told while parts die: it is not promised anything then.
NO_PROMISE = {"unavailable", "sealed", "timeout", "outcome-unknown", "busy", "log-behind", "io", "log-unwritable"}


class Promises:
    """What was acknowledged, by all clients together."""

    def __init__(self):
        self.lock = threading.Lock()
        self.secrets = {}  # path -> [version, value] acknowledged last
        self.tried = {}    # path -> {version: value} sent, answered or not
        self.keys = set()
        self.signed = []   # (request id, venue, nonce)
        self.read = []     # request ids of values that were handed out
        self.refused = []
        self.odd = []      # answers that should not be
        self.count = 0


class Client(threading.Thread):
    def __init__(self, server, promises, number):
        super().__init__(daemon=True)
        self.server, self.promises, self.number = server, promises, number
        self.random = random.Random(f"client {number}")
        self.api = server.api(server.admin.token, unix=number % 2 == 0, timeout=30)
        self.bot = server.api(server.bot_key, unix=True, timeout=30)
        self.go, self.end, self.idle = threading.Event(), threading.Event(), threading.Event()
        self.mine = []
        self.made = 0

    def run(self):
        acts = (self.create, self.create, self.rotate, self.rotate, self.read, self.sign, self.sign, self.sign, self.refuse,
                self.key)
        while not self.end.is_set():
            if not self.go.is_set():
                self.idle.set()
                self.go.wait(0.2)
                continue
            self.idle.clear()
            try:
                self.random.choice(acts)()
            except GONE:
                time.sleep(0.005)  # nobody there for a moment
            except Exception as e:  # shown by the test
                with self.promises.lock:
                    self.promises.odd.append(repr(e))
        self.idle.set()

    def pause(self):
        self.go.clear()
        assert self.idle.wait(40), "a client waits for an answer that does not come"

    def done(self, answer):
        """True if it was promised; what is neither a promise nor a known excuse is odd."""
        p = self.promises
        with p.lock:
            p.count += 1
            if answer.status < 300:
                return True
            if answer.code not in NO_PROMISE:
                p.odd.append(repr(answer))
        time.sleep(0.002)
        return False

    def create(self):
        self.made += 1
        path = f"crash/c{self.number}/s{self.made}"
        value = f"{path} 1"
        with self.promises.lock:
            self.promises.tried[path] = {1: value}
        a = self.api.call("POST", "/api/v1/secrets", {"path": path, "kind": "password", "environment": "development",
                                                      "value": value})
        if self.done(a):
            with self.promises.lock:
                self.promises.secrets[path] = [1, value]
            self.mine.append(path)

    def rotate(self):
        if not self.mine:
            return
        path = self.random.choice(self.mine[-20:])
        with self.promises.lock:
            tried = self.promises.tried[path]
            # If the last one was not answered, it may have been done or not: start from what there is.
            unsure = max(tried) != self.promises.secrets[path][0]
        if unsure:
            a = self.api.call("GET", f"/api/v1/secrets/data/{path}")
            if not self.done(a):
                return
            with self.promises.lock:
                self.promises.secrets[path] = [a.json["version"], a.json["value"]]
                self.promises.tried[path] = {a.json["version"]: a.json["value"]}
        version = self.promises.secrets[path][0] + 1
        if version > 20:
            self.mine.remove(path)
            return
        value = f"{path} {version} {self.random.random()}"
        with self.promises.lock:
            self.promises.tried[path][version] = value
        a = self.api.call("POST", f"/api/v1/secrets/rotate/{path}", {"value": value, "expected_version": version - 1})
        if self.done(a):
            assert a.json["version"] == version, a
            with self.promises.lock:
                self.promises.secrets[path] = [version, value]

    def read(self):
        if not self.mine:
            return
        path = self.random.choice(self.mine)
        a = self.api.call("GET", f"/api/v1/secrets/data/{path}")
        if self.done(a):
            with self.promises.lock:
                assert a.json["value"] in self.promises.tried[path].values(), a
                self.promises.read.append(a.headers["x-request-id"])

    def sign(self):
        venue = self.random.choice(("binance", "hyperliquid"))
        a = self.bot.call("POST", "/api/v1/sign", job.order(venue))
        if self.done(a):
            with self.promises.lock:
                self.promises.signed.append((a.headers["x-request-id"], venue, a.json["nonce"]))

    def refuse(self):
        a = self.bot.call("POST", "/api/v1/sign", job.withdrawal("binance"))
        with self.promises.lock:
            self.promises.count += 1
            if a.code == "moves-funds":
                self.promises.refused.append(a.headers["x-request-id"])
            elif a.code not in NO_PROMISE:
                self.promises.odd.append(repr(a))

    def key(self):
        """The administrator's: who does not manage users has few."""
        a = self.api.call("POST", "/api/v1/keys", {"name": f"k{self.number}", "environment": "development",
                                                   "roles": ["viewer"], "usage": "read_only"})
        if self.done(a):
            with self.promises.lock:
                self.promises.keys.add(a.json["id"])


def prepare(server):
    """Credentials, a bot and sessions for the clients; no window or limit that a long run would meet."""
    for venue in ("binance", "hyperliquid"):
        job.store(server, venue)
    server.bot_key = job.make_key(server, "bot")["key"]


EVENTS = {int(number): name for name, number in
          re.findall(r"^\| ([A-Z_]+) \| (\d+) \|", (holdfast.SOURCE / "docs" / "log.md").read_text(), re.M)}


def decode(line):
    """What was done, without refusals: the type stands in the leaf (docs/log.md)."""
    leaf = base64.b64decode(line["leaf"])
    return {"type": EVENTS[int.from_bytes(leaf[2:4], "big")], "resource": line["what"].get("resource"),
            "refused": "error" in line["what"], "request_id": (line["who"] or {}).get("request_id")}


def whole_export(server, name, *against):
    """The log as the command line exports it, verified; its records."""
    size = server.health()["log_size"]
    holdfast.until("a checkpoint of everything", lambda: server.health()["checkpoint_size"] >= size, 20)
    export = server.home / name
    server.cli("audit", "export", export, seconds=60)
    server.cli("audit", "verify", export, *against, seconds=60)
    with open(export, encoding="utf-8") as f:
        f.readline()
        return [json.loads(line) for line in f]
