/** The tools of one context that have the gate in them, for as long as they are registered. */

import { isAborted } from '../platform/natives.js';

/** @import { Tool } from '../types.js' */

/** They are found by their names. */
export class Registered {
  /** With the signals that unregister them. @type {Map<Tool, unknown>} */
  #all = new Map();
  /** Those of them that the last `provideContext` has brought. @type {Tool[]} */
  #provided = [];

  /**
   * @param {Tool} tool
   * @param {unknown} [signal] of any window's; what is none is for the context to refuse
   */
  add(tool, signal) {
    this.#all.set(tool, signal);
  }

  /** @param {Tool} tool */
  drop(tool) {
    this.#all.delete(tool);
  }

  /** @param {unknown} name */
  dropNamed(name) {
    for (const [tool] of this.#all) if (tool.name === name) this.#all.delete(tool);
  }

  /** @param {Tool[]} tools in the place of those that were provided before */
  provide(tools) {
    for (const tool of this.#provided) this.#all.delete(tool);
    this.#provided = tools;
    for (const tool of tools) this.add(tool);
  }

  clear() {
    this.#all.clear();
  }

  /**
   * @param {unknown} name
   * @returns {Tool | undefined}
   */
  find(name) {
    return this.all().find((tool) => tool.name === name);
  }

  /** @returns {Tool[]} */
  all() {
    // Asked anew each time: a page can keep listeners from hearing of it. A name that is free can be taken past the shim.
    for (const [tool, signal] of this.#all) if (isAbortedSignal(signal)) this.#all.delete(tool);
    return [...this.#all.keys()];
  }
}

/** @param {unknown} signal */
function isAbortedSignal(signal) {
  try {
    return isAborted(/** @type {AbortSignal} */ (signal));
  } catch {
    return false; // it is none
  }
}
