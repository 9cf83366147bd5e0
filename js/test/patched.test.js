/** SHIM-8: page script that replaces the platform after the shim has loaded has no say in what a dialog shows (`natives.js`). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import './platform.js';

const { first } = await import('../src/platform/concurrency.js');
const { bare } = await import('../src/platform/json.js');
const { approvalView, askedIn, consentView, detailsOf, enrollmentView, linesFrom, linesIn } = await import('../src/people/view.js');
const { mixed, partsOf, plain, visible } = await import('../src/people/shown.js');
const { actionHash, argsS256, b64u } = await import('../src/platform/canonical.js');
const { isOver } = await import('../src/people/ceremony.js');
const { when } = await import('../src/words/dialogs.js');
const { say, wished, wordsFor } = await import('../src/words/words.js');

const { rows } = JSON.parse(readFileSync(new URL('../../tests/vectors/shown-text.json', import.meta.url), 'utf8'));
const LINES = [{ part: 'title', line: 'May \u2068the agent\u2069 do this?' }, { part: 'scope', line: 'See your accounts' }];
const SHOWN = { site: 'Harbor', user: 'Ada', language: 'en', text_s256: await argsS256(LINES.map(({ line }) => line)) };
const NAME = 'Sho\u0440per';
const ASKED = bare({ text: { language: 'en', lines: [{ part: 'row', line: 'To' }, { part: 'value', line: 'Ada' }] } });
const DESCRIPTION = 'Send \u2068“Ada”\u2069 now \u2068x';
const ENVELOPE = bare({ displayText: `${DESCRIPTION}\nTo: Ada`, text: { lines: [{ part: 'headline', line: DESCRIPTION }, { part: 'row', line: 'To' }, { part: 'value', line: 'Ada' }] } });
const ARGS = { amount: 250, name: ' Ada  \u202Eb\u0430nk', nested: { list: [1, 'x'] }, empty: '' };

const CONSENT = bare(structuredClone(SHOWN));
const TEXT = bare({ language: 'en', lines: structuredClone(LINES) });
const TEXTS = rows.slice(0, 60).map((/** @type {{text: string}} */ { text }) => text);
const given = { status: 'given' };
const never = new Promise(() => {});
const mine = Promise.resolve(given);

/** All that is said on the way to a dialog, made at once, without anything that is replaced. */
function everything() {
  const texts = [];
  for (let i = 0; i < TEXTS.length; i++) texts[i] = { plain: plain(TEXTS[i]), visible: visible(TEXTS[i]), mixed: mixed(TEXTS[i]) };
  return {
    approval: approvalView({ site: 'Harbor', user: 'Ada', language: '', lines: linesFrom(ENVELOPE), details: detailsOf(ARGS), kind: '', agent: true }),
    told: linesIn(askedIn(ASKED)),
    enrollment: enrollmentView({ site: 'Harbor', user: 'Ada' }),
    parts: partsOf(DESCRIPTION),
    texts,
    said: say('script-and', { one: 'x', other: 'y' }),
    words: wordsFor('declined'),
    wished: wished(['de-AT', 'en'], 'de'),
    time: when(86_400_000),
    bare: bare({ a: [{ b: 1 }] }),
  };
}

/** The lines of a consent. */
async function lines() {
  const view = await consentView(CONSENT, TEXT);
  return view && linesIn(view);
}

/**
 * What page script can replace: every method of what texts, lists and patterns are made of, and of their iterators.
 *
 * @returns {Array<{name: string, owner: any, key: PropertyKey}>} any: prototypes and constructors
 */
function replaceable() {
  const made = { Array: [].values(), String: ''[Symbol.iterator](), RegExp: ''.matchAll(/x/g), Map: new Map().values(), Set: new Set().values() };
  /** @type {Array<[string, any]>} */
  const owners = [
    ...[String, Array, RegExp, Map, Set, Number].map((kind) => /** @type {[string, any]} */ ([`${kind.name}.prototype`, kind.prototype])),
    ...Object.entries(made).map(([name, each]) => /** @type {[string, any]} */ ([`iterators of ${name}`, Object.getPrototypeOf(each)])),
    ...Object.entries({ Object, Array, String, JSON, Reflect, Intl, Number, Promise, globalThis: globalThis }),
  ];
  /** @param {PropertyDescriptor | undefined} is */
  const works = (is) => is?.configurable && (typeof is.value === 'function' || is.get);
  return owners.flatMap(([name, owner]) =>
    Reflect.ownKeys(owner)
      .filter((key) => works(Object.getOwnPropertyDescriptor(owner, key)))
      .map((key) => ({ name: `${name}.${String(key)}`, owner, key })),
  );
}

test('nothing that a page replaces later is asked on the way to a dialog', async () => {
  const told = everything();
  const consent = await lines();
  const { defineProperty, getOwnPropertyDescriptor } = Object;
  const all = replaceable();
  assert.ok(all.length > 250 && consent);
  /** @type {unknown[]} */
  const asked = [];
  for (let i = 0; i < all.length; i++) {
    const { name, owner, key } = /** @type {{name: string, owner: any, key: PropertyKey}} */ (all[i]);
    const kept = /** @type {PropertyDescriptor} */ (getOwnPropertyDescriptor(owner, key));
    const lie = () => {
      throw new RangeError(name);
    };
    const replaced = kept.get ? { ...kept, get: lie } : { ...kept, value: lie };
    let now;
    let read;
    let won;
    defineProperty(owner, key, replaced);
    try {
      now = everything();
      read = lines();
      won = first(never, mine);
    } catch (error) {
      now = error;
    } finally {
      defineProperty(owner, key, kept); // before anybody else has a turn
    }
    try {
      assert.deepEqual(now, told);
      assert.equal(await won, given);
      assert.equal(await read, consent);
    } catch {
      asked.push(name);
    }
  }
  assert.deepEqual(asked, []);
});

test('what a challenge is over is told by nothing that a page replaces later', async () => {
  const action = { tool: 'transfer_money', args: ARGS, issuer: 'https://bank.example/deputize' };
  const hash = await actionHash(action.tool, action.args, action.issuer);
  const challenge = b64u(new Uint8Array([...new Uint8Array(32).fill(7), ...hash]));
  const shown = { ...action, args: { ...ARGS, amount: 1 } };
  const { defineProperty, getOwnPropertyDescriptor } = Object;
  const bytes = Object.getPrototypeOf(Uint8Array.prototype);
  const more = ['length', 'subarray', 'slice', 'every', 'at'].map((key) => ({ name: `bytes.${key}`, owner: bytes, key }));
  const all = [...replaceable(), ...more, { name: 'encode', owner: TextEncoder.prototype, key: 'encode' }, { name: 'atob', owner: globalThis, key: 'atob' }];
  /** @type {unknown[]} */
  const asked = [];
  for (let i = 0; i < all.length; i++) {
    const { name, owner, key } = /** @type {{name: string, owner: any, key: PropertyKey}} */ (all[i]);
    const kept = /** @type {PropertyDescriptor} */ (getOwnPropertyDescriptor(owner, key));
    const lies = [() => '', () => 0, () => true, () => [], () => null];
    for (let j = 0; j < lies.length; j++) {
      let answers;
      defineProperty(owner, key, kept.get ? { ...kept, get: lies[j] } : { ...kept, value: lies[j] });
      try {
        answers = [isOver(challenge, action), isOver(challenge, shown)]; // all but the digest and what follows it is done here
      } finally {
        defineProperty(owner, key, kept);
      }
      if (!(await answers[0]) || (await answers[1])) asked[asked.length] = name;
    }
  }
  assert.deepEqual(asked, []);
});

test('setters on indexes of lists get nothing, and add nothing', () => {
  const show = () => approvalView({ site: 'Harbor', user: 'Ada', language: '', lines: linesFrom(bare({ displayText: 'a\nb' })), details: detailsOf({ amount: 250, name: 'Ada', list: [1] }), kind: '', agent: false });
  const told = { parts: partsOf(DESCRIPTION), view: show(), mixed: mixed(NAME) };
  /** @type {unknown[]} */
  const got = [];
  for (let i = 0; i < 4; i++) {
    Object.defineProperty(Array.prototype, i, { configurable: true, get: () => 'lie', set: (value) => got.push(value) });
  }
  let now;
  try {
    now = { parts: partsOf(DESCRIPTION), view: show(), mixed: mixed(NAME) };
  } finally {
    for (let i = 0; i < 4; i++) Reflect.deleteProperty(Array.prototype, i);
  }
  assert.deepEqual(now, told);
  assert.deepEqual(got, []);
});

/** What a page would rather have than what it meets. @param {any} value any: whatever is met */
function lie(value) {
  if (typeof value === 'boolean') return !value;
  if (value instanceof ArrayBuffer || value instanceof Uint8Array) return new ArrayBuffer(32);
  return value?.kind === 'consent' ? { ...value, lines: [{ part: 'title', line: 'A LIE' }] } : value;
}

const { then } = Promise.prototype;
/** @extends {Promise<unknown>} */
class New extends Promise {}
let lying = false;
/** @type {Array<{owner: object, key: PropertyKey, is: PropertyDescriptor & ThisType<any>}>} what promises ask for by name; any: whatever is asked */
const ASKED_FOR = [
  {
    owner: Object.prototype,
    key: 'then',
    is: {
      get() {
        const told = lying ? this : lie(this);
        if (told === this) return undefined;
        return (/** @type {(value: unknown) => void} */ resolve) => {
          lying = true;
          resolve(told);
          lying = false;
        };
      },
    },
  },
  {
    owner: Promise.prototype,
    key: 'then',
    is: {
      /** @param {(value: unknown) => void} yes @param {() => void} no */
      value(yes, no) {
        // A browser's digest does not chain promises; Node's does.
        return Reflect.apply(then, this, [(/** @type {unknown} */ value) => yes(value instanceof ArrayBuffer ? value : lie(value)), no]);
      },
    },
  },
  { owner: Promise.prototype, key: 'constructor', is: { get: () => class {} } },
  { owner: Promise, key: Symbol.species, is: { get: () => New } },
];

test('what promises ask for by name has no say in what is shown, and in what a challenge is over', async () => {
  const action = { tool: 'transfer_money', args: ARGS, issuer: 'https://bank.example/deputize' };
  const hash = await actionHash(action.tool, action.args, action.issuer);
  const challenge = b64u(new Uint8Array([...new Uint8Array(32).fill(7), ...hash]));
  const all = async () => [await lines(), await argsS256(ARGS), await isOver(challenge, action), await isOver(challenge, { ...action, args: {} })].join();
  const told = await all();
  for (const traps of [...ASKED_FOR.map((each) => [each]), ASKED_FOR]) {
    const kept = traps.map(({ owner, key }) => Object.getOwnPropertyDescriptor(owner, key));
    for (const { owner, key, is } of traps) Reflect.defineProperty(owner, key, { ...is, configurable: true });
    let now;
    try {
      now = await all();
    } finally {
      for (const [i, { owner, key }] of traps.entries()) Reflect.defineProperty(owner, key, /** @type {PropertyDescriptor} */ (kept[i]));
    }
    assert.equal(now, told, traps.map(({ key }) => String(key)).join());
  }
});

test('subclasses and single promises have constructors of their own, as before', async () => {
  /** @param {number} value */
  function Old(value) {
    return Reflect.construct(Promise, [(/** @type {(value: number) => void} */ resolve) => resolve(value)], Old);
  }
  Old.prototype = Object.create(Promise.prototype);
  Old.prototype.constructor = Old; // as was written before classes
  const single = Promise.resolve(1);
  single.constructor = Old;
  assert.deepEqual([Old.prototype.constructor, New.resolve(1).constructor, single.constructor, Promise.resolve(1).constructor], [Old, New, Old, Promise]);
  assert.ok(New.resolve(1).then(() => 1) instanceof New);
  assert.deepEqual(await Promise.all([new New((resolve) => resolve(2)), single]), [2, 1]);
});
