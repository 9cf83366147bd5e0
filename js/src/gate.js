/** The way of one call (PROTOCOL §5, §10): what stands between an agent and a tool's own callback. */

import { problem } from './authority.js';
import { argsS256 } from './canonical.js';
import { makeClient } from './client.js';
import { Flow } from './flow.js';
import { snapshot, textOf } from './json.js';
import * as natives from './natives.js';
import { refusal } from './result.js';
import { approvalView } from './view.js';

/** @import { Authority } from './authority.js' */
/** @import { Delegations } from './delegation.js' */
/** @import { Delivered } from './delivered.js' */
/** @import { Keyring } from './key.js' */
/** @import { Prompts } from './prompt.js' */
/** @import { Arguments, Bare, Config, Execute, Outcome, Problem, Rule, Tokens, User, Verdict } from './types.js' */

const CALL_LIFETIME = 600_000; // CALL-4
const ROUNDS = 4;
const UNHEARD =
  'Approved. The agent is not waiting any more, so nothing was done yet. It is done if the agent asks again within 5 minutes.';

/** The configuration has changed since it was fetched: look again, once. */
const STALE = new Set(['login_required', 'wrong_user', 'unknown_tool', 'tool_is_public']);
/** The grant is over in a way that a new consent mends at once. */
const CONSENT_AGAIN = new Set(['consent_required', 'grant_expired', 'grant_unknown']);
/** The user took it back: the agent hears so, and only its next call asks again. */
const TAKEN_BACK = new Set(['grant_revoked', 'unknown_agent']);

/**
 * @typedef {object} Tool as it was registered
 * @property {string} name
 * @property {() => Promise<string>} definition its `definition_s256` (HASH-3)
 *
 * @typedef {object} Call one call, as it is sent
 * @property {Tool} tool
 * @property {string} definition
 * @property {string} text canonical arguments
 * @property {Arguments} args
 * @property {Rule | undefined} rule
 * @property {Config} config
 * @property {User} user
 * @property {boolean} direct the user's own (CALL-7)
 *
 * @typedef {{outcome: Outcome, callId?: undefined} | {outcome?: undefined, callId: string, body: Bare, tokens: Tokens | null}} Decision
 */

/** The gate of one page. */
export class Gate {
  #authority;
  #keyring;
  #delegations;
  #prompts;
  #delivered;
  #patience;
  /** @type {Map<string, Flow>} */
  #flows = new Map();

  /**
   * @param {object} parts
   * @param {Authority} parts.authority
   * @param {Keyring} parts.keyring
   * @param {Delegations} parts.delegations
   * @param {Prompts} parts.prompts
   * @param {Delivered} parts.delivered
   * @param {number | null} parts.patience milliseconds, instead of the authority's `wait_s`
   */
  constructor({ authority, keyring, delegations, prompts, delivered, patience }) {
    this.#authority = authority;
    this.#keyring = keyring;
    this.#delegations = delegations;
    this.#prompts = prompts;
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
      const idle = signal ?? natives.signalOf(new natives.AbortController());
      return natives.apply(execute, undefined, [input, makeClient({ signal: idle })]);
    }
    const { outcome, facts } = settled;
    if (outcome.kind === 'thrown') throw outcome.error;
    return outcome.kind === 'result' ? outcome.value : refusal(reason(outcome), facts);
  }

  /**
   * The user's own call (CALL-7): the tool's result, or an Error with `code`.
   *
   * @param {Tool} tool
   * @param {Execute} execute
   * @param {unknown} input
   * @returns {Promise<unknown>}
   */
  async perform(tool, execute, input) {
    const settled = await this.#attempt(tool, execute, input, undefined, true);
    const outcome = settled?.outcome ?? refused('tool_is_public');
    if (outcome.kind === 'thrown') throw outcome.error;
    if (outcome.kind === 'result') return outcome.value;
    const { code, detail, callId } = reason(outcome);
    throw Object.assign(new Error(detail || `The call was refused: ${code}`), { code, correlationId: callId });
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
    const args = copyOf(input); // SHIM-2: before anybody else runs
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
      if (!args) return { outcome: refused('invalid_arguments') };
      const outcome = await this.#share(tool, execute, args, signal, { direct, rule, config, user: config.user });
      if (outcome.kind !== 'stale') return { outcome };
      if (again) return { outcome, facts: outcome.problem.code === 'login_required' ? facts : {} };
    }
  }

  /**
   * Equal calls of one page share one flow (SHIM-7).
   *
   * @param {Tool} tool
   * @param {Execute} execute
   * @param {{text: string, value: Arguments}} args
   * @param {AbortSignal | undefined} signal
   * @param {{direct: boolean, rule: Rule | undefined, config: Config, user: User}} circumstances
   * @returns {Promise<Outcome>}
   */
  async #share(tool, execute, args, signal, { direct, rule, config, user }) {
    let definition;
    try {
      definition = await tool.definition();
    } catch (error) {
      natives.console.error(`deputize: the definition of the tool "${tool.name}" is not JSON, so it is refused.`, error);
      return refused('invalid_request');
    }
    const hash = await argsS256(args.value);
    const id = natives.stringify([tool.name, hash, definition, user.id, direct]);
    let flow = this.#flows.get(id);
    if (!flow) {
      flow = new Flow(execute);
      this.#flows.set(id, flow);
      void this.#run(id, flow, { tool, definition, text: args.text, args: args.value, rule, config, user, direct });
    }
    flow.execute = execute;
    return flow.join(direct ? Infinity : (this.#patience ?? config.patience), signal);
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
      const decision = await this.#decide(flow, call);
      callId = decision.callId ?? '';
      outcome = decision.outcome ?? (await this.#execute(flow, call, decision));
    } catch (error) {
      natives.console.error('deputize: the shim failed, so nothing has run.', error);
      outcome = refused('server_error');
    }
    this.#flows.delete(id);
    const heard = flow.settle(outcome);
    const ran = outcome.kind === 'result' || outcome.kind === 'thrown';
    if (ran && (heard || call.direct) && !call.rule?.safe) this.#delivered.add(call.user.id, callId);
  }

  /**
   * From the delegation to the call token: asks the authority, and the human where it must.
   *
   * @param {Flow} flow
   * @param {Call} call
   * @returns {Promise<Decision>}
   */
  async #decide(flow, call) {
    const { config, user, rule, direct } = call;
    let obtained = direct ? { tokens: null } : await this.#delegations.current(user.id);
    let pending = problem('consent_pending');
    let askedFor = '';
    for (let round = 0; round < ROUNDS; round++) {
      if (obtained.problem) return { outcome: ruled(obtained.problem) };
      let { tokens } = obtained;
      if (!tokens && !direct) {
        if (!rule) return { outcome: refused('unknown_tool') };
        const consented = await this.#delegations.consent(config, user.id, rule.scopes, () => flow.ask(pending));
        flow.answered();
        if (!consented.tokens) return { outcome: ruled(consented.problem ?? problem('consent_required')) };
        if (!flow.wanted) return { outcome: { kind: 'left' } };
        tokens = consented.tokens;
      }
      const { key } = await this.#keyring.of(user.id);
      const told = this.#delivered.list(user.id);
      const answer = await this.#authority.post('/calls', bodyOf(call, told), { key, token: tokens?.access });
      if (answer.ok || answer.problem.callId) this.#delivered.remove(user.id, told);
      if (answer.ok) return this.#approved(flow, call, answer.body, tokens);
      const { code } = answer.problem;
      if (!tokens) return { outcome: ruled(answer.problem) };
      if (code === 'invalid_token') {
        obtained = await this.#delegations.current(user.id, tokens);
      } else if (code === 'insufficient_scope' && askedFor !== code) {
        askedFor = code;
        pending = answer.problem;
        const current = await this.#delegations.current(user.id);
        obtained = current.tokens?.access === tokens.access ? { tokens: null } : current;
      } else if (CONSENT_AGAIN.has(code) && round < ROUNDS - 1) {
        obtained = await this.#delegations.forget(user.id, tokens);
      } else {
        if (TAKEN_BACK.has(code)) await this.#delegations.forget(user.id, tokens);
        return { outcome: ruled(answer.problem) };
      }
    }
    return { outcome: refused('consent_required') };
  }

  /**
   * @param {Flow} flow
   * @param {Call} call
   * @param {Bare} body the answer to POST /calls: approved or pending (CALL-3)
   * @param {Tokens | null} tokens
   * @returns {Promise<Decision>}
   */
  async #approved(flow, call, body, tokens) {
    const callId = textOf(body.call_id);
    if (body.state === 'approved') return { callId, body, tokens };
    if (body.state !== 'pending') return { outcome: refused('server_error', callId) };
    flow.ask(problem('approval_pending', { callId }));
    const verdict = await this.#askToApprove(call, callId, textOf(body.description));
    flow.answered();
    switch (verdict.kind) {
      case 'approved':
        if (!flow.wanted) this.#prompts.tell(UNHEARD);
        return { callId, body: verdict.body, tokens };
      case 'refused':
        return { outcome: ruled({ ...verdict.problem, callId }) };
      case 'expired':
        return { outcome: refused('expired', callId) };
      default: {
        const { key } = await this.#keyring.of(call.user.id);
        await this.#authority.post(`/calls/${callId}/denial`, natives.stringify({ reason: verdict.kind }), { key }); // APPR-6
        return { outcome: refused(verdict.kind, callId) };
      }
    }
  }

  /**
   * @param {Call} call
   * @param {string} callId
   * @param {string} description
   * @returns {Promise<Verdict>}
   */
  async #askToApprove({ tool, args, config, user, direct }, callId, description) {
    const { key } = await this.#keyring.of(user.id);
    const path = `/calls/${callId}`;
    return this.#prompts.ask({
      view: approvalView({ site: config.site, user: user.name, description, args, direct }),
      action: { tool: tool.name, args, issuer: config.issuer },
      displayText: description,
      lifetime: CALL_LIFETIME,
      challenge: () => this.#authority.post(`${path}/challenge`, null, { key }),
      approve: (evidence) => this.#authority.post(`${path}/approval`, evidence, { key }),
    });
  }

  /**
   * Runs the page's own callback, if anybody still waits: what is approved after that waits too, and expires.
   *
   * @param {Flow} flow
   * @param {Call} call
   * @param {{callId: string, body: Bare, tokens: Tokens | null}} decision
   * @returns {Promise<Outcome>}
   */
  async #execute(flow, { rule, args, config, user }, { callId, body, tokens }) {
    if (!flow.wanted) return { kind: 'left' };
    flow.run();
    const { key } = await this.#keyring.of(user.id);
    const token = textOf(body.call_token);
    if (rule?.page) {
      const redemption = natives.stringify({ call_token: token });
      const answer = await this.#authority.post(`/calls/${callId}/redemption`, redemption, { key }); // GUARD-3
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
 * @returns {ReturnType<typeof snapshot> | null} null if it is not JSON (JSON-1, JSON-2)
 */
function copyOf(input) {
  try {
    return snapshot(input);
  } catch {
    return null;
  }
}

/**
 * The body of POST /calls. The arguments are the canonical text itself, so that nothing can come between (SHIM-2).
 *
 * @param {Call} call
 * @param {readonly string[]} delivered
 */
function bodyOf({ tool, definition, text }, delivered) {
  const members = [`"tool":${natives.stringify(tool.name)}`, `"arguments":${text}`, `"definition_s256":"${definition}"`];
  if (delivered.length > 0) members.push(`"delivered":${natives.stringify(delivered)}`); // CALL-10
  return `{${members.join(',')}}`;
}

/** @param {Outcome} outcome */
function succeeded(outcome) {
  if (outcome.kind !== 'result') return false;
  const { value } = outcome;
  return !(typeof value === 'object' && value !== null && 'isError' in value && value.isError === true);
}

/**
 * @param {string} code
 * @param {string | null} [callId]
 * @returns {Outcome}
 */
const refused = (code, callId = null) => ({ kind: 'refused', problem: problem(code, { callId }) });

/**
 * @param {Problem} found
 * @returns {Outcome}
 */
const ruled = (found) => ({ kind: STALE.has(found.code) ? 'stale' : 'refused', problem: found });

/**
 * @param {Outcome} outcome
 * @returns {Problem}
 */
const reason = (outcome) => ('problem' in outcome ? outcome.problem : problem('server_error'));
