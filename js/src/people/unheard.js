/**
 * What became of an answer that was sent, and of which nothing was heard (SHIM-11): the authority is asked, and the dialog says
 * what is true, and no more.
 */

import { problem } from '../authority/authority.js';
import { textOf } from '../platform/json.js';
import * as natives from '../platform/natives.js';
import { first } from '../platform/concurrency.js';
import { when } from '../words/dialogs.js';
import { say } from '../words/words.js';

/** @import { Answer, Choice, Dialog, Standing, Step, Unheard } from '../types.js' */

/** CALL-4 and the states of a grant: what is over, and the code that says why. */
const OVER = /** @type {Record<string, string>} */ ({
  __proto__: /** @type {any} any: null, which no record's type has */ (null),
  declined: 'declined',
  cancelled: 'cancelled',
  denied: 'cancelled',
  expired: 'expired',
  revoked: 'grant_revoked',
  superseded: 'call_state',
  redeemed: 'call_redeemed',
  succeeded: 'call_redeemed',
  failed: 'call_redeemed',
  unknown: 'call_redeemed',
});

/**
 * What an answer about a call or a grant says of how it stands; anything but a clear answer says nothing.
 *
 * @param {Answer} answer
 * @param {(seconds: unknown) => number} local the time here for one of the authority's, in milliseconds
 * @returns {Standing}
 */
export function standingOf(answer, local) {
  if (!answer.ok) return { kind: 'unknown' };
  const state = textOf(answer.body.state);
  if (state === 'pending') return { kind: 'open' };
  if (state === 'approved' || state === 'active') return { kind: 'arrived', until: local(answer.body.expires_at) };
  const code = textOf(answer.body.code) || OVER[state];
  return code ? { kind: 'over', code } : { kind: 'unknown' };
}

/**
 * What is said of a question whose answer was sent.
 *
 * @param {'approval' | 'consent'} what
 * @param {number} [latest] until when something may come of it, in milliseconds
 * @returns {Unheard['words']}
 */
export const unheardOf = (what, latest) => ({
  open: say(`script-${what}-open`),
  arrived: (until) => say(`script-${what}-arrived`, { until: when(until) }),
  unknown: say(`script-${what}-unknown`, latest === undefined ? {} : { until: when(latest) }),
  goOn: say(`script-${what}-go-on`),
  end: say(`script-${what}-end`),
  code: `${what}_unknown`,
});

/**
 * Finds out, together with the human, how a question stands whose answer was sent.
 *
 * @param {Unheard} unheard
 * @param {Dialog} dialog
 * @param {Promise<unknown>} end resolves when there is no time left, or nobody to be asked
 * @param {Choice | 'expired'} wish `approve` to go on if it can
 * @returns {Promise<Step>} `approved` without the authority's answer: it arrived, and the human wants it
 */
export async function findOut({ look, end: cancel, words }, dialog, end, wish) {
  for (;;) {
    const ending = wish === 'decline' || wish === 'removed';
    dialog.busy(say(ending ? 'script-cancelling' : 'script-asking'));
    const found = ending ? await cancel(wish === 'decline' ? 'declined' : 'cancelled') : await look();
    if (found.kind === 'over') return natives.inert(overWith(found.code, ending));
    if (found.kind === 'open') return natives.inert(wish === 'expired' ? { kind: 'expired' } : { kind: 'again', text: words.open });
    const unknown = found.kind === 'unknown';
    if (wish === 'removed' || wish === 'expired') return unheardOfIt(words);
    if (unknown) dialog.offer(words.unknown, say('script-look-again'), ending ? say('script-close') : words.end);
    else dialog.offer(words.arrived(found.until), words.goOn, words.end);
    const choice = /** @type {Choice | 'expired' | 'removed'} */ (await first(dialog.choice(), end));
    if (choice === 'approve' && !unknown) return natives.inert({ kind: 'approved', body: natives.freeze({}) });
    if (choice === 'decline' && unknown && ending) return unheardOfIt(words);
    wish = choice;
  }
}

/** @param {Unheard['words']} words @returns {Step} */
const unheardOfIt = ({ code, unknown }) => natives.inert({ kind: 'refused', problem: problem(code, { said: unknown }) });

/**
 * @param {string} code
 * @param {boolean} wanted whether the human has just ended it
 * @returns {Step}
 */
function overWith(code, wanted) {
  if (wanted && (code === 'declined' || code === 'cancelled')) return { kind: code, settled: true };
  if (wanted && code === 'grant_revoked') return { kind: 'declined', settled: true };
  return { kind: 'refused', problem: problem(code) };
}
