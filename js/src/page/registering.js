/** How tools come into a context: each way to register one is replaced, so that the tool has the gate in it (SHIM-1). */

import { apply, parse, stringify } from '../platform/natives.js';
import { replace } from './replace.js';
import { shown } from './shown.js';
import { isObject, reading, saying, throwing, toolOf } from './tool.js';

/** @import { Gating, ModelContext } from './patch.js' */
/** @import { Registered } from './registered.js' */
/** @import { Execute, Tool } from '../types.js' */

/** The functions that lead through a gate, or need none: who is handed one once more hands it on. @type {WeakSet<object>} */
export const through = new WeakSet();
/**
 * What a context is being handed. If it hands that on to the context below it, behind a function of its own, a call stays one call.
 *
 * @type {{tool: Tool, by: Registering} | null}
 */
let handing = null;

/** The replaced methods of one context. */
export class Registering {
  #gate;
  #registered;
  #native;

  /**
   * @param {ModelContext} context
   * @param {Gating} gate
   * @param {Registered} registered where its tools are kept
   * @param {boolean} native the browser's own
   * @throws {TypeError} where it may not be changed
   */
  constructor(context, gate, registered, native) {
    this.#gate = gate;
    this.#registered = registered;
    this.#native = native;
    replace(context, 'registerTool', this.#register.bind(this));
    // Of older drafts:
    replace(context, 'provideContext', this.#provide.bind(this));
    replace(context, 'unregisterTool', (original, self, args) => {
      const answer = apply(original, self, args);
      registered.dropNamed(args[0]);
      return answer;
    });
    replace(context, 'clearContext', (original, self, args) => {
      const answer = apply(original, self, args);
      registered.clear();
      return answer;
    });
  }

  /**
   * @param {Function} original
   * @param {unknown} self
   * @param {unknown[]} args
   */
  #register(original, self, args) {
    const [given] = args;
    // What is no tool at all is for the platform to refuse, in its own words.
    if (!isObject(given)) return apply(original, self, args);
    if (this.#native) return this.#read(original, self, given, args);
    /** @type {Tool | null} */
    let tool = null;
    /** @type {Record<string, unknown>} */
    let options = {};
    try {
      const copy = (args[0] = toolOf(given));
      if (isObject(args[1])) args[1] = options = toolOf(args[1]);
      tool = this.#take(copy);
    } catch (error) {
      args[0] = throwing(error);
    }
    if (!tool) return apply(original, self, args);
    const taken = tool;
    // Before the context answers: some tell of the change before that.
    this.#registered.add(taken, options.signal);
    const forget = () => this.#registered.drop(taken);
    const before = handing;
    handing = { tool: taken, by: this };
    try {
      return unregistering(apply(original, self, args), forget);
    } catch (error) {
      forget();
      throw error;
    } finally {
      handing = before;
    }
  }

  /**
   * Has the browser read what the page gave in its own order, and no further than it would.
   *
   * @param {Function} original
   * @param {unknown} self
   * @param {object} given
   * @param {unknown[]} args
   */
  #read(original, self, given, args) {
    /** @type {Record<string, unknown>} */
    const heard = /** @type {any} any: nothing of the page's prototypes */ ({ __proto__: null });
    /** @type {Record<string, unknown>} */
    const options = /** @type {any} any: as above */ ({ __proto__: null });
    /** @type {string | undefined} */
    let schema;
    let tool = this.#handed(given);
    const read = reading(given, heard, (name, value) => {
      if (tool) return value;
      if (name === 'execute' && typeof value === 'function') return this.#gated(() => /** @type {Tool} by then */ (tool), value);
      if (name !== 'inputSchema') return value;
      // The name comes next, so that the browser's order stays.
      const show = (/** @type {unknown} */ its) => shown(this.#gate, String(read.name), its);
      return isObject(value) ? { toJSON: () => (schema ??= stringify(value)) && show(parse(schema)) } : show(value);
    });
    args[0] = read;
    if (isObject(args[1])) args[1] = reading(args[1], options);
    const answer = apply(original, self, args);
    // What was not read to its end was refused.
    if (!('name' in heard) || typeof heard.execute !== 'function' || (!tool && isObject(heard.inputSchema) && !schema)) return answer;
    if (schema) heard.inputSchema = parse(schema);
    const taken = (tool ??= saying(heard));
    this.#gate.expect?.();
    this.#registered.add(taken, options.signal);
    return unregistering(answer, () => this.#registered.drop(taken));
  }

  /**
   * @param {Function} original
   * @param {unknown} self
   * @param {unknown[]} args
   */
  #provide(original, self, args) {
    /** @type {Tool[]} */
    const provided = [];
    try {
      if (isObject(args[0])) {
        const all = { .../** @type {{tools?: unknown}} */ (args[0]) };
        if (isObject(all.tools)) {
          all.tools = [.../** @type {unknown[]} */ (all.tools)].map((given) => {
            if (!isObject(given)) return given;
            const copy = toolOf(given);
            const tool = this.#take(copy);
            if (tool) provided.push(tool);
            return copy;
          });
        }
        args[0] = all;
      }
    } catch (error) {
      args[0] = throwing(error);
      provided.length = 0;
    }
    const answer = apply(original, self, args);
    this.#registered.provide(provided);
    return answer;
  }

  /**
   * Puts the gate into a tool.
   *
   * @param {Record<string, unknown>} copy
   * @returns {Tool | null} null where it is none
   */
  #take(copy) {
    const { execute } = copy;
    if (typeof execute !== 'function') return null;
    const handed = this.#handed(copy);
    if (handed) return handed;
    const tool = saying(copy);
    copy.inputSchema = shown(this.#gate, tool.name, tool.schema);
    copy.execute = this.#gated(() => tool, execute);
    this.#gate.expect?.();
    return tool;
  }

  /**
   * @param {{name?: unknown}} given by a context that hands on what it was given itself, or by a page
   * @returns {Tool | null}
   */
  #handed(given) {
    return handing && handing.by !== this && handing.tool.name === given.name ? handing.tool : null;
  }

  /**
   * The function that leads to a tool's own through the gate.
   *
   * @param {() => Tool} tool
   * @param {Function} execute
   * @returns {Function}
   */
  #gated(tool, execute) {
    if (through.has(execute)) return execute;
    /** @type {(input: unknown, native?: {signal?: AbortSignal}) => Promise<unknown>} */
    const leading = async (input, native) => await this.#gate.call(tool(), /** @type {Execute} */ (execute), input, native?.signal);
    through.add(leading);
    return leading;
  }
}

/**
 * Follows what a context has answered to a registration, and hands it on.
 *
 * @param {unknown} answer a promise, or in older drafts at once; `{unregister}` in some
 * @param {() => void} forget
 */
function unregistering(answer, forget) {
  if (!isObject(answer)) return answer;
  if (typeof Reflect.get(answer, 'then') === 'function') return followed(/** @type {PromiseLike<unknown>} */ (answer), forget);
  replace(answer, 'unregister', (original, self, args) => {
    forget();
    return apply(original, self, args);
  });
  return answer;
}

/**
 * @param {PromiseLike<unknown>} answer
 * @param {() => void} forget
 */
async function followed(answer, forget) {
  try {
    return await answer;
  } catch (error) {
    forget();
    throw error;
  }
}
