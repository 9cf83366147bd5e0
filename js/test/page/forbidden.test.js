/** What the page's own policy keeps the shim from is heard, and nothing that somebody makes up (PAGE-1). */
import assert from 'node:assert/strict';
import { test } from 'node:test';

/** An event of the browser's own, as far as the shim reads it. */
class SecurityPolicyViolationEvent extends Event {
  #blocked;
  #disposition;
  /** @param {string} blocked @param {string} disposition */
  constructor(blocked, disposition) {
    super('securitypolicyviolation');
    this.#blocked = blocked;
    this.#disposition = disposition;
  }
  get blockedURI() {
    return this.#blocked;
  }
  get effectiveDirective() {
    return 'connect-src';
  }
  get disposition() {
    return this.#disposition;
  }
}
const document = new EventTarget();
/** @type {(event: object) => void} */
let told = () => {};
document.addEventListener = () => assert.fail('a page has its own');
const { addEventListener } = EventTarget.prototype;
EventTarget.prototype.addEventListener = function (type, listener, ...rest) {
  if (this === document) told = /** @type {any} any: it is called with more than events */ (listener);
  else Reflect.apply(addEventListener, this, [type, listener, ...rest]);
};
Object.assign(globalThis, { SecurityPolicyViolationEvent, document });
await import('../platform.js');
const { onForbidden } = await import('../../src/page/forbidden.js');

const ISSUER = 'https://bank.example/deputize';
/** @type {string[]} */
const heard = [];
onForbidden(() => ISSUER, (directive) => heard.push(directive));

for (const [what, blocked, disposition, isTrusted, expected] of /** @type {Array<[string, string, string, boolean, string[]]>} */ ([
  ['a request to the authority', `${ISSUER}/tools`, 'enforce', true, ['connect-src']],
  ['a request to somebody else', 'https://elsewhere.example/deputize/tools', 'enforce', true, []],
  ['a request to a neighbour', `${ISSUER}s/tools`, 'enforce', true, []],
  ['what is reported only', `${ISSUER}/tools`, 'report', true, []],
  ['what a script tells', `${ISSUER}/tools`, 'enforce', false, []],
])) {
  test(`${what} is ${expected.length > 0 ? '' : 'not '}heard`, () => {
    told(Object.defineProperty(new SecurityPolicyViolationEvent(blocked, disposition), 'isTrusted', { value: isTrusted }));
    assert.deepEqual(heard.splice(0), expected);
  });
}
