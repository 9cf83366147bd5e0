/**
 * Verified approval for MCP clients (MCP-13, SEP-2672 §4.9): a call of an annotated tool is made with the user's passkey over exactly
 * this call, or not at all. What comes of it is a value.
 */

import { ANNOTATION, Annotations } from './annotations.js';
import { problem } from '../authority/authority.js';
import { among } from '../platform/among.js';
import { isOver } from '../people/ceremony.js';
import { methodIn } from '../people/methods/index.js';
import { memberOf, snapshot, textOf } from '../platform/json.js';
import * as natives from '../platform/natives.js';
import { ahead, onItsWay } from './once.js';
import { refusal } from '../calls/refusal.js';
import { ask, PATIENCE, refusalIn, send } from './rpc.js';
import { approvalView, askedHere, detailsOf, enrollmentView, languageFrom, linesFrom } from '../people/view.js';
import { say } from '../words/words.js';

/** @import { Methods } from '../people/methods/index.js' */
/** @import { Snapshot } from '../platform/json.js' */
/** @import { Prompts } from '../people/prompt.js' */
/** @import { McpClient, RequestOptions } from './rpc.js' */
/** @import { Answer, Arguments, Bare, Problem, View } from '../types.js' */

/**
 * @typedef {{name: string, arguments?: Record<string, unknown>, _meta?: Record<string, unknown>}} CallParams
 *
 * @typedef {{[member: string]: unknown, content: any, isError?: boolean}} ToolResult any: whatever content MCP has
 *
 * @typedef {{kind: 'result', result: ToolResult}
 *   | {kind: 'declined' | 'cancelled' | 'expired' | 'no_eligible_credential', result: ToolResult}
 *   | {kind: 'refused', reason: string, result: ToolResult}
 *   | {kind: 'unknown', error: unknown, result: ToolResult}} Outcome
 * What came of a call. `result` is the tool's own, or tells a model in one sentence what happened and what to do next.
 * `declined`, `cancelled`, `expired`, `no_eligible_credential` and `refused`: nothing has run. `unknown`: the call was sent, and
 * whether it ran is not known.
 *
 * @typedef {{kind: 'enrolled', credentialId: string}
 *   | {kind: 'already_enrolled' | 'declined' | 'cancelled' | 'expired'}
 *   | {kind: 'refused', reason: string}
 *   | {kind: 'unknown'}} Enrolled what came of an enrollment
 *
 * @typedef {object} About what the dialog says of where it is
 * @property {string} site
 * @property {string} user
 * @property {boolean} [foreign] whether the server is none of ours, of which nobody knows that it says who asks
 */

const CALL = 'tools/call';
const CHALLENGE = 'approval/challenge/create';
/** What is answered on the authority's own page only, and waits there (APPR-12). */
const ELSEWHERE = 'wrong_surface';
/** What a server says of a call without evidence that needs some, or waits elsewhere. */
const UNASKED = ['missing_evidence', ELSEWHERE];
const TEXT = 'dev.deputize/text';
const ENROLL_BEGIN = 'approval/enroll/begin';
const ENROLL_FINISH = 'approval/enroll/finish';

/** Milliseconds that a human has, as for calls on a page (CALL-4). */
const LIFETIME = 600_000;

/** The calls of one MCP client. */
export class VerifiedApproval {
  #client;
  #prompts;
  #serverId;
  #about;
  #annotations;

  /**
   * @param {object} parts
   * @param {McpClient} parts.client
   * @param {Prompts} parts.prompts
   * @param {string | null} parts.serverId what the server's challenges are over (SEP-2672 §4.6); null if it tells nobody
   * @param {() => Promise<About>} parts.about
   */
  constructor({ client, prompts, serverId, about }) {
    this.#client = client;
    this.#prompts = prompts;
    this.#serverId = serverId;
    this.#about = about;
    this.#annotations = new Annotations(client);
  }

  /**
   * Calls a tool. It never rejects.
   *
   * @param {CallParams} params
   * @param {RequestOptions} [options]
   * @param {Snapshot | null} [taken] its arguments
   * @returns {Promise<Outcome>}
   */
  async callTool(params, options, taken = snapshot(params.arguments)) {
    const { name, _meta } = params;
    let need = await this.#annotations.need(name);
    if (typeof need !== 'string') return refused(need);
    if (need === 'none') {
      const outcome = await this.#plain(params, options);
      if (outcome.kind !== 'refused' || !among(outcome.reason, UNASKED)) return outcome;
      need = await this.#annotations.need(name, true); // it has come to need an approval since the tools were listed
      if (typeof need !== 'string' || need === 'none') return this.#led(outcome);
    }
    if (need === 'other') return refused(problem('unsupported_approval'));
    if (!taken) return refused(problem('invalid_arguments'));
    return await this.#approved(name, taken, need === 'verified' ? '' : 'cross-platform', _meta, options);
  }

  /**
   * Adds a passkey (SEP-2672 §4.4.1, §4.4.2). It never rejects.
   *
   * @param {{signal?: AbortSignal}} [options]
   * @returns {Promise<Enrolled>}
   */
  async enroll({ signal } = {}) {
    const begin = await ahead(() => ask(this.#client, ENROLL_BEGIN, {}, { signal, timeout: PATIENCE }));
    if (!begin.first.ok) {
      this.#prompts.refuse(begin.first.problem);
      return natives.inert({ kind: 'refused', reason: begin.first.problem.code });
    }
    const view = enrollmentView(await this.#about());
    const finish = onItsWay((/** @type {unknown} */ response) => this.#finish(response), () => this.#tooLate(view));
    const verdict = await finish.settle(
      await this.#prompts.enroll({
        view,
        lifetime: LIFETIME,
        signal,
        begin: begin.take,
        finish: finish.send,
      }),
    );
    if (verdict.kind === 'approved') {
      const enrolled = /** @type {Enrolled} */ (/** @type {unknown} */ (verdict.body));
      if (enrolled.kind === 'unknown') this.#prompts.tell(say('script-mcp-unheard-passkey'), undefined, view); // SHIM-11
      return natives.inert(enrolled);
    }
    if (verdict.kind !== 'refused') {
      if (verdict.taken) this.#prompts.tell(say('script-mcp-taken-back-passkey'), undefined, view);
      return natives.inert({ kind: verdict.kind });
    }
    const { code } = verdict.problem;
    return natives.inert(code === 'credential_already_enrolled' ? { kind: 'already_enrolled' } : { kind: 'refused', reason: code });
  }

  /**
   * @param {CallParams} params
   * @param {RequestOptions | undefined} options
   * @returns {Promise<Outcome>}
   */
  async #plain(params, options) {
    try {
      const patient = { timeout: PATIENCE, ...options };
      const result = /** @type {ToolResult} */ (await send(this.#client, CALL, { ...params }, patient));
      return natives.isArray(result.content) ? natives.inert({ kind: 'result', result }) : unknown(new natives.TypeError('this is no result of a tool'));
    } catch (error) {
      const found = refusalIn(error);
      return found ? refused(found) : unknown(error);
    }
  }

  /**
   * @param {string} name
   * @param {{value: Arguments}} taken
   * @param {string} kind of authenticator that it takes
   * @param {Record<string, unknown> | undefined} meta
   * @param {RequestOptions} [options]
   * @returns {Promise<Outcome>}
   */
  async #approved(name, { value }, kind, meta, options) {
    const signal = options?.signal;
    const action = { tool: name, args: value, issuer: this.#serverId };
    const asked = { toolName: name, arguments: value };
    const plain = { name, arguments: value, _meta: meta };
    const challenge = await ahead(async () => drawn(await ask(this.#client, CHALLENGE, asked, { signal, timeout: PATIENCE })));
    const { first } = challenge;
    const flaw = first.ok ? await flawOf(first.body, action, this.#prompts.methods) : first.problem;
    if (!first.ok && first.problem.code === ELSEWHERE) return this.#led(await this.#elsewhere(plain, options));
    if (!first.ok || flaw) {
      const found = flaw ?? problem('server_error');
      if (!signal || !natives.isAborted(signal)) this.#prompts.refuse(found);
      return signal && natives.isAborted(signal) ? ended('cancelled') : refused(found);
    }
    const { site, user, foreign } = await this.#about();
    const asker = foreign ? askedHere() : undefined;
    const lines = linesFrom(first.body, asker);
    const view = approvalView({ site, user, language: languageFrom(first.body, asker), lines, details: detailsOf(value), kind, agent: true });
    const call = onItsWay(async (/** @type {string} */ evidence) => {
      const _meta = { ...meta, [ANNOTATION]: natives.parse(evidence) };
      // Answered by what this one request brings: a client that sends it again, say with what a server asked for in
      // between, would use the challenge a second time.
      const once = { ...options, allowInputRequired: true };
      const outcome = await this.#plain({ name, arguments: value, _meta }, once);
      return outcome.kind === 'refused' ? no(problem(outcome.reason)) : yes(outcome);
    }, () => this.#tooLate(view));
    const verdict = await call.settle(
      await this.#prompts.ask({
        view,
        action,
        displayText: textOf(first.body.displayText),
        asker,
        lifetime: LIFETIME,
        signal,
        challenge: challenge.take,
        approve: call.send,
      }),
    );
    switch (verdict.kind) {
      case 'approved': {
        const outcome = /** @type {Outcome} */ (/** @type {unknown} */ (verdict.body));
        if (outcome.kind === 'unknown') this.#prompts.tell(say('script-mcp-unheard'), undefined, view); // SHIM-11
        return outcome;
      }
      case 'refused':
        return verdict.problem.code === ELSEWHERE ? await this.#elsewhere(plain, options) : refused(verdict.problem);
      default:
        if (verdict.taken) this.#prompts.tell(say('script-mcp-taken-back'), undefined, view); // nothing is on its way: `settle` has waited for that
        return ended(verdict.kind);
    }
  }

  /**
   * Calls without evidence, so that it waits there, what is answered on the authority's own page only since the tools were listed.
   *
   * @param {CallParams} params
   * @param {RequestOptions | undefined} options
   * @returns {Promise<Outcome>}
   */
  async #elsewhere(params, options) {
    const need = await this.#annotations.need(params.name, true);
    return need === 'none' ? await this.#plain(params, options) : refused(problem(ELSEWHERE)); // MCP-13: what is annotated is not called so
  }

  /**
   * A call that its user answers on the authority's own page: he is told so, and where.
   *
   * @param {Outcome} outcome
   */
  #led(outcome) {
    if (outcome.kind === 'refused' && outcome.reason === ELSEWHERE) this.#prompts.refuse(problem(ELSEWHERE));
    return outcome;
  }

  /** @param {View} view */
  #tooLate = (view) => this.#prompts.tell(say('script-mcp-too-late'), undefined, view);

  /**
   * @param {unknown} response
   * @returns {Promise<Answer>} the outcome, or why there is none
   */
  async #finish(response) {
    try {
      const { credentialId } = /** @type {Bare} */ (await send(this.#client, ENROLL_FINISH, { response }));
      return yes({ kind: 'enrolled', credentialId: textOf(credentialId) });
    } catch (error) {
      const found = refusalIn(error);
      return found ? no(found) : yes({ kind: 'unknown' });
    }
  }
}

/**
 * Puts where our envelopes have it how the words of a challenge are drawn: the proposal has no place for that (MCP-8).
 *
 * @param {Answer} answer
 * @returns {Answer}
 */
const drawn = (answer) => (answer.ok ? yes({ __proto__: null, ...answer.body, text: memberOf(answer.body._meta, TEXT) }) : answer);

/**
 * Says what is wrong with a challenge, before anybody is shown anything.
 *
 * @param {Bare} envelope
 * @param {Parameters<typeof isOver>[1]} action
 * @param {Methods} methods
 * @returns {Promise<Problem | null>}
 */
async function flawOf(envelope, action, methods) {
  const method = methodIn(envelope, methods);
  const whole = textOf(envelope.challengeId) && textOf(envelope.displayText);
  return method && whole && (await isOver(method.challenge(envelope), action)) ? null : problem('bad_challenge');
}

/** @param {object} body @returns {Answer} */
const yes = (body) => natives.inert({ ok: true, body: /** @type {Bare} */ (body) });
/** @param {Problem} found @returns {Answer} */
const no = (found) => natives.inert({ ok: false, problem: found });

/** @param {Problem} found @returns {Outcome} */
function refused(found) {
  if (found.code === 'no_eligible_credential') return ended(found.code);
  return natives.inert({ kind: 'refused', reason: found.code, result: /** @type {ToolResult} */ (refusal(found)) });
}

/**
 * @param {'declined' | 'cancelled' | 'expired' | 'no_eligible_credential'} kind
 * @returns {Outcome}
 */
const ended = (kind) => natives.inert({ kind, result: refusal(problem(kind)) });

/** @param {unknown} error @returns {Outcome} */
const unknown = (error) => natives.inert({ kind: 'unknown', error, result: refusal(problem('outcome_unknown')) });
