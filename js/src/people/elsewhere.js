/**
 * The page that waits: its question may be answered on the authority's own page, on another device or in another window, and it
 * hears of that at once (WAIT-1).
 */

import { problem } from '../authority/authority.js';
import { textOf } from '../platform/json.js';
import * as natives from '../platform/natives.js';
import { inert } from '../platform/natives.js';

/** @import { Answer, Standing, Step } from '../types.js' */

/** Milliseconds after which a wait is given up that has not ended by itself: the authority's are shorter. */
const LONGEST = 70_000;
/** Between two looks, where the authority lets nobody wait, or does not answer. */
const PAUSE = 5_000;

/**
 * @typedef {object} Awaited
 * @property {(signal: AbortSignal) => Promise<Answer>} wait
 * @property {() => Promise<Answer>} look
 */

/**
 * Waits until a question is over though nobody has answered it here.
 *
 * @param {Awaited} pending the question at the authority
 * @param {(answer: Answer) => Standing} standingOf
 * @param {() => boolean} sent whether an answer was sent from here, which tells itself what became of it
 * @param {string} told what a human is told where it was approved on the authority's page
 * @param {AbortSignal} over nobody waits any more
 * @returns {Promise<Step & {told?: string}>} `approved` with an empty body; what else it came to is refused
 */
export async function elsewhere(pending, standingOf, sent, told, over) {
  for (let looks = false; ; ) {
    const answer = looks ? await pending.look() : await patiently(pending, over);
    if (natives.isAborted(over)) return await never();
    const standing = standingOf(answer);
    if (standing.kind === 'unknown' || standing.kind === 'open') {
      if (looks) await pause(); // a wait that broke off is followed by a look at once
      looks = standing.kind === 'unknown';
      continue;
    }
    const where = answer.ok ? textOf(answer.body.answered_on) : '';
    if (sent() && (standing.kind === 'over' || where !== 'authority')) return await never();
    if (standing.kind === 'over') return inert({ kind: 'refused', problem: problem(standing.code) });
    return where === 'page' ? inert({ kind: 'refused', problem: problem('call_state') }) : inert({ kind: 'approved', body: natives.freeze({}), told });
  }
}

/** @returns {Promise<never>} */
const never = () => new natives.Promise(() => {});

const pause = () => new natives.Promise((resolve) => void natives.setTimeout(() => resolve(undefined), PAUSE));

/**
 * @param {Awaited} pending
 * @param {AbortSignal} over
 * @returns {Promise<Answer>}
 */
async function patiently(pending, over) {
  const controller = new natives.AbortController();
  const stop = () => natives.abort(controller);
  const timer = natives.setTimeout(stop, LONGEST);
  natives.listen(over, 'abort', stop);
  try {
    return await pending.wait(natives.signalOf(controller));
  } finally {
    natives.clearTimeout(timer);
    natives.unlisten(over, 'abort', stop);
  }
}
