/** Looks for what is wrong with this page: once it has come to rest, when its tools change, and where a call tells (PAGE-1). */

import { endedBy } from '../calls/ended.js';
import { among } from '../platform/among.js';
import * as natives from '../platform/natives.js';
import { console, inert, location, push, slice } from '../platform/natives.js';
import { VERSION } from '../platform/version.js';
import { Findings } from './findings.js';

/** @import { Authority } from '../authority/authority.js' */
/** @import { Ended } from '../calls/ended.js' */
/** @import { Contexts, Report } from '../page/contexts.js' */
/** @import { Ask, Config, Problem, Rule } from '../types.js' */
/** @import { Finding } from './findings.js' */
/** @import { Panel, State } from './panel.js' */

/**
 * @typedef {{sentences: (found: Finding, issuer: string) => {what: string, cure: string}, panel: (openRoot?: boolean) => Panel}} Second what tells it, in a
 *   file of its own, since few pages need it
 *
 * @typedef {{authority: Authority, ask: Ask, named: boolean}} At `named`: it is known that this is the authority
 */

/** So many calls the panel shows. */
const LAST = 20;

/** One page, watched for those who build it. */
export class Watching {
  #contexts;
  #at;
  #second;
  #wished;
  #load;
  #findings;
  /** @type {Ended[]} the newest first */
  #calls = [];
  /** @type {Report['context']} */
  #context = 'none';
  #blocked = false;
  /** @type {Panel | null} */
  #panel = null;

  /**
   * @param {Contexts} contexts
   * @param {() => At} at
   * @param {() => Promise<Second | Problem>} second
   * @param {() => {overlay?: boolean, openRoot?: boolean}} wished whether the panel is, and whether for tests
   * @param {(url: string) => Promise<unknown>} [load] a module, as the shim itself was let in
   */
  constructor(contexts, at, second, wished, load = (url) => import(url)) {
    this.#contexts = contexts;
    this.#at = at;
    this.#second = second;
    this.#wished = wished;
    this.#load = load;
    this.#findings = new Findings((found) => void this.#say(found));
  }

  /**
   * The page has come to rest.
   *
   * @param {Report} report
   * @param {readonly string[]} names of all its tools
   */
  async rested({ context, tools, frames }, names) {
    this.#context = context;
    for (const { name, why, where } of tools) this.#findings.add(why, name, where);
    for (const { where, why, tools: names } of frames) {
      if (why === 'no_shim' && names?.length !== 0) this.#findings.add('frame', null, where && pathOf(where));
    }
    if (names.length > 0 || this.#findings.all.length > 0) await this.#compare(names);
    await this.#draw();
  }

  /**
   * A call is over.
   *
   * @param {Parameters<typeof endedBy>} of
   */
  ended(...of) {
    const call = endedBy(...of);
    const calls = [call];
    for (let i = 0; i < this.#calls.length && i < LAST - 1; i++) push(calls, /** @type {Ended} */ (this.#calls[i]));
    this.#calls = calls;
    if (call.code === 'unknown_tool' || call.code === 'definition_changed') {
      this.#findings.add(call.code, call.tool);
      void this.#findings.report(this.#at().authority);
    }
    void this.#draw();
  }

  /**
   * Compares the page with what the policy says.
   *
   * @param {readonly string[]} names of all its tools
   */
  async #compare(names) {
    const { authority, named } = this.#at();
    const config = await authority.config();
    if ('code' in config) {
      if (!named) return; // it may be elsewhere: nobody has said
      if (authority.barred) return;
      if (authority.elsewhere) this.#findings.add('wrong_origin', null, authority.elsewhere);
      else if (authority.speaks !== VERSION) this.#findings.add('version_skew', null, `protocol ${VERSION} here, ${authority.speaks ?? 'none that is named'} there`);
      else return this.#findings.add('no_answer');
    } else {
      for (const name of names) await this.#judge(name, config.tools.get(name));
    }
    await this.#findings.report(authority);
  }

  /**
   * @param {string} name
   * @param {Rule | undefined} rule what the policy says of it
   */
  async #judge(name, rule) {
    if (!rule) return isOurs(name) ? undefined : this.#findings.add('unknown_tool', name);
    const tool = this.#contexts.tool(name);
    if (!tool || rule.pinned.length === 0) return;
    try {
      if (!among(await tool.definition(), rule.pinned)) this.#findings.add('definition_changed', name); // PIN-1
    } catch {
      // Not JSON: it is refused when it is called, and that is told then.
    }
  }

  /** @param {string} directive of the page's own policy, which keeps the shim from its authority */
  forbidden(directive) {
    this.#findings.add('blocked', null, directive);
    if (this.#blocked) return;
    this.#blocked = true;
    void this.#tellByScript(this.#at().authority);
    void this.#draw();
  }

  /**
   * Where the page may send nothing, it may still load what the shim came from (PAGE-5).
   *
   * @param {Authority} authority
   */
  async #tellByScript({ issuer }) {
    try {
      await this.#load(`${issuer}/blocked.mjs`);
    } catch (error) {
      console.debug('deputize: the authority could not be told.', error);
    }
  }

  /** @param {Finding} found */
  async #say(found) {
    const { issuer } = this.#at().authority;
    const second = await this.#second();
    if ('code' in second) return console.warn(`deputize: ${found.finding} ${found.name ?? ''} ${found.where ?? ''} (${issuer})`);
    const { what, cure } = second.sentences(found, issuer);
    console.warn(`deputize: ${what} ${cure}`);
  }

  async #draw() {
    if (!this.#wished().overlay || !isHere()) return;
    const second = await this.#second();
    if ('code' in second) return;
    const state = await this.#state(second);
    this.#panel ??= second.panel(this.#wished().openRoot);
    this.#panel.show(state);
  }

  /** @param {Second} second @returns {Promise<State>} what the panel shows */
  async #state({ sentences }) {
    const { authority, ask } = this.#at();
    const { issuer } = authority;
    const config = await authority.config();
    /** @type {Config | null} */
    const known = 'code' in config ? null : config;
    const read = known !== null;
    const user = known?.user ?? null;
    const asking = user && (await ask());
    const granted = user && asking && 'parts' in asking ? (await asking.parts.grants.tokens.current(user.id)).tokens?.scopes : null;
    /** @type {State['findings']} */
    const findings = [];
    for (const found of this.#findings.all) push(findings, { finding: found.finding, ...sentences(found, issuer) });
    /** @type {State['tools']} */
    const tools = [];
    for (const name of await this.#contexts.names()) {
      if (isOurs(name)) continue;
      const rule = known?.tools.get(name) ?? null;
      const finding = this.#about(name);
      push(tools, { name, finding, rule, granted: rule && covers(granted ?? [], rule.scopes) });
    }
    return inert({ issuer, site: location.origin, read, context: this.#context, user: user?.name ?? null, findings, tools, calls: this.#calls });
  }

  /** @param {string} name @returns {string | null} how it passes the gate */
  #about(name) {
    for (const found of this.#findings.all) {
      if (found.name === name && (found.finding === 'not_gated' || found.finding === 'form')) return found.finding;
    }
    return null;
  }
}

/** Whether this page is at an address that only this machine can serve (PAGE-6). */
const isHere = () => location.protocol === 'http:' && (location.hostname === 'localhost' || location.hostname === '127.0.0.1');

/** @param {string} name of a tool of the shim's own (HASH-2) */
const isOurs = (name) => slice(name, 0, 9) === 'deputize.';

/** @param {string} url @returns {string} it, without what may be secret in it */
function pathOf(url) {
  const { origin, pathname } = new natives.URL(url);
  return origin === 'null' ? pathname : origin + pathname;
}

/**
 * @param {readonly string[]} granted
 * @param {readonly string[]} needed
 */
function covers(granted, needed) {
  for (let i = 0; i < needed.length; i++) if (!among(needed[i], granted)) return false;
  return true;
}
