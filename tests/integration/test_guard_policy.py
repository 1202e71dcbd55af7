"""The guard's policy as a file: checked, compared with what is in force, and put in force without a request lost."""
import contextlib
import http.client
import json
import re
import signal
import socket
import threading
import time

import pytest

import server as holdfast
from guarded import application_behind, nginx
from server import until

ENDPOINTS = "[{path: /status, permission: public}, {path: /whoami, permission: authenticated}%s]"
PROXIES = "[unix, 127.0.0.1]"


def guard(more="", **other):
    return {"proxies": PROXIES, "endpoints": ENDPOINTS % more, **other}


def programs(s):
    """The programs as they are, with a front that does not start while s.broken is there."""
    directory = s.home / "libexec"
    directory.mkdir()
    for role in (*holdfast.ROLES, "patterns"):
        (directory / f"holdfast-{role}").symlink_to(holdfast.BUILD / "src" / role / f"holdfast-{role}")
    front = directory / "holdfast-front"
    front.unlink()
    front.write_text(f"#!/bin/sh\n[ ! -e {s.broken} ] || exit 1\nexec {holdfast.BUILD}/src/front/holdfast-front \"$@\"\n")
    front.chmod(0o755)
    return directory


@pytest.fixture(scope="module")
def desk():
    s = holdfast.Server(config={"guard": guard()})
    s.broken = s.home / "broken"
    with application_behind(s, {"nginx": nginx}, arguments=("--libexec-dir", programs(s))):
        s.nginx = s.proxies["nginx"]
        s.key = s.admin.ok("POST", "/api/v1/keys", {"name": "bot", "roles": ["viewer"], "environment": "development", "usage": "read_only",
                                                     "per_hour": 1000000, "per_day": 10000000, "burst": 100000})["key"]
        yield s


def reload(s, **policy):
    """Gives the configuration's file this guard, and waits until a front serves by it."""
    s.config["guard"] = guard(**policy)
    s.write_config()
    before = s.child("front")
    s.process.send_signal(signal.SIGHUP)
    s.child("front", seconds=60, other_than=before)  # patterns are made first, which takes seconds on a busy machine
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


# --- what a reload leaves behind


def newest(s, event):
    """Its detail; "" while there is none that can be found."""
    found = s.admin.ok("GET", f"/api/v1/audit/records?type={event}&limit=1")["records"]
    return found[0]["what"]["detail"] if found else ""


def in_force(s):
    return s.admin.ok("GET", "/api/v1/guard/policy")


def test_a_reload_is_in_the_record_with_what_is_in_force(desk):
    before = in_force(desk)["hash"]
    assert newest(desk, "SERVER_STARTED") == f"guard policy sha256:{before}"
    reload(desk, more=", {path: /more, permission: 'mev:view'}")
    now = in_force(desk)
    assert now["hash"] != before and now["guard"]["endpoints"][-1] == {"path": "/more", "permission": "mev:view"}
    assert until("a record", lambda: newest(desk, "CONFIGURATION_CHANGED") ==
                 f"guard policy sha256:{now['hash']}, before it sha256:{before}")
    reload(desk, more=", {path: /more, permission: 'mev:view'}")
    assert until("a record", lambda: newest(desk, "CONFIGURATION_CHANGED") ==
                 f"guard policy sha256:{now['hash']}, as before")
    assert desk.admin.ok("GET", "/api/v1/status")["policy"] == now["hash"]


RULE = """class: command
rules:
  - {id: own-word, score: 9, description: a word of our own, pattern: 'WORD', hits: [WORD], misses: [allowed]}
"""


def test_the_hash_covers_the_rules_against_attacks(desk, tmp_path):
    """Who changes a rule's text changes the policy, though the configuration's file says what it said before."""
    rules = tmp_path / "rules"
    rules.mkdir()
    own, policy_now = rules / "own.yaml", {"patterns": "{further_dir: %s}" % rules}
    own.write_text(RULE.replace("WORD", "forbidden"))
    reload(desk, **policy_now)
    desk.cli_login()
    before = in_force(desk)
    assert before["rules"][-1]["file"] == str(own) and before["rules"][-1]["rules"] == 1
    assert policy(desk, "check", desk.config_file).stdout.splitlines()[-2] == f"{desk.config_file}: guard policy sha256:{before['hash']}"
    own.write_text(RULE.replace("WORD", "prohibited"))
    assert policy(desk, "diff", desk.config_file, code=1).stdout == f"rules {own}: another text\n"
    told = json.loads(policy(desk, "check", "-o", "json", desk.config_file).stdout)["policy"]
    assert told != before["hash"]
    reload(desk, **policy_now)
    assert in_force(desk)["hash"] == told == desk.admin.ok("GET", "/api/v1/status")["policy"]
    assert until("a record", lambda: newest(desk, "CONFIGURATION_CHANGED") == f"guard policy sha256:{told}, before it sha256:{before['hash']}")
    assert policy(desk, "diff", desk.config_file).stdout == ""
    # The same text at another place is the same policy but for the place; a further file is not.
    (rules / "other.yaml").write_text(RULE.replace("WORD", "barred").replace("own-", "other-"))
    assert policy(desk, "diff", desk.config_file, code=1).stdout == f"rules {rules / 'other.yaml'}: added\n"
    desk.config_file.write_text(desk.config_file.read_text().replace(str(rules), str(tmp_path / "none")))
    assert "are not compared" in policy(desk, "diff", desk.config_file, code=1).stderr
    reload(desk)


NO_START = {  # what a file says of the rules, the word in it that is wrong, what is said of it
    "a rule": ("rules: [{rule: xss, mode: count}, {rule: sqli-sleep, mode: count}, {rule: sqli-slep, mode: count}]", "sqli-slep", "no class 'sqli-slep'"),
    "a class": ("rules: [{rule: xss, mode: count}, {rule: exec, mode: count}]", "exec", "classes are sqli, xss, traversal, command, header; rules have"),
    "an exclusion": ("exclusions: [{parameter: q}, {endpoint: /a, rule: xxs}]", "xxs", f"{holdfast.SOURCE}/spec/patterns/*.yaml"),
    "no directory": ("further_dir: /nonexistent/rules", "/nonexistent/rules", "/nonexistent/rules: No such file or directory"),
    "an empty directory": ("further_dir: DIRECTORY", "DIRECTORY", "must hold between 1 and"),
}


@pytest.mark.parametrize("name", NO_START)
def test_rules_that_no_server_starts_with_are_named_by_their_place(desk, tmp_path, name):
    """Who checks a file before the reload, or starts a server with it, is told where it is wrong, and the server that runs goes on."""
    says, word, sentence = (x.replace("DIRECTORY", str(tmp_path)) for x in NO_START[name])
    reload(desk)
    before = in_force(desk)
    desk.config["guard"] = guard(patterns="{mode: count, %s}" % says)
    desk.write_config()
    row, text = next((i, x) for i, x in enumerate(desk.config_file.read_text().splitlines(), 1) if word in x)
    places = [f"{desk.config_file}:{row}:{text.index(part + word) + len(part) + 1}" for part in ("", "rule: ") if part + word in text]
    checked = policy(desk, "check", desk.config_file, code=2)
    assert places[-1] in checked.stderr and sentence in checked.stderr and "right" not in checked.stdout
    desk.process.send_signal(signal.SIGHUP)
    refused(desk, places[-1])
    assert sentence in desk.admin.ok("GET", "/api/v1/status")["config_refused"] and in_force(desk) == before
    other = desk.home / "other.yaml"
    other.write_text(f"data_dir: {desk.home}/other\nlisten: 127.0.0.1:0\nguard: {{patterns: {{mode: count, {says}}}}}\n")
    fresh = desk.cli("server", "--config", other, "--data-dir", desk.home / "other", code=2)
    assert f"{other}:3:" in fresh.stderr and sentence in fresh.stderr
    reload(desk)


def test_a_rule_that_does_not_compile_is_found_before_the_reload(desk, tmp_path):
    f, own = tmp_path / "new.yaml", tmp_path / "own.yaml"
    f.write_text("guard: {proxies: [unix:33], endpoints: [{path: /a, permission: 'mev:view'}], patterns: {further_dir: %s}}\n" % tmp_path)
    own.write_text(RULE.replace("pattern: 'WORD'", "pattern: '(word'").replace("WORD", "word"))
    f.rename(tmp_path / "new.yml")  # which is no file of rules
    assert f"{own}:3:" in policy(desk, "check", tmp_path / "new.yml", code=2).stderr
    own.write_text(RULE.replace("misses: [allowed]", "misses: [a word]").replace("WORD", "word"))
    assert "own-word" in policy(desk, "check", tmp_path / "new.yml", code=2).stderr
    own.write_text(RULE.replace("WORD", "word"))
    assert "configuration: right" in policy(desk, "check", tmp_path / "new.yml").stdout


def refused(s, where):
    """A file that is wrong there was not taken over, and everybody is told why."""
    said = until("a refusal", lambda: s.admin.call("GET", "/api/v1/status").json.get("config_refused"), 60)
    assert where in said, said
    until("a record", lambda: where in newest(s, "CONFIGURATION_REFUSED"), 60)
    assert where in s.log(200)


def refusals(s):
    return len(s.admin.ok("GET", "/api/v1/audit/records?type=CONFIGURATION_REFUSED&limit=50")["records"])


def test_a_wrong_file_leaves_the_policy_as_it_is(desk):
    reload(desk)
    before, front, count = in_force(desk), desk.child("front"), refusals(desk)
    desk.config["guard"] = guard(more=", {path: /whoami, permission: public}")
    desk.write_config()
    desk.process.send_signal(signal.SIGHUP)
    line = next(i for i, text in enumerate(desk.config_file.read_text().splitlines(), 1) if "/whoami" in text)
    refused(desk, f"{desk.config_file}:{line}:")
    assert in_force(desk) == before and desk.child("front") == front
    desk.kill("front")  # a front that comes later says it as well, and records it no second time
    desk.serving()
    refused(desk, f"{desk.config_file}:{line}:")
    assert refusals(desk) == count + 1 and in_force(desk) == before
    reload(desk)
    assert "config_refused" not in desk.admin.ok("GET", "/api/v1/status")


def test_what_no_front_can_start_with_is_taken_back(desk):
    reload(desk)
    before = in_force(desk)
    desk.config["guard"] = guard(more=", {path: /broken, permission: 'mev:view'}")
    desk.write_config()
    desk.broken.touch()
    desk.process.send_signal(signal.SIGHUP)
    until("the front to fail", lambda: "the front does not start with it" in desk.log(200), 60)
    desk.broken.unlink()
    desk.serving()
    refused(desk, "the front does not start with it")
    assert in_force(desk) == before
    reload(desk)


# --- the command line: check, diff


CONFIG_MAP = """apiVersion: v1
kind: ConfigMap
metadata: {name: holdfast}
data:
  holdfast.yaml: |
    guard:
      proxies: [unix:33]
      networks: {others: allow}
      endpoints:
        - {path: /, permission: public, methods: [GET]}
        - {path: /api/v1/execute, methods: [GET, POST], permission: mev:execute, rate: {requests: 10}}
        - {path: /a;b, permission: mev:view}
"""


def policy(s, *words, code=0):
    return s.cli("policy", *words, code=code)


def test_a_file_is_checked_with_the_places_in_it(desk, tmp_path):
    f = tmp_path / "map.yaml"
    f.write_text(CONFIG_MAP)
    said = policy(desk, "check", f).stdout.splitlines()
    for place, words in (("8:26", "no limit is by address"), ("10:11", "note: / is public"), ("10:11", "asks for less than /api/v1/execute"),
                         ("12:11", "no request reaches it")):
        assert any(line.startswith(f"{f}:{place}:") and words in line for line in said), (place, said)
    assert "warnings 3" in said[-1], said
    policy(desk, "check", "--strict", f, code=2)
    for right, wrong in (("mev:view", "mev:vieww"), ("10}", "ten}"), ("[unix:33]", "[unix:me]")):
        f.write_text(CONFIG_MAP.replace(right, wrong))
        line, text = next((i, x) for i, x in enumerate(f.read_text().splitlines(), 1) if wrong in x)
        column = text.index(wrong) + 1 + (wrong[0] == "[")
        assert f"{f}:{line}:{column}\n" in policy(desk, "check", f, code=2).stderr
    f.write_text("guard:\n  proxies: []\n  endpoints: [{path: /a, permission: 'mev:view'}]\n")
    assert "no request reaches any endpoint" in policy(desk, "check", f).stdout
    assert "warnings 0, notes 0" in policy(desk, "check", "--strict", holdfast.SOURCE / "docs/examples/guard.yaml").stdout
    told = json.loads(policy(desk, "check", "-o", "json", holdfast.SOURCE / "spec/policies/binance-trading.json").stdout)
    assert told["kind"] == "signing policy"
    policy(desk, "check", tmp_path / "missing", code=5)


STRANGE = [{"proxies": ["unix", 1, None]}, {"endpoints": [{"path": 1, "methods": [2], "permission": {}, "rate": []}, 3]},
           {"endpoints": [{"path": "/whoami", "methods": ["GET", None]}, {"path": "/whoami", "methods": {"a": 1}}]},
           {"rates": [{"name": []}, []], "feeds": "x", "networks": {"allow": [[]]}}, {"rates": [7], "countries": {"allow": ["AT", 1]}}, [], 5]


@pytest.mark.parametrize("number", range(len(STRANGE)))
def test_no_answer_of_a_server_ends_the_comparison_by_a_signal(desk, tmp_path, number):
    body = json.dumps({"hash": "00" * 32, "guard": STRANGE[number]}).encode()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "sock"))
        listener.listen()

        def answer():
            connection, _ = listener.accept()
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
                               b"Content-Length: %d\r\n\r\n" % len(body) + body)
            connection.close()

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        f = tmp_path / "new.yaml"
        f.write_text("guard:\n  proxies: [unix]\n  networks: {others: allow, allow: [192.0.2.1]}\n"
                     "  rates: [{name: a, by: address, requests: 9}]\n  endpoints: [{path: /whoami, methods: [POST], permission: public}]\n")
        r = desk.cli("policy", "diff", f, "--address", f"unix:{tmp_path / 'sock'}", code=None)
        assert r.returncode in (1, 2), r
        thread.join(10)


IDLE = """guard:
  proxies: [unix:33]
  trusted: ["0.0.0.0/0"]
  automatic:
    mode: block
    attacks: {count: 5}
    prefix4: 32
    prefix6: 64
  rates:
    - {name: few, by: identity, requests: 100, burst: 10}
    - {name: many, by: identity, requests: 200, burst: 10}
    - {name: quick, by: identity, requests: 200, burst: 9}
    - {name: address, by: address, requests: 1000}
  endpoints:
    - {path: /api, permission: 'mev:view', rate: {requests: 500, burst: 20}}
    - {path: /api/v1, permission: 'mev:view', rate: {requests: 500, burst: 2}}
  patterns:
    mode: count
    exclusions:
      - {endpoint: /api/v1/notes, parameter: a}
      - {endpoint: /apis, parameter: a}
"""


def warnings(s, f, text):
    f.write_text(text)
    lines = policy(s, "check", f).stdout.splitlines()
    return [line.removeprefix(f"{f}:") for line in lines if ": warning: " in line]


def test_what_does_nothing_is_told_with_its_place(desk, tmp_path):
    """Whoever wrote it believes himself safer than he is."""
    f = tmp_path / "idle.yaml"
    said = warnings(desk, f, IDLE)
    want = [("3:13", "everybody is trusted"), ("5:11", "nobody whom the guard lets in is ever blocked"), ("6:14", "only ambiguous paths count"),
            ("5:5", "no network is ever blocked as a whole"), ("21:9", "no endpoint covers it"), ("11:7", "never reached: few"),
            ("15:50", "never reached: few")]
    assert len(said) == len(want) and all(a.startswith(f"{place}: ") and words in a for a, (place, words) in zip(said, want)), said
    off = warnings(desk, f, IDLE.replace("mode: block", "mode: 'off'").replace("mode: count", "mode: 'off'"))
    assert any(w.startswith("5:5: ") and "it is off" in w for w in off) and any(w.startswith("18:5: ") and "nothing is searched" in w for w in off), off
    assert not any("exclude" in w or "ambiguous paths" in w for w in off), off
    # Where each of them does something nothing is said.
    mended = IDLE.replace('["0.0.0.0/0"]', "[10.0.0.0/8]\n  networks: {others: allow}").replace("prefix4: 32", "prefix4: 24").replace("mode: count", "mode: block")
    mended = mended.replace("requests: 200, burst: 10", "requests: 200, burst: 5").replace("requests: 500, burst: 20", "requests: 50, burst: 20")
    mended = mended.replace("/apis", "/api").replace("requests: 200, burst: 9", "requests: 300, burst: 3")
    assert warnings(desk, f, mended) == []
    assert "every request is refused" in warnings(desk, f, "guard: {proxies: [unix:33]}")[0]


def test_a_file_is_compared_with_what_is_in_force(desk, tmp_path):
    reload(desk)
    desk.cli_login()
    same = policy(desk, "diff", desk.config_file)
    assert same.stdout == "" and "Nothing differs" in same.stderr
    desk.config["guard"] = guard(more=", {path: /api, permission: 'mev:view', rate: {requests: 5}}", rates="[{name: a, by: address, requests: 9}]")
    desk.write_config()
    said = policy(desk, "diff", desk.config_file, code=1).stdout.splitlines()
    assert said == ["* /api: added, for mev:view, rate 5 in 60 s (before: refused)", "limit a: added, by address, 9 in 60 s"]
    new = tmp_path / "new.yaml"
    new.write_text(desk.config_file.read_text().replace("permission: 'mev:view'", "permission: public").replace("requests: 5", "requests: 2")
                   .replace("[unix, 127.0.0.1]", "[unix]").replace("path: /whoami", "path: /who"))
    said = policy(desk, "diff", desk.config_file, new, code=1).stdout.splitlines()
    assert said == ["guard.proxies: 127.0.0.1 may ask for verdicts no longer", "* /who: added, for authenticated, rate none (before: refused)",
                    "* /api: permission lowered from mev:view to public", "* /api: rate lowered from 5 in 60 s to 2 in 60 s",
                    "* /whoami: removed, was for authenticated (now: refused)"]
    told = json.loads(policy(desk, "diff", "-o", "json", desk.config_file, new, code=1).stdout)
    assert told == {"different": True, "changes": said}
    new.write_text("guard: [")
    assert f"{new}:2:1" in policy(desk, "diff", new, code=2).stderr
    reload(desk)
