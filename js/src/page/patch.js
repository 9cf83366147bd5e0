/**
 * Puts the gate into every tool that is registered from now on, by replacing a method of the platform's own object
 * (SHIM-1), and reports the tools that got past it (SHIM-9). A second method is replaced for in-page agents only: it carries
 * their evidence (EVID-1), and nothing hangs on it.
 */

import { argsS256 } from '../platform/canonical.js';
import { declareEvidence, moveEvidence } from '../authority/evidence.js';
import * as natives from '../platform/natives.js';

/** @import { Gate } from '../calls/gate.js' */
/** @import { Execute, Tool } from '../types.js' */

/** @typedef {EventTarget & {getTools?: () => Promise<Array<{name: string, window?: unknown}>>}} ModelContext */

const { apply, console, defineProperty, getPrototypeOf, hasOwn, isAborted, listen, parse, setTimeout, stringify } = natives;

/**
 * Milliseconds. Long enough for most visits that end at once: Chromium 156 crashes as a whole when a page is left, for one
 * with another cross-origin-opener-policy, before its `getTools()` is answered.
 */
const REPORT_DELAY = 2000;
const REGISTER = 'registerTool';
const EXECUTE = 'executeTool';
/** What a tool dictionary may hold, wherever in the object's prototypes it lies; anything else is copied if it shows. */
const MEMBERS = ['name', 'title', 'description', 'inputSchema', 'outputSchema', 'annotations', 'execute'];

/** One patched ModelContext. */
export class Patch {
  #context;
  #gate;
  /** @type {Map<string, Tool>} */
  #guarded = new Map();
  /** @type {Set<string>} */
  #reported = new Set();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {ModelContext} context
   * @param {Gate} gate
   */
  constructor(context, gate) {
    this.#context = context;
    this.#gate = gate;
    replace(context, REGISTER, this.#register.bind(this));
    if (EXECUTE in context) replace(context, EXECUTE, execute);
    if (typeof context.addEventListener === 'function') {
      listen(context, 'toolchange', () => this.#report());
    }
    this.#report();
  }

  /**
   * The tools of this page that run without the gate.
   *
   * @returns {Promise<string[]>} their names
   */
  async unguarded() {
    const tools = (await this.#context.getTools?.()) ?? [];
    const here = tools.filter((tool) => tool.window === undefined || tool.window === globalThis.window);
    return here.map((tool) => tool.name).filter((name) => !this.#guarded.has(name));
  }

  /** Warns, once each, of the unguarded tools that there are when the page has come to rest. */
  #report() {
    this.#timer ??= setTimeout(async () => {
      this.#timer = undefined;
      try {
        for (const name of await this.unguarded()) {
          if (this.#reported.has(name)) continue;
          this.#reported.add(name);
          console.warn(`deputize: the tool "${name}" was registered past the shim: it runs for every agent, unasked.`);
        }
      } catch (error) {
        console.warn('deputize: this page does not tell its tools.', error);
      }
    }, REPORT_DELAY);
  }

  /**
   * @param {string} name
   * @returns {Tool | undefined}
   */
  tool(name) {
    return this.#guarded.get(name);
  }

  /**
   * @param {Function} original
   * @param {unknown} self
   * @param {unknown[]} args
   */
  async #register(original, self, args) {
    const given = args[0];
    // What is no tool at all is for the platform to refuse, in its own words.
    if (!isObject(given)) return apply(original, self, args);
    const copy = copyOf(given);
    args[0] = copy;
    const { execute } = copy;
    if (typeof execute !== 'function') return apply(original, self, args);
    const tool = { name: String(copy.name), definition: definitionOf(copy) };
    copy.inputSchema = declareEvidence(copy.inputSchema); // after the definition, which is the page's own (HASH-3)
    const gate = this.#gate;
    copy.execute = async (/** @type {unknown} */ input, /** @type {{signal?: AbortSignal} | undefined} */ native) =>
      gate.call(tool, /** @type {Execute} */ (execute), input, native?.signal);
    // Before the platform answers: `toolchange` fires earlier than that.
    const before = this.#guarded.get(tool.name);
    this.#guarded.set(tool.name, tool);
    try {
      const answer = await apply(original, self, args);
      this.#forgetOnAbort(tool, args[1]);
      return answer;
    } catch (error) {
      if (before) this.#guarded.set(tool.name, before);
      else this.#guarded.delete(tool.name);
      throw error;
    }
  }

  /**
   * An unregistered name can be taken by a tool that comes past the shim.
   *
   * @param {Tool} tool
   * @param {unknown} options
   */
  #forgetOnAbort(tool, options) {
    const signal = /** @type {{signal?: unknown} | null | undefined} */ (options)?.signal;
    if (!(signal instanceof AbortSignal)) return;
    const forget = () => {
      if (this.#guarded.get(tool.name) === tool) this.#guarded.delete(tool.name);
    };
    if (isAborted(signal)) forget();
    else listen(signal, 'abort', forget);
  }
}

/**
 * Gives the page `navigator.modelContext`, which browsers no longer have, as the same object (docs/architecture.md §7).
 *
 * @param {() => unknown} context
 */
export function alias(context) {
  const { navigator } = natives;
  if (!navigator || 'modelContext' in navigator) return;
  const { get } = Object.getOwnPropertyDescriptor({ get modelContext() { return context(); } }, 'modelContext') ?? {};
  defineProperty(getPrototypeOf(navigator), 'modelContext', own({ configurable: true, enumerable: true, get }));
}

/**
 * Puts `work` in the place of a method, where the chain has it: the interface's prototype, or a polyfill's plain object.
 *
 * @param {object} context
 * @param {string} name
 * @param {(original: Function, self: unknown, args: unknown[]) => unknown} work
 */
function replace(context, name, work) {
  let owner = context;
  while (!hasOwn(owner, name)) owner = getPrototypeOf(owner);
  const descriptor = /** @type {PropertyDescriptor} */ (Object.getOwnPropertyDescriptor(owner, name));
  const original = /** @type {Function} */ (descriptor.value);
  // Method shorthand: like the native one it has no `prototype` and cannot be constructed.
  const { [name]: value } = {
    /** @param {unknown[]} args */
    [name](...args) {
      return work(original, this, args);
    },
  };
  defineProperty(value, 'length', { ...own(Object.getOwnPropertyDescriptor(original, 'length')) });
  defineProperty(owner, name, own({ ...descriptor, value }));
}

/**
 * @param {Function} original
 * @param {unknown} self
 * @param {unknown[]} args the tool, its input, and options
 */
async function execute(original, self, args) {
  if (args.length > 2) args[1] = moveEvidence(args[1], args[2]);
  return apply(original, self, args);
}

/**
 * Reads each member of the dictionary once, as the platform would.
 *
 * @param {object} given
 * @returns {Record<string, unknown>}
 */
function copyOf(given) {
  const copy = Object.create(null);
  for (const name in given) copy[name] = Reflect.get(given, name);
  for (const name of MEMBERS) {
    if (name in copy) continue;
    const value = Reflect.get(given, name);
    if (value !== undefined) copy[name] = value;
  }
  // Made strings here, so that the gate and the platform cannot hear two names.
  for (const name of ['name', 'description']) if (isObject(copy[name])) copy[name] = `${copy[name]}`;
  return copy;
}

/**
 * @param {Record<string, unknown>} tool
 * @returns {() => Promise<string>} its `definition_s256` (HASH-3), of what it says now
 */
function definitionOf({ name, description, inputSchema }) {
  /** @type {string | undefined} */
  let schema;
  try {
    schema = stringify(inputSchema) ?? 'null';
  } catch {
    // The platform refuses it too.
  }
  const text = `{"description":${stringify(String(description))},"inputSchema":${schema},"name":${stringify(name)}}`;
  /** @type {Promise<string> | undefined} */
  let hash;
  return async () => (hash ??= argsS256(parse(text)));
}

/**
 * @param {unknown} value
 * @returns {value is object}
 */
const isObject = (value) => typeof value === 'function' || (typeof value === 'object' && value !== null);

/**
 * A property descriptor without a prototype, so that a polluted Object.prototype adds nothing to it.
 *
 * @param {PropertyDescriptor | undefined} descriptor
 * @returns {PropertyDescriptor}
 */
const own = (descriptor) => Object.assign(Object.create(null), descriptor);
