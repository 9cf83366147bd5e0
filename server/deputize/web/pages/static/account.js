// @ts-check
/** The account page: sign-up, sign-in, passkeys, taking deputations back. Each button is one function. */

/** @param {string} name */
const meta = (name) => /** @type {HTMLMetaElement | null} */ (document.querySelector(`meta[name="${name}"]`))?.content;
const issuer = meta('deputize-issuer') ?? '';
const status = /** @type {HTMLElement} */ (document.getElementById('status'));

/**
 * Send one request; a refusal becomes an Error with the authority's own sentence.
 * @param {string} path
 * @param {object} [body]
 * @param {string} [method]
 * @returns {Promise<any>} the JSON that was answered, whose shape PROTOCOL §2 tells
 */
async function send(path, body = {}, method = 'POST') {
  const csrf = meta('deputize-csrf');
  const response = await fetch(issuer + path, {
    method,
    credentials: 'include',
    headers: { 'content-type': 'application/json', ...(csrf ? { 'deputize-csrf': csrf } : {}) },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  const answer = text ? JSON.parse(text) : {};
  if (!response.ok) throw new Error(answer.detail ?? 'That did not work. Try again.');
  return answer;
}

/** @param {PublicKeyCredentialCreationOptionsJSON} options */
async function create(options) {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
  return /** @type {PublicKeyCredential} */ (await navigator.credentials.create({ publicKey })).toJSON();
}

/** @param {PublicKeyCredentialRequestOptionsJSON} options */
async function get(options) {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  return /** @type {PublicKeyCredential} */ (await navigator.credentials.get({ publicKey })).toJSON();
}

/** @param {string} name */
async function signUp(name) {
  const { challengeId, creationOptions } = await send('/account/sign-up', { name });
  await send(`/account/sign-up/${challengeId}`, { response: await create(creationOptions) });
  leave();
}

async function signIn() {
  const { challengeId, requestOptions } = await send('/account/sign-in');
  await send(`/account/sign-in/${challengeId}`, { response: await get(requestOptions) });
  leave();
}

/** @param {string} [recovery] */
async function addPasskey(recovery) {
  const begun = await send('/credentials', recovery ? { recovery } : {});
  const added = await send(`/credentials/${begun.challengeId}`, { response: await create(begun.creationOptions) });
  if (added.state === 'pending') {
    say('Now confirm with a passkey that you have already.');
    const evidence = { method: 'webauthn', challengeId: added.challengeId, response: await get(added.requestOptions) };
    await send(`/credentials/${added.credential_id}/approval`, evidence);
  }
  if (added.recovered) {
    history.replaceState(null, '', `${location.pathname}#recovered=${added.credential_id}`);
    return location.reload();
  }
  leave();
}

async function openWindow() {
  const { challengeId, requestOptions } = await send('/account/enrollment-window/challenge');
  const evidence = { method: 'webauthn', challengeId, response: await get(requestOptions) };
  await send('/account/enrollment-window/approval', evidence);
  location.reload();
}

/** Go back to where the user came from, if that was a page of this origin. */
function leave() {
  const wanted = new URLSearchParams(location.search).get('return_to');
  const target = wanted ? new URL(wanted, location.origin) : null;
  if (target && target.origin === location.origin) location.assign(target);
  else location.reload();
}

/** @param {string} text @param {boolean} [bad] */
function say(text, bad = false) {
  status.textContent = text;
  status.classList.toggle('bad', bad);
}

/**
 * Run what a button does, one at a time, and say how it went.
 * @param {HTMLButtonElement | null} button
 * @param {() => Promise<unknown>} action
 */
async function run(button, action) {
  if (button) button.disabled = true;
  say('');
  try {
    await action();
  } catch (error) {
    const cancelled = error instanceof DOMException && error.name === 'NotAllowedError';
    say(cancelled ? 'The passkey prompt was closed or ran out. Nothing was changed.' : String(/** @type {Error} */ (error).message), true);
  } finally {
    if (button) button.disabled = false;
  }
}

/** @param {string} selector @param {(button: HTMLButtonElement) => Promise<unknown>} action */
function onClick(selector, action) {
  for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll(selector))) {
    button.addEventListener('click', () => run(button, () => action(button)));
  }
}

/**
 * Answer the consent page, and go where the answer sends the browser.
 * @param {'allow' | 'deny'} answer
 */
async function decide(answer) {
  const path = `/authorize/${/** @type {HTMLElement} */ (document.getElementById('deny')).dataset.request}`;
  /** @type {{redirect_to: string | null}} */
  let told;
  if (answer === 'deny') {
    told = await send(`${path}/denial`);
  } else {
    const { challengeId, requestOptions } = await send(`${path}/challenge`);
    told = await send(`${path}/approval`, { method: 'webauthn', challengeId, response: await get(requestOptions) });
  }
  if (told.redirect_to) return location.assign(told.redirect_to);
  document.querySelector('.buttons')?.remove();
  say(answer === 'allow' ? 'Done. The agent may go on; you can close this page.' : 'The agent was told no. You can close this page.');
}

/**
 * Say what has happened to who has come back, and offer to remove what was lost: every passkey but the new one (CRED-5).
 *
 * @param {string} added
 */
function welcomeBack(added) {
  const section = document.getElementById('recovered');
  if (!section) return;
  section.hidden = false;
  for (const button of document.querySelectorAll('[data-remove]')) {
    if (/** @type {HTMLElement} */ (button).dataset.remove === added) continue;
    const lost = /** @type {HTMLElement} */ (button.closest('li')?.cloneNode(true));
    lost.querySelector('button')?.setAttribute('aria-label', `Remove the lost ${lost.querySelector('span')?.firstChild?.textContent}`);
    section.querySelector('ul')?.append(lost);
  }
}

const recovery = new URLSearchParams(location.hash.slice(1)).get('recovery');
const recoverySection = document.getElementById('recovery');
if (recovery && recoverySection) recoverySection.hidden = false;
const recovered = new URLSearchParams(location.hash.slice(1)).get('recovered');
if (recovered) welcomeBack(recovered);

onClick('#allow', () => decide('allow'));
onClick('#deny', () => decide('deny'));
onClick('#sign-in', signIn);
onClick('#add', () => addPasskey());
onClick('#open-window', openWindow);
onClick('#close-window', async () => {
  await send('/account/enrollment-window', {}, 'DELETE');
  location.reload();
});
onClick('#recover', () => addPasskey(recovery ?? ''));
onClick('#sign-out', async () => {
  await send('/account/sign-out');
  location.reload();
});
onClick('[data-revoke]', async (button) => {
  await send(`/grants/${button.dataset.revoke}`, {}, 'DELETE');
  location.reload();
});
onClick('[data-block]', async (button) => {
  const chosen = /** @type {HTMLSelectElement} */ (document.getElementById(`for-${button.dataset.block}`)).value;
  await send(`/grants/${button.dataset.block}/block`, chosen ? { seconds: Number(chosen) } : {});
  location.reload();
});
onClick('[data-unblock]', async (button) => {
  await send(`/grants/${button.dataset.unblock}/block`, {}, 'DELETE');
  location.reload();
});
onClick('#done', async () => {
  history.replaceState(null, '', location.pathname);
  location.reload();
});
onClick('[data-remove]', async (button) => {
  await send(`/credentials/${button.dataset.remove}`, {}, 'DELETE');
  location.reload();
});
const signUpButton = /** @type {HTMLButtonElement | null} */ (document.querySelector('#sign-up button'));
if (signUpButton) signUpButton.disabled = false; // before this script runs, the form would go nowhere
document.getElementById('sign-up')?.addEventListener('submit', (event) => {
  event.preventDefault();
  const form = /** @type {HTMLFormElement} */ (event.target);
  run(form.querySelector('button'), () => signUp(String(new FormData(form).get('name'))));
});
