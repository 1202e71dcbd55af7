"""Users, passwords and browsers' sessions against a real server: what needs TLS, files or the command line."""
import crypt
import hashlib
import json
import threading

import pytest

import server as holdfast
from server import Failed

COOKIE = "__Host-holdfast"
OWN = {"Sec-Fetch-Site": "same-origin", "User-Agent": "Mozilla/5.0 (a browser)"}


@pytest.fixture(scope="module")
def person(desk):
    desk.admin.ok("POST", "/api/v1/users", {"name": "bea", "password": holdfast.PASSWORD, "roles": ["viewer"]})
    return "bea"


def cookie_login(desk, name, headers=None, **more):
    return desk.api().call("POST", "/api/v1/login", {"name": name, "password": holdfast.PASSWORD, "cookie": True, **more},
                           headers=OWN if headers is None else headers)


def with_cookie(value, **more):
    return {**OWN, "Cookie": f"{COOKIE}={value}", **more}


@pytest.fixture
def cookie(desk, person):
    answer = cookie_login(desk, person)
    assert answer.status == 200, answer
    assert "token" not in answer.json
    parts = [p.strip() for p in answer.headers["set-cookie"].split(";")]
    assert {"Path=/", "Secure", "HttpOnly", "SameSite=Strict"} <= set(parts) and not any(p.startswith("Domain") for p in parts)
    name, _, value = parts[0].partition("=")
    assert name == COOKIE
    return value


def test_a_cookie_signs_in(desk, cookie):
    api = desk.api()
    me = api.ok("GET", "/api/v1/session", headers=with_cookie(cookie))
    assert me["name"] == "bea" and me["way"] == "session"
    listed = api.ok("GET", "/api/v1/sessions", headers=with_cookie(cookie))["sessions"]
    assert [s["cookie"] for s in listed if s["current"]] == [True]
    out = api.call("POST", "/api/v1/logout", headers=with_cookie(cookie))
    assert out.status == 204 and "Max-Age=0" in out.headers["set-cookie"]
    api.refused("unauthenticated", "GET", "/api/v1/session", headers=with_cookie(cookie))


@pytest.mark.parametrize("headers, code", [
    ({"Sec-Fetch-Site": "cross-site"}, "cross-site"),
    ({"Sec-Fetch-Site": "same-site"}, "cross-site"),  # a subdomain is another site to us
    ({"Sec-Fetch-Site": "none"}, "cross-site"),
    ({"Sec-Fetch-Site": "cross-site", "X-Holdfast-Request": "1"}, "cross-site"),
    ({"Sec-Fetch-Site": None, "Origin": "https://evil.example"}, "cross-site"),
    ({"Sec-Fetch-Site": None, "Origin": "null"}, "cross-site"),
    ({"Sec-Fetch-Site": None, "Origin": "http://127.0.0.1:{port}"}, "cross-site"),
    ({"Sec-Fetch-Site": None}, "cross-site"),
    ({"Sec-Fetch-Site": "same-origin"}, ""),
    ({"Sec-Fetch-Site": None, "Origin": "https://127.0.0.1:{port}"}, ""),
    ({"Sec-Fetch-Site": None, "X-Holdfast-Request": "1"}, ""),
])
def test_other_sites_change_nothing(desk, cookie, headers, code):
    headers = {k: v and v.format(port=desk.port) for k, v in headers.items()}
    body = {"email": "changed@desk.example"}
    answer = desk.api().call("PATCH", "/api/v1/me", body, headers=with_cookie(cookie, **headers))
    assert answer.code == code, answer
    sign_in = cookie_login(desk, "bea", headers={**OWN, **headers})  # nor is a browser signed in as somebody else
    assert sign_in.code == code, sign_in


def test_a_cookie_is_of_little_use_elsewhere(desk, cookie):
    api = desk.api()
    api.refused("unauthenticated", "GET", "/api/v1/session", headers={"Authorization": f"Bearer {cookie}"})
    api.refused("unauthenticated", "GET", "/api/v1/session", headers=with_cookie(cookie, **{"User-Agent": "curl/8"}))
    desk.api(unix=True).refused("unauthenticated", "GET", "/api/v1/session", headers=with_cookie(cookie))
    token = desk.login("bea")
    api.refused("unauthenticated", "GET", "/api/v1/session", headers=with_cookie(token))  # nor the other way round
    api.ok("GET", "/api/v1/session", headers=with_cookie(cookie))


@pytest.mark.parametrize("value", ["{c}; __Host-holdfast={c}", "x; __Host-holdfast={c}", "{c}; __Host-holdfast=x", ""])
def test_injected_cookies_are_refused(desk, cookie, value):
    headers = {**OWN, "Cookie": f"{COOKIE}={value.format(c=cookie)}"}
    desk.api().refused("bad-request", "GET", "/api/v1/session", headers=headers)


def test_a_cookie_beside_another_credential_is_ambiguous(desk, cookie):
    headers = with_cookie(cookie, Authorization=f"Bearer {desk.login('bea')}")
    desk.api().refused("bad-request", "GET", "/api/v1/session", headers=headers)
    desk.api().ok("GET", "/api/v1/session", headers={**OWN, "Cookie": f"theme=dark; {COOKIE}={cookie}; lang=de"})


def test_a_session_is_never_the_clients_choice(desk, cookie):
    """Fixation: whatever a browser was made to bring along, signing in gives a new session."""
    planted = "hfs_" + "A" * 43
    for value in (planted, cookie):
        answer = desk.api().call("POST", "/api/v1/login", {"name": "bea", "password": holdfast.PASSWORD, "cookie": True},
                                 headers={**OWN, "Cookie": f"{COOKIE}={value}"})
        assert answer.status == 200 and value not in answer.headers["set-cookie"]
    desk.api().refused("unauthenticated", "GET", "/api/v1/session", headers=with_cookie(planted))


def test_a_cookie_needs_tls(desk, person):
    answer = desk.api(unix=True).call("POST", "/api/v1/login",
                                      {"name": "bea", "password": holdfast.PASSWORD, "cookie": True}, headers=OWN)
    assert answer.code == "bad-value", answer


# --- the command line


def test_invite_and_enrol(desk, tmp_path):
    invited = desk.cli_json("user", "invite", "ines", "--role", "viewer", "--email", "ines@desk.example")
    token, password = desk.file("invite", invited["invite"]), desk.file("new", "Zz9!other-Words")
    profile = tmp_path / "profile"
    profile.mkdir(mode=0o700)
    address = f"https://127.0.0.1:{desk.port}"
    desk.cli("enrol", "ines", "--enrolment-file", token, "--password-file", password, "--address", address, "--yes",
             profile=profile)
    assert desk.cli_json("profile", "--address", address, profile=profile)["email"] == "ines@desk.example"
    desk.cli("enrol", "ines", "--enrolment-file", token, "--password-file", password, "--address", address, "--yes",
             profile=profile, code=4)
    assert [u["name"] for u in desk.cli_json("user", "search", "INES@")["users"]] == ["ines"]
    assert invited["link"] == f"{address}/login#name=ines&token={invited['invite']}"
    # By which name people reach the server is not known there.
    assert "link" not in desk.cli_json("user", "invite", "ines", "--address", f"unix:{desk.unix_socket}")
    assert len(desk.cli_json("session", "list", "--user", "ines")["sessions"]) == 1
    desk.cli("session", "revoke", "--user", "ines")
    desk.cli("profile", "--address", address, profile=profile, code=3)
    desk.cli("user", "delete", "ines", "--yes")
    desk.cli("user", "show", "ines", code=5)


def test_import(desk):
    hashed = crypt.crypt(holdfast.PASSWORD, "$2b$05$" + "abcdefghijklmnopqrstuu")
    assert hashed.startswith("$2b$")
    people = desk.file("people.csv", f"name,roles,password_hash\r\nimke,viewer;read_only,{hashed}\r\nbad name,,{hashed}\r\n")
    out = desk.cli_json("user", "import", people, code=1)
    assert out == {"added": 1, "refused": 1}
    assert set(desk.admin.ok("GET", "/api/v1/users/imke")["roles"]) == {"viewer", "read_only"}
    desk.login("imke")
    desk.login("imke")
    more = desk.file("people.json", json.dumps([{"name": "ilse", "password_hash": hashed}]))
    assert desk.cli_json("user", "import", more)["added"] == 1


# --- many at once


def test_a_flood_of_log_ins_is_told_to_wait(desk, person):
    """Two are hashed at a time and 32 wait; whoever comes beyond is told at once, and memory stays as it was."""
    answers, lock = [], threading.Lock()

    def one():
        answer = desk.api(timeout=60).call("POST", "/api/v1/login", {"name": "nobody", "password": "x" * 20})
        with lock:
            answers.append(answer)

    threads = [threading.Thread(target=one) for _ in range(150)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    refused = [a for a in answers if a.status == 503]
    assert refused and {a.status for a in answers} <= {401, 503}, {a.status for a in answers}
    assert all(int(a.headers["retry-after"]) > 0 and a.code == "busy" for a in refused)
    desk.login(person)


# --- breached passwords


def test_the_list_of_breached_passwords(new_server):
    known = "Known-2-everybody!"
    server = new_server()
    path = server.file("breached.txt", hashlib.sha1(known.encode()).hexdigest().upper() + ":3\n")
    server.config["passwords"] = {"breached_file": path}
    server.write_config()
    server.start()
    server.init()
    server.serving()
    server.enrol()
    server.admin = server.api(server.login())
    answer = server.admin.call("POST", "/api/v1/users", {"name": "bob", "password": known})
    assert answer.code == "weak-password", answer
    server.admin.ok("POST", "/api/v1/users", {"name": "bob", "password": known + "x9Q"})
    server.stop()
    for text in ("not a list\n", None):
        if text is None:
            (server.home / "breached.txt").unlink()
        else:
            server.file("breached.txt", text * 10)
        with pytest.raises(Failed, match="breached"):
            server.start()
        server.process = None
