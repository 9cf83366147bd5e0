/** What the gated tools of a page say of themselves (PIN-2), for its owner, who may pin that. */

import { CALL_STATUS } from '../calls/status.js';
import { inert } from '../platform/natives.js';
import { formOf } from './form-of.js';
import { sayingListed } from './tool.js';

/** @import { Gate } from '../calls/gate.js' */
/** @import { Definition, Tool } from '../types.js' */
/** @import { Contexts } from './contexts.js' */

/**
 * @param {Pick<Contexts, 'tools' | 'listed'>} contexts
 * @param {Pick<Gate, 'ask'>} gate
 * @returns {Promise<Array<Definition & {definition_s256: string}>>} of each name the first that has it
 * @throws what a context throws that is asked for its tools
 */
export async function definitions(contexts, gate) {
  /** @type {Array<Definition & {definition_s256: string}>} */
  const all = [];
  const add = async (/** @type {Tool} */ { says, definition }) => {
    const said = says?.();
    if (said) all.push({ ...said, definition_s256: await definition() });
  };
  for (const tool of contexts.tools()) if (tool.name !== CALL_STATUS) await add(tool);
  // A form is gated where it is submitted.
  for (const listed of await contexts.listed()) {
    const form = formOf(listed.name) && sayingListed(listed);
    if (form && !all.some(({ name }) => name === form.name) && (await gate.ask(form.name)) === 'gated') await add(form);
  }
  return inert(all);
}
