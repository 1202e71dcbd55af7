"""Second factors over the real server, with oathtool for the authenticator app and zbarimg for its camera."""
import concurrent.futures
import contextlib
import os
import pty
import re
import select
import subprocess
import time
import urllib.parse

import pytest

import server as holdfast
from server import PASSWORD

STEP = 30


def app(secret, at=None):
    """What an authenticator app shows at that time (seconds since 1970)."""
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(time.time() if at is None else at))
    return subprocess.run(["oathtool", "--totp", "-b", "-N", when, secret], capture_output=True, text=True, check=True).stdout.strip()


def scanned(image):
    r = subprocess.run(["zbarimg", "--quiet", "--raw", image], capture_output=True, text=True, check=False)
    assert r.returncode == 0, r.stderr
    return r.stdout.strip()


def early():
    """Not at the end of a step, so that a code of this one and of the next are told apart for sure."""
    while time.time() % STEP > STEP - 8:
        time.sleep(0.5)
    return time.time()


@pytest.fixture
def person(desk):
    """A new user with the password alone: (name, his API)."""
    person.count = getattr(person, "count", 0) + 1
    name = f"person-{person.count}"
    desk.admin.ok("POST", "/api/v1/users", {"name": name, "password": PASSWORD, "roles": ["viewer"]})
    return name, desk.api(desk.login(name))


def set_up(api):
    """One-time passwords by the API: (secret, recovery codes); the code of the step before now is used up."""
    begun = api.ok("POST", "/api/v1/me/mfa/totp", {"password": PASSWORD})
    made = api.ok("POST", "/api/v1/me/mfa/totp/confirm", {"code": app(begun["secret"], early() - STEP)})
    return begun["secret"], made["recovery_codes"]


def ticket(desk, name):
    a = desk.api().ok("POST", "/api/v1/login", {"name": name, "password": PASSWORD})
    assert a["mfa_required"] and "token" not in a, a
    return a


def second(desk, t, **shown):
    return desk.api().call("POST", "/api/v1/login/second", {"ticket": t["ticket"], **shown})


def records(desk, kind, name):
    found = desk.admin.ok("GET", f"/api/v1/audit/records?type={kind}&limit=50")["records"]
    return [r["what"] for r in found if r["what"].get("resource") == f"user:{name}"]


def test_an_app_reads_the_code_and_signs_in(desk, person, tmp_path):
    name, api = person
    begun = api.ok("POST", "/api/v1/me/mfa/totp", {"password": PASSWORD})
    picture = tmp_path / "code.svg"
    svg = begun["svg"]
    assert "<script" not in svg and "href" not in svg
    picture.write_text(svg)
    png = tmp_path / "code.png"
    subprocess.run(["rsvg-convert", "--width", "600", "--output", png, picture], check=True, timeout=30)
    uri = scanned(png)
    assert uri == begun["uri"]
    parts = urllib.parse.urlsplit(uri)
    query = dict(urllib.parse.parse_qsl(parts.query))
    assert parts.scheme == "otpauth" and parts.netloc == "totp" and urllib.parse.unquote(parts.path) == f"/Holdfast:{name}"
    assert query["secret"] == begun["secret"] and query["issuer"] == "Holdfast"
    # Until the first code was shown, the password alone is enough.
    assert "token" in desk.api().ok("POST", "/api/v1/login", {"name": name, "password": PASSWORD})
    other = desk.api(desk.login(name))
    api.refused("wrong-code", "POST", "/api/v1/me/mfa/totp/confirm", {"code": "000000"})
    made = api.ok("POST", "/api/v1/me/mfa/totp/confirm", {"code": app(query["secret"], early() - STEP)})
    assert len(made["recovery_codes"]) == 10
    assert other.call("GET", "/api/v1/session").status == 401, "a session that showed the password alone went on"
    t = ticket(desk, name)
    assert t["methods"] == ["totp", "recovery_code"]
    a = second(desk, t, totp=app(query["secret"]))
    assert a.status == 200 and desk.api(a.json["token"]).ok("GET", "/api/v1/session")["name"] == name
    assert [w["detail"] for w in records(desk, "AUTHENTICATION_SUCCESS", name)][0] == "one-time password"
    assert records(desk, "SECOND_FACTOR_ASKED", name) and records(desk, "SECOND_FACTOR_ADDED", name)
    assert query["secret"] not in desk.log(2000)


def test_a_set_up_that_waits_for_its_code_is_not_guessed(desk, person):
    """Whoever has the session alone has no million tries for the six digits that would make it one with two factors."""
    name, api = person
    begun = api.ok("POST", "/api/v1/me/mfa/totp", {"password": PASSWORD})
    for n in range(5):
        api.refused("wrong-code", "POST", "/api/v1/me/mfa/totp/confirm", {"code": f"00000{n}"})
    right = {"code": app(begun["secret"], early() - STEP)}
    api.refused("bad-credentials", "POST", "/api/v1/me/mfa/totp/confirm", right)
    assert len(records(desk, "AUTHENTICATION_FAILED", name)) == 5 and records(desk, "AUTHENTICATION_BLOCKED", name)
    holdfast.until("the lock is recorded", lambda: records(desk, "ACCOUNT_LOCKED", name))
    desk.admin.ok("PATCH", f"/api/v1/users/{name}", {"state": "active"})
    assert len(api.ok("POST", "/api/v1/me/mfa/totp/confirm", right)["recovery_codes"]) == 10


def test_neither_a_code_nor_a_ticket_works_twice(desk, person):
    name, api = person
    secret, _ = set_up(api)
    code, t, late = app(secret, early()), ticket(desk, name), ticket(desk, name)
    assert second(desk, t, totp=code).status == 200
    again = second(desk, t, totp=app(secret, time.time() + STEP))
    assert again.code == "bad-credentials", "the ticket of a log-in that is over was taken"
    assert second(desk, late, totp=app(secret, time.time() + STEP)).code == "bad-credentials"
    replay = second(desk, ticket(desk, name), totp=code)
    assert replay.code == "bad-credentials", "a code was taken twice"
    assert second(desk, ticket(desk, name), totp=app(secret, time.time() - STEP)).code == "bad-credentials", "an older code"
    assert second(desk, ticket(desk, name), totp=app(secret, time.time() + STEP)).status == 200


def test_one_of_many_at_once_gets_in(desk, person):
    name, api = person
    secret, codes = set_up(api)
    for shown in ({"totp": app(secret, early())}, {"recovery_code": codes[0]}):
        t = ticket(desk, name)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            got = list(pool.map(lambda _, t=t, s=shown: second(desk, t, **s), range(4)))
        assert sorted(a.status for a in got) == [200, 401, 401, 401], got


def test_clocks_may_drift_by_one_step(desk, person):
    name, api = person
    secret, _ = set_up(api)
    now = early()
    for wrong in (now + 2 * STEP, now - 2 * STEP):
        assert second(desk, ticket(desk, name), totp=app(secret, wrong)).code == "bad-credentials"
    assert second(desk, ticket(desk, name), totp=app(secret, time.time() + STEP)).status == 200


def test_a_wrong_code_and_a_ticket_that_is_none_look_the_same(desk, person):
    name, api = person
    secret, _ = set_up(api)
    t = ticket(desk, name)["ticket"]
    wrong = second(desk, {"ticket": t}, totp="000000")
    changed = t[:60] + ("A" if t[60] != "A" else "B") + t[61:]
    for other in (changed, "hft_", "hft_AAAA", "nothing", t + "A", t[:-4], desk.admin.token):
        a = second(desk, {"ticket": other}, totp=app(secret))
        assert (a.status, a.code, a.headers["www-authenticate"]) == (wrong.status, wrong.code, wrong.headers["www-authenticate"]), other
        assert {k: v for k, v in a.json.items() if k != "requestId"} == {k: v for k, v in wrong.json.items() if k != "requestId"}


def test_wrong_codes_lock_like_wrong_passwords(desk, person):
    name, api = person
    secret, codes = set_up(api)
    t = ticket(desk, name)
    for guess in range(5):
        assert second(desk, t, totp=f"00000{guess}").code == "bad-credentials"
    assert second(desk, t, totp=app(secret)).code == "bad-credentials"
    assert second(desk, t, recovery_code=codes[0]).code == "bad-credentials"
    desk.api().refused("bad-credentials", "POST", "/api/v1/login", {"name": name, "password": PASSWORD})
    assert api.ok("GET", "/api/v1/session")["name"] == name, "who is signed in must not be thrown out by a stranger"
    assert records(desk, "ACCOUNT_LOCKED", name)


def test_the_right_password_alone_does_not_begin_the_count_anew(desk, person):
    name, api = person
    set_up(api)
    for guess in range(5):
        assert second(desk, ticket(desk, name), totp=f"00000{guess}").code == "bad-credentials"
    desk.api().refused("bad-credentials", "POST", "/api/v1/login", {"name": name, "password": PASSWORD})


def test_recovery_codes_stand_in_once_each(desk, person):
    name, api = person
    _, codes = set_up(api)
    shown = codes[3].upper().replace("-", "")
    a = second(desk, ticket(desk, name), recovery_code=shown)
    assert a.status == 200
    assert second(desk, ticket(desk, name), recovery_code=codes[3]).code == "bad-credentials"
    again = desk.api(a.json["token"])
    assert again.ok("GET", "/api/v1/me/mfa")["recovery_codes"] == 9
    new = again.ok("POST", "/api/v1/me/mfa/recovery")["recovery_codes"]
    assert len(new) == 10 and not set(new) & set(codes)
    assert second(desk, ticket(desk, name), recovery_code=codes[0]).code == "bad-credentials"


def test_a_browser_gets_its_cookie_in_the_second_step(desk, person):
    name, api = person
    _, codes = set_up(api)
    body = {"ticket": ticket(desk, name)["ticket"], "recovery_code": codes[0], "cookie": True}
    desk.api().refused("cross-site", "POST", "/api/v1/login/second", body, headers={"Sec-Fetch-Site": "cross-site"})
    a = desk.api().call("POST", "/api/v1/login/second", body, headers={"Sec-Fetch-Site": "same-origin"})
    assert a.status == 200 and "token" not in a.json and "HttpOnly" in a.headers["set-cookie"]


def test_a_ticket_ends_with_the_password(desk, person):
    name, api = person
    secret, _ = set_up(api)
    t = ticket(desk, name)
    desk.admin.ok("PATCH", f"/api/v1/users/{name}", {"password": "An0ther-one-of-them!"})
    assert second(desk, t, totp=app(secret)).code == "bad-credentials"


def test_a_new_password_waits_for_the_second_factor(desk, person):
    name, api = person
    secret, _ = set_up(api)
    fresh = "Fr3sh-and-long-enough!"
    a = desk.api().ok("POST", "/api/v1/login", {"name": name, "password": PASSWORD, "new_password": fresh})
    assert a["mfa_required"]
    t = ticket(desk, name)  # the old one is still good
    assert second(desk, t, totp="000000", new_password=fresh).code == "bad-credentials"
    ticket(desk, name)
    assert second(desk, t, totp=app(secret, early()), new_password=fresh).status == 200
    desk.api().refused("bad-credentials", "POST", "/api/v1/login", {"name": name, "password": PASSWORD})
    assert desk.api().ok("POST", "/api/v1/login", {"name": name, "password": fresh})["mfa_required"]


def test_a_stolen_session_can_neither_add_nor_remove_one(new_server):
    clock = holdfast.Clock()
    s = new_server(clock=clock)
    s.start(); s.init(); s.serving(); s.enrol()
    s.admin = s.api(s.login())
    s.admin.ok("POST", "/api/v1/users", {"name": "eve", "password": PASSWORD, "roles": ["viewer"]})
    api = s.api(s.login("eve"))
    api.refused("bad-credentials", "POST", "/api/v1/me/mfa/totp", {"password": "Not-the-r1ght-one"})
    secret, codes = set_up(api)
    clock.shift("front", 6 * 60 * 1000)
    now = time.time() + 360
    for method, path, body in (("DELETE", "/totp", None), ("POST", "/recovery", None), ("POST", "/totp", {"password": PASSWORD})):
        a = api.refused("step-up-required", method, "/api/v1/me/mfa" + path, body)
        challenge = a.headers["www-authenticate"]
        assert a.status == 401 and 'error="insufficient_user_authentication"' in challenge and 'max_age="300"' in challenge
    assert api.ok("GET", "/api/v1/session")["name"] == "eve", "a session that is too old for one thing is good for others"
    api.refused("bad-credentials", "POST", "/api/v1/me/step-up", {"totp": "000000"})
    code = app(secret, now)
    api.ok("POST", "/api/v1/me/step-up", {"totp": code})
    api.refused("bad-credentials", "POST", "/api/v1/me/step-up", {"totp": code})
    api.refused("exists", "POST", "/api/v1/me/mfa/totp", {"password": PASSWORD})
    api.ok("DELETE", "/api/v1/me/mfa/totp")
    assert "token" in s.api().ok("POST", "/api/v1/login", {"name": "eve", "password": PASSWORD})
    assert api.ok("GET", "/api/v1/me/mfa")["recovery_codes"] == 0
    api.refused("no-second-factor", "POST", "/api/v1/me/mfa/recovery")


def test_an_invitation_stands_in_for_the_password_alone(desk, person):
    name, api = person
    secret, _ = set_up(api)
    token = desk.admin.ok("PATCH", f"/api/v1/users/{name}", {"invite": True})["invite"]
    fresh = "Fr3sh-and-long-enough!"
    a = desk.api().ok("POST", "/api/v1/invitation", {"name": name, "token": token, "password": fresh})
    assert a["mfa_required"] and "token" not in a
    assert api.call("GET", "/api/v1/session").status == 401
    assert second(desk, a, totp=app(secret, early())).status == 200


def test_who_lost_his_phone_is_helped_by_who_may_more(desk, person):
    name, api = person
    set_up(api)
    api.refused("forbidden", "DELETE", f"/api/v1/users/{name}/mfa")
    desk.admin.ok("POST", "/api/v1/users", {"name": f"helper-{name}", "password": PASSWORD, "roles": ["security_admin"]})
    helper = desk.api(desk.login(f"helper-{name}"))
    helper.refused("forbidden", "DELETE", "/api/v1/users/admin/mfa")
    desk.admin.ok("DELETE", f"/api/v1/users/{name}/mfa")
    assert api.call("GET", "/api/v1/session").status == 401
    assert "token" in desk.api().ok("POST", "/api/v1/login", {"name": name, "password": PASSWORD})
    assert records(desk, "SECOND_FACTORS_RESET", name)


def test_both_survive_a_restart(new_server):
    s = new_server(config={"mfa": {"required_roles": "[none]"}})
    s.start(); s.init(); s.serving(); s.enrol()
    api = s.api(s.login())
    secret, codes = set_up(api)
    code = app(secret, early())
    assert second(s, ticket(s, "admin"), totp=code).status == 200
    t = ticket(s, "admin")
    s.stop(); s.start(); s.unseal(); s.serving()
    assert second(s, t, totp=code).code == "bad-credentials", "a code worked again after a restart"
    assert second(s, t, recovery_code=codes[0]).status == 200


def test_the_command_line_shows_a_code_that_a_phone_reads(desk, person, tmp_path):
    name, _ = person
    profile = tmp_path / "profile"
    profile.mkdir(mode=0o700)
    where = ("--address", f"https://localhost:{desk.port}", "--cacert", desk.data / "tls" / "server.crt")
    env = {"HOLDFAST_ADDR": f"https://localhost:{desk.port}", "HOLDFAST_CACERT": str(desk.data / "tls" / "server.crt")}
    desk.cli("login", name, *where, "--password-file", desk.home / "password", "--yes", profile=profile)
    e = {k: v for k, v in os.environ.items() if not k.startswith("HOLDFAST_")}
    e.update(env, HOLDFAST_HOME=str(profile))
    p = subprocess.Popen([holdfast.PROGRAM, "mfa", "totp", "--password-file", str(desk.home / "password"), "--code-file", "-"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=e, start_new_session=True)
    shown = []
    while not shown or "or type" not in shown[-1]:
        shown.append(p.stdout.readline())
        assert shown[-1], p.stderr.read()
    uri = scanned(drawn(shown[:-1], tmp_path))
    secret = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(uri).query))["secret"]
    assert secret == shown[-1].split()[-1]
    out, err = p.communicate(app(secret, early() - STEP) + "\n", timeout=20)
    assert p.returncode == 0, err
    codes = out.split()
    assert len(codes) == 10 and all(re.fullmatch(r"[a-z2-9]{5}(-[a-z2-9]{5}){2}", c) for c in codes)
    login = ("login", name, "--password-file", desk.home / "password", "--code")
    desk.cli(*login, "000000", code=3, profile=profile, env=env)
    desk.cli(*login, app(secret, early()), profile=profile, env=env)
    assert desk.cli_json("mfa", "list", profile=profile, env=env)["recovery_codes"] == 10
    desk.cli("mfa", "verify", "--code", codes[0], profile=profile, env=env)
    assert len(desk.cli("mfa", "recovery", "--yes", profile=profile, env=env).stdout.split()) == 10
    desk.cli("mfa", "remove", "totp", "--yes", profile=profile, env=env)
    assert "totp" not in desk.cli_json("mfa", "list", profile=profile, env=env)


def drawn(lines, folder):
    """The blocks of a terminal as a picture: two modules to a character, light where a block is."""
    rows = [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip("\n") for line in lines]
    rows = [r for r in rows if r]
    assert all("\x1b[97;40m" in line for line in lines if line.strip()), "colours of the terminal decide what is dark"
    scale, pixels = 6, []
    for row in rows:
        for blocks in ("█▀", "█▄"):
            pixels += [" ".join(("1" if c in blocks else "0") for c in row for _ in range(scale))] * scale
    path = folder / "terminal.pgm"
    path.write_text(f"P2\n{len(rows[0]) * scale} {len(pixels)}\n1\n" + "\n".join(pixels) + "\n")
    return path


# --- roles that ask for one


ENROLS = {("GET", "/api/v1/session"), ("POST", "/api/v1/logout"), ("GET", "/api/v1/import-key"), ("GET", "/api/v1/me/mfa"),
          ("POST", "/api/v1/me/mfa/totp"), ("POST", "/api/v1/me/mfa/totp/confirm"), ("GET", "/api/v1/me/mfa/passkeys"),
          ("POST", "/api/v1/me/mfa/passkeys"), ("POST", "/api/v1/me/mfa/passkeys/begin"), ("POST", "/api/v1/me/step-up"),
          ("POST", "/api/v1/me/step-up/passkey")}


def hired(desk, name, *roles):
    """A new user with these roles and the password alone, signed in."""
    desk.admin.ok("POST", "/api/v1/users", {"name": name, "password": PASSWORD, "roles": roles, "environments": ["development"]})
    return desk.api(desk.api().ok("POST", "/api/v1/login", {"name": name, "password": PASSWORD})["token"])


def test_whose_role_asks_for_one_can_do_nothing_else_first(desk):
    """Each address that the document lists."""
    api = hired(desk, "newcomer", "admin")
    assert api.ok("GET", "/api/v1/session")["second_factor_missing"]
    paths, refused = desk.api().ok("GET", "/api/v1/openapi.json")["paths"], 0
    for path, rows in paths.items():
        for method, row in rows.items():
            if method.upper() not in ("GET", "POST", "PUT", "PATCH", "DELETE") or (method.upper(), path) in ENROLS or not row.get("security"):
                continue
            a = api.call(method.upper(), re.sub(r"{[^}]*}", "x", path), {} if "requestBody" in row else None)
            assert a.code in ("second-factor-required", "forbidden"), (method, path, a)
            refused += a.code == "second-factor-required"
    assert refused > 40, "hardly any address was asked"
    secret, codes = set_up(api)
    assert "second_factor_missing" not in api.ok("GET", "/api/v1/session")
    assert api.ok("GET", "/api/v1/users")["users"]
    api.ok("DELETE", "/api/v1/me/mfa/totp")
    again = desk.api(desk.api().ok("POST", "/api/v1/login", {"name": "newcomer", "password": PASSWORD})["token"])
    again.refused("second-factor-required", "GET", "/api/v1/users")
    assert records(desk, "PERMISSION_DENIED", "newcomer")


def test_a_role_that_asks_for_one_counts_from_the_next_request_on(desk, person):
    name, api = person
    key = api.ok("POST", "/api/v1/keys", {"name": f"of {name}", "environment": "development", "usage": "full_access", "roles": ["viewer"]})["key"]
    token = api.ok("POST", "/api/v1/tokens", {})["access_token"]
    assert desk.api(token).call("GET", "/api/v1/keys").status == 200
    desk.admin.ok("PATCH", f"/api/v1/users/{name}", {"roles": ["trader"], "environments": ["development"]})
    api.refused("second-factor-required", "GET", "/api/v1/keys")
    assert desk.api(token).call("GET", "/api/v1/keys").code in ("second-factor-required", "token-revoked")
    desk.admin.ok("PATCH", f"/api/v1/users/{name}", {"roles": ["viewer", "trader"], "environments": ["development"]})
    assert desk.api(key).call("GET", "/api/v1/session").status == 200, "programs are not asked"


def test_which_roles_ask_is_a_setting(new_server):
    s = new_server(config={"mfa": {"required_roles": "[viewer]"}})
    s.start(); s.init(); s.serving(); s.enrol()
    assert not s.passkeys
    s.admin = s.api(s.login())
    api = hired(s, "victor", "viewer")
    api.refused("second-factor-required", "GET", "/api/v1/keys")
    basic = {"Authorization": "Basic " + holdfast.b64(f"victor:{PASSWORD}".encode())}
    s.api().refused("second-factor-required", "GET", "/api/v1/keys", headers=basic)
    trader = hired(s, "tom", "trader")
    assert trader.call("GET", "/api/v1/keys").status == 200


class Terminal:
    """The command at a terminal of its own, typed at as a person does."""

    def __init__(self, desk, *words):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            e = {k: v for k, v in os.environ.items() if not k.startswith("HOLDFAST_")}
            os.execve(holdfast.PROGRAM, ["holdfast", *words], {**e, "HOLDFAST_HOME": str(desk.profile)})

    def until(self, text):
        out, end = "", time.monotonic() + 20
        while text not in out:
            assert time.monotonic() < end, out
            if select.select([self.fd], [], [], 0.1)[0]:
                out += os.read(self.fd, 65536).decode(errors="replace")
        return out

    def type(self, line):
        os.write(self.fd, line.encode() + b"\n")

    def ends(self):
        with contextlib.suppress(OSError):
            while os.read(self.fd, 65536):
                pass
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_what_changes_who_may_what_needs_a_fresh_one(new_server):
    clock = holdfast.Clock()
    s = new_server(clock=clock)
    s.start(); s.init(); s.serving(); s.enrol()
    admin = s.api(s.login())
    admin.ok("POST", "/api/v1/users", {"name": "eve", "password": PASSWORD, "roles": ["viewer"]})
    admin.ok("POST", "/api/v1/roles", {"name": "night", "grants": ["market:read"]})
    tool = admin.ok("POST", "/api/v1/keys", {"name": "tool", "environment": "development", "usage": "full_access", "roles": ["admin"]})["key"]
    # He showed a factor just now, which the program that has his token did not.
    program = s.api(admin.ok("POST", "/api/v1/tokens", {"client": "a program"})["access_token"])
    assert program.ok("GET", "/api/v1/users")["users"]
    program.refused("step-up-required", "PATCH", "/api/v1/users/eve", {"roles": ["admin"]})
    admin.ok("PATCH", "/api/v1/users/eve", {"email": "eve@desk.example"})
    clock.shift("front", 6 * 60 * 1000)
    for method, path, body in (("POST", "/users", {"name": "mallory", "password": PASSWORD, "roles": ["admin"]}),
                               ("PATCH", "/users/eve", {"roles": ["admin"]}), ("DELETE", "/users/eve", None),
                               ("POST", "/roles", {"name": "day", "grants": ["market:read"]}), ("PUT", "/roles/night", {"grants": ["users:manage"]}),
                               ("DELETE", "/roles/night", None), ("POST", "/tokens/revoke", {"issued_since": "2026-01-01T00:00:00Z"}),
                               ("POST", "/sessions/revoke", {"all": True})):
        admin.refused("step-up-required", method, "/api/v1" + path, body)
    assert admin.ok("GET", "/api/v1/users")["users"] and admin.call("POST", "/api/v1/tokens/revoke", {"user": "eve"}).status < 300
    s.api(tool).ok("PATCH", "/api/v1/users/eve", {"email": "eve@desk.example"})  # programs are limited in other ways
    assert "step-up-required" in s.cli("user", "delete", "eve", "--yes", code=3).stderr
    at = Terminal(s, "user", "delete", "eve", "--yes")
    assert "anew" in at.until("recovery code")
    at.type(s.passkeys["admin"].codes.pop())
    assert at.ends() == 0
    assert "eve" not in [u["name"] for u in s.api(tool).ok("GET", "/api/v1/users")["users"]]


def test_keys_of_others_need_a_fresh_one(new_server):
    """A session that was left open can neither make somebody a key, nor put back one that was taken from use. One's own are one's own."""
    clock = holdfast.Clock()
    s = new_server(clock=clock)
    s.start(); s.init(); s.serving(); s.enrol()
    admin = s.api(s.login())
    admin.ok("POST", "/api/v1/users", {"name": "eve", "password": PASSWORD, "roles": ["viewer"], "environments": ["development"]})
    a_key = {"name": "tool", "environment": "development", "usage": "read_only", "roles": ["viewer"]}
    mine = admin.ok("POST", "/api/v1/keys", a_key)["id"]
    hers, shut, spare = (admin.ok("POST", "/api/v1/keys", {**a_key, "owner": "eve", "renewable": True, "expires_days": 2})["id"] for _ in range(3))
    admin.ok("POST", f"/api/v1/keys/{shut}/suspend")
    tool = admin.ok("POST", "/api/v1/keys", {**a_key, "usage": "full_access", "roles": ["admin"]})["key"]
    strong = admin.ok("POST", "/api/v1/keys", {**a_key, "usage": "full_access", "roles": ["system_admin"], "renewable": True,
                                               "expires_days": 2})["id"]
    clock.shift("front", 6 * 60 * 1000)
    for method, path in (("POST", f"/{hers}/rotate"), ("POST", f"/{hers}/renew"), ("POST", f"/{hers}/suspend"),
                         ("POST", f"/{shut}/reactivate"), ("DELETE", f"/{hers}")):
        admin.refused("step-up-required", method, "/api/v1/keys" + path)
    admin.refused("step-up-required", "POST", "/api/v1/keys", {**a_key, "owner": "eve"})
    assert admin.ok("GET", f"/api/v1/keys/{hers}")["status"] == "active"
    admin.ok("POST", "/api/v1/keys", {**a_key, "owner": "admin"})
    # but for one that could do what the session can't: it would be asked for nothing
    admin.refused("step-up-required", "POST", "/api/v1/keys", {**a_key, "usage": "full_access", "roles": ["admin"]})
    for step in ("rotate", "renew"):
        admin.refused("step-up-required", "POST", f"/api/v1/keys/{strong}/{step}")
    admin.ok("POST", f"/api/v1/keys/{strong}/suspend")  # to stop one is never put off
    for step in ("rotate", "suspend"):
        admin.ok("POST", f"/api/v1/keys/{mine}/{step}")
    admin.ok("DELETE", f"/api/v1/keys/{mine}")
    s.api(tool).ok("POST", f"/api/v1/keys/{spare}/suspend")  # programs are limited in other ways
    admin.ok("POST", "/api/v1/me/step-up", {"recovery_code": s.passkeys["admin"].codes.pop()})
    admin.ok("POST", f"/api/v1/keys/{shut}/reactivate")
    admin.ok("DELETE", f"/api/v1/keys/{hers}")
