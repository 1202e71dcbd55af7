"""What was acknowledged is in force: eight clients on all threads ask without pause while one thing changes again and again, and
no request that began after the acknowledgement is decided by what was true before."""
import base64
import threading
import time

import pytest

import desk as trading
import server as holdfast
from server import PASSWORD

CLIENTS, CHANGES = 8, 40


def hammer(desk, headers, change, expected, path="/api/v1/session", clients=CLIENTS):
    """change(n) makes the n-th change and returns once it is acknowledged; expected(n): the code once n changes are in force."""
    in_force, wrong, looks, end = [0], [], [0] * clients, threading.Event()

    def ask(i):
        api = desk.api()
        while not end.is_set():
            before = in_force[0]
            code = api.call("GET", path, headers=headers).code
            if before == in_force[0] and before % 2 == 0:  # nothing was sent meanwhile
                looks[i] += 1
                if code != expected(before // 2):
                    wrong.append((before // 2, code))

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(clients)]
    for t in threads:
        t.start()
    n, late = 0, time.monotonic() + 30
    while n < CHANGES or (sum(looks) <= 50 and time.monotonic() < late):  # a password takes its time to be looked at
        n += 1
        in_force[0] += 1
        change(n)
        in_force[0] += 1
        time.sleep(0.02)
    end.set()
    for t in threads:
        t.join()
    assert not wrong and sum(looks) > 50, (looks, wrong[:5])


@pytest.fixture
def key(desk):
    key.count = getattr(key, "count", 0) + 1
    unlimited = {"per_hour": 1000000000, "per_day": 1000000000, "burst": 1000000000}
    return desk.admin.ok("POST", "/api/v1/keys", {"name": f"k{key.count}", "environment": "development", "usage": "full_access",
                                                  "roles": ["admin"], **unlimited})


@pytest.fixture
def person(desk):
    person.count = getattr(person, "count", 0) + 1
    name = f"ack-{person.count}"
    desk.admin.ok("POST", "/api/v1/users", {"name": name, "password": PASSWORD, "roles": ["viewer"]})
    return name


def test_a_key_that_is_suspended(desk, key):
    def change(n):
        desk.admin.ok("POST", f"/api/v1/keys/{key['id']}/{'suspend' if n % 2 else 'reactivate'}")
    hammer(desk, {"X-API-Key": key["key"]}, change, lambda n: "key-disabled" if n % 2 else "")


def test_a_role_of_a_keys_owner(desk, person):
    desk.admin.ok("PATCH", f"/api/v1/users/{person}", {"roles": ["system_admin"]})
    key = desk.api(desk.login(person)).ok("POST", "/api/v1/keys", {"name": "k", "environment": "development", "usage": "full_access",
                                                                   "roles": ["system_admin"], "per_hour": 1000000000,
                                                                   "per_day": 1000000000, "burst": 1000000000})

    def change(n):
        desk.admin.ok("PATCH", f"/api/v1/users/{person}", {"roles": ["viewer" if n % 2 else "system_admin"]})
    hammer(desk, {"X-API-Key": key["key"]}, change, lambda n: "forbidden" if n % 2 else "", "/api/v1/roles")


def test_a_users_roles_with_his_token(desk, person):
    token = desk.api(desk.login(person)).ok("POST", "/api/v1/tokens", {"client": "hammer"})["access_token"]

    def change(n):
        desk.admin.ok("PATCH", f"/api/v1/users/{person}", {"roles": ["system_admin" if n % 2 else "viewer"]})
    hammer(desk, {"Authorization": f"Bearer {token}"}, change, lambda n: "" if n % 2 else "forbidden", "/api/v1/roles")


def test_a_password_with_basic(desk, person):
    """Each request takes an Argon2id verification, which ends after the change that came meanwhile."""
    basic = {"Authorization": "Basic " + base64.b64encode(f"{person}:{PASSWORD}".encode()).decode()}

    def change(n):
        desk.admin.ok("PATCH", f"/api/v1/users/{person}", {"roles": ["system_admin" if n % 2 else "viewer"]})
        time.sleep(0.03)
    hammer(desk, basic, change, lambda n: "" if n % 2 else "forbidden", "/api/v1/roles", clients=4)


def test_a_session_that_ends(desk, person):
    tokens = [desk.login(person) for _ in range(8)]
    for token in tokens:
        apis = [desk.api(token) for _ in range(CLIENTS)]
        assert {a.call("GET", "/api/v1/session").status for a in apis} == {200}
        apis[0].ok("POST", "/api/v1/logout")
        assert {a.call("GET", "/api/v1/session").status for a in apis} == {401}


def test_a_bots_credential(desk):
    """A frozen one signs nothing from the moment the freeze is answered."""
    trading.store(desk, "binance")
    key = trading.make_key(desk, "ack-bot")
    api = [desk.api(key["key"]) for _ in range(4)]
    assert {a.call("POST", "/api/v1/sign", trading.order("binance")).status for a in api} == {200}
    desk.admin.ok("POST", "/api/v1/credentials/freeze/exchange/binance/main", {"reason": holdfast.REASON})
    assert {a.call("POST", "/api/v1/sign", trading.order("binance")).code for a in api} == {"frozen"}
