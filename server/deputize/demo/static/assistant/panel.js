// @ts-check
/**
 * The assistant's card: what can be tried, what was said and came of it, and beside that what the record has of it.
 *
 * @import { Got } from './agent.js'
 * @import { Scene, Stage } from './scenes.js'
 *
 * @typedef {{i: number, t: number, kind: string, code?: string, call_id?: string, tool?: string, scope?: string}} Entry
 */
import { call, isNative } from './agent.js';
import { SCENES } from './scenes.js';

const PENDING = new Set(['approval_pending', 'consent_pending']);
const BROUGHT =
  'This browser has no WebMCP of its own, so this page brought one along: for agents in the page, not for those of the browser.';
/** @type {Record<string, [string, string]>} where the visitor can do something about a refusal */
const WAYS_ON = {
  login_required: ['Sign in or open an account', '/deputize/account?return_to=/'],
  asked_too_often: ['Allow questions again on your account page', '/deputize/account'],
  grant_revoked: ['See on your account page what agents may do', '/deputize/account'],
};
const YET = 'Nothing yet.';
const ATTEMPTS = 30; // at 20 seconds each, as long as a dialog stays
const LOOK_EVERY = 700; // milliseconds

/** @param {string} id */
const at = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const [card, talk, kept, none] = [at('assistant'), at('talk'), at('kept'), at('kept-none')];
const signedIn = card.dataset.signedIn === 'yes';

/**
 * @param {string} tag
 * @param {string} className
 * @param {Array<Node | string>} children
 */
function made(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

/**
 * @param {HTMLElement} line
 * @param {HTMLElement} [list] whose pane shows its newest
 */
function add(line, list = talk) {
  list.append(line);
  const pane = /** @type {HTMLElement} */ (list.parentElement);
  pane.scrollTop = pane.scrollHeight;
}

// --- the talk ---------------------------------------------------------------------------------------------------------

/** @param {Got} got */
function showAnswer({ text, code, callId }) {
  const mark = code ? made('b', 'code no', code) : made('b', 'code yes', 'done');
  const line = made('li', code ? 'got refused' : 'got', mark, made('span', 'answer', text));
  line.append(callId ? made('code', 'call', callId) : made('span', 'call', 'no correlation id'));
  const [words, href] = WAYS_ON[code ?? ''] ?? [];
  if (href) line.append(Object.assign(made('a', '', words), { href }));
  add(line);
}

/** @type {Stage} */
const stage = {
  say: (text) => add(made('li', 'said', text)),
  tell: (text) => add(made('li', 'told', text)),
  got: showAnswer,
  async call(name, input) {
    add(made('li', 'called', made('code', '', `executeTool(${name}, ${brief(input)})`)));
    for (let attempt = 1; ; attempt++) {
      const got = await call(name, input);
      // The dialog is still there: what is asked again meets the same one.
      if (attempt === ATTEMPTS || !PENDING.has(got.code ?? '')) {
        showAnswer(got);
        return got;
      }
      if (attempt === 1) stage.tell('The dialog is still open, and waits for your answer.');
    }
  },
};

/** @param {object} input */
const brief = (input) => JSON.stringify(input, (_, value) => (String(value).length > 80 ? `${value.slice(0, 24)}…` : value));

// --- the record -------------------------------------------------------------------------------------------------------

/** @type {number | null} */
let next = null;
let looked = Promise.resolve();

/** Shows what has come to the record since it was looked at last: one look after the other, so that none shows the same. */
const look = () => (looked = looked.then(goOn));

async function goOn() {
  if (!signedIn) return;
  const answer = await fetch(next === null ? '/record' : `/record?from=${next}`).catch(() => null);
  if (!answer?.ok) {
    none.textContent = 'The record cannot be read now. Load this page again.';
    none.hidden = false;
    return;
  }
  const found = await answer.json();
  next = found.next;
  for (const entry of /** @type {Entry[]} */ (found.entries)) {
    const { i, kind, code, call_id: callId, tool, scope } = entry;
    const head = made('summary', '', made('span', 'index', String(i)), made('b', '', kind));
    if (code) head.append(made('b', 'code no', code));
    head.append(made('span', 'of', [tool ?? scope, callId].filter(Boolean).join(' · ')));
    const line = made('li', '', made('details', '', head, made('pre', '', JSON.stringify(entry, null, 2))));
    add(line, kept);
  }
  none.hidden = kept.childElementCount > 0;
}

// --- the scenes -------------------------------------------------------------------------------------------------------

let playing = false;

/** @param {Scene} scene */
async function play({ title, shows, play: run }) {
  playing = true;
  for (const button of buttons) {
    button.setAttribute('aria-disabled', 'true');
    if (button.textContent === title) button.setAttribute('aria-current', 'true');
    else button.removeAttribute('aria-current');
  }
  talk.replaceChildren(made('li', 'scene', made('b', '', title), shows));
  kept.replaceChildren();
  none.textContent = signedIn ? YET : 'Nobody is signed in, so nothing is decided, and there is nothing to record.';
  none.hidden = false;
  next = null;
  await look();
  const looking = setInterval(look, LOOK_EVERY);
  try {
    if (!(await isNative())) at('webmcp').textContent = BROUGHT;
    await run(stage);
  } catch (error) {
    stage.tell(/** @type {Error} */ (error).message);
  } finally {
    clearInterval(looking);
    await look();
    if (none.textContent === YET) none.textContent = 'Nothing: no decision was asked for.';
    for (const button of buttons) button.removeAttribute('aria-disabled');
    playing = false;
  }
}

const buttons = SCENES.map((scene) => {
  const button = made('button', 'scene', scene.title);
  button.title = scene.shows;
  button.addEventListener('click', (event) => {
    // What scripts click is no visitor who wants to see something; and there is one talk at a time.
    if (event.isTrusted && !playing) void play(scene);
  });
  at('scenes').append(made('li', '', button));
  return button;
});
card.hidden = false;
