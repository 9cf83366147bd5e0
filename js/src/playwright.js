/**
 * For QA engineers: drives WebMCP tools, passkeys and the dialogs of deputize in a real Chromium. Playwright is the tester's own: what
 * is handed in here is of `playwright-core`, `playwright` or `@playwright/test`.
 *
 * @module deputize/playwright
 */

export { agent } from './playwright/agent.js';
export { ARGUMENTS, launch } from './playwright/browser.js';
export { human, NotApproved } from './playwright/human.js';
export { passkeys } from './playwright/passkeys.js';

/** @typedef {import('./playwright/agent.js').Agent} Agent */
/** @typedef {import('./playwright/agent.js').ToolResult} ToolResult */
/** @typedef {import('./playwright/human.js').Human} Human */
/** @typedef {import('./playwright/human.js').Dialog} Dialog */
/** @typedef {import('./playwright/passkeys.js').Authenticator} Authenticator */
/** @typedef {import('./playwright/passkeys.js').Passkeys} Passkeys */
