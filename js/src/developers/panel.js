/**
 * The developer's panel on a page of this machine (PAGE-6): what is wrong, the tools and how each is gated, the last calls and their reasons. In
 * a closed shadow root, without a listener that a page could be met by: it opens and closes as `<details>` does.
 */

import { element, icon, shadow } from '../people/dom.js';
import * as natives from '../platform/natives.js';
import { appendChild, push, setText } from '../platform/natives.js';
import { say } from './sentences.js';
import { css } from './style.js';

/** @import { Ended } from '../calls/ended.js' */
/** @import { Rule } from '../types.js' */

/**
 * @typedef {object} State what it shows
 * @property {string} issuer
 * @property {string} site the page's origin
 * @property {boolean} read whether the policy is known here
 * @property {'native' | 'polyfill' | 'none'} context
 * @property {string | null} user who is signed in
 * @property {Array<{finding: string, what: string, cure: string}>} findings
 * @property {Array<{name: string, finding: string | null, rule: Rule | null, granted: boolean | null}>} tools `finding`: how it passes the
 *   gate; `rule`: null where the policy does not know it; `granted`: whether the user lets this browser's agent use it
 * @property {readonly Ended[]} calls the newest first
 *
 * @typedef {{show: (state: State) => void}} Panel
 */

const SHIELD = 'M12 3l7 3v5c0 4.6-3 8.2-7 10-4-1.8-7-5.4-7-10V6z';
const REMEMBERED = 'deputize-panel';

/**
 * Puts the panel into the page.
 *
 * @param {boolean} [openRoot] for tests: its shadow root is open
 * @returns {Panel}
 */
export function panel(openRoot = natives.openForTests) {
  const { host, root } = shadow('data-deputize-panel', openRoot ? 'open' : 'closed', css);
  const count = element('span', { class: 'count' });
  const wrong = element('span', { class: 'wrong' });
  const summary = element('summary', {}, [icon(SHIELD), element('span', {}, 'deputize'), count, wrong]);
  const body = element('div', { class: 'body', tabindex: '0', role: 'region', 'aria-label': say('panel') });
  const details = element('details', { lang: 'en', dir: 'ltr', ...(wasOpen() && { open: '' }) }, [summary, body]);
  appendChild(root, details);
  appendChild(natives.documentElement(natives.document), host);
  natives.listen(details, 'toggle', () => remember(natives.getAttribute(details, 'open') !== null));
  return natives.inert({
    show(state) {
      setText(count, say('panel-count', { tools: natives.stringify(state.tools.length) }));
      setText(wrong, state.findings.length > 0 ? say('panel-wrong', { findings: natives.stringify(state.findings.length) }) : '');
      setText(body, '');
      const nodes = contents(state);
      for (let i = 0; i < nodes.length; i++) appendChild(body, /** @type {Node} */ (nodes[i]));
    },
  });
}

/** @param {State} state @returns {Node[]} */
function contents({ issuer, site, read, context, user, findings, tools, calls }) {
  return [
    element('p', { class: 'about' }, say('panel-about', { site, issuer })),
    element('p', { class: 'about' }, !read ? say('panel-unread') : user === null ? say('panel-nobody') : say('panel-user', { user })),
    section('findings', each(findings, finding), 'panel-fine'),
    section('tools', each(tools, (one) => tool(one, read)), context === 'none' ? 'panel-no-webmcp' : 'panel-no-tools'),
    section('calls', each(calls, call), 'panel-no-calls'),
  ];
}

/**
 * @param {string} kind
 * @param {Node[]} items
 * @param {string} none what is said where there are none
 */
const section = (kind, items, none) =>
  element('section', {}, [
    element('h2', {}, say(`panel-${kind}`)),
    items.length > 0 ? element('ul', { class: kind }, items) : element('p', { class: 'none' }, say(none)),
  ]);

/** @param {State['findings'][number]} found */
const finding = ({ finding: code, what, cure }) =>
  element('li', {}, [element('p', { class: 'what' }, what), element('p', { class: 'cure' }, cure), element('code', {}, code)]);

/**
 * @param {State['tools'][number]} of
 * @param {boolean} read whether it is known what the policy says
 */
function tool({ name, finding: passed, rule, granted }, read) {
  const state = passed ? 'panel-not-gated' : rule?.public ? 'panel-public' : rule || !read ? 'panel-gated' : 'panel-unknown';
  const good = state === 'panel-gated' || state === 'panel-public';
  const row = element('div', { class: 'row' }, [
    element('code', { class: 'name' }, name),
    element('span', { class: good ? 'state good' : 'state bad' }, say(state)),
  ]);
  if (!rule || rule.public) return element('li', {}, [row]);
  let scopes = '';
  for (let i = 0; i < rule.scopes.length; i++) scopes += `${scopes && ', '}${rule.scopes[i]}`;
  const rules = `approval = ${rule.approval} · executes = ${rule.page ? 'page' : 'api'}`;
  const more = element('div', { class: 'more' }, [element('code', {}, `scopes = ${scopes}`), element('code', {}, rules)]);
  return element('li', {}, [row, more, element('p', { class: granted ? 'good' : 'none' }, say(granted ? 'panel-granted' : 'panel-not-granted'))]);
}

/** @param {Ended} ended */
function call({ tool: name, at, direct, kind, code, callId }) {
  const good = kind === 'result' || kind === 'public';
  const how = code === null ? element('span', { class: good ? 'state good' : 'state bad' }, say(`panel-${kind}`)) : element('code', { class: 'state bad' }, code);
  const row = element('div', { class: 'row' }, [element('code', { class: 'name' }, name), how]);
  const by = element('span', {}, `${clock(at)} · ${say(direct ? 'panel-own' : 'panel-agent')}`);
  return element('li', {}, [row, element('div', { class: 'more' }, callId === null ? [by] : [by, element('code', {}, callId)])]);
}

/**
 * @template T
 * @param {readonly T[]} all
 * @param {(one: T) => Node} made
 */
function each(all, made) {
  /** @type {Node[]} */
  const nodes = [];
  for (let i = 0; i < all.length; i++) push(nodes, made(/** @type {T} */ (all[i])));
  return nodes;
}

/** @param {number} at */
const clock = (at) =>
  natives.formatOf(new natives.DateTimeFormat('en-GB', /** @type {Intl.DateTimeFormatOptions} */ ({ __proto__: null, timeStyle: 'medium' })))(at);

/** @returns {boolean} whether it was open on the page before */
function wasOpen() {
  try {
    return natives.sessionStorage?.getItem(REMEMBERED) === 'open';
  } catch {
    return false;
  }
}

/** @param {boolean} open */
function remember(open) {
  try {
    natives.sessionStorage?.setItem(REMEMBERED, open ? 'open' : 'closed');
  } catch {
    // Then the next page begins closed.
  }
}
