/**
 * deputize, for MCP clients in a page: approval by passkey for each call that needs one (SEP-2672), and a `fetch` that speaks
 * for the agent in this browser.
 *
 * ```js
 * import { delegatedFetch, verifiedApproval } from 'https://site.example/deputize/mcp.mjs';
 *
 * const fetch = await delegatedFetch({ scopes: ['account:read'] });
 * await client.connect(new StreamableHTTPClientTransport(new URL('https://site.example/deputize/mcp'), { fetch }));
 * const { callTool, enroll } = verifiedApproval(client);
 * const { kind, result } = await callTool({ name: 'transfer_money', arguments });
 * ```
 *
 * @module deputize/mcp
 */

import { Authority, servedBy } from './authority/authority.js';
import { refusal } from './calls/refusal.js';
import { later } from './later.js';
import { snapshot } from './platform/json.js';
import * as natives from './platform/natives.js';
import { ofMcp } from './second.js';
import { wordsFor } from './words/words.js';

/** @import { About, CallParams, Enrolled, Outcome, ToolResult, VerifiedApproval } from './mcp/verified-approval.js' */
/** @import { Problem } from './types.js' */
/** @import { McpClient, RequestOptions } from './mcp/rpc.js' */

const SCRIPT = '/mcp.mjs';

/** What asks people, loaded when it is clear that somebody may be asked. */
const second = later(ofMcp);

/**
 * @typedef {object} ApprovalOptions
 * @property {string} [issuer] the URL of the authority whose MCP server this is; a module that the authority serves knows it
 * @property {string | null} [serverId] for any other server: what its challenges are over (SEP-2672 §4.6). null: it tells
 *   nobody, and is trusted that what it has signed is what it has shown, not something of another server
 * @property {string} [site] what the dialog calls the server; its own name otherwise
 * @property {string} [user] who is signed in there, for the dialog
 * @property {boolean} [openRoot] for tests: the dialogs' shadow roots are open
 *
 * @typedef {object} FetchOptions
 * @property {readonly string[]} scopes what to ask the user for, to begin with; for more they are asked when it is needed
 * @property {string} [issuer] as above
 * @property {boolean} [openRoot] as above
 */

/**
 * Gives an MCP client the ceremony of verified approval.
 *
 * @param {McpClient} client a client that is connected, such as the official one
 * @param {ApprovalOptions} [options]
 * @returns {{
 *   callTool: (params: CallParams, options?: RequestOptions) => Promise<Outcome>,
 *   enroll: (options?: {signal?: AbortSignal}) => Promise<Enrolled>,
 * }} `callTool` calls any tool, with an approval where the server asks for one; `enroll` adds a passkey. Neither rejects
 * @throws {TypeError} if it is not told, and cannot know, what the server's challenges are over
 */
export function verifiedApproval(client, options = {}) {
  const { serverId, openRoot } = options;
  const issuer = serverId === undefined ? issuerOf(options) : null;
  const authority = issuer === null ? null : new Authority(issuer);
  const about = () => aboutOf(client, authority, options);
  /** @type {VerifiedApproval | undefined} */
  let approvals;
  /** @type {() => Promise<VerifiedApproval | Problem>} */
  const made = async () => {
    const found = await second();
    return natives.inert('code' in found ? found : (approvals ??= found.approvals({ client, serverId: serverId ?? issuer, about }, openRoot, authority)));
  };
  void second();
  return {
    async callTool(params, given) {
      const taken = snapshot(params.arguments); // before anybody else runs
      const found = await made();
      return 'code' in found ? unable(found) : await found.callTool(params, given, taken);
    },
    async enroll(given) {
      const found = await made();
      return 'code' in found ? unable(found) : await found.enroll(given);
    },
  };
}

/** @param {Problem} found why nobody can be asked */
const unable = (found) => natives.inert({ kind: /** @type {const} */ ('refused'), reason: found.code, result: /** @type {ToolResult} */ (refusal(found)) });

/**
 * Makes a `fetch` for the transport of an MCP client in a page of the site: the agent in this browser, deputized by the user,
 * who is asked for consent unless they have given it.
 *
 * @param {FetchOptions} options
 * @returns {Promise<(input: RequestInfo | URL, init?: RequestInit) => Promise<Response>>} rejects with an Error whose `code` says
 *   why (PROTOCOL §8), such as `login_required` or `consent_declined`; so does what it resolves to
 * @throws {TypeError} without an issuer
 */
export async function delegatedFetch({ scopes, openRoot, ...options }) {
  const issuer = issuerOf(options);
  const found = await second();
  if ('code' in found) throw Object.assign(new Error(wordsFor(found.code).human), { code: found.code });
  const delegated = found.delegated(new Authority(issuer), scopes, openRoot);
  await delegated.connect();
  return (input, init) => delegated.fetch(input, init);
}

/** @param {{issuer?: string}} options */
function issuerOf({ issuer = servedBy(import.meta.url, SCRIPT) }) {
  if (!issuer) throw new TypeError('deputize: { issuer } needs the URL of the authority, or { serverId } what a server is bound to');
  return issuer.replace(/\/+$/, '');
}

/**
 * @param {McpClient} client
 * @param {Authority | null} authority
 * @param {ApprovalOptions} options
 * @returns {Promise<About>}
 */
async function aboutOf(client, authority, { site, user }) {
  const server = client.getServerVersion?.();
  const config = await authority?.config(true); // whoever is signed in now
  const known = config && !('code' in config) ? config : null;
  return natives.inert({
    site: site ?? (known?.site || server?.title || server?.name || natives.location.host),
    user: user ?? known?.user?.name ?? '',
    foreign: !authority,
  });
}
