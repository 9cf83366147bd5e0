/** How tools come into a context: each way to register one is replaced, so that the tool has the gate in it (SHIM-1). */

import { apply, parse, String, stringify } from '../platform/natives.js';
import { replace } from './replace.js';
import { shown } from './shown.js';
import { isObject, reading, saying, throwing, toolOf } from './tool.js';

/** @import { Gating, ModelContext } from './patch.js' */
/** @import { Registered } from './registered.js' */
/** @import { Execute, Tool } from '../types.js' */

/** The functions that lead through a gate, and what each leads to; null for the shim's own, which need none. @type {WeakMap<object, Function | null>} */
export const through = new WeakMap();

/** @typedef {{tool: Tool, execute: Function}} Handed a tool, and the function of it that has the gate in it */
/**
 * What a context of a script's is being handed, by its names. Whatever that hands on to the context below, under one of these, is that
 * tool: nobody knows what a function does that was put around it, and with a gate of its own a call would wait for itself.
 *
 * @type {{all: Record<string, Handed>, by: Registering} | null}
 */
let handing = null;

/** The replaced methods of one context. */
export class Registering {
  #context;
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
    this.#context = context;
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
    /** @type {Handed | null} */
    let handed = null;
    /** @type {Record<string, unknown>} */
    let options = {};
    try {
      const copy = (args[0] = toolOf(given));
      if (isObject(args[1])) args[1] = options = toolOf(args[1]);
      handed = this.#take(copy);
    } catch (error) {
      args[0] = throwing(error);
    }
    if (!handed) return apply(original, self, args);
    const { tool } = handed;
    // Before the context answers: some tell of the change before that.
    this.#registered.add(tool, options.signal);
    const forget = () => this.#registered.drop(tool);
    try {
      return unregistering(this.#hand([handed], original, self, args), forget);
    } catch (error) {
      forget();
      throw error;
    }
  }

  /**
   * Has the context take tools, and knows what it is handed meanwhile.
   *
   * @param {Handed[]} all
   * @param {Function} original
   * @param {unknown} self
   * @param {unknown[]} args
   */
  #hand(all, original, self, args) {
    const before = handing;
    handing = { all: /** @type {any} any: null, which no record's type has */ ({ __proto__: null }), by: this };
    for (const each of all) handing.all[each.tool.name] = each;
    try {
      return apply(original, self, args);
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
    /** @type {Tool | null} */
    let tool = null;
    const found = () => this.#handed(() => read.name);
    const read = reading(given, heard, (name, value) => {
      const handed = name !== 'name' && found();
      if (handed) return this.#told(handed, name, value);
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
    if (!('name' in heard) || typeof heard.execute !== 'function') return answer;
    const handed = found();
    if (!handed && isObject(heard.inputSchema) && !schema) return answer;
    if (schema) heard.inputSchema = parse(schema);
    const taken = (tool = handed ? { ...handed.tool } : saying(heard));
    this.#gate.expect?.();
    if (self !== this.#context) return answer; // a frame's
    this.#registered.add(taken, options.signal);
    return unregistering(answer, () => this.#registered.drop(taken));
  }

  /**
   * @param {Function} original
   * @param {unknown} self
   * @param {unknown[]} args
   */
  #provide(original, self, args) {
    /** @type {Handed[]} */
    const provided = [];
    try {
      if (isObject(args[0])) {
        const all = { .../** @type {{tools?: unknown}} */ (args[0]) };
        if (isObject(all.tools)) {
          all.tools = [.../** @type {unknown[]} */ (all.tools)].map((given) => {
            if (!isObject(given)) return given;
            const copy = toolOf(given);
            const handed = this.#take(copy);
            if (handed) provided.push(handed);
            return copy;
          });
        }
        args[0] = all;
      }
    } catch (error) {
      args[0] = throwing(error);
      provided.length = 0;
    }
    const answer = this.#hand(provided, original, self, args);
    this.#registered.provide(provided.map(({ tool }) => tool));
    return answer;
  }

  /**
   * Puts the gate into a tool.
   *
   * @param {Record<string, unknown>} copy
   * @returns {Handed | null} null where it is none
   */
  #take(copy) {
    const { execute } = copy;
    if (typeof execute !== 'function') return null;
    const handed = this.#handed(() => copy.name);
    if (handed) {
      for (const name of ['description', 'execute', 'inputSchema']) copy[name] = this.#told(handed, name, copy[name]);
      return handed;
    }
    const tool = saying(copy);
    copy.inputSchema = shown(this.#gate, tool.name, tool.schema);
    const leading = (copy.execute = this.#gated(() => tool, execute));
    this.#gate.expect?.();
    return { tool, execute: leading };
  }

  /**
   * @param {() => unknown} name of what is given by a context that hands on what it was given itself, or by a page
   * @returns {Handed | undefined}
   */
  #handed(name) {
    return handing && handing.by !== this ? handing.all[String(name())] : undefined;
  }

  /**
   * What the context below is told of a tool that was handed on.
   *
   * @param {Handed} handed
   * @param {string} name of a member
   * @param {unknown} value that the context between gave
   */
  #told({ tool, execute }, name, value) {
    if (name === 'execute') return typeof value === 'function' ? execute : value;
    if (name !== 'description' && name !== 'inputSchema') return value;
    const { [name]: its } = /** @type {Required<Tool>} */ (tool).says();
    return name === 'description' ? its : shown(this.#gate, tool.name, its ?? undefined);
  }

  /**
   * The function that leads to a tool's own through the gate.
   *
   * @param {() => Tool} tool
   * @param {Function} execute
   * @returns {Function}
   */
  #gated(tool, execute) {
    // One that leads through a gate already is called by another name here, or described otherwise: what counts is how it is told here.
    const own = through.has(execute) ? through.get(execute) : execute;
    if (!own) return execute;
    /** @type {(input: unknown, native?: {signal?: AbortSignal}) => Promise<unknown>} */
    const leading = async (input, native) => await this.#gate.call(tool(), /** @type {Execute} */ (own), input, native?.signal);
    through.set(leading, own);
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
