/**
 * The methods of approval that a page has (APPR-9), by the name that evidence says. To add one: a module beside this one, named as the
 * method is, that exports `method`, a function which makes it. The build finds it by its being there.
 */

import { textOf } from '../../platform/json.js';
import { Error, hasOwn, inert, keys } from '../../platform/natives.js';
import { wordsFor } from '../../words/words.js';
import { METHODS } from './registered.js';

/** @import { Bare } from '../../types.js' */

/**
 * @typedef {object} Method
 * @property {() => string} waiting what the dialog says meanwhile
 * @property {(envelope: Bare) => string} challenge the bytes that are to be signed, in base64url: what the page holds against
 *   what it shows
 * @property {(envelope: Bare, ask: Ask, signal?: AbortSignal) => Promise<object>} answer lets the human answer: the members that the
 *   evidence has beside `method` and `challengeId`; rejects where there is no answer
 * @property {(error: unknown) => string} explain says why there was none
 * @property {(code: string) => string} again what to say after a refusal that the same dialog can mend; empty after others
 *
 * @typedef {Readonly<Record<string, Method>>} Methods without a prototype
 *
 * @typedef {(label: string) => Promise<string>} Ask lets the human type something, where what is asked is shown
 */

/**
 * Finds the method that an envelope asks for. SEP-2672 has one only, and its envelope does not name it.
 *
 * @param {Bare} envelope
 */
export const nameIn = (envelope) => (envelope.method === undefined ? 'webauthn' : textOf(envelope.method));

/**
 * @param {Bare} envelope
 * @param {Methods} methods
 * @returns {Method | undefined} undefined where the page does not have it
 */
export function methodIn(envelope, methods) {
  const name = nameIn(envelope);
  return hasOwn(methods, name) ? methods[name] : undefined;
}

/** The method that a button can name: the only one that there is. */
export function sole() {
  const names = keys(METHODS);
  return names.length === 1 ? (names[0] ?? '') : '';
}

export { METHODS };

/** There is no answer; the message says why, to the human. */
export class Unanswered extends Error {}

/**
 * Lets the human answer an envelope, and makes the evidence of it (SEP-2672 §4.5).
 *
 * @param {Bare} envelope
 * @param {Ask} ask
 * @param {AbortSignal} [signal]
 * @param {Methods} [methods]
 * @returns {Promise<object>} rejects with Unanswered
 */
export async function evidenceOf(envelope, ask, signal, methods = METHODS) {
  const method = methodIn(envelope, methods);
  if (!method) throw new Unanswered(wordsFor('unsupported_method').human);
  const challengeId = textOf(envelope.challengeId);
  try {
    return inert({ ...(await method.answer(envelope, ask, signal)), method: nameIn(envelope), challengeId });
  } catch (error) {
    throw new Unanswered(method.explain(error));
  }
}
