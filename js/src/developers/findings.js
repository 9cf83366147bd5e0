/** What is wrong with this page, each thing once, and who is told of it: console, panel and authority (PAGE-1, PAGE-2). */

import { inert, location, push, slice, stringify } from '../platform/natives.js';

/** @import { Authority } from '../authority/authority.js' */
/** @import { Finding as Wire } from '../wire.js' */

/**
 * @typedef {object} Finding
 * @property {Wire | 'no_answer'} finding
 * @property {string | null} name of a tool
 * @property {string | null} where the context, form, frame, directive, or the other authority
 */

/** So many of one page's are told: as many as the authority takes at once (PAGE-3). */
const MOST = 32;
const LONGEST = 128;

/** The list. */
export class Findings {
  /** @type {Finding[]} */
  #all = [];
  /** So many of them the authority has been told. */
  #told = 0;
  #say;

  /** @param {(found: Finding) => void} say is called once for each */
  constructor(say) {
    this.#say = say;
  }

  /** @returns {readonly Finding[]} */
  get all() {
    return this.#all;
  }

  /**
   * @param {Finding['finding']} finding
   * @param {unknown} [name] as a page has it
   * @param {unknown} [where]
   */
  add(finding, name, where) {
    const found = { finding, name: short(name), where: short(where) };
    for (let i = 0; i < this.#all.length; i++) {
      const other = /** @type {Finding} */ (this.#all[i]);
      if (other.finding === finding && other.name === found.name && other.where === found.where) return;
    }
    if (this.#all.length === MOST) return;
    push(this.#all, found);
    this.#say(found);
  }

  /**
   * Tells the authority what it has not heard yet. Whether that arrives changes nothing here.
   *
   * @param {Authority} authority
   */
  async report(authority) {
    /** @type {Finding[]} */
    const findings = [];
    for (; this.#told < this.#all.length; this.#told++) {
      const found = /** @type {Finding} */ (this.#all[this.#told]);
      if (found.finding !== 'no_answer' && found.finding !== 'blocked') push(findings, found); // PAGE-5
    }
    if (findings.length === 0) return;
    await authority.post('/findings', stringify(inert({ page: location.pathname, findings })), { keepalive: true });
  }
}

/** @param {unknown} text @returns {string | null} */
const short = (text) => (typeof text === 'string' ? slice(text, 0, LONGEST) : null);
