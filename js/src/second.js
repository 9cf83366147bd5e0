/**
 * The second files, as a bundler of the site's own finds them. In what an authority serves, `build.mjs` puts other functions in
 * their places, by which a file is taken if it is to the letter what it was when the first one was built (`served.js`).
 */

import { inert } from './platform/natives.js';

/** Whether they are loaded with the first one: a bundler may change their text, so it is not known which is the right one later. */
export const BEFOREHAND = true;
/** What asks in a page. */
export const ofPages = async () => inert((await import('./asking.js')).second);
/** What tells those who build the site what is wrong with a page. */
export const ofDevelopers = async () => inert((await import('./developers.js')).second);
/** What asks for an MCP client. */
export const ofMcp = async () => inert((await import('./mcp-asking.js')).second);
