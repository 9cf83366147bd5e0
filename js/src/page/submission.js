/** What is done with a form's submission that is held (`forms.js`), once what a call needs is there. */

import { MEMBER } from '../authority/evidence.js';
import { reason, refused } from '../calls/outcome.js';
import { answerOf } from '../calls/refusal.js';
import { claimed, UNSENT } from '../calls/running.js';
import { snapshot } from '../platform/json.js';
import { stringify } from '../platform/natives.js';
import { say } from '../words/words.js';
import { clear, valuesOf } from './fields.js';

/** @import { Gate } from '../calls/gate.js' */
/** @import { Met } from './forms.js' */
/** @import { Execute, Parts, Problem, Tool } from '../types.js' */

/**
 * @typedef {object} Held
 * @property {HTMLFormElement} form
 * @property {Tool} tool
 * @property {boolean} awaited whether an agent waits for it
 * @property {AbortSignal} signal aborted when it does no more
 * @property {(met: Met) => unknown} make submits it anew
 */

/**
 * What a form has, in one spelling.
 *
 * @param {HTMLFormElement} form
 * @returns {string} empty where that is no JSON, or brings evidence, which is nobody's to share (EVID-3)
 */
export function spelled(form) {
  const values = valuesOf(form);
  return MEMBER in values ? '' : (snapshot(values)?.text ?? '');
}

/**
 * Decides a submission, as an agent's call or as the page's own (CALL-7). The human, who looks at the form, is told why it is not sent.
 *
 * @param {Parts} parts
 * @param {Pick<Gate, 'attempt'>} gate
 * @param {Held} held
 * @returns {Promise<unknown>} what an agent is answered
 */
export async function decideForm(parts, gate, { form, tool, awaited, signal, make }) {
  const values = valuesOf(form);
  const { [MEMBER]: evidence, ...args } = values;
  clear(form, MEMBER);
  const byAgent = awaited || evidence !== undefined;
  /** @type {Execute} */
  const execute = (_, client) => {
    const call = claimed((each) => each.client === client);
    if (!call || stringify(valuesOf(form)) !== stringify(args)) throw UNSENT;
    return make({ ...call, byAgent });
  };
  const settled = await gate.attempt(tool, execute, byAgent ? values : args, byAgent ? signal : undefined, !byAgent);
  const { outcome, facts } = settled ?? { outcome: refused('tool_is_public') };
  if (outcome.kind !== 'result' && outcome.kind !== 'thrown') tell(parts, reason(outcome), byAgent);
  return answerOf({ outcome, facts });
}

/**
 * @param {Parts} parts
 * @param {Problem} found why a form is not sent
 * @param {boolean} byAgent
 */
function tell({ authority, prompts }, found, byAgent) {
  // What they know who have answered, or are being asked.
  if (found.told || /^(?:declined|cancelled|approval_pending|consent_pending|consent_declined)$/.test(found.code)) return;
  // Not `direct`, so no consent that it gives would help the page (CALL-7).
  if (!byAgent && found.code === 'consent_required') prompts.tell(say('script-form-agents-only'));
  else prompts.refuse(found, found.code === 'login_required' ? authority.known?.signInUri : undefined);
}
