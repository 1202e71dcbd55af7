"""How one says who one is, beside sessions, keys and tokens: HTTP Basic, client certificates, groups of the host; and what
happens when more than one thing is said at once."""
import base64
import subprocess
import threading

import pytest

import server as holdfast
import test_mfa
from server import PASSWORD


def basic(name, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def me(desk, headers, **more):
    return desk.api(**more).call("GET", "/api/v1/session", headers=headers)


@pytest.fixture
def person(desk):
    """A new viewer: his name."""
    person.count = getattr(person, "count", 0) + 1
    name = f"way-{person.count}"
    desk.admin.ok("POST", "/api/v1/users", {"name": name, "password": PASSWORD, "roles": ["viewer"]})
    return name


@pytest.fixture(scope="module")
def key(desk):
    return desk.admin.ok("POST", "/api/v1/keys", {"name": "bot", "environment": "development", "usage": "full_access",
                                                  "roles": ["admin"]})


def records(desk, kind, resource):
    found = desk.admin.ok("GET", f"/api/v1/audit/records?type={kind}&limit=100")["records"]
    return [r for r in found if r["what"].get("resource") == resource]


# --- HTTP Basic


def test_basic_is_a_users_password_each_time(desk, person):
    api = desk.api()
    for _ in range(2):
        who = api.ok("GET", "/api/v1/session", headers=basic(person, PASSWORD))
        assert (who["way"], who["name"], who["actor"]) == ("basic", person, f"user:{person}"), who
    assert [r["what"]["detail"] for r in records(desk, "AUTHENTICATION_SUCCESS", f"user:{person}")] == ["basic"] * 2
    a = me(desk, basic(person, PASSWORD))
    assert "set-cookie" not in a.headers
    api.refused("forbidden", "GET", "/api/v1/me", headers=basic(person, PASSWORD))  # a session's alone
    api.refused("forbidden", "GET", "/api/v1/users", headers=basic(person, PASSWORD))  # his roles hold


def test_a_stock_client_signs_in(desk, person):
    for user in (f"{person}:{PASSWORD}",):
        r = subprocess.run(["curl", "-sS", "--cacert", desk.data / "tls" / "server.crt", "-u", user,
                            f"https://127.0.0.1:{desk.port}/api/v1/session"], capture_output=True, text=True, timeout=20)
        assert r.returncode == 0 and f'"name":"{person}"' in r.stdout, r


def test_basic_needs_tls(desk, person, key):
    for h in (basic(person, PASSWORD), basic(person, "wrong"), basic("key", key["key"])):
        desk.api(unix=True).refused("way-refused", "GET", "/api/v1/session", headers=h)


def test_basic_tells_nobody_who_is_there_and_locks_like_a_log_in(desk, person):
    api, answers = desk.api(), []
    for name in ("nobody-by-this-name", person, "Not A Name"):
        a = api.refused("bad-credentials", "GET", "/api/v1/session", headers=basic(name, "wrong-Passw0rd!"))
        assert a.headers["www-authenticate"].startswith("Bearer"), a.headers  # no browser's window pops up
        answers.append({**a.json, "requestId": ""})
    assert answers[0] == answers[1] == answers[2]
    for _ in range(4):
        api.refused("bad-credentials", "GET", "/api/v1/session", headers=basic(person, "wrong-Passw0rd!"))
    api.refused("bad-credentials", "GET", "/api/v1/session", headers=basic(person, PASSWORD))
    assert desk.api().call("POST", "/api/v1/login", {"name": person, "password": PASSWORD}).code == "bad-credentials"
    assert records(desk, "AUTHENTICATION_BLOCKED", f"user:{person}")


def test_a_right_password_begins_the_count_anew(desk, person):
    api = desk.api()
    for _ in range(3):
        for _ in range(4):
            api.refused("bad-credentials", "GET", "/api/v1/session", headers=basic(person, "wrong-Passw0rd!"))
        assert me(desk, basic(person, PASSWORD)).status == 200


def test_who_has_a_second_factor_cant_leave_it_out(desk, person):
    test_mfa.set_up(desk.api(desk.login(person)))
    desk.api().refused("way-refused", "GET", "/api/v1/session", headers=basic(person, PASSWORD))
    desk.api().refused("bad-credentials", "GET", "/api/v1/session", headers=basic(person, "wrong-Passw0rd!"))
    assert [r["who"]["actor"] for r in records(desk, "AUTHENTICATION_BLOCKED", f"user:{person}")] == [f"user:{person}"]


def test_what_changes_about_a_user_counts_for_his_next_request(desk, person):
    api = desk.api()
    h = basic(person, PASSWORD)
    api.refused("forbidden", "GET", "/api/v1/users", headers=h)
    desk.admin.ok("PATCH", f"/api/v1/users/{person}", {"roles": ["system_admin"]})
    assert api.call("GET", "/api/v1/users", headers=h).status == 200
    desk.admin.ok("PATCH", f"/api/v1/users/{person}", {"password": PASSWORD + "2"})
    api.refused("bad-credentials", "GET", "/api/v1/users", headers=h)
    h = basic(person, PASSWORD + "2")
    assert api.call("GET", "/api/v1/users", headers=h).status == 200
    desk.admin.ok("PATCH", f"/api/v1/users/{person}", {"state": "disabled"})
    api.refused("bad-credentials", "GET", "/api/v1/users", headers=h)


def test_a_key_stands_in_the_passwords_place(desk, key):
    for name in ("key", key["id"]):
        who = me(desk, basic(name, key["key"])).json
        assert (who["way"], who["key_id"]) == ("api-key", key["id"]), who
    for name, shown, code in (("admin", key["key"], "bad-credentials"), ("0" * 16, key["key"], "bad-credentials"),
                              ("key", key["key"][:-1], "key-malformed"), ("", key["key"], "bad-credentials")):
        assert me(desk, basic(name, shown)).code == code, name


@pytest.mark.parametrize("value, code", [
    ("Basic", "unauthenticated"),
    ("Basic !!!!", "bad-credentials"),
    ("Basic " + base64.b64encode(b"no colon").decode(), "bad-credentials"),
    ("Basic " + base64.b64encode(b":").decode(), "bad-credentials"),
    ("Basic " + base64.b64encode(b"a:\xff\xfe").decode(), "bad-credentials"),
    ("Basic " + base64.b64encode(b"a:b\0c").decode(), "bad-credentials"),
    ("Basic " + base64.b64encode(b"a:" + b"x" * 2000).decode(), "bad-credentials"),
    ("basic " + base64.b64encode(b"a:b").decode(), "bad-credentials"),
    ("Basic  " + base64.b64encode(b"a:b").decode(), "bad-credentials"),
])
def test_what_is_no_name_and_password(desk, value, code):
    desk.api().refused(code, "GET", "/api/v1/session", headers={"Authorization": value})


@pytest.mark.parametrize("headers, code", [
    ({"Sec-Fetch-Site": "cross-site"}, "cross-site"),
    ({"Sec-Fetch-Site": "same-site"}, "cross-site"),
    ({"Origin": "https://evil.example"}, "cross-site"),
    ({"Origin": "null"}, "cross-site"),
    ({"Origin": "https://127.0.0.1:{port}"}, ""),
    ({"Sec-Fetch-Site": "same-origin"}, ""),
    ({}, ""),
])
def test_a_browser_that_remembers_a_password_is_no_tool_of_other_sites(desk, person, key, headers, code):
    headers = {k: v.format(port=desk.port) for k, v in headers.items()}
    for h in (basic(person, PASSWORD), basic("key", key["key"])):
        a = desk.api().call("POST", "/api/v1/sessions/revoke", {"others": True}, headers={**h, **headers})
        assert (a.code == "cross-site") == (code == "cross-site"), a


def test_strangers_bodies_stay_small(desk, person):
    body = {"path": "desk/large", "kind": "password", "environment": "development", "value": "v" * 20000}
    desk.api().refused("body-too-large", "POST", "/api/v1/secrets", body, headers=basic(person, PASSWORD))


def test_many_at_once_with_one_password(desk, person):
    answers = []

    def ask():
        answers.append(me(desk, basic(person, PASSWORD)).code)

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert answers == [""] * 12


# --- more than one at once


def test_one_credential_is_shown_or_none_is_taken(desk, person, key):
    password, bearer = basic(person, PASSWORD), {"Authorization": f"Bearer {desk.admin.token}"}
    cookie = {"Cookie": "__Host-holdfast=hfs_" + "0" * 43}
    for h in ({**password, "X-API-Key": key["key"]}, {**password, **cookie}, {**bearer, "X-API-Key": key["key"]},
              {**bearer, **cookie}, {"X-API-Key": key["key"], **cookie}):
        desk.api().refused("bad-request", "GET", "/api/v1/session", headers=h)
