/**
 * Which results have reached their agent. The authority is told with the next call, and so takes an equal one for a new one
 * (CALL-6, CALL-10). A reload keeps the list.
 */

import { isArray, parse, sessionStorage, stringify } from '../platform/natives.js';
import { textOf } from '../platform/json.js';

const LIMIT = 32;

/** The calls that the authority has not been told of yet, for each user. */
export class Acknowledgements {
  #name;

  /** @param {string} issuer */
  constructor(issuer) {
    this.#name = `deputize.delivered ${issuer} `;
  }

  /**
   * @param {string} user
   * @param {string} callId
   */
  add(user, callId) {
    this.#write(user, [...this.list(user), callId].slice(-LIMIT));
  }

  /**
   * The calls to tell of with the next one.
   *
   * @param {string} user
   * @returns {string[]}
   */
  list(user) {
    try {
      const list = parse(sessionStorage?.getItem(this.#name + user) ?? '[]');
      return isArray(list) ? list.map(textOf).filter((each) => each) : [];
    } catch {
      return [];
    }
  }

  /**
   * Takes out those that the authority has been told of.
   *
   * @param {string} user
   * @param {readonly string[]} told
   */
  remove(user, told) {
    if (told.length > 0) this.#write(user, this.list(user).filter((callId) => !told.includes(callId)));
  }

  /**
   * @param {string} user
   * @param {string[]} list
   */
  #write(user, list) {
    try {
      sessionStorage?.setItem(this.#name + user, stringify(list));
    } catch {
      // A full or forbidden store: the authority then answers `already_executed` for two minutes, which is safe.
    }
  }
}
