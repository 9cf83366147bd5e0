// @ts-check
/** The account page: sign-up, sign-in, passkeys, taking deputations back. Each button is one function. */

import { attention, evidenceOf, say, speak, Unanswered, wordsFor } from '../words.mjs';

/** @param {string} name */
const meta = (name) => /** @type {HTMLMetaElement | null} */ (document.querySelector(`meta[name="${name}"]`))?.content;
const issuer = meta('deputize-issuer') ?? '';
const status = /** @type {HTMLElement} */ (document.getElementById('status'));
let ready = learn();

/** Learn what is said in the language of this page (SHIM-12). @returns {Promise<boolean>} false if there was no answer */
async function learn() {
  try {
    return speak(await (await fetch(`${issuer}/words/${document.documentElement.lang}.json`)).json());
  } catch {
    return false;
  }
}

/** A no, or no whole answer (SHIM-11): `lost` says that what was sent may have been acted upon all the same. */
class Refused extends Error {
  /** @param {string} code */
  constructor(code) {
    super(wordsFor(code).human); // SHIM-10
    this.code = code;
    this.lost = LOST.includes(code);
  }
}
/** Nothing is done whose outcome could not be told. */
class Unsaid extends Error {}
/** After these a question is not open any more: its page says what became of it. */
const OVER = ['call_state', 'call_redeemed', 'declined', 'cancelled', 'expired', 'asked_too_often', 'missing_digits', 'wrong_digits'];
const LOST = ['authority_unavailable', 'record_unavailable', 'server_error'];

/**
 * Send one request; a refusal becomes an Error in words for people.
 * @param {string} path
 * @param {object} [body]
 * @param {string} [method]
 * @returns {Promise<any>} the JSON that was answered, whose shape PROTOCOL §2 tells
 */
async function send(path, body = {}, method = 'POST') {
  const csrf = meta('deputize-csrf');
  const headers = { 'content-type': 'application/json', ...(csrf ? { 'deputize-csrf': csrf } : {}) };
  let response, answer;
  try {
    response = await fetch(issuer + path, { method, credentials: 'include', headers, body: method === 'GET' ? null : JSON.stringify(body) });
    answer = response.status === 204 ? {} : JSON.parse(await response.text());
  } catch {
    throw new Refused('authority_unavailable');
  }
  if (!response.ok) throw new Refused(answer?.code ?? 'authority_unavailable');
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

/**
 * Let the user type what a method of approval asks for (APPR-9).
 * @param {string} label
 * @returns {Promise<string>}
 */
function ask(label) {
  const input = Object.assign(document.createElement('input'), { autocomplete: 'one-time-code', required: true });
  const said = document.createElement('label');
  const button = Object.assign(document.createElement('button'), { className: 'primary', textContent: say('script-typed') });
  const form = document.createElement('form');
  said.append(label, ' ', input);
  form.append(said, button);
  const before = document.activeElement;
  status.before(form);
  input.focus();
  return new Promise((resolve) =>
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (before instanceof HTMLElement) before.focus();
      form.remove();
      resolve(input.value);
    }),
  );
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
  const begun = await send('/credentials', recovery === undefined ? {} : { recovery }).catch((error) => {
    if (recovery !== undefined && error.code === 'enrollment_not_allowed') error.message = say('script-account-recovery-over');
    throw error;
  });
  const added = await send(`/credentials/${begun.challengeId}`, { response: await create(begun.creationOptions) });
  if (added.state === 'pending') {
    tell(say('script-account-confirm'));
    await send(`/credentials/${added.credential_id}/approval`, await evidenceOf(added, ask));
  }
  if (added.recovered) {
    history.replaceState(null, '', `${location.pathname}#recovered=${added.credential_id}`);
    return location.reload();
  }
  leave();
}

async function openWindow() {
  await send('/account/enrollment-window/approval', await evidenceOf(await send('/account/enrollment-window/challenge'), ask));
  location.reload();
}

async function forget() {
  await send('/account/forgetting/approval', await evidenceOf(await send('/account/forgetting/challenge'), ask));
  location.reload();
}

/** Go back to where the user came from, if that was a page of this origin or of the site's. */
function leave() {
  const wanted = new URLSearchParams(location.search).get('return_to');
  const target = wanted && URL.canParse(wanted, location.origin) ? new URL(wanted, location.origin) : null;
  if (target && [location.origin, meta('deputize-site')].includes(target.origin)) location.assign(target);
  else location.reload();
}

/** @param {number | string} time @returns {string} as the dialogs say it: by the clock of whoever reads */
const local = (time) => new Date(time).toLocaleString(say('script-region'), { dateStyle: 'medium', timeStyle: 'short' });

/** @param {string} text @param {boolean} [bad] */
function tell(text, bad = false) {
  status.textContent = text;
  status.classList.toggle('bad', bad);
}

/** Buttons whose action is under way. @type {Set<HTMLButtonElement>} */
const busy = new Set();
/** Buttons that answer a question. @type {NodeListOf<HTMLButtonElement>} */
const answers = document.querySelectorAll('[data-answers]');
/** @type {import('../../../../../js/src/people/attention.js').Attention | undefined} */
let seen;

/**
 * Nobody approves blind, nor by a press that was meant for what lay here before (SHIM-8). To use it: put `data-answers` on each button that
 * answers a question, so that it takes no press in the first half second; `data-answers="read"` on one that says yes, so that it takes none
 * before the end of the question was in view either; and `<div data-end></div>` below the last line that has to be read.
 */
function watch() {
  const end = document.querySelector('[data-end]');
  if (!end || answers.length === 0) return;
  const unread = Object.assign(document.createElement('p'), { id: 'unread', className: 'small' });
  end.after(unread);
  for (const button of answers) if (button.dataset.answers === 'read') button.setAttribute('aria-describedby', 'unread');
  seen = attention(end, () => {
    unread.textContent = seen?.unread() ? say('script-unread') : '';
    answers.forEach(refresh);
  });
  void ready.then(() => seen?.unread() && (unread.textContent = say('script-unread')));
  answers.forEach(refresh);
}

/** @param {HTMLButtonElement} button @returns {boolean} whether it answers, but not yet */
const waits = ({ dataset }) => seen !== undefined && dataset.answers !== undefined && !(dataset.answers === 'read' ? seen.read() : seen.armed());

/** Say whether a button can be pressed. It stays focusable, or the keyboard would lose its place. @param {HTMLButtonElement} button */
function refresh(button) {
  button.ariaDisabled = busy.has(button) || waits(button) ? 'true' : null;
}

/**
 * Run what a button does, one at a time, and say how it went.
 * @param {HTMLButtonElement | null} button
 * @param {() => Promise<unknown>} action
 */
async function run(button, action) {
  if (button && busy.has(button)) return;
  if (button && waits(button)) return void (seen?.unread() && scrollBy(0, innerHeight / 2));
  if (button) refresh(busy.add(button) && button);
  tell('');
  try {
    if (!(await ready) && !(await (ready = learn()))) throw new Unsaid();
    await action();
  } catch (error) {
    tell(explained(error), true);
  } finally {
    if (button) refresh((busy.delete(button), button));
  }
}

/** @param {unknown} error @returns {string} */
function explained(error) {
  if (error instanceof Unsaid) return wordsFor('authority_unavailable').human;
  if (error instanceof Refused) return error.lost ? say('script-account-unknown') : error.message;
  if (error instanceof Unanswered) return error.message;
  const { name } = /** @type {Error} */ (error);
  if (name === 'NotAllowedError') return say('script-account-passkey-closed');
  if (name === 'InvalidStateError') return wordsFor('credential_already_enrolled').human;
  return say('script-account-passkey-failed');
}

/** @param {string} selector @param {(button: HTMLButtonElement) => Promise<unknown>} action */
function onClick(selector, action) {
  for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll(selector))) {
    button.addEventListener('click', () => run(button, () => action(button)));
  }
}

/**
 * What a button of these does changes the page, which is loaded again. The keyboard goes on in the section where it was.
 * @param {string} selector
 * @param {(button: HTMLButtonElement) => Promise<unknown>} action
 */
function onChange(selector, action) {
  onClick(selector, async (button) => {
    await action(button);
    history.replaceState({ section: button.closest('section')?.getAttribute('aria-labelledby') }, '');
    location.reload();
  });
}

/** Go on in the section where something was changed, or at the top if that is gone with it. */
function goOn() {
  if (!history.state?.section) return;
  const heading = document.getElementById(history.state.section) ?? document.querySelector('h1');
  history.replaceState(null, '');
  if (!heading) return;
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
}

/** Say what became of an answer, and take the buttons away, but not the keyboard's place. @param {string} text */
function answered(text) {
  tell(text);
  status.tabIndex = -1;
  status.focus();
  for (const button of answers) button.remove();
}

/**
 * Answer the consent page, and go where the answer sends the browser.
 * @param {'allow' | 'deny'} answer
 * @param {boolean} [block] whether the agent is blocked as well (BLOCK-1)
 */
async function decide(answer, block = false) {
  const path = `/authorize/${/** @type {HTMLElement} */ (document.getElementById('deny')).dataset.request}`;
  /** @type {{redirect_to: string | null}} */
  let told;
  try {
    if (answer === 'deny') {
      told = await send(`${path}/denial`, { block });
    } else {
      told = await send(`${path}/approval`, await evidenceOf(await send(`${path}/challenge`), ask));
    }
    if (told.redirect_to === undefined) throw new Refused('authority_unavailable');
  } catch (error) {
    if (error instanceof Refused && error.lost) return look();
    throw error;
  }
  if (told.redirect_to) return location.assign(told.redirect_to);
  answered(say(answer === 'allow' ? 'script-account-allowed' : 'script-account-denied'));
}

/** What was typed of the digits that a question may have (PHONE-3): anything but two is no try. @returns {{digits?: string}} */
function digits() {
  const field = /** @type {HTMLInputElement | null} */ (document.getElementById('digits'));
  if (!field) return {};
  const typed = field.value.trim();
  if (/^\p{Nd}{2}$/u.test(typed)) return { digits: typed };
  field.focus();
  throw new Unanswered(say('script-phone-typed'));
}

/**
 * Answer a question, and show what has become of it, also where it was answered elsewhere meanwhile.
 * @param {'approve' | 'decline'} answer
 * @param {boolean} [block] whether the agent is blocked as well (BLOCK-1)
 */
async function reply(answer, block = false) {
  const path = `/ask/${/** @type {HTMLElement} */ (document.getElementById('decline')).dataset.asked}`;
  try {
    if (answer === 'decline') await send(`${path}/denial`, { block });
    else {
      const typed = digits();
      await send(`${path}/approval`, { ...(await evidenceOf(await send(`${path}/challenge`, typed), ask)), ...typed });
    }
  } catch (error) {
    if (!(error instanceof Refused) || !OVER.includes(error.code)) throw error;
  }
  location.reload();
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
    const passkey = lost.querySelector('span')?.firstChild?.textContent ?? '';
    void ready.then((learned) => learned && lost.querySelector('button')?.setAttribute('aria-label', say('script-account-remove-lost', { passkey })));
    section.querySelector('ul')?.append(lost);
  }
}

/** Say how the consent stands after an answer was lost (SHIM-11), and let the user take it back. */
async function look() {
  const grant = /** @type {HTMLElement} */ (document.getElementById('deny')).dataset.grant;
  /** @type {{state: string, expires_at: number}} */
  let standing;
  try {
    standing = await send(`/grants/${grant}`, {}, 'GET');
  } catch {
    return tell(say('script-account-answer-unknown'), true);
  }
  if (standing.state === 'pending') return tell(say('script-account-answer-open'), true);
  if (standing.state !== 'active') return answered(say('script-account-answer-denied'));
  answered(`${say('script-account-answer-allowed', { until: local(standing.expires_at * 1000) })} `);
  const button = Object.assign(document.createElement('button'), { className: 'danger', textContent: say('script-account-take-back') });
  button.addEventListener('click', () =>
    run(button, async () => {
      await send(`/grants/${grant}`, {}, 'DELETE');
      answered(say('script-account-taken-back'));
    }),
  );
  status.append(button);
}

const recovery = new URLSearchParams(location.hash.slice(1)).get('recovery');
const recoverySection = document.getElementById('recovery');
if (recovery && recoverySection) recoverySection.hidden = false;
const recovered = new URLSearchParams(location.hash.slice(1)).get('recovered');
if (recovered) welcomeBack(recovered);
void ready.then((learned) => {
  if (!learned) return; // they stay as they came, in UTC
  for (const time of document.querySelectorAll('time')) time.textContent = local(time.dateTime);
});

onClick('#allow', () => decide('allow'));
onClick('#deny', () => decide('deny'));
onClick('#deny-block', () => decide('deny', true));
onClick('#approve', () => reply('approve'));
onClick('#decline', () => reply('decline'));
onClick('#decline-block', () => reply('decline', true));
onClick('#sign-in', signIn);
onClick('#add', () => addPasskey());
onClick('#open-window', openWindow);
onClick('#forget', forget);
onChange('#close-window', async () => {
  await send('/account/enrollment-window', {}, 'DELETE');
});
onClick('#recover', () => addPasskey(recovery ?? ''));
onClick('#sign-out', async () => {
  await send('/account/sign-out');
  location.reload();
});
onChange('[data-revoke]', async (button) => {
  await send(`/grants/${button.dataset.revoke}`, {}, 'DELETE');
});
onChange('[data-block]', async (button) => {
  const chosen = /** @type {HTMLSelectElement} */ (document.getElementById(`for-${button.dataset.block}`)).value;
  await send(`/grants/${button.dataset.block}/block`, chosen ? { seconds: Number(chosen) } : {});
});
onChange('[data-unblock]', async (button) => {
  await send(`/grants/${button.dataset.unblock}/block`, {}, 'DELETE');
});
onChange('#pause', async () => {
  await send('/account/pause');
});
onChange('#resume', async () => {
  await send('/account/pause', {}, 'DELETE');
});
onChange('[data-asker]', async (button) => {
  await send('/account/questions', { asker: button.dataset.asker });
});
onClick('#done', async () => {
  history.replaceState(null, '', location.pathname);
  location.reload();
});
onChange('[data-call-off]', async (button) => {
  await send(`/calls/${button.dataset.callOff}/denial`, { reason: 'declined' });
});
onChange('[data-remove]', async (button) => {
  await send(`/credentials/${button.dataset.remove}`, {}, 'DELETE');
});
document.getElementById('sign-up')?.addEventListener('submit', (event) => {
  event.preventDefault();
  const form = /** @type {HTMLFormElement} */ (event.target);
  run(form.querySelector('button'), () => signUp(String(new FormData(form).get('name'))));
});
// They come disabled: what was pressed before this line would have been lost in silence.
for (const button of document.querySelectorAll('button')) button.disabled = false;
watch();
goOn();
