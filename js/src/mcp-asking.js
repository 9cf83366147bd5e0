/** What an MCP client needs that asks a human: a file of its own, as `asking.js` is, with the words that other servers do not have. */

import { partsFor } from './grants/grants.js';
import { DelegatedFetch } from './mcp/delegated-fetch.js';
import { VerifiedApproval } from './mcp/verified-approval.js';
import { promptsOfPage } from './people/prompt.js';
import { ALL } from './words/english.js';
import { bring } from './words/words.js';

/** @import { Authority } from './authority/authority.js' */
/** @import { Prompts } from './people/prompt.js' */

/** @type {Prompts | undefined} */
let made;
/** @type {Authority | null | undefined} the one whose look the dialogs have */
let worn;
/**
 * @param {boolean | undefined} openRoot for tests: the dialogs' shadow roots are open
 * @param {Authority | null | undefined} authority
 */
function prompts(openRoot, authority) {
  bring(ALL);
  worn ??= authority;
  return (made ??= promptsOfPage(openRoot, () => worn?.known?.told));
}

/** What is given to the first file. */
export const second = {
  /**
   * @param {Omit<ConstructorParameters<typeof VerifiedApproval>[0], 'prompts'>} parts
   * @param {boolean} [openRoot]
   * @param {Authority | null} [authority] of the site, where there is one
   */
  approvals: (parts, openRoot, authority) => new VerifiedApproval({ ...parts, prompts: prompts(openRoot, authority) }),
  /**
   * @param {Authority} authority
   * @param {readonly string[]} scopes
   * @param {boolean} [openRoot]
   */
  delegated: (authority, scopes, openRoot) => new DelegatedFetch(partsFor(authority, prompts(openRoot, authority)), scopes),
};
/** A promise that brings this module asks for it. */
export const then = undefined;
