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
import { partsFor } from './grants/grants.js';
import { DelegatedFetch } from './mcp/delegated-fetch.js';
import { VerifiedApproval } from './mcp/verified-approval.js';
import { promptsOfPage } from './people/prompt.js';
import * as natives from './platform/natives.js';
import { ALL } from './words/english.js';
import { speak } from './words/words.js';

/** @import { About, CallParams, Enrolled, Outcome } from './mcp/verified-approval.js' */
/** @import { Prompts } from './people/prompt.js' */
/** @import { McpClient, RequestOptions } from './mcp/rpc.js' */

const SCRIPT = '/mcp.mjs';

speak(ALL); // other servers have no words for it

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
  const approvals = new VerifiedApproval({ client, prompts: prompts(openRoot), serverId: serverId ?? issuer, about });
  return {
    callTool: (params, given) => approvals.callTool(params, given),
    enroll: (given) => approvals.enroll(given),
  };
}

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
  const delegated = new DelegatedFetch(partsFor(issuer, prompts(openRoot)), scopes);
  await delegated.connect();
  return (input, init) => delegated.fetch(input, init);
}

/** @type {Prompts | undefined} */
let made;

/** @param {boolean | undefined} openRoot */
const prompts = (openRoot) => (made ??= promptsOfPage(openRoot));

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
  });
}
