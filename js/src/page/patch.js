/** One context with the gate before its tools: in each that is registered from now on, and where it calls the others (SHIM-1). */

import { inert } from '../platform/natives.js';
import { Calling, isCalled } from './calling.js';
import { Registered } from './registered.js';
import { Registering } from './registering.js';

/** @import { Gate } from '../calls/gate.js' */
/** @import { Tool } from '../types.js' */

/**
 * @typedef {{name: string, description?: string, inputSchema?: unknown, window?: unknown}} Listed
 * @typedef {EventTarget & {getTools?: () => Promise<Listed[]>, listTools?: () => Listed[]}} ModelContext
 * @typedef {Pick<Gate, 'call' | 'attempt' | 'asking' | 'loaded' | 'standing' | 'ask'> & {expect?: () => void}} Gating `expect` is told that calls may come
 */

/** One patched context. */
export class Patch {
  #context;
  #registered = new Registered();
  #calling;
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
    new Registering(context, gate, this.#registered, native);
    this.#calling = new Calling(gate, { native, passes: (name) => this.passes(name), list: async () => await this.list() });
    /** Whether there is no way to call its tools past the gate, whatever they are. */
    this.closed = this.close(context);
  }

  /** @type {Calling['close']} */
  close(object) {
    return this.#calling.close(object);
  }

  /** @type {Calling['lead']} */
  lead(...call) {
    return this.#calling.lead(...call);
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
    return inert((await this.#all()).filter((tool) => tool.window === undefined || tool.window === globalThis.window));
  }

  /** @returns {Promise<Window[]>} those whose tools it tells */
  async windows() {
    return inert((await this.#all()).flatMap((tool) => /** @type {Window | undefined} */ (tool.window) ?? []));
  }

  /** @returns {Promise<Listed[]>} */
  async #all() {
    return inert([...((await this.#context.getTools?.()) ?? (await this.#context.listTools?.()) ?? [])]);
  }

  /** @returns {Promise<string[]>} the names of those that it tells, and of those that are gated */
  async names() {
    const listed = this.tells ? await this.list() : [];
    return inert([...listed, ...this.all()].map(({ name }) => name));
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
    return this.#registered.find(name) ?? this.below?.tool(name);
  }

  /** @returns {Tool[]} the tools that have the gate in them */
  all() {
    return this.#registered.all();
  }

  /**
   * Whether a call of this tool has met the gate already, or meets it further in.
   *
   * @param {unknown} name
   */
  passes(name) {
    return this.tool(name) !== undefined || isCalled(name);
  }
}
