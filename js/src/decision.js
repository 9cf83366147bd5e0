/**
 * The decision of one call, from the delegation to the call token: asks the authority, and the human where it must
 * (PROTOCOL §5, §6).
 */

import { problem } from './authority.js';
import { scopeOf } from './evidence.js';
import { scopesOf, textOf } from './json.js';
import * as natives from './natives.js';
import { approvalView } from './view.js';

/** @import { Authority } from './authority.js' */
/** @import { Delegations } from './delegation.js' */
/** @import { Delivered } from './delivered.js' */
/** @import { Flow } from './flow.js' */
/** @import { Keyring } from './key.js' */
/** @import { Prompts } from './prompt.js' */
/** @import { Evidence } from './evidence.js' */
/** @import { Approved, Asker, Bare, Call, Caller, Outcome, Problem, Verdict } from './types.js' */

const CALL_LIFETIME = 600_000; // CALL-4
const ROUNDS = 4;
const UNHEARD =
  'Approved. The agent is not waiting any more, so nothing was done yet. It is done if the agent asks again within 5 minutes.';

/** The configuration has changed since it was fetched: look again, once. */
const STALE = new Set(['login_required', 'wrong_user', 'unknown_tool', 'tool_is_public']);
/** The user took the grant back: the agent hears so, and only its next call asks again. */
const TAKEN_BACK = new Set(['grant_revoked', 'unknown_agent']);
/** The grant is over: another tab may have a newer one, else a new consent mends it. */
const OVER = new Set([...TAKEN_BACK, 'consent_required', 'grant_expired', 'grant_unknown']);

/** @typedef {({outcome: Outcome, callId?: undefined}) | (Approved & {outcome?: undefined})} Decision */

/** Decides calls. */
export class Decisions {
  #authority;
  #keyring;
  #delegations;
  #prompts;
  #delivered;

  /**
   * @param {object} parts
   * @param {Authority} parts.authority
   * @param {Keyring} parts.keyring
   * @param {Delegations} parts.delegations
   * @param {Prompts} parts.prompts
   * @param {Delivered} parts.delivered
   */
  constructor({ authority, keyring, delegations, prompts, delivered }) {
    this.#authority = authority;
    this.#keyring = keyring;
    this.#delegations = delegations;
    this.#prompts = prompts;
    this.#delivered = delivered;
  }

  /**
   * Lets the authority judge a call that comes with evidence of its own (EVID-2, EVID-3). A no is a no: bad evidence is never
   * a call without evidence.
   *
   * @param {Call} call
   * @param {Evidence} evidence
   * @returns {Promise<Decision>}
   */
  async judge(call, evidence) {
    const { user } = call;
    const key = await this.#keyring.key(user.id);
    const told = this.#delivered.list(user.id);
    const answer = await this.#authority.post('/calls', bodyOf(call, told), { key, evidence });
    if (answer.ok || answer.problem.callId) this.#delivered.remove(user.id, told);
    if (!answer.ok) return { outcome: ruled(answer.problem) };
    const agent = /** @type {Bare} */ (answer.body.agent ?? {});
    const tokens = { ...askerOf(agent), scopes: scopesOf(scopeOf(evidence.token)) };
    if (agent.handed_on_by) tokens.handedOnBy = askerOf(/** @type {Bare} */ (agent.handed_on_by));
    return { callId: textOf(answer.body.call_id), body: answer.body, tokens };
  }

  /**
   * From the delegation to the call token: asks the authority, and the human where it must.
   *
   * @param {Flow} flow
   * @param {Call} call
   * @returns {Promise<Decision>}
   */
  async decide(flow, call) {
    const { config, user, rule, direct, judged } = call;
    if (judged) return this.#approved(flow, call, judged.body, judged.tokens);
    let obtained = direct ? { tokens: null } : await this.#delegations.current(user.id);
    let pending = problem('consent_pending');
    let askedFor = '';
    for (let round = 0; round < ROUNDS; round++) {
      if (obtained.problem) return { outcome: ruled(obtained.problem) };
      let { tokens } = obtained;
      if (!tokens && !direct) {
        if (!rule) return { outcome: refused('unknown_tool') };
        if (!rule.opaque) return { outcome: refused('agent_not_allowed') }; // AGENT-3: no consent would help
        const consented = await this.#delegations.consent(config, user.id, rule.scopes, () => flow.ask(pending));
        flow.answered();
        if (!consented.tokens) return { outcome: ruled(consented.problem ?? problem('consent_required')) };
        tokens = consented.tokens;
      }
      if (!flow.wanted) return { outcome: { kind: 'left' } };
      const key = await this.#keyring.key(user.id);
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
        obtained = { tokens: await this.#delegations.other(user.id, tokens) };
      } else if (OVER.has(code)) {
        obtained = await this.#delegations.forget(user.id, tokens);
        if (!obtained.tokens && TAKEN_BACK.has(code)) return { outcome: ruled(answer.problem) };
      } else {
        return { outcome: ruled(answer.problem) };
      }
    }
    return { outcome: refused('consent_required') };
  }

  /**
   * @param {Flow} flow
   * @param {Call} call
   * @param {Bare} body the answer to POST /calls: approved or pending (CALL-3)
   * @param {Caller | null} tokens
   * @returns {Promise<Decision>}
   */
  async #approved(flow, call, body, tokens) {
    const callId = textOf(body.call_id);
    if (body.state === 'approved') return { callId, body, tokens };
    if (body.state !== 'pending') return { outcome: refused('server_error', callId) };
    flow.ask(problem('approval_pending', { callId }));
    const verdict = await this.#askToApprove(call, callId, textOf(body.description), tokens);
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
        const key = await this.#keyring.key(call.user.id);
        await this.#authority.post(`/calls/${callId}/denial`, natives.stringify({ reason: verdict.kind }), { key }); // APPR-6
        return { outcome: refused(verdict.kind, callId) };
      }
    }
  }

  /**
   * @param {Call} call
   * @param {string} callId
   * @param {string} description
   * @param {Caller | null} caller
   * @returns {Promise<Verdict>}
   */
  async #askToApprove({ tool, args, config, user }, callId, description, caller) {
    const key = await this.#keyring.key(user.id);
    const path = `/calls/${callId}`;
    return this.#prompts.ask({
      view: approvalView({ site: config.site, user: user.name, description, args, caller }),
      action: { tool: tool.name, args, issuer: config.issuer },
      displayText: description,
      lifetime: CALL_LIFETIME,
      challenge: () => this.#authority.post(`${path}/challenge`, null, { key }),
      approve: (evidence) => this.#authority.post(`${path}/approval`, evidence, { key }),
    });
  }
}

/**
 * @param {Bare} agent
 * @returns {Asker}
 */
const askerOf = (agent) => ({ clientId: textOf(agent.client_id), assurance: textOf(agent.assurance), name: textOf(agent.name) });

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

/**
 * @param {string} code
 * @param {string | null} [callId]
 * @returns {Outcome}
 */
export const refused = (code, callId = null) => ({ kind: 'refused', problem: problem(code, { callId }) });

/**
 * @param {Problem} found
 * @returns {Outcome}
 */
export const ruled = (found) => ({ kind: STALE.has(found.code) ? 'stale' : 'refused', problem: found });
