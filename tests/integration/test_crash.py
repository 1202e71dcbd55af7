"""Parts are killed at random moments under load, again and again. What was acknowledged is there afterwards, each change
has its record and each record its change, and the log verifies."""
import collections
import contextlib
import json
import os
import random
import signal
import threading
import time

import pytest

import load
import server as holdfast
from server import Failed, until

ROUNDS = int(os.environ.get("HOLDFAST_CRASH_ROUNDS", "200"))
SEED = int(os.environ.get("HOLDFAST_CRASH_SEED", "20240229"))
CLIENTS = 4
VICTIMS = ("front", "keeper", "signer", "supervisor", "all")


class Site:
    def __init__(self):
        self.server = s = holdfast.Server()
        self.random = random.Random(SEED)
        self.promises = load.Promises()
        s.begin()
        load.prepare(s)
        self.clients = [load.Client(s, self.promises, i) for i in range(CLIENTS)]
        for c in self.clients:
            c.start()
        self.deaths = 0  # since the supervisor started: it waits longer after each

    def victim(self):
        """The supervisor waits longer and longer before it restarts what dies again; a new one does not."""
        v = self.random.choice(VICTIMS) if self.deaths < 2 else self.random.choice(VICTIMS[3:])
        self.deaths = 0 if v in ("supervisor", "all") else self.deaths + 1
        return v

    def kill(self, victim):
        s = self.server
        pids = {"supervisor": s.pid, **holdfast.children_of(s.pid)}
        for name, pid in pids.items():
            if victim in (name, "all"):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if victim in ("supervisor", "all"):
            s.process.wait(5)
            s.process = None
            for pid in pids.values():
                until(f"{pid} to end", lambda pid=pid: not holdfast.alive(pid))
        else:
            until(f"{victim} to end", lambda: not holdfast.alive(pids.get(victim, 2**30)))

    def recover(self):
        s = self.server
        if not s.process:
            s.start(seconds=10)

        def serves():
            r = s.cli("operator", "status", "-o", "json", code=None)
            if r.returncode == 7 and json.loads(r.stdout)["state"] == "sealed":
                r = s.cli("operator", "unseal", "--passphrase-file", s.home / "passphrase", code=None)
            return r.returncode == 0
        until("an unsealed keeper", serves, 15, 0.05)
        s.serving(15)

    def check(self, since):
        """What clients were promised in this round, and what they may not have noticed."""
        api = self.server.api(self.server.admin.token)
        p = self.promises
        for path, (version, value) in list(p.secrets.items())[since:] + self.random.sample(
                list(p.secrets.items()), min(5, len(p.secrets))):
            a = api.call("GET", f"/api/v1/secrets/data/{path}")
            assert a.status == 200, (path, version, a)
            assert a.json["version"] >= version, (path, version, a)
            if a.json["version"] == version:
                assert a.json["value"] == value, (path, a)
            else:  # one that was sent, and whose answer was lost
                assert a.json["value"] == p.tried[path][a.json["version"]], (path, a)
        api.close()


@pytest.fixture(scope="module")
def site():
    s = None
    try:
        s = Site()
        yield s
    finally:
        if s:
            for c in s.clients:
                c.end.set()
                c.go.set()
            s.server.remove()


def test_nothing_acknowledged_is_lost(site):
    s = site.server
    for n in range(ROUNDS):
        since = len(site.promises.secrets)
        for c in site.clients:
            c.go.set()
        time.sleep(site.random.uniform(0.01, 0.12))
        victim = site.victim()
        try:
            site.kill(victim)
            if victim != "signer":
                site.recover()
            for c in site.clients:
                c.pause()
            if victim == "signer":
                s.child("signer")
                site.recover()
            site.check(since)
            assert not site.promises.odd, site.promises.odd[:5]
        except (Failed, AssertionError, OSError) as e:
            raise Failed(f"round {n}, {victim} killed: {e!r}") from e
    print(site.promises.count, "answers,", len(site.promises.secrets), "secrets,", len(site.promises.signed), "signatures")
    assert len(site.promises.secrets) > ROUNDS and len(site.promises.signed) > ROUNDS


def test_each_change_has_its_record_and_each_record_its_change(site):
    s, p = site.server, site.promises
    for c in site.clients:
        c.pause()
    s.cli_login()
    records = load.whole_export(s, "export.jsonl")
    by_type = collections.defaultdict(list)
    for r in map(load.decode, records):
        by_type[r["type"] + (" REFUSED" if r["refused"] else "")].append(r)

    api = s.api(s.admin.token)
    there = {}
    after = ""
    while True:
        page = api.ok("GET", "/api/v1/secrets?prefix=crash&limit=1000" + (f"&after={after}" if after else ""))
        there.update({x["path"]: x["version"] for x in page["secrets"]})
        after = page.get("next")
        if not after:
            break
    stored = collections.Counter(r["resource"] for r in by_type["SECRET_STORED"])
    rotated = collections.Counter(r["resource"] for r in by_type["SECRET_ROTATED"])
    assert set(p.secrets) <= set(there)
    assert stored == {f"secret:{path}": 1 for path in there}
    assert rotated == {f"secret:{path}": version - 1 for path, version in there.items() if version > 1}

    keys, after = set(), ""
    while True:
        page = api.ok("GET", "/api/v1/keys?limit=100" + (f"&after={after}" if after else ""))
        keys |= {k["id"] for k in page["keys"]}
        after = page.get("next")
        if not after:
            break
    assert p.keys <= keys
    made = collections.Counter(r["resource"] for r in by_type["API_KEY_CREATED"])
    assert made == {f"key:{k}": 1 for k in keys}

    logged = collections.Counter(r["request_id"] for r in by_type["REQUEST_SIGNED"])
    assert set(logged.values()) <= {1}
    assert {request for request, _, _ in p.signed} <= set(logged)
    assert set(p.refused) <= {r["request_id"] for r in by_type["SIGNING_REFUSED REFUSED"]}
    assert set(p.read) <= {r["request_id"] for r in by_type["SECRET_READ"]}
    # No nonce was used twice, whoever died in between.
    nonces = [(venue, nonce) for _, venue, nonce in p.signed]
    assert len(nonces) == len(set(nonces))


def test_the_start_is_clean(site):
    s = site.server
    s.stop()
    s.log_file.write_text("")
    s.start(seconds=5)
    s.unseal()
    s.serving(5)
    api = s.api(s.admin.token)
    until("the check of everything", lambda: api.ok("GET", "/api/v1/status")["indexed"] == s.health()["log_size"])
    time.sleep(0.5)
    assert not api.ok("GET", "/api/v1/status")["tampered"]
    assert '"level":"error"' not in s.log(500), s.log(500)
    assert threading.active_count() >= 1
