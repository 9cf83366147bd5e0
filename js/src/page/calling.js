/**
 * How a context's tools are called by a method of it. Where it is the page's own script, all who call its tools come that way: a tool
 * that was registered before the shim is gated there (SHIM-1).
 */

import { moveEvidence } from '../authority/evidence.js';
import { apply, stringify } from '../platform/natives.js';
import { replace } from './replace.js';
import { isObject, read, sayingListed, toolOf } from './tool.js';

/** @import { Gating, Listed } from './patch.js' */
/** @import { Tool } from '../types.js' */

/** Whose tools are called by a method of this object: contexts may share their prototype. @type {WeakMap<object, Calling>} */
const callings = new WeakMap();
/** The tool that a context calls. If it has the context below call it, that stays one call. @type {{name: unknown} | null} */
let current = null;

/** @param {unknown} name */
export const isCalled = (name) => current !== null && current.name === name;

/** The calls of one context's tools. */
export class Calling {
  #gate;
  #native;
  #passes;
  #list;

  /**
   * @param {Gating} gate
   * @param {object} context
   * @param {boolean} context.native the browser's own, whose tools are called past its methods, too
   * @param {(name: unknown) => boolean} context.passes whether a call of this tool meets the gate anyway
   * @param {() => Promise<Listed[]>} context.list the tools that it has
   */
  constructor(gate, { native, passes, list }) {
    this.#gate = gate;
    this.#native = native;
    this.#passes = passes;
    this.#list = list;
  }

  /**
   * Replaces `executeTool` of an object by which this context's tools are called.
   *
   * @param {object} object
   * @returns {boolean} whether there is no other way to call them
   */
  close(object) {
    callings.set(object, this);
    return replace(object, 'executeTool', this.#execute.bind(this)) && !this.#native;
  }

  /**
   * Has a tool called through the gate, by whatever calls it without.
   *
   * @param {Tool} tool
   * @param {(input: unknown) => unknown} run
   * @param {unknown} input
   * @param {AbortSignal | undefined} signal
   */
  async lead(tool, run, input, signal) {
    const within = (/** @type {unknown} */ open) => {
      const before = current;
      current = tool;
      try {
        return run(open);
      } finally {
        current = before;
      }
    };
    return await this.#gate.call(tool, within, input, signal);
  }

  /**
   * @param {Function} original
   * @param {unknown} self
   * @param {unknown[]} args the tool, or its name, its input, and options
   */
  #execute(original, self, args) {
    const whose = isObject(self) && callings.get(self);
    const other = this.#native || (whose && whose !== this);
    try {
      if (args.length > 2) args[1] = moveEvidence(args[1], args[2]);
      if (!other && isObject(args[0])) args[0] = toolOf(args[0]);
    } catch (error) {
      return rejected(error);
    }
    if (other) return apply(original, self, args);
    const name = isObject(args[0]) ? Reflect.get(args[0], 'name') : args[0];
    return this.#passes(name) ? apply(original, self, args) : this.#lead(name, original, self, args);
  }

  /**
   * @param {unknown} name
   * @param {Function} original
   * @param {unknown} self
   * @param {unknown[]} args
   */
  async #lead(name, original, self, args) {
    // The page's own script had it before the shim came. It still hears of nothing that is not allowed.
    const asText = typeof args[1] === 'string';
    const run = (/** @type {unknown} */ open) => {
      args[1] = asText ? stringify(open) : open;
      return apply(original, self, args);
    };
    const signal = isObject(args[2]) ? Reflect.get(args[2], 'signal') : undefined;
    const input = asText ? read(/** @type {string} */ (args[1])) : args[1];
    const tool = { name: String(name), definition: () => this.#definition(name) };
    const answer = await this.lead(tool, run, input, signal);
    return asText && isObject(answer) ? stringify(answer) : answer; // a refusal; what has run is text already
  }

  /** @param {unknown} name of a tool that was registered before the shim */
  async #definition(name) {
    return await sayingListed((await this.#list()).find((tool) => tool.name === name) ?? { name }).definition();
  }
}

/** @param {unknown} error */
async function rejected(error) {
  throw error;
}
