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
/** @param {boolean | undefined} openRoot for tests: the dialogs' shadow roots are open */
function prompts(openRoot) {
  bring(ALL);
  return (made ??= promptsOfPage(openRoot));
}

/** What is given to the first file. */
export const second = {
  /**
   * @param {Omit<ConstructorParameters<typeof VerifiedApproval>[0], 'prompts'>} parts
   * @param {boolean} [openRoot]
   */
  approvals: (parts, openRoot) => new VerifiedApproval({ ...parts, prompts: prompts(openRoot) }),
  /**
   * @param {Authority} authority
   * @param {readonly string[]} scopes
   * @param {boolean} [openRoot]
   */
  delegated: (authority, scopes, openRoot) => new DelegatedFetch(partsFor(authority, prompts(openRoot)), scopes),
};
/** A promise that brings this module asks for it. */
export const then = undefined;
