"""All data keys are rotated while clients read, write and sign; the rewrapping is killed in the middle and goes on; the
record still verifies against a checkpoint from before."""
import time

import pytest

import load
import server as holdfast
from server import until

MANY = 1500


@pytest.fixture(scope="module")
def site():
    s = holdfast.Server()
    try:
        s.begin()
        load.prepare(s)
        for i in range(MANY):
            s.admin.ok("POST", "/api/v1/secrets", {"path": f"many/g{i % 10}/s{i}", "kind": "password",
                                                   "environment": "development", "value": f"value {i}"})
        size = s.health()["log_size"]
        until("a checkpoint", lambda: s.health()["checkpoint_size"] >= size)
        s.before = s.file("before.txt", s.cli("audit", "checkpoint").stdout)
        yield s
    finally:
        s.remove()


def status(s):
    api = s.api(s.admin.token)
    try:
        return api.ok("GET", "/api/v1/status")
    finally:
        api.close()


def finished(s, epoch):
    """The record says that every row is under this epoch."""
    found = s.api(s.admin.token).ok("GET", "/api/v1/audit/records?type=REWRAP_FINISHED&limit=5")["records"]
    return any(f'"epoch":{epoch}' in r["what"]["detail"].replace(" ", "") for r in found)


def everything_is_readable(s, promises):
    api = s.api(s.admin.token)
    for i in range(0, MANY, 7):
        assert api.ok("GET", f"/api/v1/secrets/data/many/g{i % 10}/s{i}")["value"] == f"value {i}"
    for path, (version, value) in list(promises.secrets.items())[::5]:
        a = api.ok("GET", f"/api/v1/secrets/data/{path}")
        assert a["version"] > version or a["value"] == value, path


def test_rotation_under_load_survives_being_killed(site):
    s = site
    promises = load.Promises()
    clients = [load.Client(s, promises, i) for i in range(3)]
    try:
        for c in clients:
            c.start()
            c.go.set()
        time.sleep(0.3)
        assert status(s)["epoch"] == 1
        s.cli("operator", "rotate")
        until("the new epoch", lambda: status(s)["epoch"] == 2)
        # The walk of some thousand rows has begun; it is killed in the middle, several times and in several ways.
        for part in ("front", "front", "keeper"):
            assert not finished(s, 2)
            s.kill(part)
            if part == "keeper":
                until("it to be sealed", lambda: s.cli("operator", "status", code=None).returncode == 7)
                s.unseal()
            s.serving()
            time.sleep(0.02)
        until("the end of rewrapping", lambda: finished(s, 2), 60, 0.1)
        s.cli("operator", "rotate")
        until("the end of the next one", lambda: finished(s, 3), 60, 0.1)
        until("nothing to be under way", lambda: not status(s)["rewrapping"])
    finally:
        for c in clients:
            c.pause()
            c.end.set()
            c.go.set()
    assert not promises.odd, promises.odd[:3]
    assert len(promises.secrets) > 50 and len(promises.signed) > 50
    assert status(s)["epoch"] == 3
    everything_is_readable(s, promises)
    s.promises = promises


def test_the_record_verifies_against_the_checkpoint_from_before(site):
    s = site
    s.cli_login()
    records = load.whole_export(s, "export.jsonl", "--against", s.before)
    types = [r["type"] for r in map(load.decode, records)]
    assert types.count("DATA_KEY_ROTATED") == 2 and types.count("REWRAP_FINISHED") >= 2


def test_after_a_restart_all_of_it_opens_under_the_newest_keys(site):
    s = site
    s.stop()
    s.log_file.write_text("")
    s.start(seconds=5)
    s.unseal()
    s.serving()
    assert status(s)["epoch"] == 3
    everything_is_readable(s, s.promises)
    until("the index", lambda: status(s)["indexed"] == status(s)["log_size"])
    assert not status(s)["tampered"] and "CRITICAL" not in s.log(500)
