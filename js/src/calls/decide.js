/** The authority's decision of one call (PROTOCOL §5): under the agent's grant, by evidence of its own, or for the user directly. */

import { problem } from '../authority/authority.js';
import { scopeOf } from '../authority/evidence.js';
import { pending } from '../authority/pending.js';
import { among } from '../platform/among.js';
import { scopesOf, textOf } from '../platform/json.js';
import { inert, stringify } from '../platform/natives.js';
import { approve } from './approve.js';
import { refused, ruled } from './outcome.js';

/** @import { Acknowledgements } from './acknowledgements.js' */
/** @import { SharedCall } from './shared.js' */
/** @import { Evidence } from '../authority/evidence.js' */
/** @import { Answer, Asker, Call, Decision, Parts, Problem, Tool } from '../types.js' */
/** @import { Agent, Said } from '../wire.js' */

/** Nobody waits any more, so nothing was sent. */
const LEFT = problem('cancelled');
/** No dialog opens where the authority says this (PROMPT-3, PROMPT-5, CALL-5). */
const SILENT = ['no_eligible_credential', 'asked_too_often', 'paused'];

/** Asks the authority whether a call may be. */
export class Decider {
  #parts;
  #acknowledgements;
  #tools;
  /** Of what is silent, that of which the human was told last. */
  #told = '';

  /**
   * @param {Parts} parts
   * @param {Acknowledgements} acknowledgements
   * @param {() => Tool[]} [tools] those of the page
   */
  constructor(parts, acknowledgements, tools = () => []) {
    this.#parts = parts;
    this.#acknowledgements = acknowledgements;
    this.#tools = tools;
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
    const answer = await this.#send(call, { evidence });
    if (!answer.ok) return inert({ outcome: this.#ruled(answer.problem, call) });
    const agent = /** @type {Said<Agent>} */ (answer.body.agent ?? {});
    const caller = { ...askerOf(agent), scopes: scopesOf(scopeOf(evidence.token)) };
    if (agent.handed_on_by) caller.handedOnBy = askerOf(/** @type {Said<Agent>} */ (agent.handed_on_by));
    return inert({ callId: textOf(answer.body.call_id), body: answer.body, caller });
  }

  /**
   * A refusal by the authority, of which the human is told once where nobody asks him, with where he ends that.
   *
   * @param {Problem} found
   * @param {Call} call
   */
  #ruled(found, { config }) {
    if (among(found.code, SILENT) && !found.told && this.#told !== found.code) {
      this.#told = found.code;
      this.#parts.prompts.refuse(found, config.signInUri);
    }
    return ruled(found);
  }

  /**
   * Gets the call token: asks the authority, and the human where that is its answer.
   *
   * @param {SharedCall} shared
   * @param {Call} call
   * @returns {Promise<Decision>}
   */
  async decide(shared, call) {
    const decided = call.judged ?? (await this.#ask(shared, call));
    if (decided.outcome) return decided;
    const { callId, body, caller } = decided;
    if (body.state === 'approved') return decided;
    if (body.state !== 'pending') return inert({ outcome: refused('server_error', callId) });
    const verdict = await approve(this.#parts, shared, call, decided);
    if (verdict.outcome || !shared.wanted || textOf(verdict.body.call_token)) return verdict;
    // The approval arrived, but not the answer with the call token, or it was given elsewhere: the page goes on (CALL-11).
    const { authority, keyring } = this.#parts;
    const answer = await pending(authority, `/calls/${callId}`, await keyring.key(call.user.id), 'call_token').resume();
    return inert(answer.ok ? { callId, body: answer.body, caller } : { outcome: ruled({ ...answer.problem, callId }) });
  }

  /**
   * @param {SharedCall} shared
   * @param {Call} call without evidence
   * @returns {Promise<Decision>}
   */
  async #ask(shared, call) {
    const direct = call.direct ? { reply: await this.#send(call, {}), tokens: null } : null; // CALL-7
    const { reply, tokens } = direct ?? (await this.#underGrant(shared, call));
    if (reply.ok) return inert({ callId: textOf(reply.body.call_id), body: reply.body, caller: tokens });
    return inert({ outcome: reply.problem === LEFT ? { kind: 'left' } : this.#ruled(reply.problem, call) });
  }

  /**
   * @param {SharedCall} shared
   * @param {Call} call of the browser's own agent
   */
  #underGrant(shared, call) {
    const { config, definition, user, rule } = call;
    const { grants } = this.#parts;
    return grants.use(
      user.id,
      /** @returns {Promise<Answer>} */
      async ({ access }) => (shared.wanted ? await this.#send(call, { token: access }) : inert({ ok: false, problem: LEFT })),
      async (missing) => {
        if (!rule) return inert({ problem: problem('unknown_tool') });
        if (!rule.opaque) return inert({ problem: problem('agent_not_allowed') }); // AGENT-3: no consent would help
        if (rule.pinned.length > 0 && !rule.pinned.includes(definition)) return inert({ problem: problem('definition_changed') }); // PIN-1: nor here
        const waiting = missing ?? problem('consent_pending');
        const described = await this.#described(call);
        const obtained = await grants.consents.ask(config, user.id, rule.scopes, described, () => shared.ask(waiting));
        shared.answered();
        return obtained;
      },
    );
  }

  /**
   * All that the page describes now is consented to at once, so that nobody is asked for each tool (GRANT-8).
   *
   * @param {Call} call
   * @returns {Promise<Record<string, string>>} the digests of those tools that the policy knows
   */
  async #described({ tool, definition, config }) {
    /** @type {Record<string, string>} */
    const digests = /** @type {any} any: null, which no record's type has */ ({ __proto__: null });
    const tools = this.#tools();
    for (let i = 0; i < tools.length; i++) {
      const each = /** @type {Tool} */ (tools[i]);
      const rule = config.tools.get(each.name);
      if (!rule || rule.public) continue;
      try {
        digests[each.name] = await each.definition();
      } catch {
        // Not JSON: it cannot be called either.
      }
    }
    digests[tool.name] = definition;
    return inert(digests);
  }

  /**
   * @param {Call} call
   * @param {{token?: string, evidence?: Evidence}} by
   * @returns {Promise<Answer>}
   */
  async #send(call, by) {
    const told = this.#acknowledgements.list(call.user.id);
    const answer = await this.#post(call, told, { ...by, wants: 'state' });
    if (answer.ok || answer.problem.callId) this.#acknowledgements.remove(call.user.id, told);
    return answer;
  }

  /**
   * The arguments are sent as the canonical text itself, so that nothing can come between (SHIM-2).
   *
   * @param {Call} call
   * @param {readonly string[]} delivered
   * @param {{token?: string, evidence?: Evidence, wants: string}} manner
   * @returns {Promise<Answer>}
   */
  async #post({ tool, definition, text, user }, delivered, manner) {
    const members = [`"tool":${stringify(tool.name)}`, `"arguments":${text}`, `"definition_s256":"${definition}"`];
    if (delivered.length > 0) members.push(`"delivered":${stringify(delivered)}`); // CALL-10
    const { authority, keyring } = this.#parts;
    return await authority.post('/calls', `{${members.join(',')}}`, { ...manner, key: await keyring.key(user.id) });
  }
}

/**
 * @param {Said<Agent>} agent
 * @returns {Asker}
 */
const askerOf = (agent) => ({ clientId: textOf(agent.client_id), assurance: textOf(agent.assurance), name: textOf(agent.name) });
