/**
 * Forms that are tools: `<form toolname>`. The browser fills one in for an agent and submits it, past every registration, so the gate
 * is at the submission (SHIM-15): it is held, decided like any other call, and then made anew for the page's own listeners.
 *
 * Of Chromium 156: `agentInvoked` says that an agent's call is under way, be it that the browser submits (`toolautosubmit`) or that the
 * human does. `respondWith` is refused without it, and before `preventDefault`; of several answers the first to settle is the
 * agent's. A submission that is made anew meanwhile has `agentInvoked` again. An agent cannot set hidden fields, and its call fails for
 * a field that is not there. `input` and `change` events precede the submission. A form without `tooldescription` is no tool. One in a
 * shadow root is, but its submission is not heard outside. `submit()` fires no event. `toolcancel` comes at the context alone.
 */

import { answerOf } from '../calls/refusal.js';
import { claimed, UNSENT } from '../calls/running.js';
import { abort, AbortController, apply, defineProperty, elements, getAttribute, listen, preventDefault, requestSubmit, signalOf, stopImmediatePropagation } from '../platform/natives.js';
import { own, replace } from './replace.js';

/** @import { Running } from '../calls/running.js' */
/** @import { Gating } from './patch.js' */

/**
 * @typedef {Running & {byAgent: boolean, performed?: boolean}} Met a call that has met the gate
 *
 * @typedef {object} Making
 * @property {HTMLFormElement} form
 * @property {string} name of the tool that it was when it was decided
 * @property {Met | null} met none where nothing gates it
 * @property {boolean} made
 * @property {unknown} [answer] of the page's listeners, for an agent
 */

/**
 * The tool that a form is, of whatever realm: one that comes from a frame is a tool here, too.
 *
 * @param {unknown} form
 */
function toolOf(form) {
  try {
    return elements(/** @type {HTMLFormElement} */ (form)) && getAttribute(/** @type {HTMLFormElement} */ (form), 'toolname');
  } catch {
    return null; // it is no form
  }
}

/** @param {string | null} standing of a name in the policy */
const isOpen = (standing) => standing === 'public' || standing === 'unknown';

/** The forms of one page. */
export class Forms {
  #gate;
  #definition;
  /** The submission that is being made anew. @type {Making | null} */
  #making = null;
  /** @type {WeakMap<Event, Met>} */
  #met = new WeakMap();
  #hears = (/** @type {Event} */ event) => this.#submitted(/** @type {SubmitEvent} */ (event));
  /** The calls that agents wait for. @type {Set<{name: string, controller: AbortController}>} */
  #awaited = new Set();

  /**
   * @param {Gating} gate
   * @param {(name: string) => Promise<string>} definition of the tool that a form declares
   */
  constructor(gate, definition) {
    this.#gate = gate;
    this.#definition = definition;
    if (!globalThis.HTMLFormElement) return;
    this.listen();
    replace(HTMLFormElement.prototype, 'submit', (original, self, args) => this.#submit(original, self, args));
  }

  /** Hears of submissions. A second time it is for `document.open()`, which takes all listeners away. */
  listen() {
    listen(window, 'submit', this.#hears, true);
  }

  /**
   * Nobody waits for this any more.
   *
   * @param {unknown} name of the tool
   */
  cancelled(name) {
    for (const each of this.#awaited) if (each.name === name) abort(each.controller);
  }

  /**
   * The call that a submission belongs to.
   *
   * @param {Event | undefined} event
   * @returns {Met | undefined}
   */
  callOf(event) {
    return event && this.#met.get(event);
  }

  /** @param {SubmitEvent} event */
  #submitted(event) {
    const { submitter } = event;
    const form = /** @type {HTMLFormElement} */ (event.target);
    const name = toolOf(form);
    if (!name) return;
    const awaited = Reflect.get(event, 'agentInvoked') === true;
    const making = this.#made(form, name);
    if (making) {
      making.made = true;
      if (making.met) this.#met.set(event, making.met);
      if (awaited) hear(event, making);
      return;
    }
    if (!this.#holds(name)) return;
    // What an agent submits is a call of its own, however like it another one is that runs: that is somebody else's (EVID-3).
    const text = !awaited && this.#gate.loaded()?.spelled(form);
    const call = text && claimed((each) => each.name === name && each.text === text);
    if (call) return void this.#met.set(event, { ...call, byAgent: false });
    preventDefault(event);
    stopImmediatePropagation(event);
    const again = () => requestSubmit(form, submitter);
    const answer = this.#lead(form, name, awaited, again);
    if (awaited) apply(Reflect.get(event, 'respondWith'), event, [answer]);
  }

  /**
   * @param {Function} original
   * @param {any} self any: whatever it is called on
   * @param {unknown[]} args
   */
  #submit(original, self, args) {
    const name = toolOf(self);
    if (!name || !this.#holds(name) || this.#made(self, name)) return apply(original, self, args);
    void this.#lead(self, name, false, (making) => {
      making.made = true; // of this no event tells
      apply(original, self, args);
    });
  }

  /**
   * @param {HTMLFormElement} form
   * @param {string} name that it has now
   */
  #made(form, name) {
    const making = this.#making;
    return making?.form === form && making.name === name ? making : null;
  }

  /** @param {string} name */
  #holds(name) {
    return !isOpen(this.#gate.standing(name));
  }

  /**
   * @param {HTMLFormElement} form
   * @param {string} name
   * @param {boolean} awaited whether an agent waits for it
   * @param {(making: Making) => void} submit
   * @returns {Promise<unknown>} what an agent is answered
   */
  async #lead(form, name, awaited, submit) {
    /** @param {Met | null} met */
    const make = (met) => {
      /** @type {Making} */
      const making = { form, name, met, made: false };
      const before = this.#making;
      this.#making = making;
      try {
        submit(making);
      } catch {
        // The button that was pressed is no longer in this form.
      } finally {
        this.#making = before;
      }
      if (!making.made && met) throw UNSENT;
      return making.answer;
    };
    if (isOpen(await this.#gate.ask(name))) return make(null);
    const asking = await this.#gate.asking();
    if ('code' in asking) return answerOf({ outcome: { kind: 'refused', problem: asking } });
    const waiting = { name, controller: new AbortController() };
    this.#awaited.add(waiting);
    try {
      const tool = { name, definition: async () => await this.#definition(name) };
      return await asking.decideForm(this.#gate, { form, tool, awaited, signal: signalOf(waiting.controller), make });
    } finally {
      this.#awaited.delete(waiting);
    }
  }
}

/**
 * Hears what the page's listeners answer, so that it is the gate's answer, too.
 *
 * @param {SubmitEvent} event
 * @param {Making} making
 */
function hear(event, making) {
  const respondWith = Reflect.get(event, 'respondWith');
  const value = (/** @type {unknown} */ answer) => {
    apply(respondWith, event, [answer]);
    making.answer = answer;
  };
  defineProperty(event, 'respondWith', own({ value }));
}
