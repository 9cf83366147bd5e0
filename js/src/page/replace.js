/** Puts work in the place of what is there, so that it looks as before. */

import { defineProperty, getOwnPropertyDescriptor, getPrototypeOf, hasOwn } from '../platform/natives.js';

/**
 * Puts `work` in the place of a method, where the chain has it: the interface's prototype, or a polyfill's plain object.
 *
 * @param {object} object
 * @param {string} name
 * @param {(original: Function, self: unknown, args: unknown[]) => unknown} work
 * @returns {boolean} false where there is no such method
 * @throws {TypeError} where the object may not be changed
 */
export function replace(object, name, work) {
  const original = Reflect.get(object, name);
  if (typeof original !== 'function') return false;
  let owner = object;
  while (!hasOwn(owner, name)) owner = getPrototypeOf(owner);
  const { enumerable, configurable } = /** @type {PropertyDescriptor} */ (getOwnPropertyDescriptor(owner, name));
  // Method shorthand: like the native one it has no `prototype` and cannot be constructed.
  const { [name]: value } = {
    /** @param {unknown[]} args */
    [name](...args) {
      return work(original, this, args);
    },
  };
  defineProperty(value, 'length', { ...own(getOwnPropertyDescriptor(original, 'length')) });
  defineProperty(owner, name, own({ enumerable, configurable, writable: true, value }));
  return true;
}

/**
 * A property descriptor without a prototype, so that a polluted Object.prototype adds nothing to it.
 *
 * @param {PropertyDescriptor | undefined} descriptor
 * @returns {PropertyDescriptor}
 */
export const own = (descriptor) => Object.assign(Object.create(null), descriptor);
