/**
 * Asking the human: dialogs one after the other (SHIM-8), and in each the passkey ceremony, which can be tried again until
 * it succeeds, the human declines, or the thing asked for is over.
 */

import { problem } from './authority.js';
import { actionHash, b64u, unb64u } from './canonical.js';
import { textOf } from './json.js';
import * as natives from './natives.js';

/** @import { Answer, Bare, Choice, Dialog, Problem, Verdict, View } from './types.js' */

/**
 * @typedef {object} Request
 * @property {View} view
 * @property {{tool: string, args: unknown, issuer: string}} action what the challenge must be over (HASH-2)
 * @property {string} displayText the words that the authority's envelope must repeat
 * @property {number} lifetime milliseconds from now; the authority's clock may be another one
 * @property {() => Promise<Answer>} challenge
 * @property {(evidence: string) => Promise<Answer>} approve
 *
 * @typedef {(options: Bare, signal: AbortSignal) => Promise<unknown>} Assert
 * @typedef {Verdict | {kind: 'again', text: string}} Step
 */

const NONCE_BYTES = 32;
const AGAIN = 'Please try again.';

/** After these the same dialog can be used once more: the next click takes a new challenge. */
const RETRY = new Map([
  ['challenge_unknown', `That took too long. ${AGAIN}`],
  ['challenge_expired', `That took too long. ${AGAIN}`],
  ['challenge_consumed', `That did not work several times. ${AGAIN}`],
  ['unknown_credential', 'That passkey does not belong to your account here. Please use another one.'],
  ['authenticator_class_mismatch', 'This needs another kind of passkey, such as a security key or your phone.'],
  ['signature_verification_failed', `That passkey could not be verified. ${AGAIN}`],
  ['signature_counter_regression', 'That passkey seems to have been copied, so it was not accepted. Please use another one.'],
  ['verification_failed', `That passkey could not be verified. ${AGAIN}`],
  ['missing_evidence', `The passkey gave no answer. ${AGAIN}`],
  ['authority_unavailable', `The site cannot be reached. ${AGAIN}`],
  ['record_unavailable', `The site could not record your answer. ${AGAIN}`],
  ['server_error', `Something went wrong on the site. ${AGAIN}`],
]);

/**
 * What a human hears who answers a question that is over.
 *
 * @type {Record<string, string>}
 */
const OVER = {
  __proto__: /** @type {any} any: the only way to write an object without prototype */ (null),
  expired: 'This request was open for too long, so nothing was done.',
  no_eligible_credential: 'You have no passkey here that can confirm this. You can add one on your account page.',
  constraint_exhausted: 'This goes beyond a limit that you set for the agent, so nothing was done.',
  grant_revoked: 'You have taken back what the agent may do, so nothing was done.',
  login_required: 'You are signed out, so nothing was done.',
};

/** The queue of dialogs. */
export class Prompts {
  /** @type {Promise<unknown>} */
  #last = natives.Promise.resolve();
  #open;
  #assert;

  /**
   * @param {(view: View) => Dialog} open
   * @param {(text: string) => void} tell shows what became of an answer
   * @param {Assert} assert
   */
  constructor(open, tell, assert = assertByPasskey) {
    this.#open = open;
    this.tell = tell;
    this.#assert = assert;
  }

  /**
   * Asks when those before have been answered.
   *
   * @param {Request} request
   * @returns {Promise<Verdict>}
   */
  async ask(request) {
    const deadline = natives.now() + request.lifetime;
    const before = this.#last;
    const mine = (async () => {
      await before;
      return this.#show(request, deadline - natives.now());
    })();
    this.#last = mine;
    return mine;
  }

  /**
   * @param {Request} request
   * @param {number} time milliseconds that are left
   * @returns {Promise<Verdict>}
   */
  async #show(request, time) {
    if (time <= 0) return { kind: 'expired' };
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const expiry = new natives.Promise((resolve) => {
      timer = natives.setTimeout(() => resolve('expired'), time);
    });
    const dialog = this.#open(request.view);
    try {
      for (;;) {
        const choice = /** @type {Choice | 'expired'} */ (await first(dialog.choice(), expiry));
        if (choice !== 'approve') return { kind: ended(choice) };
        const controller = new natives.AbortController();
        const ceremony = this.#ceremony(request, dialog, natives.signalOf(controller));
        const step = /** @type {Step | Choice | 'expired'} */ (await first(ceremony, dialog.choice(), expiry));
        if (typeof step === 'string') {
          natives.abort(controller);
          return { kind: ended(step) };
        }
        if (step.kind === 'refused') this.tell(OVER[step.problem.code] ?? 'This request is not valid any more. Nothing was done.');
        if (step.kind !== 'again') return step;
        dialog.again(step.text);
      }
    } finally {
      natives.clearTimeout(timer);
      dialog.close();
    }
  }

  /**
   * @param {Request} request
   * @param {Dialog} dialog
   * @param {AbortSignal} signal
   * @returns {Promise<Step>}
   */
  async #ceremony(request, dialog, signal) {
    dialog.busy('One moment…');
    const envelope = await request.challenge();
    if (!envelope.ok) return judge(envelope.problem);
    const options = /** @type {Bare} */ (envelope.body.requestOptions ?? {});
    // What is about to be signed must be what is shown: the same action, in the same words.
    if (!(await isOver(textOf(options.challenge), request.action))) {
      return { kind: 'refused', problem: problem('server_error', { detail: 'The challenge is not over this action.' }) };
    }
    const displayText = textOf(envelope.body.displayText);
    if (displayText !== request.displayText) {
      request.displayText = displayText;
      dialog.describe(displayText);
      return { kind: 'again', text: 'The wording has changed. Please read it again.' };
    }
    dialog.busy('Waiting for your passkey…');
    let response;
    try {
      response = await this.#assert(options, signal);
    } catch (error) {
      return { kind: 'again', text: explain(error) };
    }
    dialog.busy('Checking…');
    const challengeId = textOf(envelope.body.challengeId);
    const answer = await request.approve(natives.stringify({ method: 'webauthn', challengeId, response }));
    return answer.ok ? { kind: 'approved', body: answer.body } : judge(answer.problem);
  }
}

/** @type {Assert} */
async function assertByPasskey(options, signal) {
  const { credentialJson, getCredential, requestOptions } = natives;
  if (!getCredential || !requestOptions) throw new TypeError('no passkeys');
  const publicKey = requestOptions(/** @type {any} any: WebAuthn's own parser checks it */ (options));
  const credential = await getCredential(/** @type {CredentialRequestOptions} */ ({ __proto__: null, publicKey, signal }));
  if (!credential) throw new TypeError('no credential');
  return credentialJson(credential);
}

/**
 * @param {string} challenge base64url: nonce ‖ action hash (APPR-1)
 * @param {Request['action']} action
 */
async function isOver(challenge, { tool, args, issuer }) {
  try {
    const hash = b64u(unb64u(challenge).subarray(NONCE_BYTES));
    return hash === b64u(await actionHash(tool, args, issuer));
  } catch {
    return false;
  }
}

/**
 * @param {Problem} found
 * @returns {Step}
 */
function judge(found) {
  const text = RETRY.get(found.code);
  return text ? { kind: 'again', text } : { kind: 'refused', problem: found };
}

/** @param {unknown} error */
function explain(error) {
  switch (error instanceof Error || error instanceof DOMException ? error.name : '') {
    case 'NotAllowedError':
      return `The passkey was not used. ${AGAIN}`;
    case 'OperationError':
    case 'InvalidStateError':
      return 'Another passkey prompt is open. Please finish that one, then try again.';
    case 'SecurityError':
      return 'Passkeys of this site cannot be used on this page.';
    case 'TypeError':
      return 'This browser cannot use passkeys here.';
    default:
      return `The passkey could not be used. ${AGAIN}`;
  }
}

/**
 * @param {Choice | 'expired'} choice
 * @returns {'declined' | 'cancelled' | 'expired'}
 */
const ended = (choice) => (choice === 'removed' ? 'cancelled' : choice === 'expired' ? 'expired' : 'declined');

/**
 * Promise.race without `then`, which page script can replace.
 *
 * @param {...Promise<unknown>} promises
 * @returns {Promise<unknown>}
 */
function first(...promises) {
  return new natives.Promise((resolve, reject) => {
    for (const promise of promises) void settle(promise, resolve, reject);
  });
}

/**
 * @param {Promise<unknown>} promise
 * @param {(value: unknown) => void} resolve
 * @param {(error: unknown) => void} reject
 */
async function settle(promise, resolve, reject) {
  try {
    resolve(await promise);
  } catch (error) {
    reject(error);
  }
}
