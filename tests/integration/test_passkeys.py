"""Passkeys over the real server, with an authenticator that can also do wrong."""
import base64
import concurrent.futures

import pytest

from passkey import ELIGIBLE, PRESENT, VERIFIED, Passkey, b64
from server import PASSWORD


@pytest.fixture
def person(desk):
    person.count = getattr(person, "count", 0) + 1
    name = f"keyed-{person.count}"
    desk.admin.ok("POST", "/api/v1/users", {"name": name, "password": PASSWORD, "roles": ["viewer"]})
    return name, desk.api(desk.login(name))


@pytest.fixture
def key(desk, person):
    """A passkey of that person's."""
    k = Passkey(desk.port)
    k.made = k.register(person[1], PASSWORD, "laptop")
    return k


def begin(desk):
    return desk.api().ok("POST", "/api/v1/login/passkey/begin")


def login(desk, shown):
    return desk.api().call("POST", "/api/v1/login/passkey", {"passkey": shown})


def ticket(desk, name):
    a = desk.api().ok("POST", "/api/v1/login", {"name": name, "password": PASSWORD})
    assert a["mfa_required"] and "token" not in a, a
    return a


def ask(desk, t):
    return desk.api().ok("POST", "/api/v1/login/second/passkey", {"ticket": t["ticket"]})


def second(desk, t, shown):
    return desk.api().call("POST", "/api/v1/login/second", {"ticket": t["ticket"], "passkey": shown})


def records(desk, kind, name):
    return [r for r in desk.admin.ok("GET", f"/api/v1/audit/records?type={kind}&limit=50")["records"] if r["what"].get("resource") == f"user:{name}"]


def test_a_passkey_alone_signs_in_and_says_who(desk, person, key):
    assert len(key.made["recovery_codes"]) == 10
    a = key.login(desk.api())
    assert a.status == 200 and a.json["name"] == person[0], a
    api = desk.api(a.json["token"])
    assert api.ok("GET", "/api/v1/session")["name"] == person[0]
    assert api.call("DELETE", "/api/v1/me/mfa/totp").code == "not-found", "it counts as a fresh second factor"
    assert key.login(desk.api()).status == 200


def test_after_the_password_it_is_the_second_factor(desk, person, key):
    t = ticket(desk, person[0])
    assert t["methods"] == ["passkey", "recovery_code"]
    question = ask(desk, t)
    assert [p["id"] for p in question["passkeys"]] == [b64(key.id)] and question["user_verification"] == "preferred"
    a = second(desk, t, key.answer(question, flags=PRESENT))
    assert a.status == 200, "beside the password it need not have verified its user"
    assert desk.api().call("POST", "/api/v1/login/second/passkey", {"ticket": t["ticket"]}).code == "bad-credentials", "a ticket is used up"


def test_alone_it_must_have_verified_its_user(desk, key):
    assert begin(desk)["user_verification"] == "required"
    assert key.login(desk.api(), flags=PRESENT).code == "bad-credentials"


def test_a_challenge_is_good_once_and_for_its_own_flow(desk, person, key):
    question = begin(desk)
    assert login(desk, key.answer(question)).status == 200
    assert login(desk, key.answer(question)).code == "challenge-unknown"
    question = begin(desk)
    assert login(desk, {**key.answer(question), "signature": b64(b"no")}).code == "bad-credentials"
    assert login(desk, key.answer(question)).code == "challenge-unknown", "also after a wrong answer"
    t, other = ticket(desk, person[0]), ticket(desk, person[0])
    assert second(desk, other, key.answer(ask(desk, t))).code == "challenge-unknown", "a ticket's challenge is its own"
    assert login(desk, key.answer(ask(desk, t))).code == "challenge-unknown", "nor is it one of a log-in without a name"
    assert second(desk, t, key.answer(begin(desk))).code == "challenge-unknown"
    question = person[1].ok("POST", "/api/v1/me/step-up/passkey")
    elsewhere = desk.api(key.login(desk.api()).json["token"])
    assert elsewhere.call("POST", "/api/v1/me/step-up", {"passkey": key.answer(question)}).code == "challenge-unknown"
    asked = person[1].ok("POST", "/api/v1/me/mfa/passkeys/begin", {"password": PASSWORD})
    assert elsewhere.call("POST", "/api/v1/me/mfa/passkeys", Passkey(desk.port).created(asked)).code == "challenge-unknown"


def test_what_does_not_fit_is_refused_like_a_passkey_that_nobody_has(desk, person, key):
    stranger = Passkey(desk.port)
    stranger.handle = key.handle
    wrong = [stranger.answer(begin(desk))]
    for attribute, value in (("origin", "https://localhost"), ("origin", f"https://evil.example:{desk.port}"), ("rp_id", "evil.example"),
                             ("handle", bytes(16)), ("handle", b""), ("key", stranger.key)):
        was, _ = getattr(key, attribute), setattr(key, attribute, value)
        wrong.append(key.answer(begin(desk)))
        setattr(key, attribute, was)
    wrong += [key.answer(begin(desk), flags=PRESENT | VERIFIED | ELIGIBLE), key.answer(begin(desk), flags=VERIFIED),
              key.answer(begin(desk), crossOrigin=True), key.answer(begin(desk), type="webauthn.create")]
    answers = [login(desk, w) for w in wrong]
    for w, a in zip(wrong, answers):
        assert a.status == 401 and a.code == "bad-credentials", (w, a)
        assert {k: v for k, v in a.json.items() if k != "requestId"} == {k: v for k, v in answers[0].json.items() if k != "requestId"}
    assert key.login(desk.api()).status == 200, "none of it locks the owner out"


def test_nobodys_key_opens_nothing(desk, person, key):
    """Whoever is not there is looked at with a key whose private half everybody knows."""
    from cryptography.hazmat.primitives.asymmetric import ec
    forged = Passkey(desk.port)
    forged.key, forged.handle = ec.derive_private_key(1, ec.SECP256R1()), key.handle
    assert forged.login(desk.api()).code == "bad-credentials"
    forged.id = key.id
    assert forged.login(desk.api()).code == "bad-credentials"
    t = ticket(desk, person[0])
    forged.id = Passkey(desk.port).id
    assert second(desk, t, forged.answer(ask(desk, t))).code == "bad-credentials"


def test_a_wrong_one_after_the_password_counts_like_a_wrong_code(desk, person, key):
    bad = Passkey(desk.port)
    bad.handle = key.handle
    t = ticket(desk, person[0])
    for _ in range(5):
        assert second(desk, t, bad.answer(ask(desk, t))).code == "bad-credentials"
    desk.api().refused("bad-credentials", "POST", "/api/v1/login", {"name": person[0], "password": PASSWORD})
    assert key.login(desk.api()).code == "bad-credentials", "a locked account is locked for every way in"


def test_a_counter_that_does_not_rise_is_a_copy(desk, person):
    name, api = person
    original = Passkey(desk.port, counts=True)
    original.register(api, PASSWORD, "stick")
    assert original.login(desk.api()).status == 200
    original.count -= 1
    assert original.login(desk.api()).code == "passkey-cloned"
    assert records(desk, "PASSKEY_CLONED", name)[0]["severity"] == "high"
    t = ticket(desk, name)
    original.count -= 1
    assert second(desk, t, original.answer(ask(desk, t))).code == "passkey-cloned"
    assert original.login(desk.api()).status == 200


def test_of_log_ins_at_once_with_one_counter_one_goes_through(desk, person):
    stick = Passkey(desk.port, counts=True)
    stick.register(person[1], PASSWORD, "stick")
    stick.counts, stick.count = False, 7
    shown = [stick.answer(begin(desk)) for _ in range(8)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        codes = [a.code for a in pool.map(lambda s: login(desk, s), shown)]
    assert sorted(codes) == [""] + ["passkey-cloned"] * 7


def test_several_each_with_a_name(desk, person, key):
    name, api = person
    other = Passkey(desk.port)
    assert other.register(api, PASSWORD, "phone")["recovery_codes"] == [], "those that are there stay good"
    listed = api.ok("GET", "/api/v1/me/mfa/passkeys")["passkeys"]
    assert [p["name"] for p in listed] == ["laptop", "phone"] and listed[0]["attestation"] == "none"
    assert api.ok("GET", "/api/v1/me/mfa")["passkeys"] == 2
    mine, his = (f"/api/v1/me/mfa/passkeys/{p['id']}" for p in listed)
    api.ok("PATCH", mine, {"name": "old laptop"})
    assert api.ok("GET", "/api/v1/me/mfa/passkeys")["passkeys"][0]["name"] == "old laptop"
    desk.cli("mfa", "rename", mine.rpartition("/")[2], "older laptop", env={"HOLDFAST_TOKEN": api.token})
    assert "older laptop" in desk.cli("mfa", "passkeys", env={"HOLDFAST_TOKEN": api.token}).stdout
    api.refused("exists", "POST", "/api/v1/me/mfa/passkeys",
                other.created(api.ok("POST", "/api/v1/me/mfa/passkeys/begin", {"password": PASSWORD})))
    api.ok("DELETE", mine)
    assert key.login(desk.api()).code == "bad-credentials" and other.login(desk.api()).status == 200
    api.refused("no-route", "DELETE", mine)
    api.ok("DELETE", his)
    assert "token" in desk.api().ok("POST", "/api/v1/login", {"name": name, "password": PASSWORD})
    assert api.ok("GET", "/api/v1/me/mfa") == {"recovery_codes": 0, "passkeys": 0}


def test_nobody_touches_another_ones(desk, person, key):
    desk.admin.ok("POST", "/api/v1/users", {"name": f"other-{person[0]}", "password": PASSWORD, "roles": ["viewer"]})
    other = desk.api(desk.login(f"other-{person[0]}"))
    for method, body in (("PATCH", {"name": "mine"}), ("DELETE", None)):
        other.refused("no-route", method, f"/api/v1/me/mfa/passkeys/{key.made['id']}", body)
    other.refused("exists", "POST", "/api/v1/me/mfa/passkeys",
                  key.created(other.ok("POST", "/api/v1/me/mfa/passkeys/begin", {"password": PASSWORD})))
    other.refused("bad-credentials", "POST", "/api/v1/me/mfa/passkeys/begin", {"password": "Not-the-r1ght-one"})


def test_sixteen_are_enough(desk, person):
    name, api = person
    for n in range(16):
        Passkey(desk.port).register(api, PASSWORD, f"key {n}")
    question = api.ok("POST", "/api/v1/me/mfa/passkeys/begin", {"password": PASSWORD})
    api.refused("limit-reached", "POST", "/api/v1/me/mfa/passkeys", Passkey(desk.port).created(question))
    desk.admin.ok("DELETE", f"/api/v1/users/{name}")
    assert desk.admin.call("GET", f"/api/v1/users/{name}").status == 404


def test_the_first_one_ends_what_the_password_alone_began(desk, person):
    name, api = person
    elsewhere = desk.api(desk.login(name))
    Passkey(desk.port).register(api, PASSWORD)
    assert elsewhere.call("GET", "/api/v1/session").status == 401 and api.call("GET", "/api/v1/session").status == 200
    Passkey(desk.port).register(api, PASSWORD)
    assert api.call("GET", "/api/v1/session").status == 200


def test_they_go_with_their_user_and_by_reset(desk, person, key):
    name, _ = person
    desk.admin.ok("DELETE", f"/api/v1/users/{name}/mfa")
    assert key.login(desk.api()).code == "bad-credentials"
    api = desk.api(desk.login(name))
    key.register(api, PASSWORD, "again")  # its row is gone, so the id is free
    desk.admin.ok("DELETE", f"/api/v1/users/{name}")
    desk.admin.ok("POST", "/api/v1/users", {"name": name, "password": PASSWORD, "roles": ["viewer"]})
    assert key.login(desk.api()).code == "bad-credentials", "somebody of the same name inherits nothing"
    key.register(desk.api(desk.login(name)), PASSWORD)  # nor is its row in the way


def test_they_survive_a_restart_and_the_counter_does(new_server):
    s = new_server()
    s.start(); s.init(); s.serving(); s.enrol()
    stick = Passkey(s.port, counts=True)
    stick.register(s.api(s.login()), PASSWORD, "stick")
    assert stick.login(s.api()).status == 200
    s.stop(); s.start(); s.unseal(); s.serving()
    assert stick.login(s.api()).status == 200
    stick.count -= 1
    assert stick.login(s.api()).code == "passkey-cloned"


def test_the_policy_says_what_must_be_attested(new_server, tmp_path):
    s = new_server(config={"mfa": {"required_roles": "[none]"}, "passkeys": {"attestation": "self"}})
    s.start(); s.init(); s.serving(); s.enrol()
    api = s.api(s.login())
    question = api.ok("POST", "/api/v1/me/mfa/passkeys/begin", {"password": PASSWORD})
    assert question["attestation"] == "direct"
    api.refused("attestation-refused", "POST", "/api/v1/me/mfa/passkeys", Passkey(s.port).created(question))
    s.stop()
    roots = tmp_path / "roots.pem"
    roots.write_text("no certificate")
    s.config["passkeys"] = {"attestation": "trusted", "roots_file": roots}
    s.write_config()
    with pytest.raises(AssertionError, match="passkeys.roots_file"):
        s.start()
    s.config["passkeys"] = {"rp_id": "desk.example", "origins": "['https://desk.example.evil']"}
    s.write_config()
    with pytest.raises(AssertionError, match=r"holdfast.yaml:\d+:\d+"):
        s.start()


def test_a_browser_gets_its_cookie(desk, key):
    question = begin(desk)
    body = {"passkey": key.answer(question), "cookie": True}
    desk.api().refused("cross-site", "POST", "/api/v1/login/passkey", body, headers={"Sec-Fetch-Site": "cross-site"})
    a = desk.api().call("POST", "/api/v1/login/passkey", body, headers={"Sec-Fetch-Site": "same-origin"})
    assert a.status == 200 and "token" not in a.json and "HttpOnly" in a.headers["set-cookie"]


def test_answers_that_are_no_answers(desk):
    for member, value in (("client_data", b64(b"{")), ("authenticator_data", b64(b"x")), ("signature", b64(b"")), ("id", ""),
                          ("ceremony", "nonsense"), ("user_handle", b64(bytes(65)))):
        k = Passkey(desk.port)
        k.handle = bytes(16)
        a = login(desk, {**k.answer(begin(desk)), member: value})
        assert 400 <= a.status < 500 and a.code, (member, a)
    assert base64.b64decode(begin(desk)["challenge"]) != base64.b64decode(begin(desk)["challenge"])
