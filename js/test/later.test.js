/** What comes second: taken to the letter, tried again, and missing in words (SHIM-8, SHIM-14). */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';

import { TestAuthority } from './authority.js';
import { page, registered } from './harness.js';

const { later } = await import('../src/later.js');
const { served } = await import('../src/served.js');
const { Gate } = await import('../src/calls/gate.js');
const { problem } = await import('../src/authority/authority.js');
const { b64u, sha256 } = await import('../src/platform/canonical.js');

const STATIC = new URL('../../server/deputize/web/static/', import.meta.url);
/** @param {unknown[]} take @param {(second: object) => void} give */
const made = function (take, give) { give({ took: take[0] }); }; // prettier-ignore
/** @param {string} text of a function */
const inAFrame = (text) => runInNewContext(`(${text})`);
const S256 = b64u(await sha256(String(made)));
/** @param {unknown} what */
const brought = (what) => served(async () => /** @type {any} */ ({ default: what }), './parts/x.mjs', 0, S256, ['handed']);

describe('SHIM-14: a second file is taken to the letter', () => {
  test('it gets what the first one hands to it', async () => {
    assert.equal(/** @type {{took: unknown}} */ (await brought(made)).took, 'handed');
  });

  const others = {
    'another function': (/** @type {unknown[]} */ take, /** @type {(second: object) => void} */ give) => give({ took: [take[0]] }),
    'what answers for its text itself': Object.assign((/** @type {unknown[]} */ take) => take, { toString: () => String(made) }),
    'what stands before the right one': new Proxy(made, {}),
    'what is bound to the right one': made.bind(null),
    'the same of another realm': inAFrame(String(made)),
    'the same of another realm, which says that it is of this one': Object.freeze(
      Object.assign(Object.setPrototypeOf(inAFrame(String(made)), Function.prototype), { prototype: Object.prototype, constructor: Function }),
    ),
    'a text': String(made),
    nothing: undefined,
  };
  for (const [what, other] of Object.entries(others)) {
    test(`${what} gets nothing`, async () => {
      await assert.rejects(brought(other), TypeError);
    });
  }

  test('where it did not come, it is looked for elsewhere the next time', async () => {
    const looked = /** @type {string[]} */ ([]);
    const look = (/** @type {number} */ failed) =>
      served(async (address) => (looked.push(address), /** @type {any} */ ({ default: made })), './parts/x.mjs', failed, S256, []);
    await look(0);
    await look(2);
    assert.deepEqual(looked, ['./parts/x.mjs', './parts/x.mjs?2']);
  });

  for (const [first, second] of [['shim.js', 'asking'], ['shim.mjs', 'asking'], ['shim.mjs', 'developers'], ['mcp.mjs', 'mcp-asking']]) {
    test(`${first} knows the text of ${second}.mjs, and where that is`, async () => {
      const { default: whole } = await import(new URL(`${second}.mjs`, STATIC).href);
      const digest = b64u(await sha256(String(whole)));
      const text = await readFile(new URL(first ?? '', STATIC), 'utf8');
      assert.equal(text.split(digest).length, 3, 'in the address, and by itself');
      assert.ok(text.includes(`"./parts/${second}.${digest}.mjs"`));
      const [banner] = (await readFile(new URL(`${second}.mjs`, STATIC), 'utf8')).split('\n');
      assert.ok(banner?.includes(` ${digest} `), 'whoever serves it reads it there');
    });
  }
});

describe('what comes later', () => {
  test('comes once, for all who ask', async () => {
    let loads = 0;
    const second = later(async () => ({ loads: ++loads }));
    assert.deepEqual(await Promise.all([second(), second()]), [{ loads: 1 }, { loads: 1 }]);
  });

  test('is tried again by who asks after it has failed', async () => {
    const error = console.error;
    console.error = () => {};
    try {
      const second = later(async (failed) => {
        if (failed < 2) throw new TypeError('Failed to fetch dynamically imported module');
        return { failed };
      });
      assert.deepEqual([await second(), await second()], [problem('part_unavailable'), problem('part_unavailable')]);
      assert.deepEqual(await second(), { failed: 2 });
    } finally {
      console.error = error;
    }
  });
});

test('SHIM-14: without it nothing runs, nothing is asked of the authority, and both are told why', async () => {
  const server = await new TestAuthority().start();
  try {
    const { authority } = page(server);
    const gate = new Gate(authority, async () => problem('part_unavailable'));
    const never = () => assert.fail('it has run');
    const result = /** @type {any} */ (await gate.call(registered('get_balance'), never, {}, undefined));
    assert.equal(result.structuredContent.code, 'part_unavailable');
    assert.match(result.content[0].text, /Tell the user to reload the page/);
    await assert.rejects(gate.perform(registered('get_balance'), never, {}), { code: 'part_unavailable', message: /Reload the page/ });
    assert.deepEqual(server.requests.filter(({ path }) => path.endsWith('/calls')), []);
  } finally {
    server.stop();
  }
});

describe('what a page loads before its first call is small', () => {
  for (const [name, most] of /** @type {const} */ ([['shim.js', 14.2], ['shim.mjs', 14.2], ['mcp.mjs', 14]])) {
    test(`${name}: at most ${most} KB by gzip -9`, async () => {
      const size = gzipSync(await readFile(new URL(name, STATIC)), { level: 9 }).length;
      assert.ok(size <= most * 1000, `it has ${size} bytes`);
    });
  }
});
