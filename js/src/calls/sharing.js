/** Equal calls of one page are one: whoever makes one while it runs waits for it, too (SHIM-7, EVID-3). */

import { console, stringify } from '../platform/natives.js';
import { reason, refused } from './outcome.js';
import { SharedCall } from './shared.js';

/** @import { Evidence } from '../authority/evidence.js' */
/** @import { Acknowledgements } from './acknowledgements.js' */
/** @import { CallStatus } from './status.js' */
/** @import { Decider } from './decide.js' */
/** @import { Approved, Call, Outcome } from '../types.js' */

/** The calls of one page that are under way. */
export class Sharing {
  #decider;
  #execute;
  #acknowledgements;
  #patience;
  #status;
  /** By what they are equal in. @type {Record<string, SharedCall>} */
  #open = /** @type {any} any: null, which no record's type has */ ({ __proto__: null });

  /**
   * @param {Pick<Decider, 'judge' | 'decide'>} decider
   * @param {(shared: SharedCall, call: Call, approved: Approved) => Promise<Outcome>} execute
   * @param {Acknowledgements} acknowledgements
   * @param {number | null} patience milliseconds, instead of the authority's `wait_s`
   * @param {CallStatus} status
   */
  constructor(decider, execute, acknowledgements, patience, status) {
    this.#status = status;
    this.#decider = decider;
    this.#execute = execute;
    this.#acknowledgements = acknowledgements;
    this.#patience = patience;
  }

  /**
   * With evidence, the authority says first whose call it is: those who brought good
   * evidence for the same call share it, and nobody else does (EVID-3).
   *
   * @param {Call} call
   * @param {Evidence | null} evidence
   * @returns {Promise<Outcome>}
   */
  async share(call, evidence) {
    const { tool, text, user, direct } = call;
    try {
      call.definition = await tool.definition();
    } catch (error) {
      console.error(`deputize: the definition of the tool "${tool.name}" is not JSON, so it is refused.`, error);
      return refused('invalid_request');
    }
    let id;
    if (evidence) {
      const judged = await this.#decider.judge(call, evidence);
      if (judged.outcome) return judged.outcome;
      call.judged = judged;
      id = judged.callId;
    } else {
      // Each in JSON of its own: a page may have told lists how to be written.
      id = `${stringify(tool.name)} ${text} ${call.definition} ${stringify(user.id)} ${direct}`;
    }
    for (;;) {
      const outcome = await this.#join(id, call);
      if (outcome.kind !== 'left' || !call.judged) return outcome;
      // Its proof is spent, and is not shown again. What the authority said of this call is as good as before, if that was yes.
      if (call.judged.body.state !== 'approved') return refused('call_state', id);
    }
  }

  /**
   * @param {string} id
   * @param {Call} call
   * @returns {Promise<Outcome>} `left` if we came after the last one had left, and before the call was over
   */
  #join(id, call) {
    const running = this.#open[id];
    const shared = running ?? new SharedCall();
    shared.execute = call.callback;
    const outcome = shared.join(call.direct ? Infinity : (this.#patience ?? call.config.patience), call.signal);
    if (!running) {
      this.#open[id] = shared;
      void this.#run(id, shared, call);
    }
    return outcome;
  }

  /**
   * @param {string} id
   * @param {SharedCall} shared
   * @param {Call} call
   */
  async #run(id, shared, call) {
    /** @type {Outcome} */
    let outcome;
    let callId = '';
    const known = call.direct || call.judged ? null : this.#status.begin(call, shared);
    try {
      const decision = await this.#decider.decide(shared, call);
      callId = decision.callId ?? '';
      outcome = decision.outcome ?? (await this.#execute(shared, call, decision));
    } catch (error) {
      console.error('deputize: the shim failed.', error);
      outcome = refused('server_error');
    }
    if (known) this.#status.end(known, outcome, callId || reason(outcome).callId);
    delete this.#open[id];
    if (outcome.kind === 'result' || outcome.kind === 'thrown') outcome.callId = callId;
    const heard = shared.settle(outcome);
    const ran = outcome.kind === 'result' || outcome.kind === 'thrown';
    if (ran && (call.direct || (heard && !call.rule?.safe))) this.#acknowledgements.add(call.user.id, callId);
  }
}
