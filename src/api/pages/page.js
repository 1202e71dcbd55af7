// What both pages need: the API, passkeys, and a way to say what went wrong to eyes and screen readers alike.

export const element = id => document.getElementById(id);

export class Problem extends Error {
    constructor(status, body) {
        super(body.detail || body.title || `The server answered ${status}.`);
        this.code = body.code || '';
    }
}

export async function call(method, path, body) {
    const options = {method, credentials: 'same-origin', cache: 'no-store', redirect: 'error', headers: {}};
    if (body !== undefined) {
        options.headers['Content-Type'] = 'application/json';
        options.body = JSON.stringify(body);
    }
    let answer;
    try {
        answer = await fetch(path, options);
    } catch {
        throw new Problem(0, {title: 'The server does not answer.'});
    }
    const text = await answer.text();
    let json = null;
    try {
        json = text ? JSON.parse(text) : null;
    } catch {
        throw new Problem(answer.status, {});
    }
    if (!answer.ok)
        throw new Problem(answer.status, json || {});
    return json;
}

// --- passkeys: bytes are base64 in the API

const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));
const base64 = buffer => buffer ? btoa(String.fromCharCode(...new Uint8Array(buffer))) : '';
const hints = list => (list || []).map(p => ({type: 'public-key', id: bytes(p.id), ...(p.transports ? {transports: p.transports} : {})}));

export async function makePasskey(question) {
    const made = await ceremony(() => navigator.credentials.create({publicKey: {
        rp: {id: question.rp_id, name: question.rp_name},
        user: {id: bytes(question.user_handle), name: question.user_name, displayName: question.user_name},
        challenge: bytes(question.challenge),
        pubKeyCredParams: question.algorithms.map(alg => ({type: 'public-key', alg})),
        timeout: question.timeout_ms,
        excludeCredentials: hints(question.passkeys),
        authenticatorSelection: {residentKey: 'preferred', userVerification: question.user_verification},
        attestation: question.attestation,
    }}));
    return {
        ceremony: question.ceremony,
        id: base64(made.rawId),
        client_data: base64(made.response.clientDataJSON),
        attestation_object: base64(made.response.attestationObject),
        transports: made.response.getTransports ? made.response.getTransports() : [],
    };
}

export async function showPasskey(question) {
    const got = await ceremony(() => navigator.credentials.get({publicKey: {
        rpId: question.rp_id,
        challenge: bytes(question.challenge),
        timeout: question.timeout_ms,
        allowCredentials: hints(question.passkeys),
        userVerification: question.user_verification,
    }}));
    const shown = {
        ceremony: question.ceremony,
        id: base64(got.rawId),
        client_data: base64(got.response.clientDataJSON),
        authenticator_data: base64(got.response.authenticatorData),
        signature: base64(got.response.signature),
    };
    return got.response.userHandle && got.response.userHandle.byteLength ? {...shown, user_handle: base64(got.response.userHandle)} : shown;
}

const ceremonyProblems = {
    NotAllowedError: 'The passkey was not used: it took too long, was declined, or there is none for this address.',
    SecurityError: 'Passkeys of this server are for another address than this page has: open it by the name that they belong to.',
    InvalidStateError: 'This authenticator has a passkey of yours already.',
};

async function ceremony(run) {
    if (!navigator.credentials || !window.PublicKeyCredential)
        throw new Problem(0, {title: 'This browser, or this address, has no passkeys.'});
    try {
        return await run();
    } catch (e) {
        throw new Problem(0, {title: ceremonyProblems[e.name] || `The passkey was not used: ${e.message}`});
    }
}

// --- what a person shows beside the password

export const factorOf = code => /^[0-9]{6}$/.test(code.trim()) ? {totp: code.trim()} : {recovery_code: code.trim()};

// --- telling

export function say(id, text) {
    const to = element(id);
    to.textContent = text;
    to.hidden = !text;
    if (text)
        to.focus();
}

// Runs what a button or form does: buttons rest meanwhile, and what goes wrong is said.
export async function act(work, problem = 'problem') {
    const buttons = [...document.querySelectorAll('button')].filter(b => !b.disabled);
    say(problem, '');
    buttons.forEach(b => { b.disabled = true; });
    try {
        await work();
    } catch (e) {
        say(problem, e.message);
    } finally {
        buttons.forEach(b => { b.disabled = false; });
    }
}

export function onSubmit(id, work, problem) {
    element(id).addEventListener('submit', event => {
        event.preventDefault();
        act(work, problem);
    });
}

export function onClick(id, work, problem) {
    element(id).addEventListener('click', () => act(work, problem));
}
