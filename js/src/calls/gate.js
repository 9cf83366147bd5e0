/** The way of one call (PROTOCOL §5, §10): what stands between an agent and a tool's own callback. */

import { takeEvidence, withoutEvidence } from '../authority/evidence.js';
import * as natives from '../platform/natives.js';
import { inert } from '../platform/natives.js';
import { wordsFor } from '../words/words.js';
import { makeClient, run } from './client.js';
import { reason, refused } from './outcome.js';
import { answerOf } from './refusal.js';

/** @import { endedBy } from './ended.js' */
/** @import { Authority } from '../authority/authority.js' */
/** @import { Arguments, Ask, Asking, Execute, Outcome, Problem, Tool } from '../types.js' */

/** @typedef {'gated' | 'public' | 'unknown'} Standing of a name in the policy */

/** The gate of one page. */
export class Gate {
  #authority;
  #ask;
  /** @type {Asking | null} */
  #asking = null;
  /** Hears of each call that is over (`endedBy`). @type {(...call: Parameters<typeof endedBy>) => void} */
  ended = () => {};

  /**
   * @param {Authority} authority
   * @param {Ask} ask
   */
  constructor(authority, ask) {
    this.#authority = authority;
    this.#ask = ask;
  }

  /**
   * An agent's call: the tool's result, or a refusal as a result. What the tool throws is thrown.
   *
   * @param {Tool} tool
   * @param {Execute} callback
   * @param {unknown} input
   * @param {AbortSignal | undefined} signal
   * @returns {Promise<unknown>}
   */
  async call(tool, callback, input, signal) {
    if (this.standing(tool.name) === 'public') {
      this.ended(undefined, tool.name, false, natives.now()); // and without a turn between, as if there were no gate
    } else {
      const settled = await this.attempt(tool, callback, input, signal, false);
      if (settled) return answerOf(settled);
    }
    const open = withoutEvidence(input);
    const idle = signal ?? natives.signalOf(new natives.AbortController());
    return await run(callback, /** @type {Arguments} */ (open), makeClient({ signal: idle }));
  }

  /** @returns {Promise<Asking | Problem>} what a call needs */
  async asking() {
    const asking = await this.#ask();
    if (!('code' in asking)) this.#asking = asking;
    return inert(asking);
  }

  /** What a call needs, if it is there. */
  loaded() {
    return this.#asking;
  }

  /**
   * What the policy says of a name, as far as this page knows by now.
   *
   * @param {string} name
   * @returns {Standing | null} null where that is not known
   */
  standing(name) {
    const { known } = this.#authority;
    const rule = known?.tools.get(name);
    return known && (rule ? (rule.public ? 'public' : 'gated') : 'unknown');
  }

  /**
   * @param {string} name
   * @returns {Promise<Standing | null>} null where the authority does not answer
   */
  async ask(name) {
    await this.#authority.config();
    return this.standing(name);
  }

  /**
   * A call of the page's own (CALL-7), or with `byAgent` one that an agent made in a form: the tool's result, or an Error with `code`.
   *
   * @param {Tool} tool
   * @param {Execute} callback
   * @param {unknown} input
   * @param {boolean} [byAgent]
   * @returns {Promise<unknown>}
   */
  async perform(tool, callback, input, byAgent = false) {
    const settled = await this.attempt(tool, callback, input, undefined, !byAgent);
    const outcome = settled?.outcome ?? refused('tool_is_public');
    if (outcome.kind === 'thrown') throw outcome.error;
    if (outcome.kind === 'result') return outcome.value;
    const { code, callId } = reason(outcome);
    throw Object.assign(new Error(wordsFor(code).human), { code, correlationId: callId }); // SHIM-10
  }

  /**
   * @param {Tool} tool
   * @param {Execute} callback
   * @param {unknown} input
   * @param {AbortSignal | undefined} signal
   * @param {boolean} direct
   * @returns {Promise<{outcome: Outcome, facts?: Record<string, unknown>} | null>} null: the tool is public, and open to all
   */
  async attempt(tool, callback, input, signal, direct) {
    const settled = await this.#settle(tool, callback, input, signal, direct);
    this.ended(settled?.outcome, tool.name, direct, natives.now());
    return settled;
  }

  /**
   * @param {Tool} tool
   * @param {Execute} callback
   * @param {unknown} input
   * @param {AbortSignal | undefined} signal
   * @param {boolean} direct
   * @returns {Promise<{outcome: Outcome, facts?: Record<string, unknown>} | null>} as `attempt`
   */
  async #settle(tool, callback, input, signal, direct) {
    const taken = takeEvidence(input); // SHIM-2: before anybody else runs
    /** @type {Outcome | null} */
    let judged = null;
    for (let again = false; ; again = true) {
      // A human who calls may have signed in as somebody else just now; agents hear of it when they call.
      const config = await this.#authority.config(again || direct);
      if ('code' in config) return inert({ outcome: { kind: 'refused', problem: config } });
      const rule = config.tools.get(tool.name);
      if (rule?.public) return null; // CALL-8
      // Another tab may have signed in, the policy may have been changed: a no from memory is not the last word.
      if (!again && (!rule || !config.user)) continue;
      const facts = { sign_in_uri: config.signInUri };
      if (!config.user) return inert({ outcome: refused(rule ? 'login_required' : 'unknown_tool'), facts: rule && facts });
      if (!taken) return inert({ outcome: refused('invalid_arguments') });
      if (taken.bad) return inert({ outcome: refused('invalid_token') }); // EVID-1: never treated as none
      if (judged) return inert({ outcome: judged }); // its proof is spent: a second answer would only hide why
      const asking = await this.asking();
      if ('code' in asking) return inert({ outcome: { kind: 'refused', problem: asking } });
      const { args: { text, value: args }, evidence } = taken;
      const { user } = config;
      const outcome = await asking.sharing.share({ tool, callback, signal, definition: '', text, args, rule, config, user, direct }, evidence);
      if (outcome.kind !== 'stale' && outcome.kind !== 'left') {
        const unable = reason(outcome).code === 'no_eligible_credential';
        return inert({ outcome, facts: unable ? { account_uri: config.signInUri } : {} });
      }
      if (evidence && outcome.kind === 'stale') judged = outcome;
      if (again) return inert({ outcome, facts: reason(outcome).code === 'login_required' ? facts : {} });
    }
  }
}
