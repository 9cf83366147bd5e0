/**
 * Equal calls share one dialog and one execution (SHIM-7): each attempt waits for them, and while a human is asked only as long as
 * it has patience.
 */

import { problem } from '../authority/authority.js';
import * as natives from '../platform/natives.js';
import { abort, clearTimeout, inert, isAborted, listen, now, Promise, push, setTimeout, signalOf, unlisten } from '../platform/natives.js';

/** @import { Execute, Outcome, Problem } from '../types.js' */

/** Agents give up after 30 s; a result that comes later than this may not have reached them (CALL-6). */
const DELIVERY_WINDOW = 25_000;

/**
 * @typedef {object} Attempt
 * @property {number} began
 * @property {() => void} wait begins to run out of patience
 * @property {(outcome: Outcome) => void} leave
 */

/** One call, and the attempts that wait for it. */
export class SharedCall {
  /** The newest last. @type {readonly Attempt[]} */
  #attempts = [];
  /** @type {Problem | null} */
  #asking = null;
  #running = false;
  #controller = new natives.AbortController();

  /**
   * The callback of the newest registration: that of an older one may belong to a part of the page that is gone.
   *
   * @type {Execute}
   */
  execute = () => undefined;

  /** Whether anybody still waits. */
  get wanted() {
    return this.#attempts.length > 0;
  }

  /** What they are told who run out of patience, while a human is asked. */
  get pending() {
    return this.#asking;
  }

  get running() {
    return this.#running;
  }

  /** Aborted when all who waited for the execution have aborted. */
  get signal() {
    return signalOf(this.#controller);
  }

  /**
   * Waits for the outcome.
   *
   * @param {number} patience milliseconds, counted from when a human is first asked
   * @param {AbortSignal | undefined} signal
   * @returns {Promise<Outcome>}
   */
  join(patience, signal) {
    return new Promise((resolve) => {
      /** @type {ReturnType<typeof setTimeout> | undefined} */
      let timer;
      let spent = false;
      const aborted = () => {
        attempt.leave({ kind: 'refused', problem: problem(this.#running ? 'outcome_unknown' : 'cancelled') });
        if (this.#running && !this.wanted) abort(this.#controller);
      };
      /** @type {Attempt} */
      const attempt = {
        began: now(),
        wait: () => {
          if (spent) attempt.leave({ kind: 'refused', problem: /** @type {Problem} */ (this.#asking) });
          else if (patience < Infinity) timer ??= setTimeout(exhausted, patience);
        },
        leave: (outcome) => {
          this.#attempts = without(this.#attempts, attempt);
          clearTimeout(timer);
          if (signal) unlisten(signal, 'abort', aborted);
          resolve(inert(outcome));
        },
      };
      const exhausted = () => {
        spent = true;
        if (this.#asking) attempt.wait();
      };
      const attempts = without(this.#attempts, attempt);
      push(attempts, attempt);
      this.#attempts = attempts;
      if (signal && isAborted(signal)) return aborted();
      if (signal) listen(signal, 'abort', aborted);
      if (this.#asking) attempt.wait();
    });
  }

  /**
   * A human is asked from here on; whoever runs out of patience gets `pending`.
   *
   * @param {Problem} pending
   */
  ask(pending) {
    this.#asking = pending;
    const attempts = this.#attempts;
    for (let i = 0; i < attempts.length; i++) attempts[i]?.wait();
  }

  /** The human has answered. */
  answered() {
    this.#asking = null;
  }

  /** Execution begins: nobody leaves any more but by aborting. */
  run() {
    this.#running = true;
  }

  /**
   * Ends the call, for all who wait.
   *
   * @param {Outcome} outcome
   * @returns {boolean} whether it reached somebody who still listened
   */
  settle(outcome) {
    const attempts = this.#attempts;
    const youngest = attempts[attempts.length - 1]?.began ?? -Infinity;
    for (let i = 0; i < attempts.length; i++) attempts[i]?.leave(outcome);
    return now() - youngest < DELIVERY_WINDOW;
  }
}

/**
 * @param {readonly Attempt[]} attempts
 * @param {Attempt} one
 */
function without(attempts, one) {
  /** @type {Attempt[]} */
  const others = [];
  for (let i = 0; i < attempts.length; i++) if (attempts[i] !== one) push(others, /** @type {Attempt} */ (attempts[i]));
  return others;
}
