/** The way of one call (PROTOCOL §5, §10): what stands between an agent and a tool's own callback. */

import { takeEvidence, withoutEvidence } from '../authority/evidence.js';
import * as natives from '../platform/natives.js';
import { inert } from '../platform/natives.js';
import { wordsFor } from '../words/words.js';
import { makeClient, run } from './client.js';
import { reason, refused } from './outcome.js';
import { refusal } from './refusal.js';
import { SharedCall } from './shared.js';

/**
 * @typedef {object} Ended a call that is over
 * @property {string} tool
 * @property {number} at milliseconds since the epoch
 * @property {boolean} direct the user's own (CALL-7)
 * @property {'result' | 'thrown' | 'refused' | 'public'} kind
 * @property {string | null} code why it was refused
 * @property {string | null} callId
 */

/** @import { Evidence } from '../authority/evidence.js' */
/** @import { Authority } from '../authority/authority.js' */
/** @import { Arguments, Ask, Asking, Call, Execute, Outcome, Tool } from '../types.js' */

/** The gate of one page. */
export class Gate {
  #authority;
  #ask;
  #patience;
  /** @type {Map<string, SharedCall>} */
  #open = new Map();
  /** Hears of each call that is over. @type {(call: Ended) => void} */
  ended = () => {};

  /**
   * @param {Authority} authority
   * @param {Ask} ask
   * @param {number | null} [patience] milliseconds, instead of the authority's `wait_s`
   */
  constructor(authority, ask, patience = null) {
    this.#authority = authority;
    this.#ask = ask;
    this.#patience = patience;
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
    const settled = await this.#attempt(tool, callback, input, signal, false);
    if (!settled) {
      const open = withoutEvidence(input);
      const idle = signal ?? natives.signalOf(new natives.AbortController());
      return await run(callback, /** @type {Arguments} */ (open), makeClient({ signal: idle }));
    }
    const { outcome, facts } = settled;
    if (outcome.kind === 'thrown') throw outcome.error;
    return outcome.kind === 'result' ? outcome.value : refusal(reason(outcome), facts);
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
    const settled = await this.#attempt(tool, callback, input, undefined, !byAgent);
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
  async #attempt(tool, callback, input, signal, direct) {
    const settled = await this.#settle(tool, callback, input, signal, direct);
    this.ended(endedBy(settled?.outcome, tool.name, direct));
    return settled;
  }

  /**
   * @param {Tool} tool
   * @param {Execute} callback
   * @param {unknown} input
   * @param {AbortSignal | undefined} signal
   * @param {boolean} direct
   * @returns {Promise<{outcome: Outcome, facts?: Record<string, unknown>} | null>} as `#attempt`
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
      const asking = await this.#ask();
      if ('code' in asking) return inert({ outcome: { kind: 'refused', problem: asking } });
      const { args: { text, value: args }, evidence } = taken;
      const { user } = config;
      const outcome = await this.#share(asking, { tool, callback, signal, definition: '', text, args, rule, config, user, direct }, evidence);
      if (outcome.kind !== 'stale' && outcome.kind !== 'left') {
        const unable = reason(outcome).code === 'no_eligible_credential';
        return inert({ outcome, facts: unable ? { account_uri: config.signInUri } : {} });
      }
      if (evidence && outcome.kind === 'stale') judged = outcome;
      if (again) return inert({ outcome, facts: reason(outcome).code === 'login_required' ? facts : {} });
    }
  }

  /**
   * Equal calls of one page are one (SHIM-7). With evidence, the authority says first whose call it is: those who brought good
   * evidence for the same call share it, and nobody else does (EVID-3).
   *
   * @param {Asking} asking
   * @param {Call} call
   * @param {Evidence | null} evidence
   * @returns {Promise<Outcome>}
   */
  async #share(asking, call, evidence) {
    const { tool, text, user, direct } = call;
    try {
      call.definition = await tool.definition();
    } catch (error) {
      natives.console.error(`deputize: the definition of the tool "${tool.name}" is not JSON, so it is refused.`, error);
      return refused('invalid_request');
    }
    let id;
    if (evidence) {
      const judged = await asking.decider.judge(call, evidence);
      if (judged.outcome) return judged.outcome;
      call.judged = judged;
      id = judged.callId;
    } else {
      id = natives.stringify([tool.name, text, call.definition, user.id, direct]);
    }
    for (;;) {
      const outcome = await this.#join(asking, id, call);
      if (outcome.kind !== 'left' || !call.judged) return outcome;
      // Its proof is spent, and is not shown again. What the authority said of this call is as good as before, if that was yes.
      if (call.judged.body.state !== 'approved') return refused('call_state', id);
    }
  }

  /**
   * @param {Asking} asking
   * @param {string} id
   * @param {Call} call
   * @returns {Promise<Outcome>} `left` if we came after the last one had left, and before the call was over
   */
  #join(asking, id, call) {
    const running = this.#open.get(id);
    const shared = running ?? new SharedCall();
    shared.execute = call.callback;
    const outcome = shared.join(call.direct ? Infinity : (this.#patience ?? call.config.patience), call.signal);
    if (!running) {
      this.#open.set(id, shared);
      void this.#run(asking, id, shared, call);
    }
    return outcome;
  }

  /**
   * @param {Asking} asking
   * @param {string} id
   * @param {SharedCall} shared
   * @param {Call} call
   */
  async #run({ decider, execute, acknowledgements }, id, shared, call) {
    /** @type {Outcome} */
    let outcome;
    let callId = '';
    try {
      const decision = await decider.decide(shared, call);
      callId = decision.callId ?? '';
      outcome = decision.outcome ?? (await execute(shared, call, decision));
    } catch (error) {
      natives.console.error('deputize: the shim failed.', error);
      outcome = refused('server_error');
    }
    this.#open.delete(id);
    if (outcome.kind === 'result' || outcome.kind === 'thrown') outcome.callId = callId;
    const heard = shared.settle(outcome);
    const ran = outcome.kind === 'result' || outcome.kind === 'thrown';
    if (ran && (call.direct || (heard && !call.rule?.safe))) acknowledgements.add(call.user.id, callId);
  }
}

/**
 * @param {Outcome | undefined} outcome none of what is public
 * @param {string} tool
 * @param {boolean} direct
 * @returns {Ended}
 */
function endedBy(outcome, tool, direct) {
  const call = { tool, at: natives.now(), direct, code: null, callId: null };
  if (!outcome) return { ...call, kind: 'public' };
  if (outcome.kind === 'result' || outcome.kind === 'thrown') return { ...call, kind: outcome.kind, callId: outcome.callId ?? null };
  const { code, callId } = reason(outcome);
  return { ...call, kind: 'refused', code, callId };
}
