/**
 * What is said to people, and of a refusal to models, so that they know what to do next (SHIM-6, SHIM-10). The sentences are the
 * authority's catalogue, in one language, served as SHIM-12 has it. Until they are there this speaks what came with it: the
 * few that are needed where the authority gives no answer.
 *
 * No sentence says that nothing was done but where that is known: of a call that ended before it could run, or of this page,
 * which then has run nothing.
 */

import { textOf } from '../platform/json.js';
import * as natives from '../platform/natives.js';
import { FEW } from './english.js';
import { format } from './fluent.js';

/** @import { Messages, Variables } from './fluent.js' */

/**
 * @typedef {{language: string, direction: string, messages: Messages}} Spoken one language (BCP 47)
 *
 * @typedef {{again: boolean, model: string, human: string, retry: string}} Words of a refusal. `again`: the same call can
 *   succeed later, perhaps after what the sentence asks for; `retry`: for a human before a dialog that can be used again
 */

/** What came with this. */
let brought = FEW;
/** @type {Spoken} */
let spoken = FEW;

/**
 * Speaks this from now on.
 *
 * @param {unknown} words as they are served
 * @returns {boolean} false if they are no words: then as before
 */
export function speak(words) {
  const { language, direction, messages } = /** @type {Record<string, unknown>} */ (words);
  if (!textOf(language) || typeof messages !== 'object' || messages === null) return false;
  spoken = { language: textOf(language), direction: textOf(direction), messages: /** @type {Messages} */ (messages) };
  return true;
}

/**
 * Has these words until an authority gives others, and for what those lack.
 *
 * @param {Spoken} words
 */
export function bring(words) {
  if (spoken === brought) spoken = words;
  brought = words;
}

/** The attributes of an element that says something. */
export const tongue = () => ({ lang: spoken.language, dir: spoken.direction });

/**
 * @param {string} id of a message, or of one of its attributes
 * @param {Variables} [variables]
 * @returns {string} empty if there is none
 */
export function say(id, variables = {}) {
  const { messages } = natives.hasOwn(spoken.messages, id) ? spoken : brought;
  return natives.hasOwn(messages, id) ? format(messages, messages[id] ?? '', variables) : '';
}

/**
 * The words for a code.
 *
 * @param {string} code
 * @returns {Words}
 */
export function wordsFor(code) {
  let id = 'refusal-';
  for (let i = 0; i < code.length; i++) id += code[i] === '_' ? '-' : code[i];
  if (!say(`${id}.human`)) id = 'refusal-other';
  const human = say(`${id}.human`);
  return { again: say(`${id}.again`) !== '', model: say(`${id}.model`), human, retry: say(`${id}.retry`) || human };
}

/**
 * The languages to ask for (RFC 9110 §12.5.4): those that the human has told the browser they read, and of these the page's first.
 * A page has no more to say, or it could ask in a language that its reader cannot read.
 *
 * @param {readonly string[]} [languages] the human's, the best first
 * @param {string} [lang] the page's
 * @returns {string} empty where the browser does not tell
 */
export function wished(languages = natives.languages ?? [], lang = pageLang()) {
  const page = primary(lang);
  let first = '';
  let others = '';
  for (let i = 0; i < languages.length && i < MOST; i++) {
    const language = /** @type {string} */ (languages[i]);
    if (primary(language) === page) first += `${first && ', '}${language}`;
    else others += `${others && ', '}${language}`;
  }
  return first && others ? `${first}, ${others}` : first || others;
}

const pageLang = () => (natives.document && natives.getAttribute(natives.documentElement(natives.document), 'lang')) || '';

/** Beyond these a header would be looked at more closely (Fetch, CORS-safelisted request-header). */
const MOST = 8;

/** @param {string} tag @returns {string} the language in it, without script and region */
function primary(tag) {
  let language = '';
  for (let i = 0; i < tag.length && tag[i] !== '-'; i++) language += tag[i];
  return language;
}
