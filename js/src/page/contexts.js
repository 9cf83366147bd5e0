/**
 * The contexts of this page, the browser's and those of scripts, found as they come (SHIM-1), and what in them runs without the gate
 * (SHIM-9).
 */

import { apply, console, defineProperty, document, exec, functionText, getOwnPropertyDescriptor, getPrototypeOf, hasOwn, inert, listen, navigator, setInterval, setTimeout } from '../platform/natives.js';
import { bridge, isBridge } from './bridge.js';
import { formOf } from './form-of.js';
import { Forms } from './forms.js';
import { framesOf } from './frames.js';
import { Patch } from './patch.js';
import { through } from './registering.js';
import { own, replace } from './replace.js';
import { isObject, sayingListed } from './tool.js';

/** @import { Gating, Listed, ModelContext } from './patch.js' */
/** @import { Tool } from '../types.js' */

/**
 * @typedef {object} Unguarded a tool that runs for every agent, unasked
 * @property {string | null} name null for tools that this context does not tell
 * @property {'not_gated' | 'form' | 'untold' | 'unchangeable'} why it was registered before the shim, or past it; a form declares it, and
 *   the policy does not know it; its
 *   context does not tell what it has, or may not be changed
 * @property {string} where the context, or the form
 *
 * @typedef {object} Frame a frame that is not known to be gated
 * @property {string | null} where its address, where that can be seen
 * @property {'no_shim' | 'unguarded' | 'other_origin'} why there is no shim in it; there is one, which tells of these tools; it is of
 *   another origin, and nothing is seen of it
 * @property {string[] | null} tools null where they are not known
 *
 * @typedef {{context: 'native' | 'polyfill' | 'none', tools: Unguarded[], frames: Frame[]}} Report
 */

const NAME = 'modelContext';
const NATIVE_GETTER = /^\s*function get modelContext\(\)\s*\{\s*\[native code\]\s*\}\s*$/;
/**
 * Milliseconds. Long enough for most visits that end at once: Chromium 156 crashes as a whole when a page is left, for one
 * with another cross-origin-opener-policy, before its `getTools()` is answered.
 */
const REST = 2000;
/** Milliseconds. Of a context that a script assigns nothing tells. */
const LOOK_EVERY = 250;

/** All contexts of one page. */
export class Contexts {
  #gate;
  #rested;
  /** @type {Map<ModelContext, {patch: Patch | null, native: boolean, where: string}>} */
  #found = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #looking = false;
  #look = () => this.look();

  /**
   * @param {Gating} gate
   * @param {() => unknown} [rested] hears that the page has come to rest, and does again after its tools have changed
   */
  constructor(gate, rested = () => {}) {
    this.#gate = gate;
    this.#rested = rested;
    this.forms = new Forms(gate, async (name) => await this.definition(name));
    watch(this.#look);
    this.look();
    listen(document, 'DOMContentLoaded', this.#look);
    setInterval(this.#look, LOOK_EVERY);
    this.#rest();
  }

  /** Gates the contexts that have come. */
  look() {
    if (this.#looking) return; // a getter of the page's
    this.#looking = true;
    try {
      // Once more: `document.open()` takes all listeners away. Agents that are no script of this page come by a message: before it is
      // heard by whoever came after us.
      listen(window, 'message', this.#look);
      this.forms.listen();
      const native = nativeContext();
      if (native) alias();
      for (const { where, read } of PLACES) {
        const context = placed(read);
        if (context) this.#take(context, where, native);
      }
    } catch (error) {
      console.error('deputize: looking for WebMCP failed.', error);
    } finally {
      this.#looking = false;
    }
  }

  /**
   * @param {ModelContext} context
   * @param {string} where
   * @param {unknown} native
   * @returns {Patch | null}
   */
  #take(context, where, native) {
    const known = this.#found.get(context);
    if (known) return known.patch;
    const found = { patch: /** @type {Patch | null} */ (null), native: context === native, where };
    this.#found.set(context, found);
    try {
      const patch = new Patch(context, this.#gate, found.native);
      found.patch = patch;
      if (isBridge(context)) {
        if (isContext(context.native)) patch.below = this.#take(context.native, where, native);
        const { closed } = patch;
        patch.closed = false; // also if what follows fails
        patch.closed = bridge(context, patch) && closed;
      }
      const testing = navigator && Reflect.get(navigator, 'modelContextTesting');
      if (!found.native && isObject(testing) && !this.#found.has(/** @type {ModelContext} */ (testing))) {
        this.#found.set(/** @type {ModelContext} */ (testing), { patch: null, native: true, where: '' });
        patch.close(testing);
      }
      if (typeof context.addEventListener === 'function') {
        listen(context, 'toolchange', () => this.#rest());
        listen(context, 'toolcancel', (event) => this.forms.cancelled(Reflect.get(event, 'toolName')));
      }
    } catch (error) {
      console.error(`deputize: ${where} cannot be changed, so nothing gates its tools.`, error);
    }
    this.#rest();
    return found.patch;
  }

  /** @returns {Promise<string[]>} the names of all tools that are known, gated or not */
  async names() {
    /** @type {Set<string>} */
    const names = new Set();
    for (const { patch, where } of [...this.#found.values()]) {
      if (!where || !patch) continue;
      try {
        for (const name of await patch.names()) if (typeof name === 'string') names.add(name);
      } catch (error) {
        console.debug('deputize: this page does not tell its tools.', error);
      }
    }
    return inert([...names]);
  }

  /**
   * @param {string} name
   * @returns {Tool | undefined}
   */
  tool(name) {
    for (const { patch } of this.#found.values()) {
      const tool = patch?.tool(name);
      if (tool) return tool;
    }
    return undefined;
  }

  /**
   * Registers a tool of the shim's own in the context that was found first, if it takes one.
   *
   * @param {{execute: object}} tool
   * @returns {unknown} what the context answers
   */
  offer(tool) {
    through.set(tool.execute, null);
    const [[context]] = /** @type {any} any: it may take no tools, or there may be none */ (this.#found);
    return context.registerTool(tool);
  }

  /** @returns {Tool[]} the tools that have the gate in them, one for each name */
  tools() {
    const all = [...this.#found.values()].flatMap(({ patch }) => patch?.all() ?? []);
    return [...new Set(all)].filter((tool) => this.tool(tool.name) === tool);
  }

  /** @returns {Promise<Listed[]>} the tools of which the contexts tell, gated or not */
  async listed() {
    /** @type {Listed[]} */
    const all = [];
    for (const { patch } of [...this.#found.values()]) if (patch?.tells) all.push(...(await patch.list()));
    return inert(all);
  }

  /**
   * The `definition_s256` of a tool that no registration has shown (HASH-3), by what a context tells of it; else that of its name alone.
   *
   * @param {string} name
   * @returns {Promise<string>}
   */
  async definition(name) {
    return await sayingListed((await this.listed()).find((each) => each.name === name) ?? { name }).definition();
  }

  /** @returns {Promise<Report>} what runs in this page without the gate */
  async unguarded() {
    this.look();
    /** @type {Unguarded[]} */
    const tools = [];
    /** @type {Window[]} */
    const told = [];
    let context = /** @type {Report['context']} */ ('none');
    for (const { patch, native, where } of [...this.#found.values()]) {
      if (!where) continue;
      if (native) context = 'native';
      else if (context === 'none') context = 'polyfill';
      if (!patch) tools.push({ name: null, why: 'unchangeable', where });
      else tools.push(...(await ungated(patch, where, this.#gate)));
      if (patch && native) told.push(...(await windowsOf(patch)));
    }
    return inert({ context, tools, frames: await framesOf(window, told) });
  }

  #rest() {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#rested();
    }, REST);
  }
}

/**
 * @param {Patch} patch
 * @param {string} where
 * @param {Gating} gate
 * @returns {Promise<Unguarded[]>}
 */
async function ungated(patch, where, gate) {
  if (patch.closed) return inert([]);
  /** @type {Unguarded[]} */
  const found = [];
  try {
    if (patch.tells) {
      for (const name of await patch.unguarded()) {
        const form = formOf(name);
        if (!form) found.push({ name, why: 'not_gated', where });
        else if ((await gate.ask(name)) === 'unknown') found.push({ name, why: 'form', where: form });
      }
      return inert(found);
    }
  } catch (error) {
    console.debug('deputize: this page does not tell its tools.', error);
  }
  return inert([{ name: null, why: 'untold', where }]);
}

/** @param {Patch} patch @returns {Promise<Window[]>} */
async function windowsOf(patch) {
  try {
    return await patch.windows();
  } catch {
    return inert([]); // it is told of as `untold`
  }
}

/**
 * Scripts bring their context by defining it. A tool that is registered in the next line is gated, too.
 *
 * @param {() => void} look
 */
function watch(look) {
  for (const definer of [Object, Reflect]) {
    try {
      replace(definer, 'defineProperty', (original, self, args) => {
        const answer = apply(original, self, args);
        if (args[1] === NAME) look();
        return answer;
      });
    } catch {
      // Frozen: then we look now and then only.
    }
  }
}

/** @returns {unknown} the browser's own context, whose getter script can neither write nor bind */
function nativeContext() {
  const get = getOwnPropertyDescriptor(Document.prototype, NAME)?.get;
  return get && exec(NATIVE_GETTER, functionText(get)) ? apply(get, document, []) : undefined;
}

/**
 * Where a context can be. Each is read past the others: `<form name="modelContext">` would answer for `document.modelContext`.
 *
 * @type {Array<{where: string, read: () => unknown}>}
 */
const PLACES = [
  { where: 'document.modelContext', read: () => Reflect.get(Document.prototype, NAME, document) },
  { where: 'document.modelContext', read: () => (hasOwn(document, NAME) ? Reflect.get(document, NAME) : undefined) },
  { where: 'navigator.modelContext', read: () => getOwnPropertyDescriptor(navigator, NAME)?.value },
  // Where a script gave the document one, a getter here gives the same, and complains of pages that read it.
  { where: 'navigator.modelContext', read: () => (polyfilled() ? undefined : Reflect.get(navigator, NAME)) },
];

const polyfilled = () => !nativeContext() && placed(() => Reflect.get(document, NAME));

/**
 * @param {() => unknown} read
 * @returns {ModelContext | null}
 */
function placed(read) {
  try {
    const value = read();
    return isContext(value) ? value : null;
  } catch {
    return null; // a frame of that name, of another origin
  }
}

/**
 * @param {unknown} value
 * @returns {value is ModelContext}
 */
const isContext = (value) =>
  isObject(value) && !(value instanceof Node) && typeof (Reflect.get(value, 'registerTool') ?? Reflect.get(value, 'provideContext')) === 'function';

/** Gives the page `navigator.modelContext`, which browsers no longer have, as the document's (docs/architecture.md §7). */
function alias() {
  if (!navigator || NAME in navigator) return;
  const { get, set } = /** @type {PropertyDescriptor} */ (
    getOwnPropertyDescriptor(
      {
        get modelContext() {
          return Reflect.get(document, NAME);
        },
        set modelContext(value) {
          Reflect.defineProperty(this, NAME, { configurable: true, enumerable: true, writable: true, value }); // ours: it looks
        },
      },
      NAME,
    )
  );
  defineProperty(getPrototypeOf(navigator), NAME, own({ configurable: true, enumerable: true, get, set }));
}
