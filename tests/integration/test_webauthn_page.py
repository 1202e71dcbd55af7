"""A real browser's passkeys, judged by the rules that the server has. The page is the test's own."""
import contextlib
import datetime
import http.server
import json
import os
import ssl
import subprocess
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from server import BUILD, Failed
from webauthn_page import Browser, from_url, to_url

VERIFY = BUILD / "tests" / "integration" / "webauthn_verify"
PAGE = b"<!doctype html><title>passkeys</title><p id=ready>ready</p>"
HANDLE = bytes(range(16))
HELPERS = """
    const raw = t => Uint8Array.from(atob(t.replace(/-/g, '+').replace(/_/g, '/')), c => c.charCodeAt(0));
    const text = b => b ? btoa(String.fromCharCode(...new Uint8Array(b))).replace(/[+]/g, '-').replace(/[/]/g, '_').replace(/=/g, '') : '';
"""
CREATE = HELPERS + """
    const [challenge, handle, more] = args;
    const made = await navigator.credentials.create({publicKey: {
        rp: {id: 'localhost', name: 'Desk'}, user: {id: raw(handle), name: 'ada', displayName: 'Ada'}, challenge: raw(challenge),
        pubKeyCredParams: [-7, -8, -257].map(alg => ({type: 'public-key', alg})), timeout: 10000, ...more}});
    return {id: text(made.rawId), client_data: text(made.response.clientDataJSON), attestation_object: text(made.response.attestationObject)};
"""
GET = HELPERS + """
    const [challenge, ids, more] = args;
    const got = await navigator.credentials.get({publicKey: {rpId: 'localhost', challenge: raw(challenge), timeout: 10000,
        allowCredentials: ids.map(id => ({type: 'public-key', id: raw(id)})), ...more}});
    return {id: text(got.rawId), client_data: text(got.response.clientDataJSON), authenticator_data: text(got.response.authenticatorData),
            signature: text(got.response.signature), user_handle: text(got.response.userHandle)};
"""


def self_signed(folder):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.utcnow()
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
            .not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(30))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False).sign(key, hashes.SHA256()))
    certificate, private = folder / "cert.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return certificate, private


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A browser on a page of ours, over TLS as the server has it: with a certificate that only its pin makes good."""
    certificate, private = self_signed(tmp_path_factory.mktemp("tls"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, private)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with contextlib.closing(Browser(trust=[certificate])) as browser:
            browser.origin = f"https://localhost:{server.server_port}"
            browser.open(browser.origin)
            assert browser.text("#ready") == "ready"
            yield browser
        server.shutdown()


@pytest.fixture
def new_key(page):
    """Makes authenticators that are unplugged with the test."""
    made = []

    def make(**more):
        made.append(page.authenticator(**more))
        return made[-1]

    yield make
    for a in made:
        a.remove()


def verdict(page, what, challenge, answer, handle=HANDLE, **more):
    question = {"do": what, "rp_id": "localhost", "origin": page.origin, "challenge": challenge.hex(), "expected_handle": handle.hex(),
                **{k: from_url(v).hex() for k, v in answer.items()}, **more}
    done = subprocess.run([VERIFY], input=json.dumps(question), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def create(page, **more):
    challenge = os.urandom(32)
    return challenge, page.run(CREATE, to_url(challenge), to_url(HANDLE), more)


def get(page, *ids, **more):
    challenge = os.urandom(32)
    return challenge, page.run(GET, to_url(challenge), ids, more)


def register(page, **more):
    challenge, answer = create(page, **more)
    made = verdict(page, "register", challenge, answer)
    assert "stored" in made, made
    return answer["id"], made


def test_a_passkey_is_registered_and_logs_in_again_and_again(page, new_key):
    new_key()
    id_, made = register(page, authenticatorSelection={"userVerification": "required"})
    assert made["shown"]["user_verified"]
    stored, counts = made["stored"], [made["shown"]["sign_count"]]
    for _ in range(3):
        challenge, answer = get(page, id_, userVerification="required")
        made = verdict(page, "login", challenge, answer, stored=stored, user_verification=True)
        assert "stored" in made, made
        stored = made["stored"]
        counts.append(made["shown"]["sign_count"])
    assert counts == sorted(set(counts)), "the counter rises"


def test_a_login_without_a_name_says_whose_it_is(page, new_key):
    new_key(transport="internal")
    _, made = register(page, authenticatorSelection={"residentKey": "required"})
    challenge, answer = get(page)
    assert from_url(answer["user_handle"]) == HANDLE
    assert "stored" in verdict(page, "login", challenge, answer, handle=b"", stored=made["stored"])
    assert verdict(page, "login", challenge, {**answer, "user_handle": ""}, handle=b"", stored=made["stored"])["refused"] == "passkey-refused"


def test_each_kind_of_authenticator_is_told_apart(page, new_key):
    """Chromium's own attestation, with a certificate that nobody vouches for."""
    for protocol, format_ in (("ctap2", "packed"), ("ctap1/u2f", "fido-u2f")):
        key = new_key(protocol=protocol, passkeys=False, verifies=False, verified=False)
        shown = register(page, attestation="direct")[1]["shown"]
        assert (shown["format"], shown["attestation"]) == (format_, "certified"), shown
        key.remove()


def test_what_was_answered_to_another_question_is_refused(page, new_key):
    key = new_key()
    challenge, answer = create(page)
    stored = verdict(page, "register", challenge, answer)["stored"]
    assert verdict(page, "register", os.urandom(32), answer)["refused"] == "passkey-refused"
    assert verdict(page, "register", challenge, answer, origin="https://localhost")["refused"] == "passkey-refused"
    key.verified(False)
    challenge, login = get(page, answer["id"], userVerification="discouraged")
    assert verdict(page, "login", challenge, login, stored=stored, user_verification=True)["refused"] == "passkey-refused"
    assert verdict(page, "login", challenge, login, stored=stored, handle=bytes(16))["refused"] == "passkey-refused"
    bent = {**login, "signature": to_url(from_url(login["signature"])[:-1] + b"\0")}
    assert verdict(page, "login", challenge, bent, stored=stored)["refused"] == "bad-signature"
    assert "stored" in verdict(page, "login", challenge, login, stored=stored)


def test_a_copied_authenticator_is_noticed(page, new_key):
    original = new_key(transport="usb")
    id_, made = register(page)
    copied = original.credentials()[0]
    challenge, answer = get(page, id_)
    used = verdict(page, "login", challenge, answer, stored=made["stored"])
    original.remove()
    copy = new_key(transport="usb")
    copy.add(copied)
    challenge, answer = get(page, id_)
    assert verdict(page, "login", challenge, answer, stored=used["stored"])["refused"] == "passkey-cloned"


def test_another_sites_page_gets_no_answer_at_all(page, new_key):
    new_key()
    with pytest.raises(Failed, match="SecurityError"):
        create(page, rp={"id": "example.org", "name": "Desk"})
