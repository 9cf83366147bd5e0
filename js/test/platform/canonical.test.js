/** Canonical JSON: the same vectors as `tests/protocol/test_canonical.py`, and what only JavaScript can hold. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { runInNewContext } from 'node:vm';

import { actionHash, argsS256, b64u, canonicalize, JsonError, unb64u } from '../../src/platform/canonical.js';

const VECTORS = new URL('../../../tests/vectors/', import.meta.url);
/** @param {string} path */
const read = (path) => readFileSync(new URL(path, VECTORS), 'utf8');
/** @param {string} hex */
const bytes = (hex) => Uint8Array.from(Buffer.from(hex, 'hex'));
const vectors = JSON.parse(read('canonical.json'));

/**
 * @param {() => unknown} run
 * @param {string} reason
 */
function refuses(run, reason) {
  assert.throws(run, (error) => error instanceof JsonError && error instanceof TypeError && error.reason === reason);
}

describe('the rules (JSON-1, JSON-2)', () => {
  for (const { name, text, canonical } of vectors.accepted) {
    test(`accepts ${name}`, () => {
      assert.equal(canonicalize(JSON.parse(text)), canonical);
      assert.equal(canonicalize(JSON.parse(canonical)), canonical);
    });
  }

  for (const { name, text, reason } of vectors.refused_values) {
    test(`refuses ${name}`, async () => {
      const value = JSON.parse(text);
      refuses(() => canonicalize(value), reason);
      await assert.rejects(argsS256(value), { name: 'JsonError', reason });
      await assert.rejects(actionHash('a', value, 'https://site.example'), { name: 'JsonError', reason });
    });
  }

  for (const { name, hex, reason } of vectors.refused_texts) {
    if (reason !== 'not_json') continue; // a parser here keeps the last duplicate, and decoding is not its business
    test(`never sees ${name}`, () => {
      assert.throws(() => JSON.parse(new TextDecoder().decode(bytes(hex))), SyntaxError);
    });
  }

  test('refuses what JSON cannot say, at any depth', () => {
    class Point {
      x = 1;
    }
    const holed = [1, 2, 3];
    delete holed[1];
    const others = [
      undefined, () => 1, Symbol('a'), 1n, NaN, new Date(0), new Map(), new Set(), new Point(), /a/, new Error('a'),
      new String('a'), new Number(1), new Boolean(true), new Uint8Array(1), Promise.resolve(), holed, Object.create({ a: 1 }),
      { toJSON: () => 1 }, Object.assign([1], { toJSON: () => 1 }),
    ];
    for (const value of others) {
      const reason = typeof value === 'number' ? 'non_finite' : 'not_json';
      for (const place of [value, [value], { a: value }, [{ a: [value] }]]) refuses(() => canonicalize(place), reason);
    }
  });

  test('refuses what inherits an idea of its own JSON', (t) => {
    Object.defineProperty(Array.prototype, 'toJSON', { value: () => 'patched', configurable: true });
    t.after(() => Reflect.deleteProperty(Array.prototype, 'toJSON'));
    refuses(() => canonicalize({ a: [1] }), 'not_json');
  });

  test('refuses a value that holds itself', () => {
    /** @type {unknown[]} */
    const endless = [];
    endless.push(endless, endless);
    refuses(() => canonicalize(endless), 'depth');
  });

  test('takes plain data of any realm, and without prototype', () => {
    assert.equal(canonicalize(runInNewContext('({b: [{}], a: 1})')), '{"a":1,"b":[{}]}');
    assert.equal(canonicalize(Object.assign(Object.create(null), { b: 1, a: 2 })), '{"a":2,"b":1}');
  });

  test('takes the same object in two places', () => {
    const twice = { a: 1 };
    assert.equal(canonicalize([twice, twice]), '[{"a":1},{"a":1}]');
  });

  test('does not change the value', () => {
    const value = Object.freeze({ b: Object.freeze([2, 1]), a: 1 });
    assert.equal(canonicalize(value), '{"a":1,"b":[2,1]}');
    assert.deepEqual(Object.keys(value), ['b', 'a']);
  });

  test('natives that a page replaces change nothing', (t) => {
    const { keys, getPrototypeOf } = Object;
    const { isArray } = Array;
    const { isWellFormed } = String.prototype;
    t.after(() => {
      Object.assign(Object, { keys, getPrototypeOf });
      Object.assign(Array, { isArray });
      Object.assign(String.prototype, { isWellFormed });
    });
    Object.assign(Object, { keys: () => [], getPrototypeOf: () => null });
    Object.assign(Array, { isArray: () => false });
    Object.assign(String.prototype, { isWellFormed: () => true });
    refuses(() => canonicalize([{ a: '\ud800' }]), 'lone_surrogate');
    refuses(() => canonicalize(new Date(0)), 'not_json');
  });
});

describe('published test data (RFC 8785)', () => {
  for (const file of readdirSync(new URL('jcs/input/', VECTORS))) {
    test(file, () => {
      const canonical = canonicalize(JSON.parse(read(`jcs/input/${file}`)));
      assert.equal(canonical, read(`jcs/output/${file}`));
      const hex = read(`jcs/outhex/${file.replace('.json', '.txt')}`).replaceAll(/\s/g, '');
      assert.equal(Buffer.from(canonical).toString('hex'), hex);
    });
  }

  test('the first million numbers; String writes those that JSON-2 refuses', () => {
    const published = JSON.parse(read('jcs/numbers.json'));
    const lines = createHash('sha256');
    let count = 0;
    for (const bits of publishedBits(published.static)) {
      const number = bits.readDoubleBE();
      const refused = Math.abs(number) >= 2 ** 53 && Math.abs(number) < 1e21;
      lines.update(`${bits.readBigUInt64BE().toString(16)},${refused ? String(number) : canonicalize(number)}\n`);
      if (++count === 1_000_000) break;
    }
    assert.equal(lines.digest('hex'), published.sha256['1000000']);
  });

  /** @param {string[]} fixed */
  function* publishedBits(fixed) {
    for (const hex of fixed) yield Buffer.from(hex, 'hex');
    for (let i = 0n; i < 2000n; i++) yield bigEndian(0x0010000000000000n + i);
    for (let block = Buffer.alloc(32); ; ) {
      block = createHash('sha256').update(block).digest();
      for (let at = 0; at < 32; at += 8) {
        const number = block.readDoubleLE(at);
        if (number !== 0 && Number.isFinite(number)) yield bigEndian(block.readBigUInt64LE(at));
      }
    }
  }

  /** @param {bigint} bits */
  function bigEndian(bits) {
    const buffer = Buffer.alloc(8);
    buffer.writeBigUInt64BE(bits);
    return buffer;
  }
});

describe('base64url', () => {
  for (const { hex, text } of vectors.base64url.accepted) {
    test(`accepts ${JSON.stringify(text)}`, () => {
      assert.equal(b64u(bytes(hex)), text);
      assert.deepEqual(unb64u(text), bytes(hex));
    });
  }

  for (const text of vectors.base64url.refused) {
    test(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => unb64u(text), TypeError));
  }

  test('has room for more than an argument list', () => {
    const long = new Uint8Array(300_000).fill(255);
    assert.deepEqual(unb64u(b64u(long)), long);
  });
});

describe('hashes', () => {
  for (const { name, text, s256 } of vectors.accepted) {
    test(`args_s256 of ${name} (HASH-1)`, async () => assert.equal(await argsS256(JSON.parse(text)), s256));
  }

  for (const { name, tool, args, server_id: serverId, hex } of vectors.action_hash.accepted) {
    test(`action hash: ${name} (HASH-2)`, async () => {
      assert.deepEqual(await actionHash(tool, args, serverId), bytes(hex));
    });
  }

  for (const { name, tool, server_id: serverId } of vectors.action_hash.refused) {
    test(`no action hash: ${name} (HASH-2)`, () => assert.rejects(actionHash(tool, {}, serverId), TypeError));
  }
});
