/** The way of one call (PROTOCOL §5, §10): what stands between an agent and a tool's own callback. */

import { problem } from '../authority/authority.js';
import { argsS256 } from '../platform/canonical.js';
import { makeClient } from './client.js';
import { takeEvidence, withoutEvidence } from '../authority/evidence.js';
import { refused, ruled } from './decision.js';
import { Flow } from './flow.js';
import { snapshot, textOf } from '../platform/json.js';
import * as natives from '../platform/natives.js';
import { refusal } from './result.js';
import { wordsFor } from '../people/words.js';

/** @import { Authority } from '../authority/authority.js' */
/** @import { Decisions } from './decision.js' */
/** @import { Delivered } from './delivered.js' */
/** @import { Evidence } from '../authority/evidence.js' */
/** @import { Keyring } from '../authority/key.js' */
/** @import { Approved, Arguments, Call, Config, Execute, Outcome, Problem, Rule, Tool, User } from '../types.js' */

/** The gate of one page. */
export class Gate {
  #authority;
  #keyring;
  #decisions;
  #delivered;
  #patience;
  /** @type {Map<string, Flow>} */
  #flows = new Map();

  /**
   * @param {object} parts
   * @param {Authority} parts.authority
   * @param {Keyring} parts.keyring
   * @param {Decisions} parts.decisions
   * @param {Delivered} parts.delivered
   * @param {number | null} parts.patience milliseconds, instead of the authority's `wait_s`
   */
  constructor({ authority, keyring, decisions, delivered, patience }) {
    this.#authority = authority;
    this.#keyring = keyring;
    this.#decisions = decisions;
    this.#delivered = delivered;
    this.#patience = patience;
  }

  /**
   * An agent's call: the tool's result, or a refusal as a result. What the tool throws is thrown.
   *
   * @param {Tool} tool
   * @param {Execute} execute
   * @param {unknown} input
   * @param {AbortSignal | undefined} signal
   * @returns {Promise<unknown>}
   */
  async call(tool, execute, input, signal) {
    const settled = await this.#attempt(tool, execute, input, signal, false);
    if (!settled) {
      const open = withoutEvidence(input);
      const idle = signal ?? natives.signalOf(new natives.AbortController());
      return natives.apply(execute, undefined, [open, makeClient({ signal: idle })]);
    }
    const { outcome, facts } = settled;
    if (outcome.kind === 'thrown') throw outcome.error;
    return outcome.kind === 'result' ? outcome.value : refusal(reason(outcome), facts);
  }

  /**
   * A call of the page's own (CALL-7), or with `byAgent` one that an agent made in a form: the tool's result, or an Error with `code`.
   *
   * @param {Tool} tool
   * @param {Execute} execute
   * @param {unknown} input
   * @param {boolean} [byAgent]
   * @returns {Promise<unknown>}
   */
  async perform(tool, execute, input, byAgent = false) {
    const settled = await this.#attempt(tool, execute, input, undefined, !byAgent);
    const outcome = settled?.outcome ?? refused('tool_is_public');
    if (outcome.kind === 'thrown') throw outcome.error;
    if (outcome.kind === 'result') return outcome.value;
    const { code, callId } = reason(outcome);
    throw Object.assign(new Error(wordsFor(code).human), { code, correlationId: callId }); // SHIM-10
  }

  /**
   * @param {Tool} tool
   * @param {Execute} execute
   * @param {unknown} input
   * @param {AbortSignal | undefined} signal
   * @param {boolean} direct
   * @returns {Promise<{outcome: Outcome, facts?: Record<string, unknown>} | null>} null: the tool is public, and open to all
   */
  async #attempt(tool, execute, input, signal, direct) {
    const taken = copyOf(input); // SHIM-2: before anybody else runs
    /** @type {Outcome | null} */
    let judged = null;
    for (let again = false; ; again = true) {
      // A human who calls may have signed in as somebody else just now; agents hear of it when they call.
      const config = await this.#authority.config(again || direct);
      if ('code' in config) return { outcome: { kind: 'refused', problem: config } };
      const rule = config.tools.get(tool.name);
      if (rule?.public) return null; // CALL-8
      // Another tab may have signed in, the policy may have been changed: a no from memory is not the last word.
      if (!again && (!rule || !config.user)) continue;
      const facts = { sign_in_uri: config.signInUri };
      if (!config.user) return { outcome: refused(rule ? 'login_required' : 'unknown_tool'), facts: rule && facts };
      if (!taken) return { outcome: refused('invalid_arguments') };
      if (taken.bad) return { outcome: refused('invalid_token') }; // EVID-1: never treated as none
      if (judged) return { outcome: judged }; // its proof is spent: a second answer would only hide why
      const { args, evidence } = taken;
      const circumstances = { direct, rule, config, user: config.user, evidence };
      const outcome = await this.#share(tool, execute, args, signal, circumstances);
      if (outcome.kind !== 'stale' && outcome.kind !== 'left') {
        const unable = reason(outcome).code === 'no_eligible_credential';
        return { outcome, facts: unable ? { account_uri: config.signInUri } : {} };
      }
      if (evidence && outcome.kind === 'stale') judged = outcome;
      if (again) return { outcome, facts: reason(outcome).code === 'login_required' ? facts : {} };
    }
  }

  /**
   * Equal calls of one page share one flow (SHIM-7). With evidence, the authority says first whose call it is: those who
   * brought good evidence for the same call share its flow, and nobody else does (EVID-3).
   *
   * @param {Tool} tool
   * @param {Execute} execute
   * @param {{text: string, value: Arguments}} args
   * @param {AbortSignal | undefined} signal
   * @param {{direct: boolean, rule: Rule | undefined, config: Config, user: User, evidence: Evidence | null}} circumstances
   * @returns {Promise<Outcome>}
   */
  async #share(tool, execute, args, signal, { direct, rule, config, user, evidence }) {
    let definition;
    try {
      definition = await tool.definition();
    } catch (error) {
      natives.console.error(`deputize: the definition of the tool "${tool.name}" is not JSON, so it is refused.`, error);
      return refused('invalid_request');
    }
    /** @type {Call} */
    const call = { tool, definition, text: args.text, args: args.value, rule, config, user, direct };
    let id;
    if (evidence) {
      const judged = await this.#decisions.judge(call, evidence);
      if (judged.outcome) return judged.outcome;
      call.judged = judged;
      id = judged.callId;
    } else {
      id = natives.stringify([tool.name, await argsS256(args.value), definition, user.id, direct]);
    }
    for (;;) {
      const outcome = await this.#join(id, call, execute, signal);
      if (outcome.kind !== 'left' || !call.judged) return outcome;
      // Its proof is spent, and is not shown again. What the authority said of this call is as good as before, if that was yes.
      if (call.judged.body.state !== 'approved') return refused('call_state', id);
    }
  }

  /**
   * @param {string} id
   * @param {Call} call
   * @param {Execute} execute
   * @param {AbortSignal | undefined} signal
   * @returns {Promise<Outcome>} `left`: of a flow that ended in the moment between its last one's leaving and our coming
   */
  #join(id, call, execute, signal) {
    const running = this.#flows.get(id);
    const flow = running ?? new Flow();
    flow.execute = execute;
    const outcome = flow.join(call.direct ? Infinity : (this.#patience ?? call.config.patience), signal);
    if (!running) {
      this.#flows.set(id, flow);
      void this.#run(id, flow, call);
    }
    return outcome;
  }

  /**
   * @param {string} id
   * @param {Flow} flow
   * @param {Call} call
   */
  async #run(id, flow, call) {
    /** @type {Outcome} */
    let outcome;
    let callId = '';
    try {
      const decision = await this.#decisions.decide(flow, call);
      callId = decision.callId ?? '';
      outcome = decision.outcome ?? (await this.#execute(flow, call, decision));
    } catch (error) {
      natives.console.error('deputize: the shim failed.', error);
      outcome = refused('server_error');
    }
    this.#flows.delete(id);
    const heard = flow.settle(outcome);
    const ran = outcome.kind === 'result' || outcome.kind === 'thrown';
    if (ran && (call.direct || (heard && !call.rule?.safe))) this.#delivered.add(call.user.id, callId);
  }

  /**
   * Runs the page's own callback, if anybody still waits: what is approved after that waits too, and expires.
   *
   * @param {Flow} flow
   * @param {Call} call
   * @param {Approved} approved
   * @returns {Promise<Outcome>}
   */
  async #execute(flow, { rule, args, config, user }, { callId, body, tokens }) {
    if (!flow.wanted) return { kind: 'left' };
    flow.run();
    const key = await this.#keyring.key(user.id);
    const token = textOf(body.call_token);
    if (rule?.page) {
      const redemption = natives.stringify({ call_token: token });
      const answer = await this.#authority.post(`/calls/${callId}/redemption`, redemption, { key, wants: 'state' }); // GUARD-3
      if (!answer.ok) return ruled({ ...answer.problem, callId });
    }
    const { apiOrigins } = config;
    const { clientId, assurance, scopes } = tokens ?? { clientId: '', assurance: '', scopes: [] };
    const agent = tokens && { clientId, assurance };
    const client = makeClient({ signal: flow.signal, agent, scopes, callId, token, apiOrigins });
    /** @type {Outcome} */
    let outcome;
    try {
      outcome = { kind: 'result', value: await natives.apply(flow.execute, undefined, [args, client]) };
    } catch (error) {
      outcome = { kind: 'thrown', error };
    }
    if (rule?.page) {
      const told = natives.stringify({ outcome: succeeded(outcome) ? 'succeeded' : 'failed' });
      await this.#authority.post(`/calls/${callId}/outcome`, told, { key, keepalive: true }); // GUARD-5
    }
    return outcome;
  }
}

/**
 * @param {unknown} input
 * @returns {ReturnType<typeof takeEvidence> | null} null if it is not JSON (JSON-1, JSON-2)
 */
function copyOf(input) {
  try {
    return takeEvidence(snapshot(input));
  } catch {
    return null;
  }
}

/** @param {Outcome} outcome */
function succeeded(outcome) {
  if (outcome.kind !== 'result') return false;
  const { value } = outcome;
  return !(typeof value === 'object' && value !== null && 'isError' in value && value.isError === true);
}

/**
 * @param {Outcome} outcome
 * @returns {Problem}
 */
const reason = (outcome) => ('problem' in outcome ? outcome.problem : problem('server_error'));
