/** Who asks the human on this page: dialogs, notices, and one queue for all copies of this code (SHIM-8). */

import { dialogs } from './dialog.js';
import * as natives from '../platform/natives.js';
import { notices } from './notice.js';
import { Prompts } from './prompt.js';
import { queue, shared } from '../platform/concurrency.js';

/**
 * Makes the one who asks.
 *
 * @param {boolean} [openRoot] for tests: whether the dialogs' shadow roots are open
 * @returns {Prompts}
 */
export function asking(openRoot = testMode()) {
  const mode = openRoot ? 'open' : 'closed';
  // The shim and the module for MCP clients are bundles of their own: what they share is the moment at which the page began.
  return new Prompts(dialogs(mode), notices(mode), undefined, shared(`dialog ${natives.timeOrigin}`, queue()));
}

/** The page's owner opts in with `<html data-deputize-test="open">`; what script adds after the shim comes too late. */
const testMode = () =>
  natives.getAttribute(natives.documentElement(natives.document), 'data-deputize-test') === 'open';
