/**
 * Every test runs in a page that has put something where promises look: a process fails in which anything of the shim's was met there
 * (SHIM-8). What a promise of the platform's brings is met without a frame of the shim's, so that is known by its kind.
 */
import { exec, push } from '../src/platform/natives.js';

/** Values of the page's own, on their way through the shim: what a tool returns, and what an MCP client of the page's has received. */
const THEIRS = /at (?:async )?(?:Gate\.call|Gate\.perform|execute|send) /;
const BY_THE_SHIM = /^[^\n]*\n[^\n]*\/js\/src\/[^\n]*/;
const { ArrayBuffer, Response } = globalThis;
const { captureStackTrace } = Error;
const { defineProperty } = Reflect;
const { then } = Promise.prototype;

/** @type {string[]} */
const met = [];

/**
 * @param {object} owner
 * @param {PropertyKey} key
 * @param {(self: unknown) => unknown} told what is found there
 */
function trap(owner, key, told) {
  /** @this {unknown} */
  function get() {
    const at = { stack: '' };
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 1; // a hundred thousand of them are written, of which the first line is read
    captureStackTrace(at, get);
    Error.stackTraceLimit = limit;
    const where = exec(BY_THE_SHIM, at.stack)?.[0] ?? (this instanceof Response || this instanceof ArrayBuffer ? 'by the platform' : '');
    if (where && !exec(THEIRS, where)) push(met, where);
    return told(this);
  }
  /** @this {object} @param {unknown} value */
  function set(value) {
    defineProperty(this, key, { value, writable: true, enumerable: true, configurable: true });
  }
  defineProperty(owner, key, { configurable: true, get, set });
}

trap(Object.prototype, 'then', () => undefined);
trap(Promise.prototype, 'then', () => then);
trap(Promise, Symbol.species, (self) => self);

process.on('exit', () => {
  if (met.length === 0) return;
  process.exitCode = 1;
  console.error('A page has met what is inside:', new Set(met));
});
