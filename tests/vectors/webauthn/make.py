#!/usr/bin/env python3
"""Writes made.json: registrations and logins that are signed properly and differ from a good one in one thing each, so that only
the check for that thing can refuse them. Independent of the code under test: CBOR, DER, COSE and the statements are written here,
signatures are python3-cryptography's. Keys and signatures are new at each run."""
import hashlib
import json
import os
import pathlib
import struct
from base64 import urlsafe_b64encode

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

RP, ORIGIN = "example.org", "https://example.org"
AAGUID = bytes.fromhex("00112233445566778899aabbccddeeff")
HANDLE = bytes(range(16))
UP, UV, BE, BS, AT, ED = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80


# --- CBOR and DER

def head(major, n):
    for size, mark, code in ((24, None, None), (1 << 8, 24, "B"), (1 << 16, 25, ">H"), (1 << 32, 26, ">I")):
        if n < size:
            return bytes([major << 5 | (n if mark is None else mark)]) + (b"" if mark is None else struct.pack(code, n))
    return bytes([major << 5 | 27]) + struct.pack(">Q", n)


class Pairs(list):
    """A map as a list of pairs, so that a key can come twice."""


def cbor(v):
    if isinstance(v, bool):
        return b"\xf5" if v else b"\xf4"
    if isinstance(v, int):
        return head(0, v) if v >= 0 else head(1, -1 - v)
    if isinstance(v, bytes):
        return head(2, len(v)) + v
    if isinstance(v, str):
        return head(3, len(v.encode())) + v.encode()
    if isinstance(v, (dict, Pairs)):
        pairs = v if isinstance(v, Pairs) else v.items()
        return head(5, len(pairs)) + b"".join(cbor(k) + cbor(x) for k, x in pairs)
    return head(4, len(v)) + b"".join(map(cbor, v))


def der(tag, *parts):
    body = b"".join(parts)
    n = len(body)
    size = bytes([n]) if n < 0x80 else bytes([0x81, n]) if n < 0x100 else b"\x82" + struct.pack(">H", n)
    return (tag if isinstance(tag, bytes) else bytes([tag])) + size + body


def number(n, tag=0x02):
    return der(tag, n.to_bytes(n.bit_length() // 8 + 1, "big"))


def oid(text):
    first, second, *rest = map(int, text.split("."))
    out = bytearray()
    for n in (first * 40 + second, *rest):
        digits = [n & 0x7f]
        while n > 0x7f:
            n >>= 7
            digits.insert(0, n & 0x7f | 0x80)
        out += bytes(digits)
    return der(0x06, bytes(out))


# --- keys and certificates

def spki(key):
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def sign(key, message, digest=hashes.SHA256):
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, padding.PKCS1v15(), digest())
    return key.sign(message, ec.ECDSA(digest()))


def p256():
    return ec.generate_private_key(ec.SECP256R1())


def name(**parts):
    oids = {"c": ("2.5.4.6", 0x13), "o": ("2.5.4.10", 0x0c), "ou": ("2.5.4.11", 0x0c), "cn": ("2.5.4.3", 0x0c)}
    return der(0x30, *(der(0x31, der(0x30, oid(oids[k][0]), der(oids[k][1], v.encode()))) for k, v in parts.items()))


def extension(which, value, critical=False):
    return der(0x30, oid(which), der(0x01, b"\xff") if critical else b"", der(0x04, value))


NOT_CA = extension("2.5.29.19", der(0x30), True)
IS_CA = extension("2.5.29.19", der(0x30, der(0x01, b"\xff")), True)
CERT_SIGN = extension("2.5.29.15", der(0x03, b"\x02\x04"), True)
SHA256_ECDSA = der(0x30, oid("1.2.840.10045.4.3.2"))
ATTESTER = dict(c="AA", o="Maker", ou="Authenticator Attestation", cn="Model 1")


def certificate(key, issuer, issuer_key, subject, extensions=(NOT_CA,), version=3, years=("2020", "2049")):
    tbs = der(0x30, der(0xa0, number(version - 1)) if version > 1 else b"", number(int.from_bytes(os.urandom(8), "big") | 1), SHA256_ECDSA,
              issuer, der(0x30, *(der(0x17, y[2:].encode() + b"0101000000Z") for y in years)), subject, spki(key),
              der(0xa3, der(0x30, *extensions)) if extensions else b"")
    return der(0x30, tbs, SHA256_ECDSA, der(0x03, b"\0" + sign(issuer_key, tbs)))


ROOT_KEY, OTHER_KEY, MIDDLE_KEY = p256(), p256(), p256()
ROOT_NAME, OTHER_NAME, MIDDLE_NAME = name(cn="Root"), name(cn="Other root"), name(cn="Middle")
ROOT = certificate(ROOT_KEY, ROOT_NAME, ROOT_KEY, ROOT_NAME, (IS_CA, CERT_SIGN))
OTHER = certificate(OTHER_KEY, OTHER_NAME, OTHER_KEY, OTHER_NAME, (IS_CA, CERT_SIGN))
OLD_ROOT = certificate(OTHER_KEY, OTHER_NAME, OTHER_KEY, OTHER_NAME, (IS_CA, CERT_SIGN), years=("2020", "2021"))
MIDDLE = certificate(MIDDLE_KEY, ROOT_NAME, ROOT_KEY, MIDDLE_NAME, (IS_CA, CERT_SIGN))
NO_CA = certificate(MIDDLE_KEY, ROOT_NAME, ROOT_KEY, MIDDLE_NAME, (NOT_CA,))


def leaf(key, subject=None, **more):
    return certificate(key, ROOT_NAME, ROOT_KEY, name(**ATTESTER) if subject is None else subject, **more)


# --- what an authenticator answers

def cose(key):
    if isinstance(key, ed25519.Ed25519PrivateKey):
        raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return {1: 1, 3: -8, -1: 6, -2: raw}
    n = key.public_key().public_numbers()
    if isinstance(key, rsa.RSAPrivateKey):
        return {1: 3, 3: -257, -1: n.n.to_bytes((n.n.bit_length() + 7) // 8, "big"), -2: b"\1\0\1"}
    width = (key.curve.key_size + 7) // 8
    alg, crv = {256: (-7, 1), 384: (-35, 2), 521: (-36, 3)}[key.curve.key_size]
    return {1: 2, 3: alg, -1: crv, -2: n.x.to_bytes(width, "big"), -3: n.y.to_bytes(width, "big")}


class Made:
    """A registration before it is attested. What is given replaces what is good."""

    def __init__(self, key=None, flags=UP | UV | AT, rp=RP, aaguid=AAGUID, key_text=None, id_=None, tail=b"", count=0, client=None):
        self.key = key or p256()
        self.id = os.urandom(32) if id_ is None else id_
        self.challenge = os.urandom(32)
        self.client = client_data("webauthn.create", self.challenge, client)
        self.data = hashlib.sha256(rp.encode()).digest() + bytes([flags]) + struct.pack(">I", count)
        if flags & AT:
            self.data += aaguid + struct.pack(">H", len(self.id)) + self.id + (cbor(cose(self.key)) if key_text is None else key_text)
        self.data += tail
        self.hash = hashlib.sha256(self.client).digest()
        self.signed = self.data + self.hash

    def object(self, fmt, statement):
        return cbor({"fmt": fmt, "attStmt": statement, "authData": self.data})


def client_data(type_, challenge, changes=None):
    c = {"type": type_, "challenge": urlsafe_b64encode(challenge).rstrip(b"=").decode(), "origin": ORIGIN, "crossOrigin": False}
    c.update(changes or {})
    return json.dumps({k: v for k, v in c.items() if v is not None}).encode()


cases = []


def case(kind, title, refused, says, expect, **fields):
    cases.append({"kind": kind, "name": title, "refused": refused, "says": says, "expect": expect,
                  **{k: v.hex() if isinstance(v, bytes) else v for k, v in fields.items()}})


def register(title, made, obj, refused=None, says="", id_=None, client=None, **expect):
    case("register", title, refused, says, expect, challenge=made.challenge, client_data=client or made.client, attestation_object=obj,
         id=made.id if id_ is None else id_)


ATT, PK = "attestation-refused", "passkey-refused"


# --- registrations without a statement: nothing is signed, so each check stands alone

def unattested(title, refused=None, says="", expect=None, **more):
    made = Made(**more)
    register(title, made, made.object("none", {}), refused, says, **(expect or {}))


def registrations():
    unattested("good")
    unattested("good-ed25519", key=ed25519.Ed25519PrivateKey.generate())
    unattested("good-extensions", flags=UP | UV | AT | ED, tail=cbor({"credProtect": 2, "hmac-secret": True, "x": [1, {"y": b"z"}, True]}))
    unattested("good-without-verification", flags=UP | AT)
    unattested("good-bom-is-stripped", client={"extra": "x"})
    cases[-1]["client_data"] = "efbbbf" + cases[-1]["client_data"]
    unattested("good-framed", client={"crossOrigin": True, "topOrigin": "https://top.example"}, expect={"framed": True, "top_origins": ["https://top.example"]})
    unattested("type-of-a-login", PK, "webauthn.create", client={"type": "webauthn.get"})
    unattested("type-missing", PK, "webauthn.create", client={"type": None})
    unattested("other-origin", PK, "another origin", client={"origin": "https://example.org.evil.example"})
    unattested("origin-without-tls", PK, "another origin", client={"origin": "http://example.org"})
    unattested("other-port", PK, "another origin", client={"origin": "https://example.org:8443"})
    unattested("other-challenge", PK, "another challenge", client={"challenge": "AAAA"})
    unattested("challenge-empty", PK, "another challenge", client={"challenge": ""})
    unattested("challenge-no-text", PK, "another challenge", client={"challenge": 1})
    unattested("framed-unasked", PK, "another site's page", client={"crossOrigin": True})
    unattested("cross-origin-no-boolean", "wrong-type", "crossOrigin", client={"crossOrigin": "true"})
    unattested("top-origin-unasked", PK, "another site's page", client={"topOrigin": "https://top.example"})
    unattested("top-origin-of-another", PK, "another site's page", client={"crossOrigin": True, "topOrigin": "https://evil.example"},
               expect={"framed": True, "top_origins": ["https://top.example"]})
    unattested("top-origin-though-no-frame-is-allowed", PK, "another site's page", client={"topOrigin": "https://top.example"},
               expect={"framed": False, "top_origins": ["https://top.example"]})
    unattested("other-rp-id", PK, "another site", rp="example.com")
    unattested("nobody-present", PK, "Nobody confirmed", flags=UV | AT)
    unattested("not-verified-though-demanded", PK, "did not verify its user", flags=UP | AT, expect={"user_verification": True})
    unattested("backed-up-but-not-eligible", PK, "backed up", flags=UP | UV | BS | AT)
    unattested("no-credential-in-it", "malformed", "no credential", flags=UP | UV)
    unattested("algorithm-not-offered", PK, "not among those offered", expect={"offered": [-8, -257]})
    unattested("id-too-long", "too-long", "authenticator data", id_=bytes(1024))
    unattested("id-longest", id_=bytes(1023))
    unattested("id-empty", "malformed", "authenticator data", id_=b"")
    unattested("bytes-behind-the-key", "malformed", "authenticator data", tail=b"\0")
    unattested("extensions-missing", "truncated", "authenticator data", flags=UP | UV | AT | ED)
    unattested("extensions-no-map", "malformed", "authenticator data", flags=UP | UV | AT | ED, tail=cbor(1))
    unattested("extensions-twice-the-same", "duplicate-field", "authenticator data", flags=UP | UV | AT | ED, tail=cbor(Pairs([("a", 1), ("a", 2)])))
    made = Made()
    register("for-nobody", Made(), b"", "bad-value", "somebody", user_handle="")
    register("id-of-another", made, made.object("none", {}), PK, "not the id", id_=bytes(32))
    register("none-with-a-statement", made, made.object("none", {"x": 1}), "malformed", "empty")
    register("bytes-behind-the-object", made, made.object("none", {}) + b"\0", "malformed", "attestation object")
    register("member-twice", made, cbor(Pairs([("fmt", "none"), ("fmt", "none"), ("attStmt", {}), ("authData", made.data)])), "duplicate-field", "attestation object")
    register("member-missing", made, cbor({"fmt": "none", "authData": made.data}), "missing-field", "attestation object")
    register("member-of-another-type", made, cbor({"fmt": b"none", "attStmt": {}, "authData": made.data}), "wrong-type", "attestation object")
    register("indefinite-length", made, b"\xbf" + made.object("none", {})[1:] + b"\xff", "malformed", "attestation object")
    register("tagged", made, b"\xc1" + made.object("none", {}), "malformed", "attestation object")
    register("client-data-member-twice", made, made.object("none", {}), "duplicate-field", "twice", client=made.client[:-1] + b', "type": "webauthn.create"}')
    register("client-data-cut", made, made.object("none", {}), "bad-json", "", client=made.client[:-1])
    register("client-data-array", made, made.object("none", {}), "wrong-type", "object", client=b"[]")
    for fmt in ("android-safetynet", "compound", "NONE", "", "x" * 40):
        register(f"format-{fmt[:20] or 'empty'}", made, made.object(fmt, {}), ATT, "not verified here")


def keys():
    good = cose(p256())
    small = rsa.generate_private_key(65537, 1024)
    off = {**good, -3: bytes(31) + b"\1"}

    def bad(title, text, refused="bad-key"):
        unattested(f"key-{title}", refused, "public key", key_text=text if isinstance(text, bytes) else cbor(text), expect={"offered": [-7, -8, -35, -257]})

    bad("not-on-the-curve", off)
    bad("compressed-point", {**good, -3: True}, "wrong-type")
    bad("other-curve", {**good, -1: 2})
    bad("half-too-short", {**good, -2: good[-2][1:]})
    bad("algorithm-unknown", {**good, 3: -47})
    bad("algorithm-of-another-type", {**good, 3: -8})
    bad("type-of-another-algorithm", {**good, 1: 3})
    while True:
        short = cose(p256())
        if short[-2][0] == 0:
            break
    bad("half-without-its-zero", {**short, -2: short[-2][1:]})
    bad("without-algorithm", {k: v for k, v in good.items() if k != 3}, "missing-field")
    bad("rsa-too-small", cose(small))
    bad("rsa-exponent-even", {**cose(rsa.generate_private_key(65537, 2048)), -2: b"\2"})
    bad("rsa-exponent-one", {**cose(rsa.generate_private_key(65537, 2048)), -2: b"\1"})
    unattested("key-label-twice", "duplicate-field", "authenticator data", key_text=cbor(Pairs([*good.items(), (3, -7)])))


# --- §8.2 packed

def packed(title, refused=None, says="", key=None, attester=None, cert=None, alg=-7, sig=None, chain=None, expect=None, flags=UP | UV | AT, extra=()):
    made, attester = Made(key=key, flags=flags), attester or p256()
    cert = cert(attester) if cert else leaf(attester)
    statement = {"alg": alg, "sig": sign(attester, made.signed) if sig is None else sig(made, attester), "x5c": [cert, *extra] if chain is None else chain}
    register(title, made, made.object("packed", statement), refused, says, **{"least": "trusted", **(expect or {})})


def aaguid_extension(value, critical=False):
    return extension("1.3.6.1.4.1.45724.1.1.4", value, critical)


def packed_all():
    packed("packed-good")
    packed("packed-good-rsa-attester", attester=rsa.generate_private_key(65537, 2048), alg=-257)
    packed("packed-good-aaguid", cert=lambda k: leaf(k, extensions=(NOT_CA, aaguid_extension(der(0x04, AAGUID)))))
    packed("packed-good-intermediate", cert=lambda k: certificate(k, MIDDLE_NAME, MIDDLE_KEY, name(**ATTESTER)), extra=[MIDDLE])
    packed("packed-good-model-listed", expect={"aaguids": [AAGUID.hex()]})
    packed("packed-good-untrusted-but-verified", cert=lambda k: certificate(k, OTHER_NAME, OTHER_KEY, name(**ATTESTER)), expect={"least": "certified"})
    packed("packed-model-not-listed", ATT, "model", expect={"aaguids": ["11" * 16]})
    packed("packed-other-root", ATT, "stronger", cert=lambda k: certificate(k, OTHER_NAME, OTHER_KEY, name(**ATTESTER)))
    packed("packed-root-of-the-same-name", ATT, "stronger", cert=lambda k: certificate(k, ROOT_NAME, OTHER_KEY, name(**ATTESTER)))
    packed("packed-root-in-the-chain", ATT, "stronger", cert=lambda k: certificate(k, OTHER_NAME, OTHER_KEY, name(**ATTESTER)), extra=[OTHER])
    packed("packed-intermediate-missing", ATT, "stronger", cert=lambda k: certificate(k, MIDDLE_NAME, MIDDLE_KEY, name(**ATTESTER)))
    packed("packed-intermediate-is-no-ca", ATT, "stronger", cert=lambda k: certificate(k, MIDDLE_NAME, MIDDLE_KEY, name(**ATTESTER)), extra=[NO_CA])
    packed("packed-expired", ATT, "stronger", cert=lambda k: leaf(k, years=("2020", "2021")))
    packed("packed-not-yet-valid", ATT, "stronger", cert=lambda k: leaf(k, years=("2040", "2041")))
    packed("packed-anchor-expired", ATT, "stronger", cert=lambda k: certificate(k, OTHER_NAME, OTHER_KEY, name(**ATTESTER)), expect={"anchors": [OLD_ROOT.hex()]})
    packed("packed-no-anchors", ATT, "stronger", expect={"anchors": []})
    packed("packed-signed-by-another", ATT, "signature", sig=lambda m, k: sign(p256(), m.signed))
    packed("packed-signed-something-else", ATT, "signature", sig=lambda m, k: sign(k, m.data))
    packed("packed-signature-not-strict", ATT, "signature", sig=lambda m, k: b"\x30\x81" + sign(k, m.signed)[1:])
    packed("packed-algorithm-not-the-certificates", ATT, "algorithm", alg=-257)
    packed("packed-algorithm-unknown", ATT, "algorithm", alg=-65535)
    packed("packed-version-1", ATT, "not one for attestation", cert=lambda k: leaf(k, version=1, extensions=()), expect={"least": "certified"})
    packed("packed-ca", ATT, "not one for attestation", cert=lambda k: leaf(k, extensions=(IS_CA,)))
    packed("packed-other-aaguid", ATT, "another model", cert=lambda k: leaf(k, extensions=(NOT_CA, aaguid_extension(der(0x04, bytes(16))))))
    packed("packed-aaguid-critical", ATT, "another model", cert=lambda k: leaf(k, extensions=(NOT_CA, aaguid_extension(der(0x04, AAGUID), True))))
    packed("packed-aaguid-bare", ATT, "another model", cert=lambda k: leaf(k, extensions=(NOT_CA, aaguid_extension(AAGUID))))
    for part in ATTESTER:
        packed(f"packed-subject-without-{part}", ATT, "subject", cert=lambda k, p=part: leaf(k, name(**{q: v for q, v in ATTESTER.items() if q != p})))
    packed("packed-subject-of-another-unit", ATT, "subject", cert=lambda k: leaf(k, name(**{**ATTESTER, "ou": "Sales"})))
    packed("packed-subject-of-no-country", ATT, "subject", cert=lambda k: leaf(k, name(**{**ATTESTER, "c": "AAA"})))
    packed("packed-chain-empty", "malformed", "x5c", chain=[])
    packed("packed-chain-of-texts", "malformed", "x5c", chain=["x"])
    packed("packed-chain-of-nonsense", "malformed", "x5c", chain=[b"\x30\x00"])
    packed("packed-chain-too-long", "malformed", "x5c", extra=[ROOT] * 8)


def packed_self():
    for title, key, alg in (("es256", p256(), -7), ("ed25519", ed25519.Ed25519PrivateKey.generate(), -8), ("rs256", rsa.generate_private_key(65537, 3072), -257)):
        made = Made(key=key)
        register(f"self-good-{title}", made, made.object("packed", {"alg": alg, "sig": sign(key, made.signed)}), least="self")
        register(f"self-signature-cut-{title}", made, made.object("packed", {"alg": alg, "sig": sign(key, made.signed)[:-1]}), ATT, "signature", least="self")
    made = Made()
    good = {"alg": -7, "sig": sign(made.key, made.signed)}
    register("self-though-trusted-demanded", made, made.object("packed", good), ATT, "stronger", least="trusted")
    register("self-though-certified-demanded", made, made.object("packed", good), ATT, "stronger", least="certified")
    register("self-other-algorithm", made, made.object("packed", {**good, "alg": -8}), ATT, "algorithm")
    register("self-of-another-key", made, made.object("packed", {"alg": -7, "sig": sign(p256(), made.signed)}), ATT, "signature")
    register("self-without-signature", made, made.object("packed", {"alg": -7}), "malformed", "sig")
    register("none-though-self-demanded", made, made.object("none", {}), ATT, "stronger", least="self")


# --- §8.6 fido-u2f

def u2f_message(made):
    c = cose(made.key)
    return b"\0" + hashlib.sha256(RP.encode()).digest() + made.hash + made.id + b"\4" + c[-2] + c.get(-3, b"")


def u2f(title, refused=None, says="", key=None, attester=None, message=u2f_message, extra=(), expect=None):
    made, attester = Made(key=key, flags=UP | AT), attester or p256()
    statement = {"sig": sign(attester, message(made)), "x5c": [leaf(attester, name(cn="U2F")), *extra]}
    register(title, made, made.object("fido-u2f", statement), refused, says, **{"least": "trusted", **(expect or {})})


def u2f_all():
    u2f("u2f-good")
    u2f("u2f-signed-something-else", ATT, "signature", message=lambda m: b"\1" + u2f_message(m)[1:])
    u2f("u2f-two-certificates", "malformed", "exactly one", extra=[ROOT])
    u2f("u2f-attester-p384", ATT, "P-256", attester=ec.generate_private_key(ec.SECP384R1()))
    u2f("u2f-credential-ed25519", ATT, "P-256", key=ed25519.Ed25519PrivateKey.generate())
    made = Made()
    register("u2f-without-certificate", made, made.object("fido-u2f", {"sig": b"x"}), "malformed", "exactly one")


# --- §8.3 tpm

def sized(b):
    return struct.pack(">H", len(b)) + b


def public_area(key, name_alg=0x000b, symmetric=0x0010, curve=3, exponent=0, tail=b""):
    c = cose(key)
    if isinstance(key, rsa.RSAPrivateKey):
        return struct.pack(">HHI", 1, name_alg, 0x40000) + sized(b"") + struct.pack(">HHHI", symmetric, 0x0010, 2048, exponent) + sized(c[-1]) + tail
    return (struct.pack(">HHI", 0x23, name_alg, 0x40000) + sized(b"") + struct.pack(">HHHHH", symmetric, 0x0018, 0x000b, curve, 0x0010) +
            sized(c[-2]) + sized(c[-3]) + tail)


def tpm_names(manufacturer=b"id:FFFFF1D0", which=(1, 2, 3), together=False):
    pairs = [der(0x30, oid(f"2.23.133.2.{i}"), der(0x0c, manufacturer if i == 1 else b"x")) for i in which]
    sets = [der(0x31, *pairs)] if together else [der(0x31, p) for p in pairs]
    return extension("2.5.29.17", der(0x30, der(0xa4, der(0x30, *sets))), True)


AIK = extension("2.5.29.37", der(0x30, oid("2.23.133.8.3")))
EMPTY = der(0x30)


def tpm(title, refused=None, says="", key=None, attester=None, alg=-7, ver="2.0", area=None, magic=0xff544347, type_=0x8017, extra=None, named=None,
        tail=b"", subject=EMPTY, extensions=None, expect=None, info_key=None, drop=None):
    made, attester = Made(key=key), attester or p256()
    area = area(made.key) if area else public_area(made.key)
    info = (struct.pack(">IH", magic, type_) + sized(b"") + sized(hashlib.sha256(made.signed).digest() if extra is None else extra) + bytes(25) +
            sized(b"\0\x0b" + hashlib.sha256(area).digest() if named is None else named(area)) + sized(b"") + tail)
    cert = leaf(attester, subject, extensions=extensions or (NOT_CA, AIK, tpm_names()))
    statement = {"ver": ver, "alg": alg, "x5c": [cert], "sig": sign(info_key or attester, info), "certInfo": info, "pubArea": area}
    statement.pop(drop, None)
    register(title, made, made.object("tpm", statement), refused, says, **{"least": "trusted", **(expect or {})})


def tpm_all():
    rsa_key = rsa.generate_private_key(65537, 2048)
    tpm("tpm-good")
    tpm("tpm-good-rsa", key=rsa_key, attester=rsa.generate_private_key(65537, 2048), alg=-257)
    tpm("tpm-good-names-together", extensions=(NOT_CA, AIK, tpm_names(together=True)))
    tpm("tpm-version-1.2", "malformed", "ver", ver="1.2")
    tpm("tpm-without-certificate", "malformed", "x5c", drop="x5c")
    tpm("tpm-sha1", ATT, "SHA-256", alg=-65535)
    tpm("tpm-magic", ATT, "certified is not", magic=0xff544348)
    tpm("tpm-type-quote", ATT, "certified is not", type_=0x8018)
    tpm("tpm-other-registration", ATT, "certified is not", extra=bytes(32))
    tpm("tpm-other-name", ATT, "certified is not", named=lambda a: b"\0\x0b" + bytes(32))
    tpm("tpm-name-by-sha1", ATT, "certified is not", named=lambda a: b"\0\x04" + hashlib.sha1(a).digest())
    tpm("tpm-name-of-another-hash", ATT, "certified is not", named=lambda a: b"\0\x0c" + hashlib.sha256(a).digest())
    tpm("tpm-info-extended", ATT, "certified is not", tail=b"\0")
    tpm("tpm-area-of-another-key", ATT, "public area", area=lambda k: public_area(p256()))
    tpm("tpm-area-of-another-rsa-key", ATT, "public area", key=rsa_key, area=lambda k: public_area(rsa.generate_private_key(65537, 2048)))
    tpm("tpm-area-with-another-exponent", ATT, "public area", key=rsa_key, area=lambda k: public_area(k, exponent=3))
    tpm("tpm-good-with-its-exponent", key=rsa_key, area=lambda k: public_area(k, exponent=65537))
    tpm("tpm-area-of-another-type", ATT, "public area", key=rsa_key, area=lambda k: public_area(p256()))
    tpm("tpm-area-of-another-curve", ATT, "public area", area=lambda k: public_area(k, curve=4))
    tpm("tpm-area-with-sha1", ATT, "public area", area=lambda k: public_area(k, name_alg=4))
    tpm("tpm-area-for-encryption", ATT, "public area", area=lambda k: public_area(k, symmetric=6))
    tpm("tpm-area-extended", ATT, "public area", area=lambda k: public_area(k, tail=b"\0"))
    tpm("tpm-signed-by-another", ATT, "signature", info_key=p256())
    tpm("tpm-with-a-subject", ATT, "no subject", subject=name(cn="TPM"))
    tpm("tpm-without-names", ATT, "lacks an extension", extensions=(NOT_CA, AIK))
    tpm("tpm-without-a-model", ATT, "not one of a TPM", extensions=(NOT_CA, AIK, tpm_names(which=(1, 3))))
    tpm("tpm-manufacturer-malformed", ATT, "not one of a TPM", extensions=(NOT_CA, AIK, tpm_names(manufacturer=b"FFFFF1D0")))
    tpm("tpm-without-usage", ATT, "lacks an extension", extensions=(NOT_CA, tpm_names()))
    tpm("tpm-for-servers", ATT, "not one of a TPM", extensions=(NOT_CA, tpm_names(), extension("2.5.29.37", der(0x30, oid("1.3.6.1.5.5.7.3.1")))))
    tpm("tpm-ca", ATT, "not one for attestation", extensions=(IS_CA, AIK, tpm_names()))
    tpm("tpm-other-aaguid", ATT, "another model", extensions=(NOT_CA, AIK, tpm_names(), aaguid_extension(der(0x04, bytes(16)))))
    tpm("tpm-other-root", ATT, "stronger", expect={"anchors": [OTHER.hex()]})


# --- §8.4 android-key

def auth_list(purposes=None, origin=None, all_apps=False):
    parts = [der(0xa1, der(0x31, *map(number, purposes)))] if purposes is not None else []
    parts += [der(b"\xbf\x84\x58", der(0x05))] if all_apps else []
    parts += [der(b"\xbf\x85\x3e", number(origin))] if origin is not None else []
    return der(0x30, *parts)


def android(title, refused=None, says="", challenge=None, software=None, hardware=None, other_key=None, signer=None, expect=None, extensions=None, tail=b""):
    made = Made()
    description = der(0x30, number(300), number(1, 0x0a), number(300), number(1, 0x0a), der(0x04, made.hash if challenge is None else challenge),
                      der(0x04), software or auth_list(), hardware or auth_list((2,), 0)) + tail
    extensions = (extension("1.3.6.1.4.1.11129.2.1.17", description),) if extensions is None else extensions
    key = other_key or made.key
    statement = {"alg": -7, "sig": sign(signer or key, made.signed), "x5c": [leaf(key, name(cn="Android Keystore Key"), extensions=extensions)]}
    register(title, made, made.object("android-key", statement), refused, says, **{"least": "trusted", **(expect or {})})


def android_all():
    android("android-good")
    android("android-good-by-software", software=auth_list((2,), 0), hardware=auth_list(), expect={"least": "certified"})
    android("android-good-silent", hardware=auth_list(), expect={"least": "certified"})
    android("android-silent-though-trusted-demanded", ATT, "inside the device", hardware=auth_list())
    android("android-software-though-trusted-demanded", ATT, "inside the device", software=auth_list((2,), 0), hardware=auth_list())
    android("android-imported", ATT, "inside the device", hardware=auth_list((2,), 2))
    android("android-imported-in-software", ATT, "inside the device", software=auth_list((2,), 2), expect={"least": "none"})
    android("android-for-encryption", ATT, "inside the device", hardware=auth_list((0, 1), 0))
    android("android-all-applications", ATT, "one site", hardware=auth_list((2,), 0, True))
    android("android-all-applications-in-software", ATT, "one site", software=auth_list(all_apps=True))
    android("android-other-registration", ATT, "another registration", challenge=bytes(32))
    android("android-other-key", ATT, "another key", other_key=p256())
    android("android-signed-by-another", ATT, "signature", signer=p256())
    android("android-without-description", ATT, "lacks an extension", extensions=())
    android("android-description-extended", "malformed", "description", tail=b"\0")
    android("android-origin-twice", "malformed", "description", hardware=der(0x30, der(b"\xbf\x85\x3e", number(2)), der(b"\xbf\x85\x3e", number(0))))


# --- §8.8 apple

def apple(title, refused=None, says="", nonce=None, other_key=None, extensions=None, expect=None, statement=None):
    made = Made()
    nonce = hashlib.sha256(made.signed).digest() if nonce is None else nonce
    extensions = (NOT_CA, extension("1.2.840.113635.100.8.2", der(0x30, der(0xa1, der(0x04, nonce))))) if extensions is None else extensions
    cert = leaf(other_key or made.key, name(cn="x"), extensions=extensions)
    register(title, made, made.object("apple", {"x5c": [cert]} if statement is None else statement), refused, says, **{"least": "trusted", **(expect or {})})


def apple_all():
    apple("apple-good")
    apple("apple-other-registration", ATT, "another registration", nonce=bytes(32))
    apple("apple-other-key", ATT, "another key", other_key=p256())
    apple("apple-without-nonce", ATT, "lacks an extension", extensions=(NOT_CA,))
    apple("apple-without-certificate", "malformed", "x5c", statement={})
    apple("apple-other-root", ATT, "stronger", expect={"anchors": [OTHER.hex()]})


# --- §7.2 logins

def login(title, refused=None, says="", flags=UP | UV, count=5, stored=None, rp=RP, client=None, signer=None, handle=HANDLE, tail=b"", key=None, id_=None,
          sig=lambda s: s, **expect):
    key, cred, challenge = key or p256(), os.urandom(32), os.urandom(32)
    data = hashlib.sha256(rp.encode()).digest() + bytes([flags]) + struct.pack(">I", count) + tail
    text = client_data("webauthn.get", challenge, client)
    signature = sig(sign(signer or key, data + hashlib.sha256(text).digest()))
    case("login", title, refused, says, expect, challenge=challenge, client_data=text, authenticator_data=data, signature=signature,
         id=cred if id_ is None else id_, user_handle=handle, public_key=cbor(cose(key)), stored_id=cred, stored_handle=HANDLE,
         stored={"sign_count": 4, "backup_eligible": False, **(stored or {})})


def logins():
    login("login-good")
    login("login-good-rs256", key=rsa.generate_private_key(65537, 2048))
    login("login-good-ed25519", key=ed25519.Ed25519PrivateKey.generate())
    login("login-good-does-not-count", count=0, stored={"sign_count": 0})
    login("login-good-backed-up", flags=UP | UV | BE | BS, stored={"backup_eligible": True})
    login("login-good-extensions", flags=UP | UV | ED, tail=cbor({"appid": False}))
    login("login-good-without-name", user_handle="")
    login("login-good-handle-not-sent", handle=b"")
    login("login-type-of-a-registration", PK, "webauthn.get", client={"type": "webauthn.create"})
    login("login-other-origin", PK, "another origin", client={"origin": "https://example.com"})
    login("login-other-challenge", PK, "another challenge", client={"challenge": "AAAA"})
    login("login-framed", PK, "another site's page", client={"crossOrigin": True})
    login("login-other-rp-id", PK, "another site", rp="example.com")
    login("login-nobody-present", PK, "Nobody confirmed", flags=UV)
    login("login-not-verified-though-demanded", PK, "did not verify its user", flags=UP, user_verification=True)
    login("login-backed-up-but-not-eligible", PK, "backed up", flags=UP | UV | BS)
    login("login-became-eligible", PK, "has changed", flags=UP | UV | BE)
    login("login-no-longer-eligible", PK, "has changed", stored={"backup_eligible": True})
    login("login-signed-by-another", "bad-signature", "signature", signer=p256())
    login("login-signature-extended", "bad-signature", "signature", sig=lambda s: s + b"\0")
    login("login-signature-empty", "bad-signature", "signature", sig=lambda s: b"")
    login("login-counter-the-same", "passkey-cloned", "counter", count=4)
    login("login-counter-back", "passkey-cloned", "counter", count=3)
    login("login-counter-gone", "passkey-cloned", "counter", count=0)
    login("login-not-offered", PK, "not asked for", allowed=["00" * 32])
    login("login-other-id", PK, "not asked for", id_=bytes(32))
    login("login-of-another-user", PK, "somebody else", user_handle="ff" * 16)
    login("login-of-another-user-who-sends-no-handle", PK, "somebody else", handle=b"", user_handle="ff" * 16)
    login("login-handle-of-another-without-name", PK, "somebody else", handle=bytes(16), user_handle="")
    login("login-handle-of-another", PK, "somebody else", handle=bytes(16))
    login("login-handle-missing", PK, "whose it is", handle=b"", user_handle="")
    login("login-bytes-behind", "malformed", "authenticator data", tail=b"\0")
    login("login-data-cut", "truncated", "authenticator data", tail=b"", flags=UP | UV | ED)


for part in (registrations, keys, packed_all, packed_self, u2f_all, tpm_all, android_all, apple_all, logins):
    part()
names = [c["name"] for c in cases]
assert len(names) == len(set(names)), "a name comes twice"
out = {"about": "Written by make.py; see README.md.", "root": ROOT.hex(), "cases": cases}
pathlib.Path(__file__).with_name("made.json").write_text(json.dumps(out, indent=0) + "\n")
print(f"{len(cases)} cases")
