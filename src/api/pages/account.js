import {act, call, element, factorOf, makePasskey, onClick, onSubmit, say, showPasskey} from '/page/page.js';

// --- what asks for a fresh second factor is repeated once it was shown

let waiting = null;

function stepUp() {
    return new Promise((shown, declined) => {
        waiting = {shown, declined};
        element('step-up-code').value = '';
        element('step-up').showModal();
    });
}

async function ask(method, path, body) {
    try {
        return await call(method, path, body);
    } catch (e) {
        if (e.code !== 'step-up-required')
            throw e;
    }
    for (const b of element('step-up').querySelectorAll('button'))
        b.disabled = false;
    await stepUp();
    return call(method, path, body);
}

async function showAnew(factor) {
    await call('POST', '/api/v1/me/step-up', factor);
    waiting.shown();
    waiting = null;
    element('step-up').close();
}

onSubmit('step-up-form', () => showAnew(factorOf(element('step-up-code').value)), 'step-up-problem');
onClick('step-up-passkey', async () => showAnew({passkey: await showPasskey(await call('POST', '/api/v1/me/step-up/passkey'))}), 'step-up-problem');
element('step-up-cancel').addEventListener('click', () => element('step-up').close());
element('step-up').addEventListener('close', () => {
    if (waiting)
        waiting.declined(new Error('Nothing was changed.'));
    waiting = null;
});

// --- what there is

function button(text, label, work) {
    const b = document.createElement('button');
    b.type = 'button';
    b.className = 'plain';
    b.textContent = text;
    b.setAttribute('aria-label', label);
    b.addEventListener('click', () => act(work));
    return b;
}

const day = time => time ? new Date(time).toLocaleDateString('en-GB', {day: 'numeric', month: 'long', year: 'numeric'}) : 'never';

function row(p) {
    const li = document.createElement('li'), name = document.createElement('strong'), more = document.createElement('div');
    name.textContent = p.name;
    more.textContent = `since ${day(p.created)}, last used ${day(p.last_used)}`;
    li.append(name, more, button('Rename', `Rename ${p.name}`, async () => {
        const chosen = prompt('What to call this passkey', p.name);
        if (!chosen)
            return;
        await ask('PATCH', `/api/v1/me/mfa/passkeys/${p.id}`, {name: chosen});
        await show();
        say('done', 'It is renamed.');
    }), button('Remove', `Remove ${p.name}`, async () => {
        await ask('DELETE', `/api/v1/me/mfa/passkeys/${p.id}`);
        await show();
        say('done', `${p.name} is removed. Delete it from the authenticator as well.`);
    }));
    return li;
}

async function show() {
    let who;
    try {
        who = await call('GET', '/api/v1/session');
    } catch (e) {
        if (e.code === 'unauthenticated' || e.code === 'token-expired') {
            location.assign('/login');
            return;
        }
        throw e;
    }
    const [mfa, keys] = await Promise.all([call('GET', '/api/v1/me/mfa'), call('GET', '/api/v1/me/mfa/passkeys')]);
    element('who').textContent = who.name;
    element('roles').textContent = who.roles.length ? ` (${who.roles.join(', ')})` : '';
    element('must').hidden = !who.second_factor_missing;
    element('passkey-list').replaceChildren(...keys.passkeys.map(row));
    element('no-passkeys').hidden = keys.passkeys.length > 0;
    element('totp-there').hidden = !mfa.totp;
    element('totp-form').hidden = !!mfa.totp;
    element('totp-since').textContent = day(mfa.totp);
    element('codes-left').textContent = mfa.recovery_codes;
    element('codes-new').hidden = !mfa.totp && keys.passkeys.length === 0;
}

function showCodes(codes) {
    if (!codes.length)
        return;
    element('code-list').replaceChildren(...codes.map(c => {
        const li = document.createElement('li');
        li.textContent = c;
        return li;
    }));
    element('codes').hidden = false;
    element('codes-title').focus();
}

// --- what can be done

onSubmit('passkey-form', async () => {
    const question = await ask('POST', '/api/v1/me/mfa/passkeys/begin', {password: element('passkey-password').value});
    const made = await makePasskey(question);
    const added = await ask('POST', '/api/v1/me/mfa/passkeys', {...made, name: element('passkey-name').value});
    element('passkey-form').reset();
    await show();
    say('done', 'The passkey is added.');
    showCodes(added.recovery_codes);
});

onSubmit('totp-form', async () => {
    const begun = await ask('POST', '/api/v1/me/mfa/totp', {password: element('totp-password').value});
    element('totp-picture').src = `data:image/svg+xml;base64,${btoa(begun.svg)}`;
    element('totp-secret').textContent = begun.secret;
    element('totp-form').reset();
    element('totp-form').hidden = true;
    element('confirm-form').hidden = false;
    element('totp-code').focus();
});

onSubmit('confirm-form', async () => {
    const made = await ask('POST', '/api/v1/me/mfa/totp/confirm', {code: element('totp-code').value.trim()});
    element('confirm-form').reset();
    element('confirm-form').hidden = true;
    element('totp-picture').removeAttribute('src');
    element('totp-secret').textContent = '';
    await show();
    say('done', 'The app is set up. Your other sessions have ended.');
    showCodes(made.recovery_codes);
});

onClick('totp-remove', async () => {
    await ask('DELETE', '/api/v1/me/mfa/totp');
    await show();
    say('done', 'The app is removed.');
});

onClick('codes-new', async () => {
    const made = await ask('POST', '/api/v1/me/mfa/recovery');
    await show();
    showCodes(made.recovery_codes);
});

onClick('codes-kept', async () => {
    element('codes').hidden = true;
    element('code-list').replaceChildren();
});

onClick('logout', async () => {
    await call('POST', '/api/v1/logout');
    location.assign('/login');
});

act(show);
