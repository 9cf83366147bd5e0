/**
 * Patterns of Fluent, put into text as `FluentBundle` of `@fluent/bundle` does it, which the tests hold this to. That one is not
 * used in pages, because it asks the page's globals each time (iterators, `Map`, `Array.prototype.join`, `Intl`): script that runs
 * later could say what a dialog says. Here are indexes, own members, and operators only.
 *
 * The patterns are parsed where they are served from (`words/page.py`), or when this is bundled.
 */

import { hasOwn } from '../platform/natives.js';

/** First strong isolate and its end (UAX #9): what stands between them is ordered by itself, whatever its letters are. */
export const FSI = '\u2068';
export const PDI = '\u2069';

/**
 * @typedef {{type: 'str', value: string}
 *   | {type: 'var', name: string}
 *   | {type: 'mesg', name: string, attr?: string | null}
 *   | {type: 'select', selector: Expression, variants: ReadonlyArray<{key: Expression, value: Pattern}>, star: number}} Expression
 * @typedef {string | ReadonlyArray<string | Expression>} Pattern
 * @typedef {Readonly<Record<string, Pattern>>} Messages by `name`, or `name.attribute`
 * @typedef {Readonly<Record<string, string>>} Variables
 */

/**
 * @param {Messages} messages
 * @param {Pattern} pattern
 * @param {Variables} variables
 * @returns {string} what stands in braces is set apart, as in a sentence of Fluent, unless it is all
 */
export function format(messages, pattern, variables) {
  if (typeof pattern === 'string') return pattern;
  let text = '';
  for (let i = 0; i < pattern.length; i++) {
    const piece = /** @type {string | Expression} */ (pattern[i]);
    if (typeof piece === 'string') text += piece;
    else if (pattern.length === 1) text += valueOf(messages, piece, variables);
    else text += FSI + valueOf(messages, piece, variables) + PDI;
  }
  return text;
}

/**
 * @param {Messages} messages
 * @param {Expression} expression
 * @param {Variables} variables
 * @returns {string}
 */
function valueOf(messages, expression, variables) {
  switch (expression.type) {
    case 'str':
      return expression.value;
    case 'var':
      return (hasOwn(variables, expression.name) && variables[expression.name]) || '';
    case 'mesg': {
      const id = expression.attr ? `${expression.name}.${expression.attr}` : expression.name;
      return format(messages, (hasOwn(messages, id) && messages[id]) || '', variables);
    }
    case 'select':
      return format(messages, chosen(messages, expression, variables), variables);
  }
}

/**
 * @param {Messages} messages
 * @param {Extract<Expression, {type: 'select'}>} expression
 * @param {Variables} variables
 * @returns {Pattern}
 */
function chosen(messages, { selector, variants, star }, variables) {
  const value = valueOf(messages, selector, variables);
  for (let i = 0; i < variants.length; i++) {
    const variant = variants[i];
    if (variant && valueOf(messages, variant.key, variables) === value) return variant.value;
  }
  return variants[star]?.value ?? '';
}
