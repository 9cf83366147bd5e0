/**
 * How the browser's own agent comes by a grant: this browser profile is registered (AGENT-1), and the user consents (GRANT-1,
 * GRANT-2). One consent at a time for each user.
 */

import { problem } from '../authority/authority.js';
import { pending } from '../authority/pending.js';
import { among } from '../platform/among.js';
import { bare, numberOf, textOf } from '../platform/json.js';
import * as natives from '../platform/natives.js';
import { elsewhere } from '../people/elsewhere.js';
import { standingOf, unheardOf } from '../people/unheard.js';
import { consentView, linesIn } from '../people/view.js';
import { say } from '../words/words.js';

/** @import { Approval, Question } from '../people/ceremony.js' */
/** @import { Obtained, TokenClient } from './tokens.js' */
/** @import { Answer, Bare, Parts, Problem } from '../types.js' */
/** @import { OpaqueAgent, PendingGrant, Said, Text } from '../wire.js' */

/** @typedef {{issuer: string, signInUri: string}} Site */

const ACTION = 'deputize.consent';
const LIFETIME = 600_000; // GRANT-4

/** The consents that the user is asked for. */
export class Consents {
  #parts;
  #tokens;
  /** By user. @type {Record<string, {scopes: readonly string[], done: Promise<Obtained>}>} */
  #open = /** @type {any} any: null, which no record's type has */ ({ __proto__: null });

  /**
   * @param {Omit<Parts, 'grants'>} parts
   * @param {TokenClient} tokens keeps what comes of it
   */
  constructor(parts, tokens) {
    this.#parts = parts;
    this.#tokens = tokens;
  }

  /**
   * Asks the user, or waits for the question that is open already.
   *
   * @param {Site} site
   * @param {string} user
   * @param {readonly string[]} scopes
   * @param {Record<string, string>} [definitions] how the page describes its tools (GRANT-8)
   * @param {() => void} [onAsk] called when the human begins to be asked
   * @returns {Promise<Obtained>} never without tokens
   */
  async ask(site, user, scopes, definitions = {}, onAsk = () => {}) {
    for (let open = this.#open[user]; open; open = this.#open[user]) {
      onAsk();
      const { scopes: asked, done } = open;
      const answer = await done;
      if (within(scopes, asked)) return answer;
    }
    const open = { scopes, done: this.#request(site, user, scopes, definitions, onAsk) };
    this.#open[user] = open;
    try {
      return await open.done;
    } finally {
      delete this.#open[user];
    }
  }

  /**
   * @param {Site} site
   * @param {string} user
   * @param {readonly string[]} scopes
   * @param {Record<string, string>} definitions
   * @param {() => void} onAsk
   * @returns {Promise<Obtained>}
   */
  async #request({ issuer, signInUri }, user, scopes, definitions, onAsk) {
    const { authority, keyring, prompts } = this.#parts;
    let key = await keyring.key(user);
    let registered = await authority.post('/agents', null, { key, wants: 'client_id' });
    if (!registered.ok && registered.problem.code === 'unknown_agent') {
      ({ key } = await keyring.replace(user, key)); // a new agent, with nothing but what the user consents to now
      registered = await authority.post('/agents', null, { key, wants: 'client_id' });
    }
    if (!registered.ok) return without(registered.problem);
    /** @type {Said<OpaqueAgent>} */
    const said = registered.body;
    const agent = { clientId: textOf(said.client_id), assurance: textOf(said.assurance) };
    const requested = await authority.post('/grants', natives.stringify({ scope: spaced(scopes), definitions }), { key, wants: 'grant_id' });
    if (!requested.ok) return without(requested.problem);
    /** @type {Said<PendingGrant>} */
    const body = requested.body;
    const shown = /** @type {Bare} */ (body.shown ?? bare({}));
    const view = await consentView(shown, /** @type {Said<Text>} */ (body.text ?? bare({})));
    if (!view) return without(problem('server_error', { detail: 'What is to be signed is not what would be shown.' }));
    const grant = pending(authority, `/grants/${textOf(body.grant_id)}`, key, 'access_token');
    const standing = (/** @type {Answer} */ answer) => natives.inert(standingOf(answer, authority.local));
    const look = async () => standing(await grant.look());
    onAsk();
    /** @type {Question & Approval} */
    const question = {
      account: signInUri,
      address: `${issuer}/ask/${textOf(body.grant_id)}`,
      leads: body.surface === 'authority',
      elsewhere: (over) => elsewhere(grant, standing, () => !!question.unheard, say('script-consent-elsewhere'), over),
      view,
      action: { tool: ACTION, args: shown, issuer },
      displayText: linesIn(view),
      lifetime: LIFETIME,
      challenge: grant.challenge,
      approve: grant.approve,
      phone: grant.phone,
      standing: () => ({
        look,
        end: async (reason) => {
          await grant.deny(reason); // for a consent that has not arrived
          await grant.withdraw(); // for one that has
          return await look();
        },
        words: unheardOf('consent'),
      }),
    };
    const verdict = await prompts.ask(question);
    switch (verdict.kind) {
      case 'approved': {
        if (verdict.told) prompts.tell(verdict.told, undefined, view);
        let tokens = verdict.body;
        if (!textOf(tokens.access_token)) {
          const resumed = await grant.resume(); // it arrived, but not its answer, or was given elsewhere (GRANT-9)
          if (!resumed.ok) return without(resumed.problem);
          tokens = resumed.body;
        }
        const grantExpiresAt = natives.now() + (numberOf(shown.expires_in) ?? 0) * 1000;
        return await this.#tokens.keep(user, tokens, { ...agent, grantExpiresAt });
      }
      case 'refused': // a no that was said elsewhere is one to the consent, too
        return without(verdict.problem.code === 'declined' ? problem('consent_declined') : natives.inert({ ...verdict.problem, told: true }));
      case 'expired':
        return without(problem('expired', { told: true }));
      default: // declined, cancelled
        if (!verdict.settled) await grant.deny(verdict.kind, verdict.block);
        return without(problem(verdict.kind === 'declined' ? 'consent_declined' : 'cancelled'));
    }
  }
}

/** @param {readonly string[]} some @param {readonly string[]} all */
function within(some, all) {
  for (let i = 0; i < some.length; i++) if (!among(some[i], all)) return false;
  return true;
}

/** @param {readonly string[]} scopes */
function spaced(scopes) {
  let text = '';
  for (let i = 0; i < scopes.length; i++) text += (i > 0 ? ' ' : '') + scopes[i];
  return text;
}

/** @param {Problem} problem why there are no tokens @returns {Obtained} */
const without = (problem) => natives.inert({ problem });
