/** What is wrong with a page is found when it has come to rest, and told once on its console and to the authority (PAGE-1 to PAGE-5). */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';

await import('../platform.js');
const { Watching } = await import('../../src/developers/watching.js');
const { problem } = await import('../../src/authority/authority.js');
const { inert } = await import('../../src/platform/natives.js');
const { refused } = await import('../../src/calls/outcome.js');
const { sentences } = await import('../../src/developers/sentences.js');

const ISSUER = 'https://bank.example/deputize';
/** @param {Partial<import('../../src/types.js').Rule>} [rule] */
const ruled = (rule) => ({ scopes: [], public: false, page: false, opaque: true, pinned: [], approval: 'never', safe: true, ...rule });

/** @type {string[]} */
let warned = [];
/** @type {string[]} */
let loaded = [];
/** @type {import('../../src/developers/panel.js').State[]} */
let shown = [];
/** @type {Array<{path: string, body: any}>} any: what was sent */
let posted = [];
/** What the page and its authority are like. */
let world = fresh();
function fresh() {
  return {
    report: { context: /** @type {const} */ ('native'), tools: /** @type {any[]} any: as the shim reports */ ([]), frames: /** @type {any[]} any: likewise */ ([]) },
    names: /** @type {string[]} */ ([]),
    definition: 'A',
    rules: new Map([['a', ruled()], ['pinned', ruled({ pinned: ['A'] })]]),
    config: /** @type {string | null} */ (null),
    elsewhere: '',
    speaks: /** @type {number | null} */ (1),
    barred: false,
    named: true,
    wished: {},
  };
}

const authority = {
  issuer: ISSUER,
  get elsewhere() {
    return world.elsewhere;
  },
  get barred() {
    return world.barred;
  },
  get speaks() {
    return world.speaks;
  },
  config: async () => (world.config ? { code: world.config } : { tools: world.rules, user: null }),
  post: async (/** @type {string} */ path, /** @type {string} */ body) => void posted.push({ path, body: JSON.parse(body) }),
};
const contexts = {
  names: async () => world.names,
  tool: (/** @type {string} */ name) => (world.names.includes(name) ? { name, definition: async () => world.definition } : undefined),
};
const at = () => ({ authority: /** @type {any} any: as much of it as is used */ (authority), ask: async () => problem('part_unavailable'), named: world.named });
const panel = () => inert({ show: (/** @type {any} any: a state */ state) => void shown.push(state) });

/** @type {InstanceType<typeof Watching>} */
let watching;
const rest = async () => await watching.rested(world.report, world.names);
beforeEach((t) => {
  world = fresh();
  [warned, loaded, shown, posted] = [[], [], [], []];
  watching = new Watching(/** @type {any} any: likewise */ (contexts), at, async () => inert({ sentences, panel }), () => world.wished, async (url) => void loaded.push(url));
  /** @type {any} any: a test's context */ (t).mock.method(console, 'warn', (/** @type {string} */ text) => void warned.push(text));
});

describe('a page that has come to rest', () => {
  test('and is fine sends nothing, says nothing, and asks nothing if it has no tools', async () => {
    await rest();
    world.names = ['a', 'pinned', 'deputize.call_status'];
    await rest();
    assert.deepEqual([warned, posted], [[], []]);
  });

  test('tells each thing once, and what comes later then', async () => {
    world.report.tools = [{ name: 'a', why: 'not_gated', where: 'document.modelContext' }];
    world.names = ['a', 'b'];
    await rest();
    await rest();
    world.names = ['a', 'b', 'c'];
    await rest();
    assert.deepEqual(posted, [
      {
        path: '/findings',
        body: {
          page: '/',
          findings: [
            { finding: 'not_gated', name: 'a', where: 'document.modelContext' },
            { finding: 'unknown_tool', name: 'b', where: null },
          ],
        },
      },
      { path: '/findings', body: { page: '/', findings: [{ finding: 'unknown_tool', name: 'c', where: null }] } },
    ]);
    assert.equal(warned.length, 3);
    assert.match(String(warned[0]), /^deputize: The tool “a” was registered in document\.modelContext before the shim.*Load the shim before all/);
  });

  test('tells of frames what is not secret, and nothing of those without tools', async () => {
    world.report.frames = [
      { where: 'https://bank.example/pay?token=1#2', why: 'no_shim', tools: ['x'] },
      { where: 'about:srcdoc', why: 'no_shim', tools: null },
      { where: 'https://bank.example/empty', why: 'no_shim', tools: [] },
      { where: null, why: 'other_origin', tools: null },
      { where: 'https://bank.example/told', why: 'unguarded', tools: ['x'] },
    ];
    await rest();
    const [{ body }] = /** @type {[{body: any}]} any: what was sent */ (/** @type {unknown} */ (posted));
    assert.deepEqual(body.findings.map((/** @type {{where: string}} */ { where }) => where), ['https://bank.example/pay', 'srcdoc']);
  });

  test('has a tool that is not as it was pinned', async () => {
    world.names = ['a', 'pinned'];
    world.definition = 'B';
    await rest();
    assert.deepEqual(posted.map(({ body }) => body.findings), [[{ finding: 'definition_changed', name: 'pinned', where: null }]]);
  });

  test('has more that is wrong than is told', async () => {
    world.names = [...Array(100).keys()].map((number) => `x${number}${'y'.repeat(1000)}`);
    await rest();
    assert.equal(posted[0]?.body.findings.length, 32);
    assert.equal(posted[0]?.body.findings[0].name.length, 128);
    assert.equal(warned.length, 32);
  });
});

describe('an authority', () => {
  beforeEach(() => {
    world.names = ['a'];
    world.config = 'authority_unavailable';
  });

  test('that is of another origin is told so, and refuses it', async () => {
    world.config = 'misconfigured';
    world.elsewhere = 'https://www.bank.example/deputize';
    await rest();
    assert.match(String(warned), /^deputize: A page at https:\/\/bank\.example uses the authority https:\/\/www\.bank\.example\/deputize, which/);
    assert.deepEqual(posted.map(({ body }) => body.findings[0].finding), ['wrong_origin']);
  });

  test('that does not answer is told nothing, and the developer is', async () => {
    await rest();
    assert.match(String(warned), /^deputize: The authority https:\/\/bank\.example\/deputize gives the page at https:\/\/bank\.example no answer/);
    assert.deepEqual(posted, []);
  });

  for (const [speaks, told] of /** @type {const} */ ([[2, 'protocol 1 here, 2 there'], [null, 'protocol 1 here, none that is named there']])) {
    test(`VERSION-1: that speaks ${speaks === null ? 'no version' : 'another version'} is told so, and both are named`, async () => {
      world.config = 'misconfigured';
      world.speaks = speaks;
      await rest();
      assert.ok(String(warned).includes(`(${told}): nothing that is gated runs. Load the shim from the authority`), String(warned));
      assert.deepEqual(posted.map(({ body }) => body.findings), [[{ finding: 'version_skew', name: null, where: told }]]);
    });
  }

  test('that nobody has named may be another one, so nothing is said of it', async () => {
    world.named = false;
    await rest();
    assert.deepEqual([warned, posted], [[], []]);
  });
});

test('a policy of the page that keeps the shim from its authority is told of, and not that it gave no answer', async () => {
  for (let i = 0; i < 3; i++) watching.forbidden('connect-src');
  world.names = ['a'];
  world.config = 'misconfigured';
  world.barred = true;
  await rest();
  assert.equal(warned.length, 1);
  assert.match(String(warned), /Content-Security-Policy \(connect-src\) keeps the shim from https:\/\/bank\.example\/deputize/);
  assert.deepEqual([posted, loaded], [[], [`${ISSUER}/blocked.mjs`]]);
});

describe('a call that is over', () => {
  const ended = (/** @type {string} */ code, callId = 'cal_1') => watching.ended(refused(code, callId), 'x', false, 0);

  test('tells of a name that is not known, and of a tool that is not as it was pinned', async () => {
    for (const code of ['declined', 'unknown_tool', 'definition_changed', 'unknown_tool']) ended(code);
    await new Promise((resolve) => setTimeout(resolve));
    assert.deepEqual(posted.map(({ body }) => body.findings[0].finding), ['unknown_tool', 'definition_changed']);
  });

  for (const [at, overlay, expected] of /** @type {Array<[string, boolean | undefined, number]>} */ ([
    ['http://localhost:8000/', true, 1],
    ['http://127.0.0.1/', true, 1],
    ['http://localhost:8000/', undefined, 0],
    ['https://localhost/', true, 0],
    ['http://localhost.evil.example/', true, 0],
    ['https://bank.example/', true, 0],
  ])) {
    test(`PAGE-6: is ${expected ? '' : 'not '}in a panel at ${at}${overlay ? '' : ' where none is wished for'}`, async () => {
      world.wished = { overlay };
      location.href = at;
      for (let i = 0; i < 30; i++) ended('declined', `cal_${i}`);
      shown = [];
      await rest();
      location.href = 'https://bank.example/';
      assert.equal(shown.length > 0 ? 1 : 0, expected);
      if (expected) assert.deepEqual(shown.at(-1)?.calls.map(({ callId }) => callId), [...Array(20).keys()].map((i) => `cal_${29 - i}`));
    });
  }
});

test('where the part that has the sentences does not come, the console has the codes', async () => {
  const alone = new Watching(/** @type {any} any: likewise */ (contexts), at, async () => problem('part_unavailable'), () => ({}));
  world.report.tools = [{ name: 'a', why: 'form', where: 'form#pay' }];
  await alone.rested(world.report, []);
  assert.deepEqual(warned, [`deputize: form a form#pay (${ISSUER})`]);
});
