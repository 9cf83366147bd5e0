/** The catalogue's part for the page, as `words/page.py` serves it, for what is bundled and for the tests. */
import { readFileSync } from 'node:fs';
import { FluentResource } from '@fluent/bundle';

const OURS = /^(script-|refusal-|mixed-alphabets$|asked-by$|asker-browser)/;
/** What those are told who build the site. */
export const DEVELOPERS = /^developer-/;

/**
 * What the page says, of one file of Fluent.
 *
 * @param {string} text
 * @param {RegExp} [ours] which messages
 * @returns {Record<string, unknown>} patterns by `name` or `name.attribute`
 */
export function messages(text, ours = OURS) {
  /** @type {Record<string, unknown>} */
  const found = {};
  for (const { id, value, attributes } of new FluentResource(text).body) {
    if (!ours.test(id)) continue;
    if (value !== null) found[id] = value;
    for (const name in attributes) found[`${id}.${name}`] = attributes[name];
  }
  return found;
}

/** The catalogue in English. */
export const english = readFileSync(new URL('../server/deputize/words/en.ftl', import.meta.url), 'utf8');
