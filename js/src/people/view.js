/** What the dialogs say, made from what the authority says. Words only; `dialog.js` draws them. */

import { argsS256 } from '../platform/canonical.js';
import { hasOwn, inert, isArray, keys, location, parse, push, stringify, URL, urlOrigin } from '../platform/natives.js';
import { textOf } from '../platform/json.js';
import { sole } from './methods/index.js';
import { mixed, visible } from './shown.js';
import { alphabet } from '../words/dialogs.js';
import { say, tongue } from '../words/words.js';

/** @import { Arguments, Asker, Bare, Caller, View } from '../types.js' */
/** @import { Said, Text } from '../wire.js' */

/**
 * The consent dialog (GRANT-2): the lines that are signed, each as it is, and nothing else.
 *
 * @param {Bare} shown what is signed
 * @param {Said<Text>} text what it is in words
 * @returns {Promise<View | null>} null if what is signed are other words
 */
export async function consentView(shown, text) {
  const lines = /** @type {View['lines']} */ (isArray(text.lines) ? text.lines : []);
  let json = '';
  for (let i = 0; i < lines.length; i++) json += `${i > 0 ? ',' : ''}${stringify(textOf(lines[i]?.line))}`;
  const same = text.language === shown.language && (await argsS256(parse(`[${json}]`))) === shown.text_s256;
  if (!same) return null;
  return inert({
    ...viewOf('consent', { site: textOf(shown.site), user: textOf(shown.user) }),
    language: textOf(text.language),
    lines,
    block: say('script-block'),
    phone: say('script-phone'),
  });
}

/**
 * @param {View} view
 * @returns {string} its lines, as an envelope has them
 */
export function linesIn({ lines }) {
  let text = '';
  for (let i = 0; i < lines.length; i++) text += (i > 0 ? '\n' : '') + (lines[i]?.line ?? '');
  return text;
}

/**
 * The approval dialog.
 *
 * @param {{site: string, user: string, description: string, args: Arguments, caller: Caller | null}} call `caller` is null for
 *   the user's own (CALL-7)
 * @returns {View}
 */
export function approvalView({ site, user, description, args, caller }) {
  return {
    ...viewOf('approval', { site, user }),
    title: say(caller ? 'script-approval-title' : 'script-approval-title-own'),
    asker: asker(caller),
    legend: say(caller ? 'script-approval-legend' : 'script-approval-legend-own'),
    description,
    values: valuesOf(args),
  };
}

/**
 * @param {Arguments} args
 * @returns {View['values']}
 */
function valuesOf(args) {
  const names = keys(args);
  /** @type {Array<View['values'][number]>} */
  const values = [];
  for (let i = 0; i < names.length; i++) {
    const name = names[i] ?? '';
    push(values, { name: visible(name), value: shown(args[name]) });
  }
  return values;
}

/**
 * The dialog for one more passkey.
 *
 * @param {{site: string, user: string}} of
 * @returns {View}
 */
export const enrollmentView = (of) => ({
  ...viewOf('enrollment', of),
  title: say('script-enrollment-title'),
  asker: say('script-enrollment-asker'),
});

/**
 * What every dialog says, and nothing else.
 *
 * @param {View['kind']} kind
 * @param {{site: string, user: string}} of
 * @returns {View}
 */
const viewOf = (kind, { site, user }) => ({
  kind,
  site,
  host: location.host,
  user,
  title: '',
  asker: '',
  description: '',
  legend: '',
  language: tongue().lang,
  lines: [],
  values: [],
  approve: say(`script-${kind}-yes`, { method: sole() }),
  decline: say(`script-${kind}-no`),
  block: '',
  phone: '',
});

/**
 * @param {Caller | null} caller
 * @returns {string}
 */
function asker(caller) {
  if (!caller) return say('script-approval-asker-own');
  const handedOnBy = hasOwn(caller, 'handedOnBy') ? caller.handedOnBy : null; // the page has no say in what is not there
  if (!handedOnBy) return say('script-approval-asker', { agent: nameOf(caller) });
  return say('script-approval-asker-handed-on', { agent: nameOf(caller), giver: nameOf(handedOnBy) });
}

/**
 * @param {Asker} agent
 * @returns {string} what is known of it, and then what it says
 */
function nameOf({ clientId, assurance, name }) {
  if (assurance === 'opaque') return say('script-agent', { kind: 'browser' });
  const registered = assurance === 'registered';
  const kind = registered ? 'registered' : 'proved';
  const id = visible(registered ? clientId : urlOrigin(new URL(clientId)));
  if (!name) return say('script-agent', { kind, id });
  return say('script-agent', { kind: `${kind}-named`, id, name: warned(say('script-called', { name: visible(name) }), name) });
}

/**
 * @param {string} shown
 * @param {string} text what it shows
 * @returns {string} with a warning, where a word of it may look like another
 */
function warned(shown, text) {
  const scripts = mixed(text);
  if (scripts.length === 0) return shown;
  let alphabets = alphabet(scripts[0] ?? '');
  for (let i = 1; i < scripts.length; i++) alphabets = say('script-and', { one: alphabets, other: alphabet(scripts[i] ?? '') });
  return say('mixed-alphabets', { text: shown, scripts: alphabets });
}

/** @param {unknown} value */
function shown(value) {
  const text = typeof value === 'string' ? value : stringify(value);
  return text === '' ? say('script-approval-value-empty') : warned(visible(text), text);
}
