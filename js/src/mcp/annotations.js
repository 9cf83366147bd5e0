/** Which tools of an MCP server need an approval: the annotation of SEP-2672 §4.2, where the server lists them. */

import { bare, textOf } from '../platform/json.js';
import * as natives from '../platform/natives.js';
import { ask, PATIENCE } from './rpc.js';

/** @import { McpClient } from './rpc.js' */
/** @import { Bare, Problem, Reply } from '../types.js' */

/**
 * @typedef {'none' | 'verified' | 'verified by cross-platform' | 'other'} Need what a tool's annotation asks for, with the class of
 *   authenticators where not every one will do; `other` is nothing that we know
 */

export const ANNOTATION = 'io.modelcontextprotocol/verified-approval';
const MOST_PAGES = 64;

/** The annotations of one server's tools, as they were last listed. */
export class Annotations {
  #client;
  /** By name, without a prototype. @type {Record<string, Need> | null} */
  #needs = null;

  /** @param {McpClient} client */
  constructor(client) {
    this.#client = client;
  }

  /**
   * What a tool's annotation asks for (SEP-2672 §4.2).
   *
   * @param {string} name
   * @param {boolean} [fresh] whether to look again
   * @returns {Promise<Need | Problem>}
   */
  async need(name, fresh = false) {
    if (fresh || !this.#needs?.[name]) {
      const found = await this.#list();
      if (!found.ok) return found.problem;
      this.#needs = found.body;
    }
    return this.#needs?.[name] ?? 'none';
  }

  /** @returns {Promise<Reply<Record<string, Need>>>} */
  async #list() {
    const needs = /** @type {Record<string, Need>} */ ({ __proto__: /** @type {any} any: null, which no record's type has */ (null) });
    let verified = false;
    /** @type {string | undefined} */
    let cursor;
    for (let page = 0; page < MOST_PAGES; page++) {
      const answer = await ask(this.#client, 'tools/list', cursor ? { cursor } : {}, { timeout: PATIENCE });
      if (!answer.ok) return answer;
      const tools = /** @type {Bare[]} */ (natives.isArray(answer.body.tools) ? answer.body.tools : []);
      for (let i = 0; i < tools.length; i++) {
        const tool = tools[i] ?? /** @type {Bare} */ (bare({}));
        const need = needOf(/** @type {Bare} */ (tool._meta ?? {}));
        needs[textOf(tool.name)] = need;
        verified ||= need !== 'none' && need !== 'other';
      }
      cursor = textOf(answer.body.nextCursor);
      if (!cursor) break;
    }
    if (verified && !this.#client.getServerCapabilities()?.extensions?.verifiedApproval) {
      natives.console.warn('deputize: this server has tools that need an approval, but does not say that it can take any.');
    }
    return natives.inert({ ok: true, body: needs });
  }
}

/**
 * @param {Bare} meta of a listed tool
 * @returns {Need}
 */
function needOf(meta) {
  const annotation = meta[ANNOTATION];
  if (annotation === undefined) return 'none';
  if (typeof annotation !== 'object' || annotation === null || natives.get(annotation, 'required') !== 'verified') return 'other'; // never less
  return natives.get(annotation, 'authenticatorClass') === 'cross-platform' ? 'verified by cross-platform' : 'verified';
}
