/**
 * Asking the human: dialogs one after the other (SHIM-8), and in each a passkey ceremony, which can be tried again until it
 * succeeds, the human declines, or the thing asked for is over.
 */

import { approve, assertByPasskey, createPasskey, enroll } from './ceremony.js';
import * as natives from './natives.js';
import { queue } from './turn.js';

/** @import { Approval, Enrollment, Passkey, Question, Step } from './ceremony.js' */
/** @import { Choice, Dialog, Problem, Verdict, View } from './types.js' */
/** @import { InTurn } from './turn.js' */

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
  enrollment_not_allowed: 'Passkeys can be added here only shortly after you have allowed it on your account page.',
  credential_already_enrolled: 'You have a passkey on this device already.',
  login_required: 'You are signed out, so nothing was done.',
};

/** The queue of dialogs. */
export class Prompts {
  #open;
  #passkeys;
  #inTurn;

  /**
   * @param {(view: View) => Dialog} open
   * @param {(text: string, account?: string) => void} tell shows what became of an answer
   * @param {{get: Passkey, create: Passkey}} [passkeys]
   * @param {InTurn} [inTurn]
   */
  constructor(open, tell, passkeys = { get: assertByPasskey, create: createPasskey }, inTurn = queue()) {
    this.#open = open;
    this.tell = tell;
    this.#passkeys = passkeys;
    this.#inTurn = inTurn;
  }

  /**
   * Asks for an approval, when those before have been answered.
   *
   * @param {Question & Approval} question
   * @returns {Promise<Verdict>}
   */
  async ask(question) {
    return this.#show(question, (dialog, signal) => approve(question, dialog, this.#passkeys.get, signal));
  }

  /**
   * Asks for a new passkey, when those before have been answered.
   *
   * @param {Question & Enrollment} question
   * @returns {Promise<Verdict>}
   */
  async enroll(question) {
    return this.#show(question, (dialog, signal) => enroll(question, dialog, this.#passkeys.create, signal));
  }

  /**
   * Tells the human why a question is over, or was not asked.
   *
   * @param {Problem} found
   * @param {string} [account] the address of the account page, where that mends it
   */
  refuse(found, account) {
    this.tell(OVER[found.code] ?? 'This request is not valid any more. Nothing was done.', account);
  }

  /**
   * @param {Question} question
   * @param {(dialog: Dialog, signal: AbortSignal) => Promise<Step>} ceremony
   * @returns {Promise<Verdict>}
   */
  async #show({ view, lifetime, signal }, ceremony) {
    const deadline = natives.now() + lifetime;
    return this.#inTurn(() => this.#run(view, deadline - natives.now(), signal, ceremony));
  }

  /**
   * @param {View} view
   * @param {number} time milliseconds that are left
   * @param {AbortSignal | undefined} signal
   * @param {(dialog: Dialog, signal: AbortSignal) => Promise<Step>} ceremony
   * @returns {Promise<Verdict>}
   */
  async #run(view, time, signal, ceremony) {
    if (signal && natives.isAborted(signal)) return { kind: 'cancelled' };
    if (time <= 0) return { kind: 'expired' };
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    /** @type {() => void} */
    let takeBack = () => {};
    const end = new natives.Promise((resolve) => {
      timer = natives.setTimeout(() => resolve('expired'), time);
      takeBack = () => resolve('removed');
    });
    if (signal) natives.listen(signal, 'abort', takeBack);
    const dialog = this.#open(view);
    try {
      for (;;) {
        const choice = /** @type {Choice | 'expired'} */ (await first(dialog.choice(), end));
        if (choice !== 'approve') return { kind: ended(choice) };
        const controller = new natives.AbortController();
        const trying = ceremony(dialog, natives.signalOf(controller));
        const step = /** @type {Step | Choice | 'expired'} */ (await first(trying, dialog.choice(), end));
        if (typeof step === 'string') {
          natives.abort(controller);
          return { kind: ended(step) };
        }
        if (step.kind === 'refused') this.refuse(step.problem);
        if (step.kind !== 'again') return step;
        dialog.again(step.text);
      }
    } finally {
      natives.clearTimeout(timer);
      if (signal) natives.unlisten(signal, 'abort', takeBack);
      dialog.close();
    }
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
