/**
 * What became of a call: a tool of the shim's own, by which an agent that did not wait for its answer asks (SHIM-16). It knows the calls
 * that were made in this page without evidence, by the agent in this browser, and says nothing of any other.
 */

import { pending } from '../authority/pending.js';
import { among } from '../platform/among.js';
import { textOf } from '../platform/json.js';
import { console, inert, isArray, push } from '../platform/natives.js';
import { say, wordsFor } from '../words/words.js';
import { succeeded } from './execute.js';
import { reason, refused } from './outcome.js';
import { answerOf } from './refusal.js';

/** @import { SharedCall } from './shared.js' */
/** @import { Call, Outcome, Parts } from '../types.js' */

/**
 * @typedef {object} Known a call of this page
 * @property {string} tool
 * @property {string} user
 * @property {SharedCall} shared
 * @property {Outcome | null} outcome null while it is under way
 * @property {string | null} callId
 *
 * @typedef {{state: string, code?: string}} Became
 */

export const CALL_STATUS = 'deputize.call_status';
/** So many calls are remembered. */
const MOST = 10;
/** What the authority says of a call (CALL-9), where that is no refusal. @type {Record<string, string>} */
const STATES = /** @type {any} any: null, which no record's type has */ ({
  __proto__: null,
  pending: 'waiting',
  approved: 'approved',
  redeemed: 'running',
  succeeded: 'done',
  failed: 'failed',
  unknown: 'unsure',
});

/** The calls of one page, the newest first. */
export class CallStatus {
  #parts;
  #offer;
  #offered = false;
  /** @type {readonly Known[]} */
  #calls = [];

  /**
   * @param {Pick<Parts, 'authority' | 'keyring'>} parts
   * @param {(tool: {name: string, execute: (input: unknown) => Promise<unknown>}) => unknown} offer registers it
   */
  constructor(parts, offer) {
    this.#parts = parts;
    this.#offer = offer;
  }

  /**
   * @param {Call} call
   * @param {SharedCall} shared
   * @returns {Known}
   */
  begin({ tool, user }, shared) {
    void this.#register();
    const known = { tool: tool.name, user: user.id, shared, outcome: null, callId: null };
    /** @type {Known[]} */
    const calls = [known];
    for (let i = 0; i < this.#calls.length && i < MOST - 1; i++) push(calls, /** @type {Known} */ (this.#calls[i]));
    this.#calls = calls;
    return known;
  }

  /**
   * @param {Known} known
   * @param {Outcome} outcome
   * @param {string | null} callId
   */
  end(known, outcome, callId) {
    known.outcome = outcome;
    known.callId = callId;
  }

  async #register() {
    if (this.#offered) return;
    this.#offered = true;
    const inputSchema = { type: 'object', properties: { correlation_id: { type: 'string', description: say('script-status-id') } } };
    const tool = { name: CALL_STATUS, description: say('script-status-description'), inputSchema, annotations: { readOnlyHint: true } };
    try {
      await this.#offer({ ...tool, execute: async (input) => await this.answer(input) });
    } catch (error) {
      console.debug(`deputize: this page has no ${CALL_STATUS}.`, error);
    }
  }

  /**
   * @param {unknown} input
   * @returns {Promise<unknown>} what an agent is answered; it runs nothing
   */
  async answer(input) {
    const { correlation_id: wanted } = /** @type {{correlation_id?: unknown}} */ (input ?? {});
    if (typeof input !== 'object' || input === null || isArray(input) || (wanted !== undefined && typeof wanted !== 'string')) return inert(/** @type {object} */ (answerOf({ outcome: refused('invalid_arguments') })));
    const config = await this.#parts.authority.config(true);
    if ('code' in config) return inert(/** @type {object} */ (answerOf({ outcome: { kind: 'refused', problem: config } })));
    /** @type {Array<Record<string, unknown>>} */
    const calls = [];
    let text = '';
    /** A call that was made again has its id: the newest tells. @type {string[]} */
    const seen = [];
    for (let i = 0; i < this.#calls.length; i++) {
      const known = /** @type {Known} */ (this.#calls[i]);
      const callId = known.callId ?? known.shared.pending?.callId ?? null;
      if (known.user !== config.user?.id || (wanted !== undefined && wanted !== callId) || (callId && among(callId, seen))) continue;
      if (callId) push(seen, callId);
      const { state, code } = await this.#became(known, callId);
      const words = code === undefined ? { model: say(`script-status-${state}`), again: STATES_AGAIN[state] === true } : wordsFor(code);
      push(calls, { tool: known.tool, correlation_id: callId, state, retryable: words.again, ...(code !== undefined && { code }) });
      text += `${text && '\n'}${known.tool}${callId ? ` (${callId})` : ''}: ${words.model}`;
    }
    return inert({ content: [{ type: 'text', text: text || say('script-status-none') }], structuredContent: { calls } });
  }

  /**
   * @param {Known} known
   * @param {string | null} callId
   * @returns {Promise<Became>}
   */
  async #became({ outcome, shared, user }, callId) {
    if (!outcome && (shared.running || !shared.pending)) return inert({ state: 'running' });
    if (outcome?.kind === 'thrown') return inert({ state: 'failed' });
    if (outcome?.kind === 'result') return inert({ state: succeeded(outcome) ? 'done' : 'failed' });
    if (outcome && outcome.kind !== 'left') return inert({ state: 'refused', code: reason(outcome).code });
    if (!callId) return inert({ state: outcome ? 'left' : 'waiting' });
    // It is still open: perhaps it was answered in another window.
    const { authority, keyring } = this.#parts;
    const answer = await pending(authority, `/calls/${callId}`, await keyring.key(user), 'state').look();
    if (!answer.ok) return inert({ state: outcome ? 'unsure' : 'waiting' });
    const said = textOf(answer.body.state);
    const state = STATES[said];
    return inert(state ? { state } : { state: 'refused', code: said });
  }
}

/** Those that can be called again with the same arguments, and will not run twice. @type {Record<string, boolean>} */
const STATES_AGAIN = /** @type {any} any: as above */ ({ __proto__: null, waiting: true, left: true, approved: true, running: true });
