"""The real pages of a real server in a real Chromium, with its virtual authenticators."""
import contextlib
import subprocess
import time

import pytest

import server as holdfast
from server import PASSWORD, until
from webauthn_page import Browser, to_url


@pytest.fixture(scope="module")
def browser(desk):
    with contextlib.closing(Browser(trust=[desk.data / "tls" / "server.crt"])) as b:
        b.origin = f"https://localhost:{desk.port}"
        yield b


@pytest.fixture
def page(desk, browser):
    """Nobody signed in, no authenticator; a new user with the password alone."""
    page.count = getattr(page, "count", 0) + 1
    browser.name = f"page-{page.count}"
    desk.admin.ok("POST", "/api/v1/users", {"name": browser.name, "password": PASSWORD, "roles": ["viewer"]})
    browser.plugged = []
    browser.open(f"{browser.origin}/login")
    yield browser
    for a in browser.plugged:
        a.remove()
    sign_out(browser)


def plug(browser, **more):
    browser.plugged.append(browser.authenticator(**more))
    return browser.plugged[-1]


def sign_out(browser):
    browser.run("await fetch('/api/v1/logout', {method: 'POST', credentials: 'same-origin'});")


def at(browser, path):
    until(f"the page {path}", lambda: browser.url() == browser.origin + path)


def visible(browser, css):
    return browser.run("const e = document.querySelector(args[0]); return !!e && e.checkVisibility();", css)


def ready(browser, css):
    until(f"{css} to be there", lambda: visible(browser, css) and not browser.run("return document.querySelector(args[0]).disabled", css))


def press(browser, css):
    ready(browser, css)
    browser.click(css)


def write(browser, css, text):
    ready(browser, css)
    browser.fill(css, text)


def reads(browser, css, part):
    """Waits until that text is there and seen."""
    until(f"{css} saying {part!r}", lambda: visible(browser, css) and part in browser.text(css))


def with_password(browser, name=None, password=PASSWORD):
    browser.open(f"{browser.origin}/login")
    write(browser, "#name", name or browser.name)
    write(browser, "#password", password)
    press(browser, "#password-form button")


def signed_in(browser, name=None):
    with_password(browser, name)
    at(browser, "/account")
    reads(browser, "#who", name or browser.name)


def add_passkey(browser, called="stick"):
    write(browser, "#passkey-name", called)
    write(browser, "#passkey-password", PASSWORD)
    press(browser, "#passkey-form button")
    reads(browser, "#passkey-list", called)


def app(secret, step=0):
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(time.time() + 30 * step))
    return subprocess.run(["oathtool", "--totp", "-b", "-N", when, secret], capture_output=True, text=True, check=True).stdout.strip()


def test_a_passkey_is_added_and_signs_in_with_and_without_a_name(page):
    plug(page, transport="internal")
    signed_in(page)
    add_passkey(page)
    reads(page, "#codes", "shown this once")
    codes = page.text("#code-list").split()
    assert len(codes) == 10
    press(page, "#codes-kept")
    sign_out(page)
    page.open(f"{page.origin}/login")
    press(page, "#passkey")
    at(page, "/account")
    reads(page, "#who", page.name)
    sign_out(page)
    with_password(page)
    press(page, "#second-passkey")
    at(page, "/account")
    sign_out(page)
    with_password(page)
    reads(page, "#code-label", "Recovery code")
    write(page, "#code", codes[0])
    press(page, "#code-form button")
    at(page, "/account")
    reads(page, "#codes-left", "9")


def test_a_key_that_verifies_nobody_does_after_the_password_alone(page):
    plug(page, protocol="ctap1/u2f", passkeys=False, verifies=False, verified=False)
    signed_in(page)
    add_passkey(page)
    sign_out(page)
    with_password(page)
    press(page, "#second-passkey")
    at(page, "/account")


def test_of_several_each_is_renamed_and_removed(page):
    first = plug(page)
    signed_in(page)
    add_passkey(page, "blue")
    first.remove()
    plug(page, transport="internal")
    add_passkey(page, "green")
    press(page, "#passkey-list li:first-child button:nth-of-type(2)")
    until("one passkey", lambda: page.run("return document.querySelectorAll('#passkey-list li').length") == 1)
    reads(page, "#done", "blue is removed")
    assert "green" in page.text("#passkey-list")
    page.run("window.prompt = () => 'red <b>'; document.querySelector('#passkey-list li button').click();")
    reads(page, "#passkey-list", "red <b>")


def test_a_passkey_of_another_server_opens_nothing(page, new_server):
    plug(page, transport="internal")
    signed_in(page)
    add_passkey(page)
    sign_out(page)
    other = new_server(config={"passkeys": {"rp_id": "desk.example", "origins": "['https://desk.example']"}})
    other.start(); other.init(); other.serving()
    question = other.api().ok("POST", "/api/v1/login/passkey/begin")
    assert question["rp_id"] == "desk.example"
    with pytest.raises(holdfast.Failed, match="SecurityError"):
        page.run("await navigator.credentials.get({publicKey: {rpId: args[0], challenge: new Uint8Array(32)}});", question["rp_id"])
    # The right domain, but a page that is not ours: the browser signs where it was.
    strict = new_server(config={"mfa": {"required_roles": "[none]"}, "passkeys": {"rp_id": "localhost", "origins": "['https://localhost:1']"}})
    strict.start(); strict.init(); strict.serving(); strict.enrol()
    asked = strict.api().ok("POST", "/api/v1/login/passkey/begin")
    shown = page.run("const m = await import('/page/page.js'); return m.showPasskey(args[0]);", asked)
    strict.api().refused("bad-credentials", "POST", "/api/v1/login/passkey", {"passkey": shown})


def test_a_challenge_is_good_once(page, desk):
    plug(page, transport="internal")
    signed_in(page)
    add_passkey(page)
    sign_out(page)
    asked = desk.api().ok("POST", "/api/v1/login/passkey/begin")
    shown = page.run("const m = await import('/page/page.js'); return m.showPasskey(args[0]);", asked)
    assert desk.api().call("POST", "/api/v1/login/passkey", {"passkey": shown}).status == 200
    desk.api().refused("challenge-unknown", "POST", "/api/v1/login/passkey", {"passkey": shown})
    later = desk.api().ok("POST", "/api/v1/login/passkey/begin")
    desk.api().refused("bad-credentials", "POST", "/api/v1/login/passkey", {"passkey": {**shown, "ceremony": later["ceremony"]}})


def test_an_app_is_set_up_by_its_picture_and_asked_for(page, tmp_path):
    signed_in(page)
    write(page, "#totp-password", PASSWORD)
    press(page, "#totp-form button")
    until("the picture", lambda: page.run("const i = document.querySelector('#totp-picture'); return i.complete && i.naturalWidth > 0;"))
    secret = page.text("#totp-secret")
    write(page, "#totp-code", app(secret))
    press(page, "#confirm-form button")
    reads(page, "#done", "set up")
    sign_out(page)
    with_password(page)
    write(page, "#code", "000000")
    press(page, "#code-form button")
    reads(page, "#problem", "not right")
    write(page, "#code", app(secret, 1))
    press(page, "#code-form button")
    at(page, "/account")


def test_an_invitation_leads_to_a_password_and_on(page, desk):
    made = desk.admin.ok("POST", "/api/v1/users", {"name": f"guest-{page.name}", "invite": True, "roles": ["viewer"]})
    page.open(f"{page.origin}/account")
    page.open(f"{page.origin}/login#name=guest-{page.name}&token={made['invite']}")
    write(page, "#token-password", PASSWORD)
    assert page.url() == f"{page.origin}/login", "the token stays in no history"
    press(page, "#token-form button")
    at(page, "/account")
    reads(page, "#who", f"guest-{page.name}")


def test_mistakes_are_said_where_readers_of_screens_hear_them(page):
    with_password(page, password="Not-the-r1ght-one")
    reads(page, "#problem", "not right")
    assert page.run("return document.activeElement.id") == "problem"
    assert page.run("return document.querySelector('#problem').getAttribute('role')") == "alert"


def test_every_field_has_its_label(page):
    signed_in(page)
    unlabelled = "return [...document.querySelectorAll('input')].filter(i => !i.labels.length).map(i => i.id)"
    assert page.run(unlabelled) == []
    sign_out(page)
    page.open(f"{page.origin}/account")
    at(page, "/login")
    assert page.run(unlabelled) == []


def test_nothing_foreign_and_nothing_inline_runs(page, desk):
    a = desk.api().call("GET", "/login")
    policy = a.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy, policy
    assert "frame-ancestors 'none'" in policy and a.headers["x-frame-options"] == "DENY"
    page.run("const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s);")
    assert page.run("return window.ran || 0") == 0
    loaded = page.run("return performance.getEntriesByType('resource').map(r => new URL(r.name).origin)")
    assert loaded and set(loaded) == {page.origin}
    desk.api().refused("no-route", "GET", "/page/login.html.c")
    assert desk.api().call("GET", "/").headers["location"] == "/login"


def test_what_is_dangerous_asks_for_the_factor_again(new_server):
    clock = holdfast.Clock()
    s = new_server(clock=clock, config={"mfa": {"required_roles": "[none]"}})
    s.start(); s.init(); s.serving(); s.enrol()
    with contextlib.closing(Browser(trust=[s.data / "tls" / "server.crt"])) as b:
        b.origin, b.name, b.plugged = f"https://localhost:{s.port}", "admin", []
        plug(b, transport="internal")
        signed_in(b)
        add_passkey(b)
        clock.shift("front", 6 * 60 * 1000)
        press(b, "#codes-new")
        until("the dialog", lambda: visible(b, "#step-up"))
        press(b, "#step-up-cancel")
        reads(b, "#problem", "Nothing was changed")
        press(b, "#codes-new")
        until("the dialog", lambda: visible(b, "#step-up"))
        press(b, "#step-up-passkey")
        until("no dialog", lambda: not visible(b, "#step-up"))
        reads(b, "#codes", "shown this once")


def test_a_sealed_server_says_so_on_its_page(new_server):
    s = new_server()
    s.start()
    with contextlib.closing(Browser(trust=[s.data / "tls" / "server.crt"])) as b:
        b.origin = f"https://localhost:{s.port}"
        b.open(f"{b.origin}/login")
        write(b, "#name", "admin")
        write(b, "#password", PASSWORD)
        press(b, "#password-form button")
        reads(b, "#problem", "operator init")


def test_a_user_handle_tells_nothing_of_its_user(page):
    key = plug(page, transport="internal")
    signed_in(page)
    add_passkey(page)
    handle = key.credentials()[0]["userHandle"]
    assert len(handle) == 22 and to_url(page.name.encode()) not in handle
