/** Which results have reached an agent, so that an equal call is a new one (CALL-6, CALL-10); a reload keeps the list. */

import { isArray, parse, sessionStorage, stringify } from '../platform/natives.js';
import { textOf } from '../platform/json.js';

const LIMIT = 32;

/** The calls that the authority has not been told of yet, for each user. */
export class Delivered {
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
   * What goes with the next call.
   *
   * @param {string} user
   * @returns {string[]}
   */
  list(user) {
    try {
      const list = parse(sessionStorage?.getItem(this.#name + user) ?? '[]');
      return isArray(list) ? list.map(textOf).filter(Boolean) : [];
    } catch {
      return [];
    }
  }

  /**
   * That call was answered, so the authority knows of these.
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
