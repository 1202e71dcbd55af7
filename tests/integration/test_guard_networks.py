"""What files say of networks: countries and feeds, in the verdicts of a real server whose front can't open a file."""
import os
import re
import sqlite3
import time

import pytest

import mmdb
import server as holdfast
from server import until

NETWORK = 20  # table of the store, see ARCHITECTURE.md
COUNTRIES = {"198.51.100.0/24": "SE", "192.0.2.0/24": "CH", "2001:db8:5e::/48": "SE"}
MANY = 100_000
UNKNOWN, SWISS, SWEDISH = "8.8.8.8", "192.0.2.7", "198.51.100.7"


class Guarded(holdfast.Server):
    """A server whose guard asks about countries and feeds, in files beside it."""

    def __init__(self, countries, feeds="[]", **more):
        super().__init__(**more)
        self.lists = self.home / "lists"
        self.lists.mkdir()
        self.database_file, self.feed_file = self.lists / "geo.mmdb", self.lists / "bad.txt"
        self.config["guard"] = {"proxies": "[unix]", "networks": "{others: allow}", "feeds": feeds.format(lists=self.lists),
                                "countries": countries.format(lists=self.lists),
                                "rates": "[{name: address, by: address, requests: 100000, seconds: 86400, room: 1024}]",
                                "endpoints": "[{path: /, permission: public, rate: {requests: 90000, seconds: 30}}]"}
        self.write_config()

    def begin(self, *start, **more):
        super().begin(*start, **more)
        self.cli_login()
        return self

    def verdict(self, address):
        """allowed, or the code of the refusal."""
        a = self.api(unix=True).call("GET", "/api/v1/guard/verdict", headers={
            "X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/", "X-Forwarded-For": address})
        assert a.headers.get("x-holdfast-verdict") == (a.code or "allowed"), a
        return a.code or "allowed"

    def put(self, path, write):
        """Another file in its place, at once."""
        next_one = path.with_suffix(".next")
        write(next_one)
        os.replace(next_one, path)

    def put_countries(self, countries, **more):
        self.put(self.database_file, lambda p: mmdb.write(p, countries, **more))

    def put_feed(self, text):
        self.put(self.feed_file, lambda p: p.write_text(text))

    def status(self):
        return self.api(self.admin.token).ok("GET", "/api/v1/guard/status")

    def feed(self, number=0):
        return self.status()["feeds"][number]

    def newest(self, event):
        """Of such a record; nothing before there is one that can be found."""
        found = self.api(self.admin.token).ok("GET", f"/api/v1/audit/records?type={event}&limit=1")["records"]
        return found[0]["what"] if found else {"resource": "", "detail": ""}


def many(first=11):
    return "".join(f"{first}.{n >> 16}.{n >> 8 & 255}.{n & 255}\n" for n in range(MANY))


@pytest.fixture(scope="module")
def desk():
    s = Guarded("{{database: {lists}/geo.mmdb, block: [SE, KP], without: closed, max_age_days: 30}}",
                "[{{name: bad, file: {lists}/bad.txt}}, {{name: short, file: {lists}/short.txt, hours: 2}}]")
    try:
        s.put_countries(COUNTRIES)
        s.put_feed("# bad ones\n" + many() + "no network\n0.0.0.0/0\n")
        (s.lists / "short.txt").write_text("203.0.113.5\n")
        yield s.begin()
    finally:
        s.remove()


def expect(desk, **verdicts):
    got = {name: desk.verdict({"unknown": UNKNOWN, "swiss": SWISS, "swedish": SWEDISH}[name]) for name in verdicts}
    assert got == verdicts


def test_a_country_is_kept_out(desk):
    expect(desk, unknown="allowed", swiss="allowed", swedish="country-blocked")
    assert desk.verdict("2001:db8:5e::1") == "country-blocked"
    assert desk.verdict("2001:db8:5f::1") == "allowed"
    assert desk.verdict("::ffff:" + SWEDISH) == "country-blocked"
    said = desk.cli_json("guard", "test", SWEDISH)
    assert (said["verdict"], said["country"], said["country_rule"]) == ("country-blocked", "SE", "listed")
    assert "SE" in desk.cli("guard", "test", SWEDISH).stdout
    assert desk.cli_json("guard", "test", SWISS)["country_rule"] == "not-listed"
    assert desk.cli_json("guard", "test", UNKNOWN)["country_rule"] == "unknown"


def test_what_the_operator_says_of_a_network_comes_first(desk):
    desk.cli("guard", "allow", SWEDISH)
    assert desk.verdict(SWEDISH) == "allowed"
    said = desk.cli_json("guard", "test", SWEDISH)
    assert (said["rule"]["origin"], said["country"]) == ("operator", "SE") and "country_rule" not in said
    desk.cli("guard", "unblock", SWEDISH)
    assert desk.verdict(SWEDISH) == "country-blocked"
    desk.cli("guard", "allow", "11.0.0.9")
    assert desk.verdict("11.0.0.9") == "allowed"
    desk.cli("guard", "unblock", "11.0.0.9")
    assert desk.verdict("11.0.0.9") == "address-blocked"
    assert desk.verdict("10.1.2.3") == "allowed", "a private network, by the configuration"


def test_refusals_of_strangers_are_added_up(desk):
    for _ in range(5):
        assert desk.verdict(SWEDISH) == "country-blocked"
    until("the sum", lambda: "country-blocked" in str(desk.api(desk.admin.token).ok(
        "GET", "/api/v1/audit/records?type=ANONYMOUS_REFUSALS&limit=5")["records"]))


def test_a_feed_of_a_hundred_thousand_keeps_them_out(desk):
    assert [desk.verdict(a) for a in ("11.0.0.0", "11.1.134.159", "11.1.134.160", "203.0.113.5")] == [
        "address-blocked", "address-blocked", "allowed", "address-blocked"]
    said = desk.cli_json("guard", "test", "11.0.0.0")
    assert (said["rule"]["origin"], said["feed"], said["rule"]["network"]) == ("feed", "bad", "11.0.0.0")
    feed = desk.feed()
    assert {"name": "bad", "state": "in-force", "networks": MANY, "bad_lines": 2, "first_bad_line": MANY + 2}.items() <= feed.items()
    assert "failure" not in feed and "ends" not in feed and "ends" in desk.feed(1)


def test_the_status_says_it_all(desk):
    s = desk.status()
    assert s["networks"]["feeds"] == MANY + 1 and s["networks"]["configured_let_in"] == 6 and s["networks"]["others_let_in"]
    assert {"state": "in-force", "type": "GeoLite2-Country", "block": ["SE", "KP"], "without": "closed",
            "max_age_days": 30}.items() <= s["countries"].items()
    desk.verdict(SWISS)
    limits = {x["name"]: x for x in desk.status()["limits"]}
    assert {"by": "address", "requests": 100000, "seconds": 86400, "room": 1024}.items() <= limits["address"].items()
    assert {"path": "/", "by": "identity", "requests": 90000, "seconds": 30}.items() <= limits["endpoint"].items()
    assert 1 <= limits["address"]["taken"] <= 10
    shown = desk.cli("guard", "status").stdout
    for text in ("GeoLite2-Country", "SE", str(MANY), "short", "durable"):
        assert text in shown, shown
    assert (s["patterns"]["mode"], s["patterns"]["threshold"]) == ("block", 5)
    assert s["patterns"]["rules"] == sum(f["rules"] for f in s["patterns"]["files"]) > 50
    assert s["patterns"]["files"][0]["file"] == str(holdfast.SOURCE / "spec/patterns/command.yaml")
    assert (s["authentication"], s["failures"], s["automatic"]) == ({"requests": 5, "seconds": 300}, {"requests": 3, "seconds": 900}, "off")
    for words in (("Attack", "patterns", "block"), ("Rules", str(s["patterns"]["rules"])), ("Refused", "from", "a", "score", "of", "5"),
                  ("Log-ins", "of", "one", "address", "5"), ("Wrong", "ones", "of", "them", "3"), ("Automatic", "blocks", "off"),
                  (s["patterns"]["files"][2]["file"], str(s["patterns"]["files"][2]["rules"]))):
        assert any(tuple(line.split()) == words for line in shown.splitlines()), (words, shown)
    assert desk.api().call("GET", "/api/v1/guard/status").status == 401


def test_a_replaced_database_counts_without_a_restart(desk):
    front = desk.child("front")
    desk.put_countries({**COUNTRIES, "198.51.100.0/24": "CH", "192.0.2.0/24": "SE"}, kind="Another-Country")
    until("the new one", lambda: desk.verdict(SWISS) == "country-blocked")
    expect(desk, unknown="allowed", swiss="country-blocked", swedish="allowed")
    until("its record", lambda: desk.newest("NETWORK_FILE_LOADED")["resource"] == "countries")
    assert re.match(r"Another-Country, built 20.*sha256:[0-9a-f]{64}$", desk.newest("NETWORK_FILE_LOADED")["detail"])
    desk.put_countries(COUNTRIES)
    until("the old one", lambda: desk.verdict(SWEDISH) == "country-blocked")
    assert desk.child("front") == front


def test_a_replaced_feed_leaves_no_moment_without_one(desk):
    desk.put_feed(many(12) + "11.0.0.0\n")
    while desk.verdict("12.0.0.1") == "allowed":
        assert desk.verdict("11.0.0.0") == "address-blocked", "it is in both"
        time.sleep(0.01)
    assert [desk.verdict(a) for a in ("11.0.0.1", "11.0.0.0", "12.1.134.159")] == ["allowed", "address-blocked", "address-blocked"]
    until("the status", lambda: desk.feed()["networks"] == MANY + 1)
    desk.put_feed("# bad ones\n" + many() + "no network\n0.0.0.0/0\n")
    until("the old one", lambda: desk.verdict("11.0.0.1") == "address-blocked")
    until("the status", lambda: desk.feed()["networks"] == MANY)


def test_a_file_that_is_being_written_waits(desk):
    """Also one that is written in place, line by line: no part of it counts."""
    desk.put(desk.feed_file, lambda p: p.write_text("13.0.0.0\n"))  # a file that nothing else has open
    with open(desk.feed_file, "a") as f:
        for n in range(1, 31):
            f.write(f"13.0.0.{n}\n")
            f.flush()
            assert desk.feed()["networks"] == MANY
            time.sleep(0.1)
    until("the whole of it", lambda: desk.feed()["networks"] == 31)
    desk.put_feed("# bad ones\n" + many() + "no network\n0.0.0.0/0\n")
    until("the old one", lambda: desk.feed()["networks"] == MANY and desk.verdict("11.0.0.0") == "address-blocked")


BAD = {"half a database": lambda d: d.put(d.database_file, lambda p: p.write_bytes(d.database_file.read_bytes()[:-40])),
       "no database": lambda d: d.put(d.database_file, lambda p: p.write_bytes(os.urandom(5000))),
       "half a feed": lambda d: d.put_feed("11.0.0.1\n12.0.0.0/1"),
       "an error page": lambda d: d.put_feed("<html>\n<title>503</title>\n</html>\n"),
       "an empty feed": lambda d: d.put_feed("")}


@pytest.mark.parametrize("damage", BAD)
def test_a_bad_file_leaves_the_old_one_in_force(desk, damage):
    """Also for a front that is started anew, and has never seen the old one."""
    def failure():
        s = desk.status()
        return s["countries"].get("failure") or s["feeds"][0].get("failure")
    BAD[damage](desk)
    until("the status to say so", failure)
    assert "is not taken" in desk.health()["sentence"]
    for restart in (False, True):
        if restart:
            desk.kill("front")
            desk.serving()
        expect(desk, unknown="allowed", swiss="allowed", swedish="country-blocked")
        assert desk.verdict("11.0.0.0") == "address-blocked"
        until("the status to say so", failure)
        assert desk.status()["countries"]["state"] == desk.feed()["state"] == "in-force"
    which = "countries" if "database" in damage else "feed:bad"
    until("its record", lambda: desk.newest("NETWORK_FILE_REFUSED")["resource"] == which)
    desk.put_countries(COUNTRIES)
    desk.put_feed("# bad ones\n" + many() + "no network\n0.0.0.0/0\n")
    until("all to be well", lambda: not failure())


def test_a_file_that_vanishes_leaves_what_it_said(desk):
    os.rename(desk.database_file, desk.lists / "kept")
    until("the status", lambda: "No such file" in desk.status()["countries"].get("failure", ""))
    expect(desk, unknown="allowed", swedish="country-blocked")
    desk.kill("front")
    desk.serving()
    expect(desk, unknown="allowed", swedish="country-blocked")
    os.rename(desk.lists / "kept", desk.database_file)
    until("all to be well", lambda: "failure" not in desk.status()["countries"])


def test_an_old_database_is_not_relied_on(desk):
    desk.put_countries(COUNTRIES, built=time.time() - 31 * 86400)
    until("it to be read", lambda: desk.status()["countries"]["state"] == "old")
    expect(desk, unknown="country-unknown", swiss="country-unknown", swedish="country-unknown")
    assert desk.verdict("10.0.0.1") == "allowed" and desk.verdict("11.0.0.0") == "address-blocked"
    assert desk.status()["countries"]["age_days"] == 31
    assert desk.cli_json("guard", "test", SWISS)["country_rule"] == "database-too-old"
    # Nobody from abroad gets in: who looks at the server at all must see it.
    assert "no database of countries to rely on" in desk.health()["sentence"]
    assert "no database of countries to rely on" in desk.cli("status").stdout
    desk.put_countries(COUNTRIES)
    until("a fresh one", lambda: desk.verdict(SWISS) == "allowed")
    assert desk.health()["sentence"] == "All is well."


def test_a_feed_without_a_new_file_ends(desk):
    short = desk.lists / "short.txt"
    os.utime(short, (time.time() - 7300, time.time() - 7300))
    until("its end", lambda: desk.verdict("203.0.113.5") == "allowed")
    until("the status", lambda: desk.feed(1)["state"] == "old")
    assert "keeps out nobody" in desk.health()["sentence"]
    os.utime(short)
    until("it to count again", lambda: desk.verdict("203.0.113.5") == "address-blocked")


def test_nobody_is_refused_while_files_are_read(desk):
    """Every verdict is the right one while all files are read anew."""
    for round_ in range(2):
        before = [desk.status()["countries"]["loaded"], desk.feed()["loaded"]]
        desk.put_countries(COUNTRIES)
        desk.put_feed(many() + f"# {round_}\n")

        def both_are_read():
            assert [desk.verdict(a) for a in (SWISS, SWEDISH, "11.0.0.7")] == ["allowed", "country-blocked", "address-blocked"]
            s = desk.status()
            return s["countries"]["loaded"] != before[0] and s["feeds"][0]["loaded"] != before[1]
        until("both to be read", both_are_read, every=0.001)


def test_another_configuration_brings_other_files(desk):
    more = desk.lists / "more.txt"
    more.write_text("203.0.113.77\n")
    feeds = desk.config["guard"]["feeds"]
    front = desk.child("front")
    countries = desk.config["guard"]["countries"]
    desk.config["guard"]["feeds"] = f"[{{name: more, file: {more}}}, {feeds[1:]}".replace("hours: 2", "hours: 3")
    desk.config["guard"]["countries"] = countries.replace("[SE, KP]", "[SE, IR]")
    desk.write_config()
    said = desk.cli("policy", "diff", desk.config_file, code=1).stdout.splitlines()
    assert sorted(said) == sorted([
        f"feed more: added, from {more}", "feed short.hours: from 2 to 3", "guard.countries.block: IR is kept out now",
        "guard.countries.block: KP is kept out no longer"])
    os.kill(desk.pid, 1)
    desk.child("front", other_than=front)
    desk.serving()
    assert [desk.verdict(a) for a in ("203.0.113.77", "203.0.113.5", "11.0.0.0", SWEDISH)] == ["address-blocked"] * 3 + ["country-blocked"]
    assert [f["name"] for f in desk.status()["feeds"]] == ["more", "bad", "short"]
    desk.config["guard"]["feeds"] = feeds.replace(str(desk.lists / "short.txt"), str(desk.lists))
    desk.write_config()
    os.kill(desk.pid, 1)
    until("its refusal", lambda: "is not a file" in desk.log(50))
    assert desk.verdict("203.0.113.77") == "address-blocked", "the configuration before is in force"
    desk.config["guard"].update(feeds=feeds, countries=countries)


# --- servers of their own


def test_without_a_database_the_rule_decides_from_the_start():
    """The files come later, and are found."""
    s = Guarded("{{database: {lists}/geo.mmdb, allow: [CH], without: open}}", "[{{name: bad, file: {lists}/bad.txt}}]")
    try:
        s.begin()
        expect(s, unknown="allowed", swiss="allowed", swedish="allowed")
        assert s.status()["countries"]["state"] == s.feed()["state"] == "none"
        assert "No such file" in s.status()["countries"]["failure"] and "No such file" in s.feed()["failure"]
        until("its record", lambda: s.newest("NETWORK_FILE_REFUSED")["resource"])
        s.put_countries(COUNTRIES)
        s.put_feed(SWISS + "\n")
        until("them to count", lambda: s.verdict(SWISS) == "address-blocked" and s.verdict(SWEDISH) == "country-blocked")
        assert s.verdict(UNKNOWN) == "country-unknown", "of what is not known nobody says that it is on the list"
    finally:
        s.remove()


def test_a_folder_is_refused_at_the_start():
    s = Guarded("{{database: {lists}, block: [SE]}}")
    try:
        with pytest.raises(holdfast.Failed, match="guard.countries.database.*is not a file"):
            s.start()
    finally:
        s.remove()


def keep_out(s, *networks):
    for network in networks:
        s.admin.ok("PUT", "/api/v1/guard/networks", {"network": network, "action": "block"})


def damaged(s, change):
    s.stop()
    with s.sql() as db:
        change(db)
    db.close()
    s.log_file.write_text("")
    s.start()
    s.unseal()
    s.serving()


KEPT, LET_IN, FREED, SHORTER = "203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4"


def rows_of(db):
    return {key: (version, value) for key, version, value in db.execute(f"SELECT key, version, value FROM t{NETWORK}")}


def write(db, key, row):
    db.execute(f"INSERT OR REPLACE INTO t{NETWORK} (key, version, value) VALUES (?, ?, ?)", (key, *row))


@pytest.fixture(scope="module")
def kept():
    """Rows of networks as they are, and as they were: each address has a row that only it has."""
    s = Guarded("{{database: {lists}/geo.mmdb, block: [SE]}}")
    s.config["guard"]["networks"] = "{others: allow, block: [203.0.113.0/24]}"
    s.write_config()
    try:
        s.put_countries(COUNTRIES)
        s.begin()

        def say(network, action, minutes=600):
            s.admin.ok("PUT", "/api/v1/guard/networks", {"network": network, "action": action, "minutes": minutes})

        def new_key(before):
            (key,) = set(taken()) - set(before)
            return key

        def taken():
            db = sqlite3.connect(f"file:{s.database}?mode=ro", uri=True)
            try:
                return rows_of(db)
            finally:
                db.close()
        s.keys = {}
        for network in (KEPT, LET_IN, FREED, SHORTER):
            before = taken()
            say(network, "block" if network == KEPT else "allow")
            s.keys[network] = new_key(before)
        s.old = taken()
        say(LET_IN, "block")
        say(SHORTER, "allow", 60)
        s.admin.ok("DELETE", f"/api/v1/guard/networks?network={FREED}")
        s.now = taken()
        yield s
    finally:
        s.remove()


def started_with(s, change=lambda s, db: None):
    """Once more, with these rows of networks: the log goes on meanwhile."""
    s.stop()
    with s.sql() as db:
        db.execute(f"DELETE FROM t{NETWORK}")
        for key, row in s.now.items():
            write(db, key, row)
        said = change(s, db)
    db.close()
    s.log_file.write_text("")
    s.start(), s.unseal(), s.serving()
    return said


def verdicts(s):
    return [s.verdict(a) for a in (KEPT, LET_IN, FREED, SHORTER)]


BLOCKED, ALLOWED = "address-blocked", "allowed"
WHOLE = [BLOCKED, BLOCKED, BLOCKED, ALLOWED]


def altered(s, db):
    version, value = s.now[s.keys[SHORTER]]
    write(db, s.keys[SHORTER], (version, value[:-3] + bytes([value[-3] ^ 1]) + value[-2:]))
    return SHORTER, "does not open", [BLOCKED] * 4


def swapped(s, db):
    for a, b in ((KEPT, SHORTER), (SHORTER, KEPT)):
        write(db, s.keys[a], (s.now[s.keys[a]][0], s.now[s.keys[b]][1]))
    return SHORTER, "does not open", [BLOCKED] * 4


def removed(s, db):
    db.execute(f"DELETE FROM t{NETWORK} WHERE key = ?", (s.keys[SHORTER],))
    return SHORTER, "is missing: it was deleted", [BLOCKED] * 4


def replayed(s, db):
    """It was let in once, and is kept out now."""
    write(db, s.keys[LET_IN], s.old[s.keys[LET_IN]])
    return LET_IN, "an old one was put back", WHOLE


def put_back(s, db):
    """It was let in once, and nothing is said of it now."""
    write(db, s.keys[FREED], s.old[s.keys[FREED]])
    return FREED, "was deleted, and has been put back", WHOLE


def given_to_another(s, db):
    write(db, s.keys[FREED], s.now[s.keys[SHORTER]])
    return FREED, "does not open", WHOLE


@pytest.mark.parametrize("tamper", [altered, swapped, removed, replayed, put_back, given_to_another], ids=lambda t: t.__name__)
def test_rows_of_networks_that_were_tampered_with_let_nobody_in(kept, tamper):
    """Whoever writes to the database can take away what is said of a network, but not in silence, and not to get in."""
    s = kept
    network, how, after = started_with(s, tamper)
    pattern = re.compile(rf"CRITICAL.*table NETWORK.*{how}.*as network:{re.escape(network)}\b")
    until("it to be named", lambda: pattern.search(s.log(300)))
    assert verdicts(s) == after
    s.admin = s.api(s.login())
    assert s.admin.ok("GET", "/api/v1/status")["tampered"] and "TAMPERING_FOUND" in s.health()["sentence"]
    assert s.status()["networks"]["damaged"] == (2 if tamper is swapped else 1)
    assert "Rows changed outside Holdfast" in s.cli("guard", "status").stdout
    found = until("its record", lambda: s.admin.ok("GET", "/api/v1/audit/records?type=TAMPERING_FOUND")["records"])
    assert any(network in r["what"]["detail"] and how in r["what"]["detail"] for r in found), found


def test_rows_of_networks_that_are_whole_are_not_accused(kept):
    s = kept
    started_with(s)
    s.admin = s.api(s.login())
    until("the index", lambda: s.admin.ok("GET", "/api/v1/status")["indexed"] == s.admin.ok("GET", "/api/v1/status")["log_size"])
    time.sleep(2)
    assert verdicts(s) == WHOLE and "CRITICAL" not in s.log(300)
    assert not s.admin.ok("GET", "/api/v1/status")["tampered"] and s.status()["networks"]["damaged"] == 0


def test_a_clock_that_jumps_ahead_takes_no_block_away():
    """It ends blocks as long as it is ahead. Their rows are still there when the clock is right again."""
    s = Guarded("{{database: {lists}/geo.mmdb, block: [SE]}}", clock=holdfast.Clock())
    try:
        s.put_countries(COUNTRIES)
        s.begin()
        keep_out(s, "203.0.113.9")
        assert s.verdict("203.0.113.9") == "address-blocked"
        s.clock.shift("front", 2 * 86400 * 1000)
        until("the end of the block", lambda: s.verdict("203.0.113.9") == "allowed")
        time.sleep(3)
        s.clock.shift("front", 0)
        s.kill("front")
        s.serving()
        assert s.verdict("203.0.113.9") == "address-blocked"
    finally:
        s.remove()
