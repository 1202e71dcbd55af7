import {call, element, factorOf, onClick, onSubmit, say, showPasskey} from '/page/page.js';

let ticket = '';
let fresh = {};

const signedIn = () => location.assign('/account');

function askSecond(answer) {
    ticket = answer.ticket;
    element('first').hidden = true;
    element('second').hidden = false;
    element('second-passkey').hidden = !answer.methods.includes('passkey');
    element('code-label').textContent = answer.methods.includes('totp') ? 'Code of your app, or a recovery code' : 'Recovery code';
    (element('second-passkey').hidden ? element('code') : element('second-passkey')).focus();
}

const goOn = answer => answer.mfa_required ? askSecond(answer) : signedIn();

onClick('passkey', async () => {
    const question = await call('POST', '/api/v1/login/passkey/begin');
    await call('POST', '/api/v1/login/passkey', {passkey: await showPasskey(question), cookie: true});
    signedIn();
});

onSubmit('password-form', async () => {
    const chosen = element('new-password').value;
    fresh = chosen ? {new_password: chosen} : {};
    try {
        goOn(await call('POST', '/api/v1/login', {name: element('name').value, password: element('password').value, cookie: true, ...fresh}));
    } catch (e) {
        if (e.code === 'password-expired') {
            element('renew').hidden = false;
            element('new-password').required = true;
        }
        throw e;
    }
});

onSubmit('token-form', async () => {
    const token = element('token').value.trim();
    const path = token.startsWith('hfi_') ? '/api/v1/invitation' : '/api/v1/enrol';
    goOn(await call('POST', path, {name: element('token-name').value, token, password: element('token-password').value, cookie: true}));
});

onSubmit('code-form', async () => {
    await call('POST', '/api/v1/login/second', {ticket, ...factorOf(element('code').value), cookie: true, ...fresh});
    signedIn();
});

onClick('second-passkey', async () => {
    const question = await call('POST', '/api/v1/login/second/passkey', {ticket});
    await call('POST', '/api/v1/login/second', {ticket, passkey: await showPasskey(question), cookie: true, ...fresh});
    signedIn();
});

onClick('back', async () => {
    ticket = '';
    say('problem', '');
    element('second').hidden = true;
    element('first').hidden = false;
    element('code').value = element('password').value = '';
    element('name').focus();
});

// A link with a token: what follows # never leaves the browser.
function takeToken() {
    const given = new URLSearchParams(location.hash.slice(1));
    if (!given.has('token'))
        return false;
    history.replaceState(null, '', '/login');
    element('token-details').open = true;
    element('token').value = given.get('token');
    element('token-name').value = given.get('name') || '';
    (element('token-name').value ? element('token-password') : element('token-name')).focus();
    return true;
}

window.addEventListener('hashchange', takeToken);
if (!takeToken())
    call('GET', '/api/v1/session').then(signedIn, () => {}); // mostly nobody is signed in: that is what this page is for
