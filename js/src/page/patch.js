/**
 * Puts the gate into every tool that is registered from now on, by replacing methods of the context's own object (SHIM-1). Where the
 * context is the page's own script, all who call its tools call a method of it: a tool that was registered before is gated there.
 */

import { declareEvidence, moveEvidence } from '../authority/evidence.js';
import * as natives from '../platform/natives.js';
import { replace } from './replace.js';
import { definitionOf, isObject, optionsOf, throwing, toolOf } from './tool.js';

/** @import { Gate } from '../calls/gate.js' */
/** @import { Execute, Tool } from '../types.js' */

/**
 * @typedef {{name: string, description?: string, inputSchema?: unknown, window?: unknown}} Listed
 * @typedef {EventTarget & {getTools?: () => Promise<Listed[]>, listTools?: () => Listed[]}} ModelContext
 * @typedef {Pick<Gate, 'call'>} Gating
 */

const { apply, inert, isAborted, parse, stringify } = natives;

/** The functions that lead through a gate: who is handed one once more hands it on. @type {WeakSet<object>} */
const through = new WeakSet();
/** Whose tools are called by a method of this object: contexts may share their prototype. @type {WeakMap<object, Patch>} */
const patches = new WeakMap();
/**
 * What a context is being handed. If it hands that on to the context below it, behind a function of its own, a call stays one call.
 *
 * @type {{tool: Tool, by: Patch} | null}
 */
let handing = null;

/** The tool that a context calls. If it has the context below call it, that stays one call. @type {{name: unknown} | null} */
let calling = null;

/** One patched context. */
export class Patch {
  #context;
  #gate;
  #native;
  /** The tools that are gated in themselves, with the signals that unregister them. @type {Map<Tool, AbortSignal | null>} */
  #gated = new Map();
  /** Those of them that the last `provideContext` has brought. @type {Tool[]} */
  #provided = [];
  /** The context that this one hands its tools on to, and calls some by. @type {Patch | null} */
  below = null;

  /**
   * @param {ModelContext} context
   * @param {Gating} gate
   * @param {boolean} [native] the browser's own, whose tools are called past its methods, too
   * @throws {TypeError} where it may not be changed
   */
  constructor(context, gate, native = true) {
    this.#context = context;
    this.#gate = gate;
    this.#native = native;
    replace(context, 'registerTool', this.#register.bind(this));
    // Of older drafts:
    replace(context, 'provideContext', this.#provide.bind(this));
    replace(context, 'unregisterTool', (original, self, args) => {
      const answer = apply(original, self, args);
      for (const [tool] of this.#gated) if (tool.name === args[0]) this.#gated.delete(tool);
      return answer;
    });
    replace(context, 'clearContext', (original, self, args) => {
      const answer = apply(original, self, args);
      this.#gated.clear();
      return answer;
    });
    /** Whether there is a way to call its tools that passes the gate, whatever they are. */
    this.closed = this.close(context);
  }

  /**
   * Replaces `executeTool` of an object by which this context's tools are called.
   *
   * @param {object} object
   * @returns {boolean}
   */
  close(object) {
    patches.set(object, this);
    return replace(object, 'executeTool', this.#execute.bind(this)) && !this.#native;
  }

  /**
   * The tools of this page that run without the gate.
   *
   * @returns {Promise<string[]>} their names
   */
  async unguarded() {
    return inert(this.closed ? [] : (await this.list()).map(({ name }) => name).filter((name) => !this.tool(name)));
  }

  /** @returns {Promise<Listed[]>} the tools that it has, of this window */
  async list() {
    const tools = (await this.#context.getTools?.()) ?? (await this.#context.listTools?.()) ?? [];
    return inert(tools.filter((tool) => tool.window === undefined || tool.window === globalThis.window));
  }

  /** Whether it tells its tools. */
  get tells() {
    return typeof (this.#context.getTools ?? this.#context.listTools) === 'function';
  }

  /**
   * @param {unknown} name
   * @returns {Tool | undefined}
   */
  tool(name) {
    // Asked anew each time: a page can keep listeners from hearing of it. A name that is free can be taken past the shim.
    for (const [tool, signal] of this.#gated) {
      if (signal && isAborted(signal)) this.#gated.delete(tool);
      else if (tool.name === name) return tool;
    }
    return this.below?.tool(name);
  }

  /**
   * Whether a call of this tool has met the gate already, or meets it further in.
   *
   * @param {unknown} name
   */
  passes(name) {
    return this.tool(name) !== undefined || (calling !== null && calling.name === name);
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
      const before = calling;
      calling = tool;
      try {
        return run(open);
      } finally {
        calling = before;
      }
    };
    return await this.#gate.call(tool, within, input, signal);
  }

  /**
   * The function that leads to a tool's own through the gate.
   *
   * @param {Tool} tool
   * @param {Function} execute
   * @returns {(input: unknown, native?: {signal?: AbortSignal}) => unknown}
   */
  gated(tool, execute) {
    /** @type {(input: unknown, native?: {signal?: AbortSignal}) => Promise<unknown>} */
    const leading = async (input, native) => await this.#gate.call(tool, /** @type {Execute} */ (execute), input, native?.signal);
    through.add(leading);
    return leading;
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
    try {
      const copy = toolOf(args[0]);
      args[0] = copy;
      if (args.length > 1) {
        args[1] = optionsOf(args[1]);
        signal = signalOf(args[1]);
      }
      if (typeof copy.execute === 'function') tool = this.#take(copy);
    } catch (error) {
      args[0] = throwing(error);
    }
    if (!tool) return apply(original, self, args);
    const taken = tool;
    // Before the platform answers: `toolchange` fires earlier than that.
    this.#gated.set(taken, signal);
    const forget = () => void this.#gated.delete(taken);
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
    for (const tool of this.#provided) this.#gated.delete(tool);
    this.#provided = provided;
    for (const tool of provided) this.#gated.set(tool, null);
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
    const tool = { name: String(copy.name), definition: definitionOf(copy) };
    copy.inputSchema = declareEvidence(copy.inputSchema); // after the definition, which is the page's own (HASH-3)
    if (!through.has(/** @type {Function} */ (execute))) copy.execute = this.gated(tool, /** @type {Function} */ (execute));
    return tool;
  }

  /**
   * @param {Function} original
   * @param {unknown} self
   * @param {unknown[]} args the tool, or its name, its input, and options
   */
  async #execute(original, self, args) {
    if (args.length > 2) args[1] = moveEvidence(args[1], args[2]);
    const whose = isObject(self) && patches.get(self);
    if (this.#native || (whose && whose !== this)) return await apply(original, self, args);
    if (isObject(args[0])) args[0] = toolOf(args[0]);
    const name = isObject(args[0]) ? Reflect.get(args[0], 'name') : args[0];
    if (this.passes(name)) return await apply(original, self, args);
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
    const { description = '', inputSchema = null } = (await this.list()).find((tool) => tool.name === name) ?? {};
    return await definitionOf({ name, description, inputSchema: typeof inputSchema === 'string' ? read(inputSchema) : inputSchema })();
  }
}

/** @param {string} text @returns {unknown} what it says in JSON; text that says nothing is no arguments */
function read(text) {
  try {
    return parse(text);
  } catch {
    return undefined;
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
