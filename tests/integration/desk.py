"""What a desk sets up once: venues' keys, bots, orders. Public test credentials only."""
import json
import time

import server as holdfast
import venues

CREDENTIALS = {
    "binance": ("binance-hmac", "binance/binance-hmac/order-limit/s1/0"),
    "phemex": ("phemex", "phemex/phemex/g-order-post/s1/0"),
    "hyperliquid": ("hl-l1", "hyperliquid/hl-l1/order-gtc/s1/0"),
}
BINANCE_POLICY = json.loads((holdfast.SOURCE / "spec" / "policies" / "binance-trading.json").read_text())
POLICIES = {"binance": BINANCE_POLICY, "phemex": {"classes": ["read", "cancel", "order"]},
            "hyperliquid": {"classes": ["cancel", "order"]}}


def published(venue):
    return venues.vector(CREDENTIALS[venue][1])


def bundle_of(venue):
    c = published(venue)["credentials"]
    if venue == "hyperliquid":
        return {"secret": c["privateKey"]}
    return {"api_key": c["apiKey"], "secret": c["secret"]}


def store(server, venue, path=None, policy=None, code=0, **more):
    """As an administrator does it, with the command line."""
    scheme = more.pop("scheme", CREDENTIALS[venue][0])
    environment = more.pop("environment", "production")
    p = server.file("policy.json", json.dumps(policy if policy is not None else POLICIES[venue]))
    b = server.file("bundle.json", json.dumps(more.pop("bundle", bundle_of(venue))))
    return server.cli("credential", "put", path or f"exchange/{venue}/main", "--venue", more.pop("called", venue), "--scheme",
                      scheme, "--policy", p, "--bundle-file", b, "--environment", environment,
                      "--key-passphrase-file", server.home / "key-passphrase", "--yes", code=code)


def change_policy(server, path, policy, code=0):
    p = server.file("policy.json", json.dumps(policy))
    return server.cli("credential", "policy", path, "--policy", p, "--key-passphrase-file",
                      server.home / "key-passphrase", "--yes", code=code)


def trader(server):
    """Who trades makes the bots' keys: an administrator may not trade, nor hand it on."""
    if not getattr(server, "trader_token", None):
        server.admin.ok("POST", "/api/v1/users", {"name": "tina", "password": holdfast.PASSWORD, "roles": ["trader"],
                                                   "environments": ["production"]})
        server.trader_token = server.login("tina")
    return {"HOLDFAST_TOKEN": server.trader_token}


# More than any test asks; what limits do is tested by itself.
UNLIMITED = ("--per-hour", "1000000000", "--per-day", "1000000000", "--burst", "1000000000")


def make_key(server, name, *more, credential="exchange/*"):
    return server.cli_json("key", "create", name, "--environment", "production", "--role", "trader", "--usage",
                           "execute_only", "--credential", credential, *UNLIMITED, *more, env=trader(server))


def order(venue, **more):
    """A request to sign as a bot sends it."""
    v = published(venue)
    if venue == "hyperliquid":
        r = {"credential": "exchange/hyperliquid/main", "params": v["action_json"], "network": v["network"]}
    else:
        r = {"credential": f"exchange/{venue}/main", "method": v["method"], "path": v["path"], "body": v["body"]}
    return {**r, **more}


def withdrawal(venue):
    if venue == "binance":
        v = venues.vector("binance/binance-hmac/sapi-withdraw-raw/s1/0")
        return {"credential": "exchange/binance/main", "method": "POST", "path": v["path"], "body": v["body"]}
    if venue == "phemex":
        return {"credential": "exchange/phemex/main", "method": "POST",
                "path": "/phemex-withdraw/wallets/api/createWithdraw",
                "query": "currency=USDT&address=0x38f395d596cbdce074e2471b24631aa96e64d80f&amount=5&chainName=ETH"}
    v = venues.vector("hyperliquid/hl-user/withdraw3/s1/0")
    action = {**v["action"], "time": int(time.time() * 1000) + 1000}
    return {"credential": "exchange/hyperliquid/main", "scheme": "hl-user", "params": json.dumps(action, separators=(",", ":")),
            "network": "mainnet"}


def accepted(venue, signed):
    """Would the venue take it? By what the venue's own documents say."""
    c = published(venue)["credentials"]
    if venue == "hyperliquid":
        return venues.hyperliquid_signer(signed) == c["address"].lower()
    return {"binance": venues.binance_accepts, "phemex": venues.phemex_accepts}[venue](signed, c)
