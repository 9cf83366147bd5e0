/** What the dialogs say, made from what the authority says. Words only; `dialog.js` draws them. */

import { argsS256 } from '../platform/canonical.js';
import { exec, inert, isArray, keys, location, parse, push, stringify } from '../platform/natives.js';
import { bare, memberOf, textOf } from '../platform/json.js';
import { sole } from './methods/index.js';
import { mixed, visible } from './shown.js';
import { alphabet } from '../words/dialogs.js';
import { FSI, PDI } from '../words/fluent.js';
import { say, tongue } from '../words/words.js';

/** @import { Arguments, Bare, View } from '../types.js' */
/** @import { Line, Row, Said, Text } from '../wire.js' */

/** What stands between a line and the one before it, where the two are read as one: by part, and by the part before. */
const BESIDE = /** @type {Record<string, Record<string, string>>} */ (
  bare({ value: { row: ': ', value: ', ' }, asker: { row: ': ' }, claim: { asker: ' · ', claim: ' · ' }, new: { scope: ' · ', limit: ' · ' } })
);

/** In one text it begins a line; within a line nobody would see it. */
const BREAK = /[\n\r\u2028\u2029]/;

/**
 * The consent dialog (GRANT-2): the lines that are signed, each as it is, and nothing else.
 *
 * @param {Bare} shown what is signed
 * @param {Said<Text>} text what it is in words
 * @returns {Promise<View | null>} null if what is signed are other words
 */
export async function consentView(shown, text) {
  const lines = linesOf(text);
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
 * @param {Said<Text>} text
 * @returns {View['lines']}
 */
const linesOf = ({ lines }) => /** @type {View['lines']} */ (isArray(lines) ? lines : []);

/**
 * @param {Pick<View, 'lines'>} view
 * @returns {string} its lines, as an envelope has them: rows, and who asks, each in one
 */
export function linesIn({ lines }) {
  let text = '';
  let before = '';
  for (let i = 0; i < lines.length; i++) {
    const { part, line } = /** @type {Line} */ (lines[i]);
    text += (i > 0 ? (BESIDE[part]?.[before] ?? '\n') : '') + line;
    before = part;
  }
  return text;
}

/**
 * The lines of an envelope: as the authority says that they are drawn, where that comes to exactly the text of the envelope (APPR-1),
 * and else this text as it is.
 *
 * @param {Bare} envelope
 * @param {ReadonlyArray<Line>} [asker] who asks, where the envelope is not of an authority that says it: there it is always the text
 * @returns {View['lines']}
 */
export function linesFrom({ displayText, text }, asker) {
  const told = textOf(displayText);
  const lines = (asker ? null : drawnAs(memberOf(text, 'lines'), told)) ?? plainly(told);
  for (let i = 0; asker && i < asker.length; i++) push(lines, /** @type {Line} */ (asker[i]));
  return lines;
}

/**
 * The language of these lines.
 *
 * @param {Bare} envelope
 * @param {ReadonlyArray<Line>} [asker] as above
 * @returns {string} empty where nobody says it
 */
export const languageFrom = ({ text }, asker) => (asker ? '' : textOf(memberOf(text, 'language')));

/**
 * A headline, and rows under it. Whatever else is in the text would be drawn as nobody has foreseen, or not be seen at all: a second
 * headline takes the place of the first.
 *
 * @param {unknown} lines
 * @param {string} told
 * @returns {Line[] | null} null if it is another text, or put together in another way
 */
function drawnAs(lines, told) {
  /** @type {Line[]} */
  const drawn = [];
  let before = '';
  for (let i = 0; isArray(lines) && i < lines.length; i++) {
    const part = textOf(memberOf(lines[i], 'part'));
    const line = textOf(memberOf(lines[i], 'line'));
    const fits = i === 0 ? part === 'headline' : part === 'row' || BESIDE[part]?.[before] !== undefined;
    if (!fits || exec(BREAK, line)) return null;
    push(drawn, { part, line });
    before = part;
  }
  return drawn.length > 0 && linesIn({ lines: drawn }) === told ? drawn : null;
}

/**
 * Where nobody says how lines are drawn (SEP-2672 §4.4.3), the first is what is asked.
 *
 * @param {string} displayText
 * @returns {Line[]}
 */
function plainly(displayText) {
  /** @type {Line[]} */
  const lines = [{ part: 'headline', line: '' }];
  for (let i = 0; i < displayText.length; i++) {
    if (displayText[i] === '\n') push(lines, { part: 'remark', line: '' });
    else /** @type {Line} */ (lines[lines.length - 1]).line += displayText[i];
  }
  return lines;
}

/**
 * Who asks, where nobody else says it: the agent in this browser, as far as anybody can know (AGENT-1). In the page's language.
 *
 * @returns {View['lines']}
 */
export function askedHere() {
  const { lang: language } = tongue();
  return [
    { part: 'row', line: say('asked-by'), language },
    { part: 'asker', line: say('asker-browser'), language },
    { part: 'claim', line: say('asker-browser-what'), language },
  ];
}

/**
 * The approval dialog.
 *
 * @param {{site: string, user: string, language: string, lines: View['lines'], details: View['details'], kind: string, agent: boolean}} call
 *   `language` of the lines; `kind` of authenticator that it takes (CRED-6); `agent`: one asks; otherwise it is the user's own (CALL-7)
 * @returns {View}
 */
export function approvalView({ site, user, language, lines, details, kind, agent }) {
  return {
    ...viewOf('approval', { site, user }),
    approve: say('script-approval-yes', { method: sole(), class: kind }),
    language,
    lines,
    details,
    legend: say(agent ? 'script-approval-legend' : 'script-approval-legend-own'),
  };
}

/**
 * What the authority has a human read of a call (APPR-2).
 *
 * @param {Bare} body of its answer
 * @returns {Pick<View, 'language' | 'lines' | 'details'> & {kind: string}}
 */
export const askedIn = ({ text, details, authenticator_class: kind }) => ({
  language: textOf(memberOf(text, 'language')),
  lines: linesOf(/** @type {Said<Text>} */ (text ?? bare({}))),
  details: /** @type {View['details']} */ (isArray(details) ? details : []),
  kind: textOf(kind),
});

/**
 * The arguments of a call, of which nobody says more than they are.
 *
 * @param {Arguments} args
 * @returns {View['details']}
 */
export function detailsOf(args) {
  const names = keys(args);
  /** @type {Row[]} */
  const rows = [];
  for (let i = 0; i < names.length; i++) {
    const name = names[i] ?? '';
    push(rows, { title: visible(name), values: [FSI + shown(args[name]) + PDI] });
  }
  return rows;
}

/**
 * The dialog for one more passkey.
 *
 * @param {{site: string, user: string}} of
 * @returns {View}
 */
export const enrollmentView = (of) => ({
  ...viewOf('enrollment', of),
  lines: [
    { part: 'title', line: say('script-enrollment-title') },
    { part: 'remark', line: say('script-enrollment-asker') },
  ],
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
  language: tongue().lang,
  lines: [],
  legend: '',
  details: [],
  approve: say(`script-${kind}-yes`, { method: sole() }),
  decline: say(`script-${kind}-no`),
  block: '',
  phone: '',
});

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
