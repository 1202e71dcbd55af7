"""Somebody has write access to the database file of a stopped server. Each thing that he does to it is found, and the
message says what was done to which row or record."""
import re
import shutil
import sqlite3

import pytest

import desk
import server as holdfast
from server import Failed, until

# Tables of the store, see ARCHITECTURE.md
LOG, TILE, CHECKPOINT, SUBJECT, INDEX, SECRET, SECRET_VALUE, CREDENTIAL, USER = 2, 3, 4, 5, 6, 7, 8, 9, 10
SECRETS = [f"desk/s{i}" for i in range(6)]


class Installation:
    """A stopped server, and copies of its files at several moments."""

    def __init__(self, server):
        self.server = server

    def keep(self, name):
        shutil.copytree(self.server.data, self.server.home / name)
        return self.server.home / name

    def put_back(self, name, only=None):
        """All files of that moment, or the database alone."""
        source = self.server.home / name
        if not only:
            shutil.rmtree(self.server.data)
            shutil.copytree(source, self.server.data)
            return
        for path in self.server.data.glob("holdfast.db*"):
            path.unlink()
        for path in source.glob("holdfast.db*"):
            shutil.copy2(path, self.server.data)

    def start(self):
        self.server.log_file.write_text("")
        self.server.start()
        self.server.unseal()


@pytest.fixture(scope="module")
def site():
    s = holdfast.Server()
    try:
        i = Installation(s)
        s.start()
        s.init()
        s.serving()
        s.enrol()
        api = s.admin = s.api(s.login())
        desk.store(s, "binance")
        api.ok("POST", "/api/v1/users", {"name": "olga", "password": holdfast.PASSWORD, "roles": ["admin"]})
        s.login("olga")
        for path in SECRETS:
            api.ok("POST", "/api/v1/secrets", {"path": path, "kind": "password", "environment": "development",
                                               "value": f"value of {path}"})
        for n in range(300):  # more than one Merkle tile
            api.ok("GET", f"/api/v1/secrets/data/{SECRETS[n % 6]}")
        i.early_checkpoint = until("a checkpoint", lambda: checkpoint_of(s))
        s.stop()
        i.keep("early")
        i.start()
        s.serving()
        api = s.api(s.login())
        api.ok("POST", f"/api/v1/secrets/rotate/{SECRETS[0]}", {"value": "a newer value", "grace_seconds": 0})
        api.ok("POST", f"/api/v1/secrets/revoke/{SECRETS[5]}", {"reason": "done with it"})
        size = api.ok("GET", "/api/v1/health")["log_size"]
        until("a checkpoint of it", lambda: s.health()["checkpoint_size"] >= size)
        i.late_checkpoint = checkpoint_of(s)
        i.verifier = s.cli_json("operator", "status")["verifier"]
        s.stop()
        i.keep("now")
        yield i
    finally:
        s.remove()


def checkpoint_of(s):
    r = s.cli("audit", "checkpoint", code=None)
    return r.stdout if r.returncode == 0 else None


def rows(db, table):
    return db.execute(f"SELECT key, version, value FROM t{table} ORDER BY key").fetchall()


def one(condition):
    assert condition.rowcount == 1, "the damage was not done"


def set_value(db, table, key, value):
    one(db.execute(f"UPDATE t{table} SET value = ? WHERE key = ?", (value, key)))


def flip(value, at):
    b = bytearray(value)
    b[at] ^= 1
    return bytes(b)


# Each does its damage and says what must be found.


def flip_the_values(db, _):
    """All of them: keys are blinded, so nothing here tells which one is current."""
    for key, _, value in rows(db, SECRET_VALUE):
        set_value(db, SECRET_VALUE, key, flip(value, len(value) // 2))
    return r"table SECRET_VALUE \(values of secrets\).*secret:desk/s\d"


def flip_one_value(db, _):
    """Its last bit: what only the keeper can open is known to be altered all the same."""
    key, _, value = rows(db, SECRET_VALUE)[0]
    set_value(db, SECRET_VALUE, key, flip(value, len(value) - 1))
    return r"table SECRET_VALUE \(values of secrets\).*secret:desk/s\d"


def flip_a_credential(db, _):
    """The key inside, which never leaves keeper and signer."""
    key, _, value = rows(db, CREDENTIAL)[0]
    set_value(db, CREDENTIAL, key, flip(value, len(value) - 5))
    return r"table CREDENTIAL \(signing credentials\).*credential:exchange/binance/main"


def flip_metadata(db, _):
    key, _, value = rows(db, SECRET)[1]
    set_value(db, SECRET, key, flip(value, len(value) - 3))
    return r"table SECRET \("


def flip_a_user(db, _):
    key, _, value = rows(db, USER)[0]
    set_value(db, USER, key, flip(value, 40))
    return r"table USER \(users\).*user:(admin|olga)"


def put_an_old_user_back(db, old):
    """He may have been disabled since, or have had another password."""
    now = {k: (ver, val) for k, ver, val in rows(db, USER)}
    key, version, value = next((k, ver, val) for k, ver, val in rows(old, USER) if now[k] != (ver, val))
    one(db.execute(f"UPDATE t{USER} SET value = ?, version = ? WHERE key = ?", (value, version, key)))
    return r"table USER \(users\).*old one was put back.*user:(admin|olga)"


def swap_two_rows(db, _):
    a, b = rows(db, SECRET)[:2]
    set_value(db, SECRET, a[0], b[2])
    set_value(db, SECRET, b[0], a[2])
    return r"table SECRET \("


def swap_the_values(db, _):
    """Each gets its neighbour's."""
    all_rows = rows(db, SECRET_VALUE)
    for row, neighbour in zip(all_rows, all_rows[1:] + all_rows[:1]):
        set_value(db, SECRET_VALUE, row[0], neighbour[2])
    return r"table SECRET_VALUE \(values of secrets\).*secret:desk/s\d"


def delete_a_secret(db, _):
    one(db.execute(f"DELETE FROM t{SECRET} WHERE key = ?", (rows(db, SECRET)[3][0],)))
    return r"table SECRET .*is missing.*secret:desk/s\d"


def delete_the_user(db, _):
    one(db.execute(f"DELETE FROM t{USER} WHERE key = ?", (rows(db, USER)[0][0],)))
    return r"table USER \(users\) is missing.*user:(admin|olga)"


def add_a_row(db, _):
    key, version, value = rows(db, SECRET)[0]
    one(db.execute(f"INSERT INTO t{SECRET} VALUES (?, ?, ?)", (flip(key, 5), version, value)))
    return r"table SECRET \("


def put_an_old_row_back(db, old):
    now = {k: (ver, val) for k, ver, val in rows(db, SECRET)}
    changed = [(k, ver, val) for k, ver, val in rows(old, SECRET) if now[k] != (ver, val)]
    assert changed
    key, version, value = changed[0]
    one(db.execute(f"UPDATE t{SECRET} SET value = ?, version = ? WHERE key = ?", (value, version, key)))
    return r"table SECRET .*old"


def put_an_old_row_back_as_new(db, old):
    """The old bytes under the new version number."""
    now = {k: (ver, val) for k, ver, val in rows(db, SECRET)}
    key, _, value = next((k, ver, val) for k, ver, val in rows(old, SECRET) if now[k] != (ver, val))
    set_value(db, SECRET, key, value)
    return r"table SECRET \("


def cut_the_log(db, _):
    keys = [r[0] for r in rows(db, LOG)][-4:]
    for key in keys:
        one(db.execute(f"DELETE FROM t{LOG} WHERE key = ?", (key,)))
    return r"record \d+ is missing"


def delete_a_record_in_the_middle(db, _):
    one(db.execute(f"DELETE FROM t{LOG} WHERE key = ?", (rows(db, LOG)[100][0],)))
    return r"record 100 is missing"


def flip_a_record(db, _):
    key, _, value = rows(db, LOG)[120]
    set_value(db, LOG, key, flip(value, 30))
    return r"record 120 "


def swap_two_records(db, _):
    r = rows(db, LOG)
    set_value(db, LOG, r[50][0], r[51][2])
    set_value(db, LOG, r[51][0], r[50][2])
    return r"record 5[01] "


def flip_what_a_record_says(db, _):
    """The sealed text beside the leaf."""
    key, _, value = rows(db, LOG)[130]
    set_value(db, LOG, key, flip(value, len(value) - 2))
    return r"record 130 "


def make_a_record_look_erased(db, _):
    """Who did it is sealed under a key that is deleted when a person is erased: here it seems to be gone."""
    key, _, value = rows(db, LOG)[131]
    leaf = int.from_bytes(value[1:3], "big")
    set_value(db, LOG, key, flip(value, 3 + leaf + 5))
    return r"record 131 "


def flip_a_tile(db, _):
    key, _, value = rows(db, TILE)[0]
    set_value(db, TILE, key, flip(value, 32 * 7 + 3))
    return r"(record 7 |tile)"


def flip_the_index(db, _):
    key, version, value = rows(db, INDEX)[0]
    one(db.execute(f"DELETE FROM t{INDEX} WHERE key = ?", (key,)))
    one(db.execute(f"INSERT INTO t{INDEX} VALUES (?, ?, ?)", (flip(key, 3), version, value)))
    return r"index"


DAMAGES = [flip_the_values, flip_one_value, swap_the_values, flip_a_credential, flip_what_a_record_says,
           make_a_record_look_erased, flip_metadata, flip_a_user, swap_two_rows, delete_a_secret, delete_the_user,
           add_a_row, put_an_old_row_back, put_an_old_user_back, put_an_old_row_back_as_new, cut_the_log, delete_a_record_in_the_middle,
           flip_a_record, swap_two_records, flip_a_tile, flip_the_index]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda d: d.__name__)
def test_damage_is_found_and_named(site, damage):
    s = site.server
    s.stop()
    site.put_back("now")
    with sqlite3.connect(site.server.home / "early" / "holdfast.db") as old, s.sql() as db:
        wanted = damage(db, old)
    db.close()
    old.close()
    site.start()
    pattern = re.compile(rf"CRITICAL.*({wanted})", re.IGNORECASE)
    until(f"a critical line about {wanted}", lambda: pattern.search(s.log(200)), 10)

    def settled():
        h = s.health()
        return h if h["log"] == "damaged" or h["state"] == "serving" else None
    if until("it to serve, or to refuse to", settled)["log"] == "damaged":  # then nothing is served at all
        assert "damaged" in s.health()["sentence"]
        assert s.api().call("GET", "/api/v1/session").code == "tampered"
        return
    # It serves what is whole; what was damaged is refused, and the record tells.
    api = sign_in(s)
    until("status to say so", lambda: api.ok("GET", "/api/v1/status").get("tampered"))
    found = until("the record of it", lambda: api.ok("GET", "/api/v1/audit/records?type=TAMPERING_FOUND")["records"])
    assert re.search(wanted, str(found[0]), re.IGNORECASE), found


def sign_in(s):
    """As one of the two: the other one's row may be what was damaged."""
    for name in ("admin", "olga"):
        a = s.api().call("POST", "/api/v1/login", {"name": name, "password": holdfast.PASSWORD})
        if a.status == 200:
            return s.api(s.login(name))
    raise Failed(f"nobody can sign in: {a}")


@pytest.mark.parametrize("damage", [flip_a_user, delete_the_user, put_an_old_user_back], ids=lambda d: d.__name__)
def test_a_damaged_user_is_shut_out_and_nobody_else(site, damage):
    s = site.server
    s.stop()
    site.put_back("now")
    with sqlite3.connect(site.server.home / "early" / "holdfast.db") as old, s.sql() as db:
        wanted = damage(db, old)
    db.close()
    old.close()
    site.start()
    s.serving()
    found = until("it to be named", lambda: re.search(rf"CRITICAL.*{wanted}", s.log(200)))
    damaged = found.group(1)
    (other,) = {"admin", "olga"} - {damaged}
    logins = {name: s.api().call("POST", "/api/v1/login", {"name": name, "password": holdfast.PASSWORD})
              for name in (damaged, other)}
    assert (logins[damaged].status, logins[other].status) == (401, 200), logins
    api = s.api(s.login(other))
    assert other in str(api.ok("GET", "/api/v1/users"))
    # Nobody can make himself that user: the place is taken by what lies there, or was there.
    if damage is not delete_the_user:
        assert api.call("POST", "/api/v1/users", {"name": damaged, "password": holdfast.PASSWORD + "2",
                                                  "roles": ["viewer"]}).status == 409


def test_what_was_not_damaged_is_not_accused(site):
    s = site.server
    s.stop()
    site.put_back("now")
    site.start()
    s.serving()
    api = s.api(s.login())
    for path in SECRETS[:5]:
        assert api.ok("GET", f"/api/v1/secrets/data/{path}")["value"]
    until("the index", lambda: api.ok("GET", "/api/v1/status")["indexed"] == api.ok("GET", "/api/v1/status")["log_size"])
    assert not api.ok("GET", "/api/v1/status")["tampered"]
    assert "CRITICAL" not in s.log(500)


@pytest.mark.parametrize("damage", [flip_the_values, swap_the_values], ids=lambda d: d.__name__)
def test_a_damaged_value_is_refused_when_it_is_read(site, damage):
    s = site.server
    s.stop()
    site.put_back("now")
    with s.sql() as db:
        damage(db, None)
    db.close()
    site.start()
    s.serving()
    api = s.api(s.login())
    answers = [api.call("GET", f"/api/v1/secrets/data/{path}") for path in SECRETS[:5]]
    bad = [a for a in answers if a.status != 200]
    assert bad and all(a.code == "tampered" and a.status == 500 for a in bad), answers
    found = until("the record of it", lambda: api.ok("GET", "/api/v1/audit/records?type=TAMPERING_FOUND")["records"])
    named = {r["what"]["resource"] for r in found if r["what"]["resource"].startswith("secret:")}
    assert named == {f"secret:{path}" for a, path in zip(answers, SECRETS) if a.status != 200}, found
    for a, path in zip(answers, SECRETS):
        if a.status == 200 and path != SECRETS[0]:
            assert a.json["value"] == f"value of {path}"
    # A new value mends it.
    path = next(path for a, path in zip(answers, SECRETS) if a.status != 200)
    api.ok("POST", f"/api/v1/secrets/rotate/{path}", {"value": "mended", "grace_seconds": 0})
    assert api.ok("GET", f"/api/v1/secrets/data/{path}")["value"] == "mended"


def test_a_damaged_credential_is_refused_and_mended_by_a_new_one(site):
    s = site.server
    s.stop()
    site.put_back("now")
    with s.sql() as db:
        wanted = flip_a_credential(db, None)
    db.close()
    site.start()
    s.serving()
    until("it to be named", lambda: re.search(rf"CRITICAL.*{wanted}", s.log(200)))
    s.admin, s.trader_token = s.api(s.login()), None
    s.cli_login()
    bot = s.api(desk.make_key(s, "bot")["key"])
    assert bot.call("POST", "/api/v1/sign", desk.order("binance")).code == "tampered"
    desk.store(s, "binance")
    assert desk.accepted("binance", bot.ok("POST", "/api/v1/sign", desk.order("binance")))


def test_what_a_record_says_can_not_be_altered_either(site):
    """The sealed text beside the leaf is compared with the leaf whenever it is read."""
    s = site.server
    s.stop()
    site.put_back("now")
    with s.sql() as db:
        flip_what_a_record_says(db, None)
    db.close()
    site.start()
    s.serving()
    api = s.api(s.login())
    assert api.ok("GET", "/api/v1/audit/records/129")
    a = api.refused("tampered", "GET", "/api/v1/audit/records/130")
    assert "130" in a.body.decode()
    s.cli_login()
    r = s.cli("audit", "export", s.home / "broken.jsonl", code=8)
    assert "record 130" in r.stderr, r.stderr
    r = s.cli("audit", "show", "130", code=8)
    assert "130" in r.stderr


def test_an_older_copy_of_the_database_is_refused(site):
    """The keeper's anchor remembers how long the log was."""
    s = site.server
    s.stop()
    site.put_back("now")
    site.put_back("early", only="database")
    site.start()
    h = until("a refusal", lambda: s.health()["log"] == "mismatch" and s.health())
    assert h["state"] != "serving" and "does not match" in h["sentence"]
    assert "CRITICAL" in s.log(200) and "old copy" in s.log(200)
    s.api().refused("tampered", "POST", "/api/v1/login", {"name": "admin", "password": holdfast.PASSWORD})
    r = s.cli("status", code=None)
    assert r.returncode != 0 and "does not match" in r.stdout + r.stderr


def test_an_older_copy_of_everything_is_found_by_a_checkpoint_kept_elsewhere(site):
    """Nothing on the machine itself can tell."""
    s = site.server
    s.stop()
    site.put_back("early")
    site.start()
    s.serving()
    s.cli_login()
    export = s.home / "early.jsonl"
    s.cli("audit", "export", export)
    s.cli("audit", "verify", export)
    early, late = s.file("early.txt", site.early_checkpoint), s.file("late.txt", site.late_checkpoint)
    s.cli("audit", "verify", export, "--against", early)
    r = s.cli("audit", "verify", export, "--against", late, code=8)
    assert re.search(r"removed|shorter|fewer|does not match", r.stdout + r.stderr), r.stderr


def test_an_altered_export_does_not_verify_and_the_record_is_named(site):
    s = site.server
    s.stop()
    site.put_back("now")
    site.start()
    s.serving()
    s.cli_login()
    export = s.home / "export.jsonl"
    s.cli("audit", "export", export)
    s.cli("audit", "verify", export, "--against", s.file("late.txt", site.late_checkpoint), "--verifier", site.verifier)
    lines = export.read_text().splitlines()
    altered = lines[:]
    altered[31] = altered[31].replace("admin", "mallo")
    assert altered != lines
    tries = {
        "record 30": altered,
        "record 40": lines[:41] + lines[42:],
        "record 60": lines[:61] + [lines[62], lines[61]] + lines[63:],
        "": lines[:-3],
    }
    for name, text in tries.items():
        bad = s.file("bad.jsonl", "\n".join(text) + "\n")
        r = s.cli("audit", "verify", bad, code=8)
        assert name in r.stdout + r.stderr, (name, r.stderr)
    with pytest.raises(Failed):
        s.cli("audit", "verify", export, "--against", s.file("none.txt", "no checkpoint\n"))
