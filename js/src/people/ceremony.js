/**
 * What happens inside a dialog once the human agrees: what is signed is what is shown, and each try has a challenge of its own.
 */

import { problem } from '../authority/authority.js';
import { among } from '../platform/among.js';
import { actionHash, unb64u } from '../platform/canonical.js';
import { textOf } from '../platform/json.js';
import * as natives from '../platform/natives.js';
import { inert } from '../platform/natives.js';
import { evidenceOf, methodIn } from './methods/index.js';
import { again, explain, nameOf } from './methods/webauthn.js';
import { onPhone } from './phone.js';
import { languageFrom, linesFrom } from './view.js';
import { say, wordsFor } from '../words/words.js';

/** @import { Methods, Unanswered } from './methods/index.js' */
/** @import { Passkey } from './methods/webauthn.js' */
/** @import { Answer, Bare, Dialog, Problem, Step, Unheard, View } from '../types.js' */

/**
 * @typedef {object} Question
 * @property {View} view
 * @property {number} lifetime milliseconds from now; the authority's clock may be another one
 * @property {AbortSignal} [signal] takes the question back
 * @property {string} [account] the address of the account page
 * @property {Unheard} [unheard] there from when an answer was sent that can be acted upon
 * @property {string} [address] where the same question stands on the authority's own page
 * @property {boolean} [leads] whether it is answered there only (APPR-12)
 * @property {(over: AbortSignal) => Promise<Step & {told?: string}>} [elsewhere] resolves once it was answered there, or in another
 *   window
 *
 * @typedef {object} Approval
 * @property {{tool: string, args: unknown, issuer: string | null}} action what the challenge must be over (HASH-2); null where the
 *   server keeps to itself what its challenges are bound to
 * @property {string} displayText the words that the authority's envelope must repeat
 * @property {View['lines']} [asker] who asks, where those words are not of an authority that says it
 * @property {() => Promise<Answer>} challenge
 * @property {(evidence: string) => Promise<Answer>} approve
 * @property {() => Promise<Answer>} [phone] lets it be answered on the human's phone (PHONE-1)
 * @property {(sent: number) => Unheard} [standing] how to learn what became of an answer, and to take it back; absent where
 *   nobody can be asked
 *
 * @typedef {object} Enrollment
 * @property {() => Promise<Answer>} begin
 * @property {(response: unknown) => Promise<Answer>} finish
 */

const NONCE_BYTES = 32;
const HASH_BYTES = 32;
/** Of both, in base64url. */
const CHALLENGE_LENGTH = 86;

/** After these the same dialog can be used once more: the next click takes a new challenge. */
const RETRY = [
  'challenge_unknown',
  'challenge_expired',
  'challenge_consumed',
  'authority_unavailable',
  'record_unavailable',
  'outcome_unknown', // of a challenge: of nothing that matters
  'server_error',
  'question_open',
];

/** After these nobody knows what became of what was sent; so it is with a question that was answered elsewhere. */
const UNHEARD = ['authority_unavailable', 'record_unavailable', 'outcome_unknown', 'server_error', 'call_state'];

/**
 * An answer over the action (APPR-1), by the method that the authority asks for (APPR-9), handed in as evidence.
 *
 * @param {Question & Approval} approval
 * @param {Dialog} dialog
 * @param {Methods} methods
 * @param {AbortSignal} signal
 * @returns {Promise<Step>}
 */
export async function approve(approval, dialog, methods, signal) {
  dialog.busy(say('script-busy'));
  const envelope = await approval.challenge();
  if (!envelope.ok) {
    const { code } = envelope.problem;
    if (code === 'wrong_surface' && approval.address) {
      dialog.lead(approval.address); // the policy has become stricter
      return inert({ kind: 'again', text: '' });
    }
    if (code === 'call_state') approval.unheard ??= approval.standing?.(natives.now());
    return approval.unheard && among(code, UNHEARD) ? inert({ kind: 'unheard' }) : judge(envelope.problem);
  }
  const method = methodIn(envelope.body, methods);
  if (!method) return refused('unsupported_method');
  // What is about to be signed must be what is shown: the same action, in the same words.
  if (!(await isOver(method.challenge(envelope.body), approval.action))) {
    return refused('server_error', { detail: 'The challenge is not over this action.' });
  }
  const displayText = textOf(envelope.body.displayText);
  if (displayText !== approval.displayText) {
    approval.displayText = displayText;
    dialog.reword(linesFrom(envelope.body, approval.asker), languageFrom(envelope.body, approval.asker));
    return inert({ kind: 'again', text: say('script-reworded') });
  }
  dialog.busy(method.waiting());
  let evidence;
  try {
    evidence = await evidenceOf(envelope.body, dialog.ask, signal, methods);
  } catch (error) {
    return inert({ kind: 'again', text: /** @type {Unanswered} */ (error).message });
  }
  if (natives.isAborted(signal)) return inert({ kind: 'again', text: '' }); // the human has just said something else
  dialog.busy(say('script-busy-checking'));
  approval.unheard = approval.standing?.(natives.now());
  const answer = await approval.approve(natives.stringify(evidence));
  if (answer.ok) return inert({ kind: 'approved', body: answer.body });
  return approval.unheard && among(answer.problem.code, UNHEARD) ? inert({ kind: 'unheard' }) : judge(answer.problem, method.again);
}

/**
 * Lets the question be answered on the human's phone as well (PHONE-4).
 *
 * @param {Question & Partial<Approval>} approval
 * @param {Dialog} dialog
 * @returns {Promise<Step>}
 */
export async function putOnPhone(approval, dialog) {
  dialog.busy(say('script-busy'));
  const answer = approval.phone ? await approval.phone() : null;
  if (!answer) return refused('server_error');
  if (answer.ok) {
    dialog.phone(onPhone(answer.body, approval.view.user, !approval.leads));
    return inert({ kind: 'again', text: '' });
  }
  const { code } = answer.problem;
  if (code === 'wrong_surface') return inert({ kind: 'again', text: say('script-phone-not') }); // the policy has become stricter
  if (code !== 'call_state') return judge(answer.problem);
  approval.unheard ??= approval.standing?.(natives.now());
  return inert({ kind: 'unheard' });
}

/**
 * A new passkey (SEP-2672 §4.4.1, §4.4.2).
 *
 * @param {Enrollment} enrollment
 * @param {Dialog} dialog
 * @param {Passkey} passkey
 * @param {AbortSignal} signal
 * @returns {Promise<Step>}
 */
export async function enroll(enrollment, dialog, passkey, signal) {
  dialog.busy(say('script-busy'));
  const begun = await enrollment.begin();
  if (!begun.ok) return judge(begun.problem);
  dialog.busy(say('script-busy-passkey'));
  let response;
  try {
    response = await passkey(/** @type {Bare} */ (begun.body.options ?? {}), signal);
  } catch (error) {
    // WebAuthn L3 §5.1.3: the user agreed, on a device that holds one of those to be excluded.
    if (nameOf(error) === 'InvalidStateError') return refused('credential_already_enrolled');
    return inert({ kind: 'again', text: explain(error) });
  }
  if (natives.isAborted(signal)) return inert({ kind: 'again', text: '' }); // as above
  dialog.busy(say('script-busy-checking'));
  const answer = await enrollment.finish(response);
  return answer.ok ? inert({ kind: 'approved', body: answer.body }) : judge(answer.problem, again);
}

/**
 * @param {string} challenge base64url: nonce ‖ action hash (APPR-1)
 * @param {Approval['action']} action
 */
export async function isOver(challenge, { tool, args, issuer }) {
  try {
    const bytes = unb64u(challenge);
    if (challenge.length !== CHALLENGE_LENGTH) return false;
    if (issuer === null) return true;
    const hash = await actionHash(tool, args, issuer);
    for (let i = 0; i < HASH_BYTES; i++) if (bytes[NONCE_BYTES + i] !== hash[i]) return false;
    return true;
  } catch {
    return false;
  }
}

/**
 * @param {string} code
 * @param {Partial<Problem>} [facts]
 * @returns {Step}
 */
const refused = (code, facts) => inert({ kind: 'refused', problem: problem(code, facts) });

/**
 * @param {Problem} found
 * @param {(code: string) => string} [mended] what a method says, beside RETRY
 * @returns {Step}
 */
function judge(found, mended) {
  const text = among(found.code, RETRY) ? wordsFor(found.code).retry : mended?.(found.code);
  return inert(text ? { kind: 'again', text } : { kind: 'refused', problem: found });
}
