"""docs/failures.md held against reality: each failure is made to happen, and each class of request is asked."""
import contextlib
import datetime
import itertools
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import time

import pytest

import desk as job
import server as holdfast
from server import Failed, until

PAGE = holdfast.SOURCE / "docs" / "failures.md"
DISK_MIB = 48
GUARDED = "[{path: /desk, permission: authenticated}]"
numbers = itertools.count()


def table():
    text = re.search(r"<!-- failures:begin -->(.*)<!-- failures:end -->", PAGE.read_text(), re.S)[1]
    rows = [[c.strip().strip("`") for c in line.strip("|").split("|")] for line in text.strip().splitlines()]
    head, body = rows[0], rows[2:]
    return {r[0]: dict(zip(head[1:], r[1:])) for r in body}


TABLE = table()
FAILURES = ["not initialised", "sealed", "keeper dead", "signer dead", "disk full", "clock jumped", "log unwritable",
            "log does not match"]


def test_the_page_is_the_one_that_is_tested():
    assert list(TABLE) == FAILURES
    assert list(TABLE["sealed"]) == list(REQUESTS)


# --- one request of each class


def health(s):
    a = s.api(timeout=10).call("GET", "/api/v1/health")
    assert a.json["state"]
    assert s.api().call("GET", "/api/v1/openapi.json").status == 200
    return "answered"


def ask(method, path, body=None, who="admin"):
    def request(s):
        a = s.api(s.tokens.get(who), timeout=10).call(method, path, body() if callable(body) else body)
        if a.status >= 400:
            assert a.headers["content-type"] == "application/problem+json" and a.json["requestId"], a
        return a.code or "answered"
    return request


def fresh_secret(size=8):
    return {"path": f"desk/n{next(numbers)}", "kind": "password", "environment": "development", "value": "v" * size}


def guard(s, token=None):
    """What becomes of a request that a proxy asks about."""
    headers = {"X-Original-Method": "GET", "X-Original-URI": "/desk", "X-Real-IP": "127.0.0.1"}
    a = s.api(token or s.tokens.get("admin"), unix=True, timeout=10).call("GET", "/api/v1/guard/verdict", headers=headers)
    assert (a.status == 200) == (a.headers.get("x-holdfast-verdict") == "allowed"), a
    assert a.status == 200 or "remote-user" not in a.headers, a
    return a.code or "answered"


def verdict(s):
    """Of a key, and of a request through the guard: nothing that is refused here is let through there."""
    said = {ask("POST", "/api/v1/keys/verify", lambda: {"key": "hfk_live_nothing"})(s), guard(s)}
    return " and ".join(sorted(said))


REQUESTS = {
    "health": health,
    "login": ask("POST", "/api/v1/login", {"name": "admin", "password": holdfast.PASSWORD}, who="nobody"),
    "read secret": ask("GET", "/api/v1/secrets/data/desk/read"),
    "change": ask("POST", "/api/v1/secrets", fresh_secret),
    "sign": ask("POST", "/api/v1/sign", job.order("binance"), who="bot"),
    "audit query": ask("GET", "/api/v1/audit/records?limit=3"),
    "other reads": ask("GET", "/api/v1/users"),
    "verdict": verdict,
}


def hold(s, failure):
    """Every cell of one row; twice, since the first refusal may be what finds the failure."""
    for _ in range(2):
        assert row(s) == TABLE[failure], failure


def row(s):
    return {name: request(s) for name, request in REQUESTS.items()}


def all_is_well(s, seconds=10):
    got = {}

    def look():
        with contextlib.suppress(OSError):
            got.update({name: request(s) for name, request in REQUESTS.items()})
            return set(got.values()) == {"answered"}
    try:
        until("everything to be answered again", look, seconds, 0.1)
    except Failed:
        raise Failed(f"not all is well: {got}") from None
    assert s.health()["sentence"] == "All is well."


def mounted(path, *command):
    subprocess.run([*command, path], check=True, capture_output=True, timeout=10)


@pytest.fixture(scope="module")
def site():
    """On a small disk of its own, with clocks that can be set."""
    s = holdfast.Server(clock=holdfast.Clock(), config={"guard": {"proxies": "[unix]", "endpoints": GUARDED}})
    s.data.mkdir(mode=0o700)
    mounted(s.data, "mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=700", "tmpfs")
    s.tokens = {}
    try:
        s.start()
        hold(s, "not initialised")
        s.init()
        s.serving()
        s.enrol()
        s.admin = s.api(s.login())
        s.tokens["admin"] = s.admin.token
        s.admin.ok("POST", "/api/v1/secrets", {**fresh_secret(), "path": "desk/read"})
        job.store(s, "binance")
        s.tokens["bot"] = job.make_key(s, "bot")["key"]
        all_is_well(s)
        yield s
    finally:
        with contextlib.suppress(Failed):
            s.stop()
        mounted(s.data, "umount", "-l")
        s.remove()


@contextlib.contextmanager
def nobody_restarts(s):
    """What died stays dead."""
    os.kill(s.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(s.pid, signal.SIGCONT)


def test_sealed(site):
    when = time.time()
    site.cli("operator", "seal", "--yes")
    until("a sealed front", lambda: _health(site).get("keeper") == "sealed")
    hold(site, "sealed")
    tells(site, "operator", when)
    site.unseal()
    all_is_well(site)


def _health(site):
    try:
        return site.health()
    except OSError:
        return {}


def test_keeper_dead(site):
    keeper = site.child("keeper")
    killed = time.time()
    with nobody_restarts(site):
        os.kill(keeper, signal.SIGKILL)
        until("health to say so", lambda: _health(site).get("keeper") == "dead")
        hold(site, "keeper dead")
        assert "the keeper is dead" in _health(site)["sentence"]
        r = site.cli("status", code=7)
        assert "keeper is dead" in r.stdout + r.stderr
    until("a sealed keeper", lambda: _health(site).get("keeper") == "sealed")
    hold(site, "sealed")
    tells(site, "keeper-ended", killed)
    site.unseal()
    all_is_well(site)


def tells(s, cause, when):
    """Whoever comes later, and looks with whatever, is told why Holdfast is sealed, since when, and what to do."""
    for said in (_health(s), s.cli_json("status", code=7), s.cli_json("operator", "status", code=7)):
        assert said["sealed_cause"] == cause, said
        since = datetime.datetime.fromisoformat(said["sealed_since"].replace("Z", "+00:00")).timestamp()
        assert when - 1 <= since <= when + 5, (said, when)
        words = {"keeper-ended": "ended by signal 9 (Killed)", "operator": "an operator sealed it",
                 "start": "was started"}[cause]
        assert words in said["sentence"] and "'holdfast operator unseal'" in said["sentence"], said
    for command in (("status",), ("operator", "status")):
        r = s.cli(*command, code=7)
        assert words in r.stdout and said["sealed_since"] in r.stdout, r.stdout


def test_signer_dead(site):
    signer = site.child("signer")
    with nobody_restarts(site):
        os.kill(signer, signal.SIGKILL)
        until("health to say so", lambda: _health(site).get("signer") == "dead")
        hold(site, "signer dead")
        assert "signer" in _health(site)["sentence"]
    site.child("signer", other_than=signer)
    all_is_well(site)


def fill_up(path):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with contextlib.suppress(OSError):
        while os.write(fd, bytes(65536)) > 0:
            pass
    with contextlib.suppress(OSError):
        while os.write(fd, bytes(512)) > 0:
            pass
    os.close(fd)


def test_disk_full_and_service_resumes(site):
    api = site.admin
    ballast = site.data / "ballast"
    before = api.ok("GET", "/api/v1/status")["log_size"]
    free = os.statvfs(site.data)
    ballast.write_bytes(bytes(free.f_bavail * free.f_bsize - 3 * 2**20))
    done = []

    def fill():
        body = fresh_secret(60000)
        a = api.call("POST", "/api/v1/secrets", body)
        if a.status == 201:
            done.append(body["path"])
        return a.code
    until("the disk to be full", lambda: fill() == "no-space", 30, 0)
    fill_up(ballast)
    # The write-ahead log may begin anew inside the bytes that it has: until those are used up, small commits still fit.
    until("no room for anything", lambda: fill() == "no-space" and row(site) == TABLE["disk full"], 30, 0)
    assert "disk is full" in site.health()["sentence"]
    assert site.api().call("GET", "/api/v1/health").status == 503
    until("a line in the log", lambda: "the disk is full" in site.log())
    r = site.cli("status", code=7)
    assert "disk is full" in r.stdout + r.stderr
    # Nothing is restarted for it, and nobody has to be.
    parts = [site.child(role) for role in holdfast.ROLES]
    ballast.unlink()
    all_is_well(site)
    assert [site.child(role) for role in holdfast.ROLES] == parts
    for path in done:
        assert api.ok("GET", f"/api/v1/secrets/data/{path}")["value"] == "v" * 60000
    # What was refused was not done, and what was done is in the record.
    stored = {r["what"]["resource"] for r in records(api, "SECRET_STORED", before)}
    assert stored >= {f"secret:{path}" for path in done}
    for resource in stored:
        assert api.call("GET", f"/api/v1/secrets/metadata/{resource.removeprefix('secret:')}").status == 200


def records(api, kind, since):
    return [r for r in api.ok("GET", f"/api/v1/audit/records?type={kind}&limit=1000")["records"] if r["index"] >= since]


def test_a_start_on_a_full_disk_says_so_and_recovers(site):
    site.stop()
    ballast = site.data / "ballast"
    fill_up(ballast)
    try:
        site.start()
        site.cli("operator", "unseal", "--passphrase-file", site.home / "passphrase", code=None)
    finally:
        ballast.unlink()
    if "unsealed" not in site.cli("operator", "status", code=None).stdout:
        site.unseal()
    all_is_well(site)


def test_clock_jumped(site):
    site.clock.shift("signer", 3600_000)
    try:
        until("the signer to notice", lambda: REQUESTS["sign"](site) == "clock-jumped")
        hold(site, "clock jumped")
        until("the record of it", lambda: site.admin.ok("GET", "/api/v1/audit/records?type=CLOCK_JUMP_NOTICED")["records"])
    finally:
        site.clock.shift("signer", 0)
    # It waits until the clock is plausible again: half a minute of even running. A restart does not shorten that for
    # nonces, which never go back.
    site.kill("signer")
    until("signing to go on", lambda: REQUESTS["sign"](site) == "answered", 40, 0.5)
    all_is_well(site)


def test_a_clock_that_goes_back_lets_nothing_in_that_is_over(site):
    token = site.admin.ok("POST", "/api/v1/tokens", {"client": "clock", "seconds": 10})["access_token"]
    assert guard(site, token) == "answered"
    until("its end", lambda: guard(site, token) == "token-expired", 30, 0.5)
    try:
        for ms in (-6_000, -3600_000):  # to when it was good, and to before it was issued
            site.clock.shift("front", ms)
            for _ in range(3):
                assert guard(site, token) == "token-expired"
        assert guard(site) == "answered"  # who is known goes on
        until("a line in the log", lambda: "the clock went back by" in site.log())
        until("the record of it", lambda: [r for r in records(site.admin, "CLOCK_JUMP_NOTICED", 0) if r["what"]["resource"] == "front"])
        hold_all_but_sign(site)
    finally:
        site.clock.shift("front", 0)
    all_is_well(site)


def hold_all_but_sign(s):
    """Front and signer have clocks of their own only here."""
    assert {n: code for n, code in row(s).items() if n != "sign"} == {n: "answered" for n in REQUESTS if n != "sign"}


def test_a_verdict_ahead_of_its_record_is_closed_as_well(site):
    """With the record written behind the answer, as few are let through as are on their way when the log fails."""
    site.config["guard"]["record"] = "behind"
    site.write_config()
    before = site.child("front")
    site.process.send_signal(signal.SIGHUP)
    site.child("front", other_than=before)
    all_is_well(site)
    front = site.child("front")
    resource.prlimit(front, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    let_through = 0
    try:
        while guard(site) == "answered":
            let_through += 1
            time.sleep(0.05)
            assert let_through < 40, "verdicts go on without a record"
        for _ in range(3):
            hold(site, "log unwritable")
    finally:
        resource.prlimit(front, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    all_is_well(site)


def test_log_unwritable(site):
    """The file system takes no more bytes into that file, for another reason than a full disk."""
    front = site.child("front")
    largest = max(p.stat().st_size for p in site.data.glob("holdfast.db*"))
    resource.prlimit(front, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    assert largest > 4096
    try:
        until("a change to fail", lambda: REQUESTS["change"](site) != "answered")
        hold(site, "log unwritable")
        assert "log can't be written" in site.health()["sentence"]
    finally:
        resource.prlimit(front, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    all_is_well(site)
    assert site.child("front") == front


def test_log_does_not_match(site):
    site.stop()
    old = site.home / "old"
    old.mkdir()
    for path in site.data.glob("holdfast.db*"):
        shutil.copy2(path, old)
    site.start()
    site.unseal()
    all_is_well(site)
    for _ in range(5):
        assert REQUESTS["change"](site) == "answered"
    size = site.health()["log_size"]
    until("the keeper to know", lambda: site.health()["checkpoint_size"] >= size)
    site.stop()
    now = site.home / "now"
    now.mkdir()
    for path in site.data.glob("holdfast.db*"):
        shutil.move(path, now)
    for path in old.iterdir():
        shutil.copy2(path, site.data)
    site.start()
    site.unseal()
    until("a refusal", lambda: _health(site).get("log") == "mismatch")
    hold(site, "log does not match")
    # With the right one it goes on as if nothing had been.
    site.stop()
    for path in site.data.glob("holdfast.db*"):
        path.unlink()
    for path in now.iterdir():
        shutil.copy2(path, site.data)
    site.start()
    site.unseal()
    all_is_well(site)


def test_after_all_of_it_the_record_verifies(site):
    site.cli_login()
    size = site.health()["log_size"]
    until("a checkpoint", lambda: site.health()["checkpoint_size"] >= size)
    export = site.home / "export.jsonl"
    site.cli("audit", "export", export)
    site.cli("audit", "verify", export)
    assert pathlib.Path(export).stat().st_size > 1000
