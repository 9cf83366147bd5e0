/** What is asked for ahead and used once, and what is sent once and cannot be taken back. */

import * as natives from '../platform/natives.js';

/** @import { Answer, Verdict } from '../types.js' */

/** Milliseconds for which a challenge that was asked for ahead is good for a click: half of its life. */
const YOUNG = 30_000;

/**
 * Asks once ahead. The first who takes the answer gets that one, while it is young; each other gets an answer of its own.
 *
 * @param {() => Promise<Answer>} request
 */
export async function ahead(request) {
  const at = natives.now();
  const first = await request();
  let held = true;
  const take = async () => {
    const good = held && natives.now() - at < YOUNG;
    held = false;
    return good ? first : await request();
  };
  return natives.inert({ first, take });
}

/**
 * Sends what cannot be taken back: a human who leaves the dialog after that has not stopped it.
 *
 * @template T
 * @param {(told: T) => Promise<Answer>} deliver
 * @param {() => void} tooLate tells the human so
 */
export function onItsWay(deliver, tooLate) {
  /** @type {Promise<Answer> | null} */
  let waiting = null;
  return {
    /** @param {T} told */
    async send(told) {
      waiting = deliver(told);
      const answer = await waiting;
      if (!answer.ok) waiting = null; // nothing has come of it
      return answer;
    },
    /**
     * @param {Verdict} verdict
     * @returns {Promise<Verdict>}
     */
    async settle(verdict) {
      if (verdict.kind === 'approved' || !waiting) return verdict;
      tooLate();
      const answer = await waiting;
      return answer.ok ? natives.inert({ kind: 'approved', body: answer.body }) : verdict;
    },
  };
}
