/** How tools come into a context: each way to register one is replaced, so that the tool has the gate in it (SHIM-1). */

import { declareEvidence } from '../authority/evidence.js';
import { apply, isAborted } from '../platform/natives.js';
import { replace } from './replace.js';
import { isObject, optionsOf, saying, throwing, throws, toolOf } from './tool.js';

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

  /**
   * @param {ModelContext} context
   * @param {Gating} gate
   * @param {Registered} registered where its tools are kept
   * @throws {TypeError} where it may not be changed
   */
  constructor(context, gate, registered) {
    this.#gate = gate;
    this.#registered = registered;
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
    // What is no tool at all is for the platform to refuse, in its own words.
    if (!isObject(args[0])) return apply(original, self, args);
    /** @type {Tool | null} */
    let tool = null;
    /** @type {AbortSignal | null} */
    let signal = null;
    const copy = toolOf(args[0]);
    args[0] = copy;
    try {
      if (args.length > 1) {
        args[1] = optionsOf(args[1]);
        signal = signalOf(args[1]);
      }
      if (typeof copy.execute === 'function') tool = this.#take(copy);
    } catch (error) {
      throws(copy, 'execute', error); // if the context does not come to it before
    }
    if (!tool) return apply(original, self, args);
    const taken = tool;
    // Before the platform answers: `toolchange` fires earlier than that.
    this.#registered.add(taken, signal);
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
            if (typeof copy.execute === 'function') provided.push(this.#take(copy));
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
   * @returns {Tool}
   */
  #take(copy) {
    const { execute } = copy;
    if (handing && handing.by !== this && handing.tool.name === copy.name) return handing.tool;
    const { schema, ...said } = saying(copy);
    const tool = { name: String(copy.name), ...said };
    this.#gate.expect?.();
    copy.inputSchema = declareEvidence(schema); // which is no part of the definition: that is the page's own (HASH-3)
    if (!through.has(/** @type {Function} */ (execute))) copy.execute = this.#gated(tool, /** @type {Function} */ (execute));
    return tool;
  }

  /**
   * The function that leads to a tool's own through the gate.
   *
   * @param {Tool} tool
   * @param {Function} execute
   * @returns {(input: unknown, native?: {signal?: AbortSignal}) => unknown}
   */
  #gated(tool, execute) {
    /** @type {(input: unknown, native?: {signal?: AbortSignal}) => Promise<unknown>} */
    const leading = async (input, native) => await this.#gate.call(tool, /** @type {Execute} */ (execute), input, native?.signal);
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

/**
 * @param {unknown} options
 * @returns {AbortSignal | null} of any window's; what is none is for the context to refuse
 */
function signalOf(options) {
  const signal = isObject(options) && /** @type {AbortSignal | undefined} */ (Reflect.get(options, 'signal'));
  try {
    if (signal) isAborted(signal);
    return signal || null;
  } catch {
    return null;
  }
}
