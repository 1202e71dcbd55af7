"""API keys against a real server: where a key is shown from, what survives a kill, and the command line."""
import pytest

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def base62(number, length):
    text = ""
    for _ in range(length):
        number, digit = divmod(number, 62)
        text = ALPHABET[digit] + text
    return text


def another_secret(key, secret="0"):
    """A well-formed key of the same id."""
    import zlib
    head = key[:-49] + secret * 43
    return head + base62(zlib.crc32(head.encode()), 6)


@pytest.fixture
def key(desk):
    return desk.cli_json("key", "create", "feed", "--role", "viewer")


def test_guessing_shuts_out_the_guesser_alone(desk, key):
    network, local = desk.api(), desk.api(unix=True)
    mine, wrong = {"X-API-Key": key["key"]}, {"X-API-Key": another_secret(key["key"])}
    for _ in range(5):
        network.refused("bad-credentials", "GET", "/api/v1/session", headers=wrong)
    network.refused("bad-credentials", "GET", "/api/v1/session", headers=mine)
    local.ok("GET", "/api/v1/session", headers=mine)
    assert desk.cli_json("key", "show", key["id"])["suspended_sources"] == 1
    desk.cli("key", "reactivate", key["id"])
    network.ok("GET", "/api/v1/session", headers=mine)
    found = desk.cli_json("audit", "search", "--type", "API_KEY_SUSPENDED")["records"]
    what, who = found[0]["what"], found[0]["who"]
    assert what["resource"] == f"key:{key['id']}" and who["source"] == "127.0.0.1", found[0]
