/**
 * Asking the human: dialogs one after the other (SHIM-8), and in each a passkey ceremony, which can be tried again until it
 * succeeds, the human declines, or the thing asked for is over.
 */

import { problem } from '../authority/authority.js';
import { approve, enroll, putOnPhone } from './ceremony.js';
import { dialogs } from './dialog.js';
import { lookOf } from './look.js';
import { METHODS } from './methods/index.js';
import { createPasskey } from './methods/webauthn.js';
import { notices } from './notice.js';
import { among } from '../platform/among.js';
import * as natives from '../platform/natives.js';
import { findOut } from './unheard.js';
import { first, queue, shared } from '../platform/concurrency.js';
import { say, wordsFor } from '../words/words.js';

/** @import { Approval, Enrollment, Question } from './ceremony.js' */
/** @import { Methods } from './methods/index.js' */
/** @import { Tell } from './notice.js' */
/** @import { Passkey } from './methods/webauthn.js' */
/** @import { Choice, Dialog, Problem, Step, Unheard, Verdict, View } from '../types.js' */
/** @import { InTurn } from '../platform/concurrency.js' */

/** What is about all questions of an agent. */
const OF_ALL = ['asked_too_often', 'paused'];

/** The queue of dialogs. */
export class Prompts {
  #open;
  #create;
  #inTurn;
  /** Questions that have not come to their turn. */
  #waiting = 0;
  /** @type {Dialog | null} */
  #shown = null;
  /** What tells why the last question was over. @type {{dialog: Dialog, tell: () => void} | null} */
  #ended = null;

  /**
   * @param {(view: View) => Dialog} open
   * @param {Tell} tell shows what became of an answer
   * @param {{methods: Methods, create: Passkey}} [ways] how a human answers, and adds a passkey
   * @param {InTurn} [inTurn]
   */
  constructor(open, tell, { methods, create } = { methods: METHODS, create: createPasskey }, inTurn = queue()) {
    this.#open = open;
    this.tell = tell;
    this.methods = methods;
    this.#create = create;
    this.#inTurn = inTurn;
  }

  /**
   * Asks for an approval, when those before have been answered.
   *
   * @param {Question & Approval} question
   * @returns {Promise<Verdict>}
   */
  async ask(question) {
    return await this.#show(question, (dialog, signal) => approve(question, dialog, this.methods, signal));
  }

  /**
   * Asks for a new passkey, when those before have been answered.
   *
   * @param {Question & Enrollment} question
   * @returns {Promise<Verdict>}
   */
  async enroll(question) {
    return await this.#show(question, (dialog, signal) => enroll(question, dialog, this.#create, signal));
  }

  /**
   * Tells the human why a question was not asked, or what became of it after its dialog.
   *
   * @param {Problem} found
   * @param {string} [account] the address of the account page, where that mends it
   * @param {View} [view] of the question
   */
  refuse(found, account, view) {
    this.tell(saidOf(found), account, among(found.code, OF_ALL) ? undefined : view);
  }

  /**
   * @param {Question} question
   * @param {(dialog: Dialog, signal: AbortSignal) => Promise<Step>} ceremony
   * @returns {Promise<Verdict>}
   */
  async #show(question, ceremony) {
    natives.setPrototypeOf(question, null); // what it lacks is not looked for in the page, which would meet all that it has
    const deadline = natives.now() + question.lifetime;
    const waits = this.#shown !== null || this.#waiting > 0;
    this.#count(1);
    return await this.#inTurn(async () => {
      this.#count(-1);
      const over = waits ? await isOver(question) : null;
      if (over?.kind === 'refused') this.refuse(over.problem, question.account, question.view);
      return over ?? (await this.#run(question, deadline - natives.now(), ceremony));
    });
  }

  /** @param {number} more or, below 0, fewer questions that wait */
  #count(more) {
    this.#waiting += more;
    this.#shown?.queue(this.#waiting > 0 ? say('script-waiting', { count: `${this.#waiting}` }) : '');
  }

  /**
   * @param {Question} question
   * @param {number} time milliseconds that are left
   * @param {(dialog: Dialog, signal: AbortSignal) => Promise<Step>} ceremony
   * @returns {Promise<Verdict>}
   */
  async #run(question, time, ceremony) {
    const { view, signal, account } = question;
    if (signal && natives.isAborted(signal)) return natives.inert({ kind: 'cancelled' });
    if (time <= 0) {
      this.refuse(problem('expired'), account, view);
      return natives.inert({ kind: 'expired' });
    }
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    /** @type {() => void} */
    let takeBack = () => {};
    let taken = false;
    const end = new natives.Promise((resolve) => {
      timer = natives.setTimeout(() => resolve('expired'), time);
      takeBack = () => {
        taken = true;
        resolve('removed');
      };
    });
    if (signal) natives.listen(signal, 'abort', takeBack);
    const before = this.#ended;
    this.#ended = null;
    const unread = before?.dialog.close(); // nobody else has closed it
    const dialog = this.#open(view);
    this.#shown = dialog;
    if (unread) before?.tell();
    /** @param {Problem} found */
    const tellEnd = (found) => {
      dialog.end(saidOf(found), account);
      this.#ended = { dialog, tell: () => this.refuse(found, account, view) };
    };
    const stays = () => this.#ended?.dialog === dialog;
    this.#count(0);
    if (question.leads && question.address) dialog.lead(question.address);
    const over = new natives.AbortController();
    const elsewhere = question.elsewhere?.(natives.signalOf(over)) ?? new natives.Promise(() => {});
    try {
      for (;;) {
        let step = /** @type {Step | Choice | 'expired'} */ (await first(dialog.choice(), end, elsewhere));
        if (step === 'approve' || step === 'phone') {
          const controller = new natives.AbortController();
          const trying = step === 'phone' ? putOnPhone(question, dialog) : ceremony(dialog, natives.signalOf(controller));
          step = /** @type {Step | Choice | 'expired'} */ (await first(trying, dialog.choice(), end, elsewhere));
          natives.abort(controller); // of a try that is done, nothing
        }
        if (step === 'block') return natives.inert({ kind: 'declined', block: true }); // there is no such button any more once something was sent
        if (typeof step === 'string' || step.kind === 'unheard') {
          const wish = typeof step === 'string' ? step : 'approve';
          if (wish === 'expired' && !question.unheard) tellEnd(problem('expired'));
          if (!question.unheard) return natives.inert({ kind: ended(wish), taken: taken && wish === 'removed' }); // nothing that could be acted upon was sent
          step = await findOut(question.unheard, dialog, end, wish); // SHIM-11
        }
        if (step.kind === 'refused') tellEnd(step.problem);
        if (step.kind === 'expired') tellEnd(problem('expired'));
        if (step.kind !== 'again') return /** @type {Verdict} */ (step);
        dialog.again(step.text, !!question.unheard);
      }
    } finally {
      this.#shown = null;
      natives.abort(over);
      natives.clearTimeout(timer);
      if (signal) natives.unlisten(signal, 'abort', takeBack);
      if (!stays()) dialog.close();
    }
  }
}

/** @param {Problem} found @returns {string} what a human is told of it */
const saidOf = (found) => found.said ?? wordsFor(found.code).human;

/**
 * Looks whether a question that had to wait is over by now: nobody is asked what the authority has ended, as where it is quiet.
 *
 * @param {Question & {standing?: (sent: number) => Unheard}} question
 * @returns {Promise<Verdict | null>}
 */
async function isOver({ standing }) {
  const found = await standing?.(natives.now()).look();
  if (found?.kind === 'arrived') return natives.inert({ kind: 'approved', body: natives.freeze({}) });
  return found?.kind === 'over' ? natives.inert({ kind: 'refused', problem: problem(found.code) }) : null;
}

/**
 * @param {Choice | 'expired'} choice
 * @returns {'declined' | 'cancelled' | 'expired'}
 */
const ended = (choice) => (choice === 'removed' ? 'cancelled' : choice === 'expired' ? 'expired' : 'declined');

/**
 * The prompts of a page, in one queue for all copies of this code: the shim and the module for MCP clients are bundles of their
 * own, and what they share is the moment at which the page began.
 *
 * @param {boolean} [openRoot] for tests: whether the dialogs' shadow roots are open
 * @param {() => unknown} [site] what the authority says of the site (SHIM-3), as far as that is known
 */
export function promptsOfPage(openRoot = natives.openForTests, site = () => null) {
  const look = () => lookOf(site());
  const mode = openRoot ? 'open' : 'closed';
  return new Prompts(dialogs(mode, look), notices(mode, look), undefined, shared(`dialog ${natives.timeOrigin}`, queue()));
}
