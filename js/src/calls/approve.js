/** The human's approval of one call, where the authority wants it (PROTOCOL §6). */

import { problem } from '../authority/authority.js';
import { pending } from '../authority/pending.js';
import { among } from '../platform/among.js';
import { inert } from '../platform/natives.js';
import { elsewhere } from '../people/elsewhere.js';
import { standingOf, unheardOf } from '../people/unheard.js';
import { approvalView, askedIn, linesIn } from '../people/view.js';
import { say } from '../words/words.js';
import { refused, ruled } from './outcome.js';

/** @import { Approval, Question } from '../people/ceremony.js' */
/** @import { SharedCall } from './shared.js' */
/** @import { Answer, Approved, Call, Decision, Parts } from '../types.js' */

const LIFETIME = 600_000; // CALL-4
/** A challenge lives 60 s, and an approved call 300 s (APPR-1, CALL-4): so long something may come of an approval that was sent. */
const LATEST = 360_000;
/** What the authority says of a call that is over: a no from here was not what ended it. */
const ELSEWHERE = ['call_redeemed', 'expired', 'declined', 'cancelled'];

/**
 * Asks the human.
 *
 * @param {Parts} parts
 * @param {SharedCall} shared
 * @param {Call} call
 * @param {Approved} decided as pending
 * @returns {Promise<Decision>} with an empty body if the approval arrived, but not its answer, or was given elsewhere
 */
export async function approve({ authority, keyring, prompts }, shared, { tool, args, config, user }, { callId, body, caller }) {
  shared.ask(problem('approval_pending', { callId }));
  const call = pending(authority, `/calls/${callId}`, await keyring.key(user.id), 'call_token');
  const standing = (/** @type {Answer} */ answer) => inert(standingOf(answer, authority.local));
  const look = async () => standing(await call.look());
  const view = approvalView({ site: config.site, user: user.name, agent: caller !== null, ...askedIn(body) });
  if (caller) view.block = say('script-block');
  if (body.surface !== 'page') view.phone = say('script-phone');
  /** @type {Question & Approval} */
  const question = {
    account: config.signInUri,
    address: `${config.issuer}/ask/${callId}`,
    leads: body.surface === 'authority',
    elsewhere: (over) => elsewhere(call, standing, () => !!question.unheard, say('script-approval-elsewhere'), over),
    view,
    action: { tool: tool.name, args, issuer: config.issuer },
    displayText: linesIn(view),
    lifetime: LIFETIME,
    challenge: call.challenge,
    approve: call.approve,
    phone: call.phone,
    standing: (sent) => ({
      look,
      end: async (reason) => {
        const answer = await call.deny(reason);
        return answer.ok ? standing(answer) : await look();
      },
      words: unheardOf('approval', sent + LATEST),
    }),
  };
  const verdict = await prompts.ask(question);
  shared.answered();
  switch (verdict.kind) {
    case 'approved':
      if (!shared.wanted) prompts.tell(say('script-approval-too-late'), undefined, view);
      else if (verdict.told) prompts.tell(verdict.told, undefined, view);
      return inert({ callId, body: verdict.body, caller });
    case 'refused':
      return inert({ outcome: ruled({ ...verdict.problem, callId, told: true }) });
    case 'expired':
      return inert({ outcome: ruled(problem('expired', { callId, told: true })) });
    default: {
      if (verdict.settled) return inert({ outcome: refused(verdict.kind, callId) });
      const answer = await call.deny(verdict.kind, verdict.block); // APPR-6
      const code = answer.ok || !among(answer.problem.code, ELSEWHERE) ? verdict.kind : answer.problem.code;
      const told = code !== verdict.kind;
      if (told) prompts.refuse(problem(code), config.signInUri, view);
      return inert({ outcome: ruled(problem(code, { callId, told })) });
    }
  }
}
