/**
 * deputize, the shim: WebMCP tools learn who calls, and nothing runs that the user has not deputized.
 *
 * As a classic script, `<script src="/deputize/shim.js"></script>`, it installs itself, before the page registers its tools.
 * As a module: `import { install } from 'deputize'; install({ issuer: 'https://site.example/deputize' })`.
 *
 * @module deputize
 */

import { servedBy } from './authority/authority.js';
import { Gate } from './calls/gate.js';
import { partsFor } from './grants/grants.js';
import { alias, Patch } from './page/patch.js';
import { promptsOfPage } from './people/prompt.js';
import { argsS256 } from './platform/canonical.js';
import * as natives from './platform/natives.js';

/** @import { Arguments, Client, Execute, Parts } from './types.js' */

const { document } = natives;
const SCRIPT = '/shim.js';

/**
 * @typedef {object} Options
 * @property {string} [issuer] the authority's URL; a classic script knows it from its own
 * @property {number} [wait] seconds that an agent waits while a human is asked, instead of what the authority says
 * @property {boolean} [openRoot] for tests: the dialogs' shadow roots are open, so that a test can find the buttons
 *
 * @typedef {object} Status
 * @property {string} issuer
 * @property {{id: string, name: string} | null} user who is signed in
 * @property {{clientId: string, assurance: string} | null} agent the agent in this browser, once the user deputized it
 * @property {{id: string, scopes: readonly string[], expiresAt: Date | null} | null} grant what it may do, and until when
 *
 * @typedef {{issuer: string, parts: Parts, gate: Gate, patch: Patch | null}} Installed
 */

/** @type {Installed | null} */
let installed = null;

/**
 * Installs the shim in this page; a second time does nothing but find a WebMCP that has come meanwhile (a polyfill).
 *
 * @param {Options} [options]
 * @returns {void}
 * @throws {TypeError} without an issuer, or with another one than before
 */
export function install(options = {}) {
  if (!document) return; // on a server that renders the page
  const issuer = (options.issuer ?? scriptIssuer() ?? installed?.issuer)?.replace(/\/+$/, '');
  if (!issuer) throw new TypeError('deputize: install({ issuer }) needs the URL of the authority');
  if (installed && installed.issuer !== issuer) throw new TypeError(`deputize: already installed for ${installed.issuer}`);
  installed ??= assemble(issuer, options);
  const context = modelContext();
  if (!context) return;
  alias(modelContext);
  installed.patch ??= new Patch(context, installed.gate);
}

/**
 * Does what a tool does, for the user themselves: a form of the site asks for the same approval as an agent's call (CALL-7). A form
 * that an agent submitted is the agent's call: so call this while the event is being handled, or pass the event.
 *
 * @template T
 * @param {string} name of a tool that the policy marks `direct`
 * @param {Record<string, unknown>} args
 * @param {(input: Arguments, client: Client) => T | Promise<T>} execute
 * @param {{event?: Event}} [options]
 * @returns {Promise<T>} rejects with an Error whose `code` says why (PROTOCOL §8) and whose message is for people, or with what
 *   `execute` threw
 */
export async function perform(name, args, execute, { event = globalThis.event } = {}) {
  const { gate, patch } = shim();
  const tool = patch?.tool(name) ?? { name, definition: () => argsS256({ description: '', inputSchema: null, name }) };
  return /** @type {Promise<T>} */ (gate.perform(tool, /** @type {Execute} */ (execute), args, byAgent(event)));
}

/** WebMCP tells of a form that an agent filled in and submitted. @param {Event | undefined} event */
const byAgent = (event) => event !== undefined && Reflect.get(event, 'agentInvoked') === true;

/**
 * The tools of this page that run without the gate, because they were registered before the shim or past it (SHIM-9).
 *
 * @returns {Promise<string[]>} their names
 */
export async function unguarded() {
  return (await shim().patch?.unguarded()) ?? [];
}

/**
 * Who is signed in, and what the agent in this browser may do for them.
 *
 * @returns {Promise<Status>} rejects with an Error with `code` if the authority cannot be reached
 */
export async function status() {
  const { issuer, parts: { authority, grants } } = shim();
  const config = await authority.config(true);
  if ('code' in config) throw Object.assign(new Error(config.detail), { code: config.code });
  const { user } = config;
  const tokens = user && (await grants.tokens.current(user.id)).tokens;
  if (!tokens) return { issuer, user, agent: null, grant: null };
  const { clientId, assurance, grantId, scopes, grantExpiresAt } = tokens;
  const expiresAt = grantExpiresAt === null ? null : new Date(grantExpiresAt);
  return { issuer, user, agent: { clientId, assurance }, grant: { id: grantId, scopes, expiresAt } };
}

/** @returns {Installed} */
function shim() {
  if (!installed) throw new TypeError('deputize: call install() first');
  return installed;
}

/**
 * @param {string} issuer
 * @param {Options} options
 * @returns {Installed}
 */
function assemble(issuer, { wait, openRoot }) {
  const parts = partsFor(issuer, promptsOfPage(openRoot));
  return { issuer, parts, gate: new Gate(parts, wait === undefined ? null : wait * 1000), patch: null };
}

/** Read through the prototype: `<form name="modelContext">` would answer for `document.modelContext`. */
const modelContext = () => Reflect.get(Document.prototype, 'modelContext', document);

/** The authority that a classic script was loaded from. */
function scriptIssuer() {
  const script = document && natives.currentScript(document);
  return script instanceof HTMLScriptElement && script.src ? servedBy(script.src, SCRIPT) : undefined;
}

if (scriptIssuer()) {
  install();
  // A polyfill may come after the shim; what it has registered by then is reported as unguarded.
  natives.listen(document, 'DOMContentLoaded', () => install());
}
