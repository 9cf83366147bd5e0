/**
 * The decision of one call, from the delegation to the call token: asks the authority, and the human where it must
 * (PROTOCOL §5, §6).
 */

import { problem } from '../authority/authority.js';
import { scopeOf } from '../authority/evidence.js';
import { scopesOf, textOf } from '../platform/json.js';
import * as natives from '../platform/natives.js';
import { ofApproval, standingOf } from '../people/settle.js';
import { approvalView } from '../people/view.js';

/** @import { Authority } from '../authority/authority.js' */
/** @import { Delegations } from '../authority/delegation.js' */
/** @import { Delivered } from './delivered.js' */
/** @import { Flow } from './flow.js' */
/** @import { Keyring } from '../authority/key.js' */
/** @import { Prompts } from '../people/prompt.js' */
/** @import { Evidence } from '../authority/evidence.js' */
/** @import { Answer, Approved, Asker, Bare, Call, Caller, Outcome, Problem, Verdict } from '../types.js' */

const CALL_LIFETIME = 600_000; // CALL-4
const ROUNDS = 4;
/** A challenge lives 60 s, and an approved call 300 s (APPR-1, CALL-4): so long something may come of an approval that was sent. */
const LATEST = 360_000;
const TOO_LATE =
  'Approved. The agent is not waiting any more, so this page has not done it. It is done if the agent asks again within 5 minutes.';
/** What the authority says of a call that is over: a no from here was not what ended it. */
const ELSEWHERE = new Set(['call_redeemed', 'expired', 'declined', 'cancelled']);

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
    const answer = await this.#authority.post('/calls', bodyOf(call, told), { key, evidence, wants: 'state' });
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
      const answer = await this.#authority.post('/calls', bodyOf(call, told), { key, token: tokens?.access, wants: 'state' });
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
        if (!flow.wanted) this.#prompts.tell(TOO_LATE);
        else if (!textOf(verdict.body.call_token)) return this.#resumed(call, callId, tokens);
        return { callId, body: verdict.body, tokens };
      case 'refused':
        return { outcome: ruled({ ...verdict.problem, callId }) };
      case 'expired':
        return { outcome: refused('expired', callId) };
      default: {
        if (verdict.settled) return { outcome: refused(verdict.kind, callId) };
        const key = await this.#keyring.key(call.user.id);
        const answer = await this.#authority.post(`/calls/${callId}/denial`, natives.stringify({ reason: verdict.kind }), { key }); // APPR-6
        const code = answer.ok || !ELSEWHERE.has(answer.problem.code) ? verdict.kind : answer.problem.code;
        if (code !== verdict.kind) this.#prompts.refuse(problem(code), call.config.signInUri);
        return { outcome: refused(code, callId) };
      }
    }
  }

  /**
   * The approval arrived, but not the answer with the call token: the same call brings a fresh one (CALL-6). One that came with
   * evidence cannot be sent again, since its proof is spent: the agent's next one is it.
   *
   * @param {Call} call
   * @param {string} callId
   * @param {Caller | null} tokens
   * @returns {Promise<Decision>}
   */
  async #resumed(call, callId, tokens) {
    if (call.judged) return { outcome: refused('call_state', callId) };
    const key = await this.#keyring.key(call.user.id);
    const access = /** @type {{access?: string} | null} */ (tokens)?.access;
    const answer = await this.#authority.post('/calls', bodyOf(call, []), { key, token: access, wants: 'call_token' });
    if (!answer.ok) return { outcome: ruled(answer.problem) };
    const { call_id, state } = answer.body;
    if (state !== 'approved' || call_id !== callId) return { outcome: refused('call_state', callId) };
    return { callId, body: answer.body, tokens };
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
    const standing = (/** @type {Answer} */ answer) => standingOf(answer, this.#authority.local);
    const look = async () => standing(await this.#authority.get(path, { key, wants: 'state' }));
    return this.#prompts.ask({
      account: config.signInUri,
      view: approvalView({ site: config.site, user: user.name, description, args, caller }),
      action: { tool: tool.name, args, issuer: config.issuer },
      displayText: description,
      lifetime: CALL_LIFETIME,
      challenge: () => this.#authority.post(`${path}/challenge`, null, { key, wants: 'challengeId' }),
      approve: (evidence) => this.#authority.post(`${path}/approval`, evidence, { key, wants: 'call_token' }),
      standing: (sent) => ({
        look,
        end: async (reason) => {
          const answer = await this.#authority.post(`${path}/denial`, natives.stringify({ reason }), { key, wants: 'state' });
          return answer.ok ? standing(answer) : look();
        },
        words: ofApproval(sent + LATEST),
      }),
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
