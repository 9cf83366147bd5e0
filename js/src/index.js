/**
 * deputize, the shim: WebMCP tools learn who calls, and nothing runs that the user has not deputized.
 *
 * As a classic script, `<script src="/deputize/shim.js"></script>`, it installs itself, before the page registers its tools.
 * As a module: `import 'deputize/auto'`, before all other imports, since imports run before what stands below them; where the authority
 * is not at `/deputize` of this origin, then `import { install } from 'deputize'; install({ issuer: 'https://auth.site.example' })`.
 *
 * @module deputize
 */

import { Authority, problem, servedBy } from './authority/authority.js';
import { client as current, run } from './calls/client.js';
import { Gate } from './calls/gate.js';
import { later } from './later.js';
import { Contexts } from './page/contexts.js';
import { first } from './page/first.js';
import { onForbidden } from './page/forbidden.js';
import { snapshot } from './platform/json.js';
import * as natives from './platform/natives.js';
import { document, location } from './platform/natives.js';
import { BEFOREHAND, ofDevelopers, ofPages } from './second.js';

/** @import { Watching } from './developers/watching.js' */
/** @import { Ask, Asking, Definition, Execute, Problem } from './types.js' */

/** The classic scripts that bring this: from elsewhere, nobody knows who the authority is. */
const SCRIPT = '/shim.js';
const WITH_POLYFILL = '/shim-polyfill.js';
const MOUNTED = '/deputize';

/**
 * @typedef {object} Options
 * @property {string} [issuer] the authority's URL; a classic script knows it from its own, else it is `/deputize` of this origin
 * @property {number} [wait] seconds that an agent waits while a human is asked, instead of what the authority says
 * @property {boolean} [overlay] for those who build the site: a panel on its pages, on this machine only, with the tools, how each is gated, and
 *   the last calls; with a classic script, `data-deputize-overlay` at its tag
 * @property {boolean} [openRoot] for tests: the dialogs' shadow roots are open, so that a test can find the buttons
 *
 * @typedef {{authority: Authority, ask: Ask, gate: Gate}} Installed
 *
 * @typedef {import('./page/contexts.js').Report} Report what runs in this page without the gate
 * @typedef {import('./types.js').Arguments} Arguments what a tool is called with
 * @typedef {import('./types.js').Client} Client what a tool learns of its caller
 * @typedef {import('./types.js').Status} Status who is signed in, and what the agent in this browser may do
 */

/** @type {Installed | null} */
let installed = null;
/** @type {Contexts | null} */
let contexts = null;
/** @type {Options} */
let wished = {};
/** The authority that is most likely this page's, where nobody has said so yet. @type {Installed | null} */
let likely = null;

/** What this copy of the shim does; where there are two in a page, that of the first one is done (SHIM-13). */
const mine = natives.freeze({
  /** @param {Options} options */
  install(options) {
    wished = { ...wished, ...options };
    const issuer = (options.issuer ?? scriptIssuer())?.replace(/\/+$/, '');
    if (installed && issuer && installed.authority.issuer !== issuer) throw new TypeError(`deputize: already installed for ${installed.authority.issuer}`);
    if (issuer) installed ??= assemble(issuer);
    if (!contexts) onForbidden(() => at().authority.issuer, forbidden);
    contexts ??= new Contexts(
      {
        call: (...all) => shim().gate.call(...all),
        attempt: (...all) => shim().gate.attempt(...all),
        asking: () => shim().gate.asking(),
        loaded: () => shim().gate.loaded(),
        standing: (name) => at().gate.standing(name),
        ask: (name) => shim().gate.ask(name),
        expect,
      },
      () => void rested(),
    );
    contexts.look();
    if (BEFOREHAND) expect();
  },
  /** @type {typeof perform} */
  async perform(name, args, execute, { event } = {}) {
    const { gate } = shim();
    const found = /** @type {Contexts} */ (contexts);
    const met = found.forms.callOf(event);
    const does = /** @type {Execute} */ (execute);
    // A form that has met the gate, for just this: it is one call.
    if (met && !met.performed && met.name === name && met.text === snapshot(args)?.text) {
      met.performed = true;
      return /** @type {any} any: what `execute` returns */ (await run(does, met.args, met.client));
    }
    const tool = found.tool(name) ?? { name, definition: async () => await found.definition(name) };
    return /** @type {any} any: as above */ (await gate.perform(tool, does, args, met?.byAgent || byAgent(event)));
  },
  /** @returns {Promise<Report>} */
  async unguarded() {
    shim();
    return await /** @type {Contexts} */ (contexts).unguarded();
  },
  /** @returns {Promise<Array<Definition & {definition_s256: string}>>} */
  async definitions() {
    return await unfailing(await second()).definitions(/** @type {Contexts} */ (contexts), shim().gate);
  },
  client: current,
  /** @returns {Promise<Status>} */
  async status() {
    return unfailing(await unfailing(await shim().ask()).status());
  },
});

/**
 * Installs the shim in this page: from now on tools are gated. A second time it finds a WebMCP that has come meanwhile (a polyfill), and
 * is told of the authority, where that was left open.
 *
 * @param {Options} [options]
 * @returns {void}
 * @throws {TypeError} with another issuer than before
 */
export function install(options = {}) {
  if (document) first(mine).install(options); // else on a server that renders the page
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
  return await first(mine).perform(name, args, execute, { event });
}

/** WebMCP tells of a form that an agent filled in and submitted. @param {Event | undefined} event */
const byAgent = (event) => event !== undefined && Reflect.get(event, 'agentInvoked') === true;

/**
 * What runs in this page without the gate (SHIM-9): tools, and frames of which the shim knows no better.
 *
 * @returns {Promise<Report>} with no tool in it only where each context has told what it has
 */
export async function unguarded() {
  return await first(mine).unguarded();
}

/**
 * What the page's gated tools and forms say of themselves, with the digest by which a policy pins that (HASH-3, PIN-1): `deputize pin` asks this.
 *
 * @returns {Promise<Array<Definition & {definition_s256: string}>>} rejects with an Error with `code` where it cannot be told
 */
export async function definitions() {
  return await first(mine).definitions();
}

/**
 * The `client` of the tool that runs, for a callback that is handed on without its second argument (SHIM-4).
 *
 * @returns {Client | null} null but in the synchronous part of `execute`
 */
export function client() {
  return document ? first(mine).client() : null;
}

/**
 * Who is signed in, and what the agent in this browser may do for them.
 *
 * @returns {Promise<Status>} rejects with an Error with `code` if the authority cannot be reached
 */
export async function status() {
  return await first(mine).status();
}

/** @returns {Installed} */
function shim() {
  if (!contexts) throw new TypeError('deputize: call install() first');
  return (installed ??= supposed());
}

const supposed = () => (likely ??= assemble(location.origin + MOUNTED));

/** Who is asked about this page, and whether that is certain: another one may still be named (SHIM-13). */
function at() {
  return { ...(installed ?? supposed()), named: installed !== null };
}

/**
 * @param {string} issuer
 * @returns {Installed}
 */
function assemble(issuer) {
  const { wait, openRoot } = wished;
  const authority = new Authority(issuer);
  /** @type {Asking | undefined} */
  let asking;
  const ask = async () => {
    const found = await second();
    if ('code' in found) return authority.barred ? problem('misconfigured') : found;
    return (asking ??= found.asking(authority, () => contexts, wait === undefined ? null : wait * 1000, openRoot));
  };
  const gate = new Gate(authority, ask);
  gate.ended = async (...call) => (await watched())?.ended(...call);
  return { authority, ask, gate };
}

/**
 * @template {object} T
 * @param {T | Problem} found
 * @returns {T}
 * @throws {Error} with `code`, if it is a problem
 */
function unfailing(found) {
  if ('code' in found) throw Object.assign(new Error(found.detail), { code: found.code });
  return found;
}

/** What a call needs, which is loaded when the first tool is there, so that no question waits for the network. */
const second = later(ofPages);
let expected = false;
function expect() {
  if (expected) return;
  expected = true;
  if (BEFOREHAND) void second();
  else natives.whenIdle(() => void second());
}

/** @param {string} directive of the page's own policy, which keeps the shim from its authority */
async function forbidden(directive) {
  at().authority.barred = true;
  (await watched())?.forbidden(directive);
}

/** @type {Watching | null} */
let watching = null;
/** Who looks for what is wrong with this page, which comes with what a call needs. */
async function watched() {
  const found = await second();
  if ('code' in found) return null;
  return (watching ??= found.watching(/** @type {Contexts} */ (contexts), at, later(ofDevelopers), () => wished));
}

/** The page has come to rest: what it has is told to who looks for faults, if it has anything (PAGE-2). */
async function rested() {
  const report = await /** @type {Contexts} */ (contexts).unguarded();
  const names = await /** @type {Contexts} */ (contexts).names();
  const { tools, frames } = report;
  const bare = frames.some((frame) => frame.why === 'no_shim' && frame.tools?.length !== 0);
  if (names.length + tools.length === 0 && !bare && !wished.overlay) return;
  const looking = await watched();
  if (looking) await looking.rested(report, names);
  else for (const { name, why, where } of tools) natives.console.warn(`deputize: ${why} ${name} ${where}`);
}

/** The authority that a classic script was loaded from. */
function scriptIssuer() {
  const script = document && natives.currentScript(document);
  if (!(script instanceof HTMLScriptElement) || !script.src) return undefined;
  return servedBy(script.src, SCRIPT) ?? servedBy(script.src, WITH_POLYFILL);
}

if (scriptIssuer()) {
  const tag = /** @type {Element} */ (natives.currentScript(document));
  install(natives.getAttribute(tag, 'data-deputize-overlay') === null ? {} : { overlay: true });
}
