/**
 * What a call needs once there is one, to ask the authority and the human, and to run; and who looks for faults of the page: a file of
 * its own (`later.js`). It has no name from outside but what the first file hands to it, and `build.mjs` holds it to that: page script
 * may have replaced any.
 */

import { Acknowledgements } from './calls/acknowledgements.js';
import { Decider } from './calls/decide.js';
import { execute } from './calls/execute.js';
import { Sharing } from './calls/sharing.js';
import { CallStatus } from './calls/status.js';
import { Watching } from './developers/watching.js';
import { partsFor } from './grants/grants.js';
import { statusOf } from './grants/status.js';
import { definitions } from './page/definitions.js';
import { decideForm, spelled } from './page/submission.js';
import { promptsOfPage } from './people/prompt.js';
import { inert } from './platform/natives.js';

/** @import { Authority } from './authority/authority.js' */
/** @import { Contexts } from './page/contexts.js' */
/** @import { Asking, Parts, Tool } from './types.js' */

/**
 * @param {Parts} parts
 * @param {() => Tool[]} tools those of the page
 * @param {number | null} [patience] milliseconds that an agent waits for a human, instead of the authority's `wait_s`
 * @param {(tool: {name: string, execute: (input: unknown) => Promise<unknown>}) => unknown} [offer] registers a tool of the shim's own
 * @returns {Asking}
 */
export function askingBy(parts, tools, patience = null, offer = () => {}) {
  const acknowledgements = new Acknowledgements(parts.authority.issuer);
  const decider = new Decider(parts, acknowledgements, tools);
  return inert({
    parts,
    status: async () => await statusOf(parts),
    sharing: new Sharing(decider, async (...approved) => await execute(parts, ...approved), acknowledgements, patience, new CallStatus(parts, offer)),
    decideForm: (gate, held) => decideForm(parts, gate, held),
    spelled,
  });
}

/** What is given to the first file. */
export const second = {
  /**
   * @param {Authority} authority
   * @param {() => Contexts | null} contexts
   * @param {number | null} patience
   * @param {boolean} [openRoot] for tests: the dialogs' shadow roots are open
   */
  asking: (authority, contexts, patience, openRoot) =>
    askingBy(partsFor(authority, promptsOfPage(openRoot, () => authority.known?.told)), () => contexts()?.tools() ?? [], patience, (tool) => contexts()?.offer(tool)),
  definitions,
  /** @param {ConstructorParameters<typeof Watching>} of */
  watching: (...of) => inert(new Watching(...of)),
};
/** A promise that brings this module asks for it. */
export const then = undefined;
