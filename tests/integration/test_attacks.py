"""Attacks on how people and programs sign in that need a real server, and are not with the feature that they attack."""
import json

import pytest

import server as holdfast
from server import PASSWORD, Clock

COOKIE = "__Host-holdfast"
BROWSER = {"User-Agent": "Mozilla/5.0 (a browser)"}
OWN = {**BROWSER, "Sec-Fetch-Site": "same-origin"}


@pytest.fixture(scope="module")
def cookie(desk):
    desk.admin.ok("POST", "/api/v1/users", {"name": "vic", "password": PASSWORD, "roles": ["viewer"]})
    a = desk.api().call("POST", "/api/v1/login", {"name": "vic", "password": PASSWORD, "cookie": True}, headers=OWN)
    assert a.status == 200, a
    return a.headers["set-cookie"].split(";")[0].partition("=")[2]


def shown(value, name=COOKIE, **more):
    return {**OWN, "Cookie": f"{name}={value}", **more}


# --- other sites


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
                                          "text/plain; charset=application/json", "application/json+x", "", "application/csp-report",
                                          "text/json", "application/jsonp"])
@pytest.mark.parametrize("headers", [OWN, BROWSER, {**BROWSER, "Origin": "https://evil.example"},
                                     {**BROWSER, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}])
def test_what_a_form_can_send_changes_nothing(desk, cookie, content_type, headers):
    """These types need no preflight, so another site's page can send them; the cookie goes along, SameSite or not."""
    raw = json.dumps({"email": "evil@evil.example"}).encode()
    h = {**headers, "Cookie": f"{COOKIE}={cookie}", "Content-Type": content_type}
    a = desk.api().call("PATCH", "/api/v1/me", raw=raw, headers=h)
    assert a.code in ("unsupported-media-type", "cross-site"), a
    a = desk.api().call("POST", "/api/v1/sessions/revoke", raw=b'{"others":true}', headers=h)
    assert a.code in ("unsupported-media-type", "cross-site"), a
    a = desk.api().call("POST", "/api/v1/login", raw=json.dumps({"name": "vic", "password": PASSWORD, "cookie": True}).encode(),
                        headers={**headers, "Content-Type": content_type})
    assert a.code in ("unsupported-media-type", "cross-site") and "set-cookie" not in a.headers, a
    me = desk.api().ok("GET", "/api/v1/me", headers=shown(cookie))
    assert me.get("email", "") == "", me


def test_nobody_answers_a_preflight(desk, cookie):
    h = {"Origin": "https://evil.example", "Access-Control-Request-Method": "PATCH",
         "Access-Control-Request-Headers": "content-type, x-holdfast-request"}
    for path in ("/api/v1/me", "/api/v1/login", "/api/v1/keys", "*"):
        a = desk.api().call("OPTIONS", path, headers=h)
        assert not [k for k in a.headers if k.startswith("access-control-")], a.headers
    a = desk.api().call("GET", "/api/v1/session", headers=shown(cookie, Origin="https://evil.example"))
    assert not [k for k in a.headers if k.startswith("access-control-")], a.headers  # so it can't be read there


def test_a_get_changes_nothing(desk, cookie):
    """A link or an image of another site sends GET with the cookie."""
    document = desk.api().ok("GET", "/api/v1/openapi.json")
    for path, item in document["paths"].items():
        for method in item:
            if method in ("post", "put", "patch", "delete") and "get" not in item:
                a = desk.api().call("GET", path.replace("{", "").replace("}", ""), headers=shown(cookie))
                assert a.code in ("method-not-allowed", "no-route"), (path, a)


# --- cookies


@pytest.mark.parametrize("name", ["holdfast", "__host-holdfast", "__HOST-holdfast", "__Secure-holdfast", "__Host-Holdfast",
                                  "session", "__Host-holdfast2", "x__Host-holdfast"])
def test_a_cookie_by_another_name_is_none(desk, cookie, name):
    a = desk.api().call("GET", "/api/v1/session", headers=shown(cookie, name))
    assert a.status in (400, 401), a


@pytest.mark.parametrize("value", ["{c}x", "{c} ", "\"{c}\"", "{c}%00", "{c},{c}", "hfs_", "../{c}", "A" * 4000, "{c}" + "A" * 4000])
def test_a_cookie_that_is_not_quite_the_one(desk, cookie, value):
    a = desk.api().call("GET", "/api/v1/session", headers=shown(value.format(c=cookie)))
    assert a.status in (400, 401) or value == "{c} ", a  # a space behind it is not of it (RFC 6265 §5.2)


def test_cookies_beyond_measure(desk, cookie):
    many = "; ".join(f"c{i}=x" for i in range(300))
    a = desk.api().call("GET", "/api/v1/session", headers={**OWN, "Cookie": f"{many}; {COOKIE}={cookie}"})
    assert a.status in (200, 400), a
    a = desk.api().call("GET", "/api/v1/session", headers={**OWN, "Cookie": f"x={'A' * 20000}; {COOKIE}={cookie}"})
    assert a.status == 431, a
    assert desk.api().ok("GET", "/api/v1/session", headers=shown(cookie))["name"] == "vic"


def test_two_cookie_headers_are_ambiguous(desk, cookie):
    import http.client
    c = http.client.HTTPSConnection("127.0.0.1", desk.port, context=desk.tls(), timeout=10)
    c.putrequest("GET", "/api/v1/session")
    for k, v in (*OWN.items(), ("Cookie", f"{COOKIE}={cookie}"), ("Cookie", f"{COOKIE}=hfs_{'A' * 43}")):
        c.putheader(k, v)
    c.endheaders()
    assert c.getresponse().status == 400
    c.close()


# --- who is there


def test_an_invitation_tells_nobody_who_is_there(desk):
    """No such name, a name without an invitation, one with another, a disabled one: one answer."""
    desk.admin.ok("POST", "/api/v1/users", {"name": "guest", "invite": True, "roles": ["viewer"]})
    desk.admin.ok("POST", "/api/v1/users", {"name": "gone", "invite": True, "roles": ["viewer"]})
    desk.admin.ok("PATCH", "/api/v1/users/gone", {"state": "disabled"})
    answers = []
    for name in ("nobody-of-this-name", "vic", "guest", "gone", "admin"):
        a = desk.api().call("POST", "/api/v1/invitation", {"name": name, "token": "hfi_" + "A" * 43, "password": PASSWORD + "7"})
        answers.append((a.status, {**a.json, "requestId": ""}))
    assert all(a == answers[0] for a in answers), answers


def test_no_answer_tells_who_is_there(desk, cookie):
    """Of users, keys and objects, somebody without rights learns the same whether they are there or not."""
    key = desk.admin.ok("POST", "/api/v1/keys", {"name": "n", "environment": "development", "roles": ["viewer"], "usage": "read_only"})
    for there, not_there, method, body in (
            ("/api/v1/users/admin", "/api/v1/users/nobody", "GET", None),
            ("/api/v1/users/admin", "/api/v1/users/nobody", "DELETE", None),
            (f"/api/v1/keys/{key['id']}", "/api/v1/keys/0123456789abcdef", "GET", None),
            (f"/api/v1/keys/{key['id']}/rotate", "/api/v1/keys/0123456789abcdef/rotate", "POST", {}),
            ("/api/v1/sessions?user=admin", "/api/v1/sessions?user=nobody", "GET", None),
            ("/api/v1/tokens?user=admin", "/api/v1/tokens?user=nobody", "GET", None),
            ("/api/v1/explain?identity=user:admin&permission=mev:view", "/api/v1/explain?identity=user:nobody&permission=mev:view",
             "GET", None)):
        a, b = (desk.api().call(method, path, body, headers=shown(cookie)) for path in (there, not_there))
        assert (a.status, {**a.json, "requestId": ""}) == (b.status, {**b.json, "requestId": ""}), (a, b)


# --- tokens before and after their time


def test_a_token_before_its_time(new_server):
    """The keeper's clock is ahead when it signs: the front's never goes back by itself."""
    clock = Clock()
    s = new_server(clock=clock)
    s.start()
    s.init()
    s.serving()
    s.enrol()
    session = s.api(s.login())
    clock.shift("keeper", 300_000)
    token = session.ok("POST", "/api/v1/tokens", {"client": "early", "seconds": 600})["access_token"]
    api = s.api(token)
    api.refused("token-invalid", "GET", "/api/v1/session")
    clock.shift("front", 301_000)
    assert api.call("GET", "/api/v1/session").status == 200
    clock.shift("front", 1_000_000)
    api.refused("token-expired", "GET", "/api/v1/session")
