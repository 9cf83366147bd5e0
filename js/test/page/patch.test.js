/** The replacement of `registerTool`, over a minimal ModelContext and over a real polyfill (SHIM-1, SHIM-9). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { afterEach, before, beforeEach, describe, test } from 'node:test';

import { argsS256 } from '../../src/platform/canonical.js';
import { Patch } from '../../src/page/patch.js';
import { saying } from '../../src/page/tool.js';

/** @import { ModelContext } from '../../src/page/patch.js' */
/** @typedef {any} Tool any: what a page passes, right or wrong */

/** As the native one: a method of the prototype that knows its own objects and reads a dictionary (docs/architecture.md §7). */
class MinimalContext extends EventTarget {
  /** @type {Map<string, Tool>} */
  #tools = new Map();

  /** @param {Tool} tool @param {{signal?: AbortSignal}} [options] */
  async registerTool(tool, options) {
    if (arguments.length === 0) throw new TypeError('1 argument required, but only 0 present.');
    const { name, description, execute, inputSchema, title } = tool;
    if (typeof execute !== 'function') throw new TypeError('execute is required');
    if (name === undefined || this.#tools.has(`${name}`)) throw new DOMException('bad name', 'InvalidStateError');
    this.#tools.set(`${name}`, { name: `${name}`, description: `${description}`, title, inputSchema: JSON.stringify(inputSchema), execute });
    options?.signal?.addEventListener('abort', () => this.#tools.delete(`${name}`));
    this.dispatchEvent(new Event('toolchange'));
  }

  /** @param {Tool} tool @param {unknown} input @param {{signal?: AbortSignal, deputize_delegation?: unknown}} [options] */
  async executeTool(tool, input, options) {
    if (!this.#tools.has(tool.name)) throw new DOMException('no such tool', 'NotFoundError');
    return this.run(tool.name, input, { signal: options?.signal });
  }

  async getTools() {
    return [...this.#tools.values()];
  }

  /** @param {string} name @param {unknown} input @param {...unknown} rest */
  async run(name, input, ...rest) {
    return Reflect.apply(this.#tools.get(name).execute, undefined, [JSON.parse(JSON.stringify(input)), ...rest]);
  }
}

/** @type {Array<{tool: {name: string, definition: () => Promise<string>}, input: unknown, signal: AbortSignal | undefined}>} */
let calls = [];
/** What the policy says of all names. @type {import('../../src/calls/gate.js').Standing | null} */
let standing = null;
const gate = /** @type {import('../../src/calls/gate.js').Gate} */ (
  /** @type {unknown} */ ({
    /** @param {any} tool @param {Function} execute @param {unknown} input @param {AbortSignal | undefined} signal */
    async call(tool, execute, input, signal) {
      calls.push({ tool, input, signal });
      return execute(input, 'client');
    },
    standing: () => standing,
  })
);
const original = Object.getOwnPropertyDescriptor(MinimalContext.prototype, 'registerTool') ?? {};
const originalExecute = Object.getOwnPropertyDescriptor(MinimalContext.prototype, 'executeTool') ?? {};
/** @type {MinimalContext} */
let context;
/** @type {Patch} */
let patch;

beforeEach(() => {
  calls = [];
  standing = null;
  context = new MinimalContext();
  patch = new Patch(/** @type {ModelContext} */ (context), gate);
});
afterEach(() => void Object.defineProperties(MinimalContext.prototype, { registerTool: original, executeTool: originalExecute }));

const plain = () => ({ name: 'a', description: 'A tool', inputSchema: { type: 'object' }, execute: (/** @type {unknown[]} */ ...all) => all });

describe('SHIM-1: the gate is inside execute', () => {
  test('every call of a tool goes through it, with the input and the signal', async () => {
    await context.registerTool(plain());
    const { signal } = new AbortController();
    assert.deepEqual(await context.run('a', { x: 1 }, { signal }), [{ x: 1 }, 'client']);
    assert.deepEqual(calls.map(({ tool, input }) => [tool.name, input]), [['a', { x: 1 }]]);
    assert.equal(calls[0]?.signal, signal);
  });

  test('a platform that passes no second argument will do', async () => {
    await context.registerTool(plain());
    assert.deepEqual(await context.run('a', {}), [{}, 'client']);
    assert.equal(calls[0]?.signal, undefined);
  });

  test('the tool given stays as it is, and what it does later changes nothing', async () => {
    const tool = plain();
    const { execute } = tool;
    await context.registerTool(tool);
    assert.equal(tool.execute, execute);
    tool.execute = () => ['other'];
    assert.deepEqual(await context.run('a', {}), [{}, 'client']);
  });

  test('members are read once, wherever they lie', async () => {
    let reads = 0;
    class Mine {
      #secret = 'a';
      get name() {
        reads += 1;
        return this.#secret;
      }
      description = 'A tool';
      title = 'Mine';
      execute() {
        return 'mine';
      }
    }
    await context.registerTool(new Mine());
    assert.equal(reads, 1);
    assert.equal(await context.run('a', {}), 'mine');
    assert.equal((await context.getTools())[0].title, 'Mine');
  });

  test('a callable object is a tool too, and a name that is an object is heard once', async () => {
    let asked = 0;
    const name = { toString: () => (asked++ === 0 ? 'search_help' : 'transfer_money') };
    await context.registerTool({ ...plain(), name });
    await context.run('search_help', {});
    assert.equal(calls[0]?.tool.name, 'search_help');
    const callable = () => {};
    for (const [member, value] of Object.entries({ ...plain(), name: 'callable' })) Object.defineProperty(callable, member, { value });
    await context.registerTool(callable);
    await context.run('callable', {});
    assert.equal(calls[1]?.tool.name, 'callable');
  });
});

describe('the replacement looks like the native method', () => {
  test('length, name, descriptor, identity, no prototype, not to be constructed', () => {
    const { registerTool } = MinimalContext.prototype;
    assert.equal(registerTool.length, /** @type {Function} */ (original.value).length);
    assert.equal(registerTool.name, 'registerTool');
    assert.equal(context.registerTool, registerTool);
    assert.equal('prototype' in registerTool, false);
    assert.throws(() => Reflect.construct(registerTool, []), TypeError);
    const { value: _, ...flags } = Object.getOwnPropertyDescriptor(MinimalContext.prototype, 'registerTool') ?? {};
    const { value: __, ...before } = original;
    assert.deepEqual(flags, before);
    assert.equal(Object.hasOwn(context, 'registerTool'), false, 'the object itself is untouched');
  });

  test('it refuses foreign objects and bad arguments in the words of the platform', async () => {
    await assert.rejects(Reflect.apply(context.registerTool, {}, [plain()]), TypeError);
    await assert.rejects(Reflect.apply(context.registerTool, context, []), /1 argument required/);
    await assert.rejects(context.registerTool({ ...plain(), execute: 'no' }), /execute is required/);
    await assert.rejects(context.registerTool({ ...plain(), name: undefined }), { name: 'InvalidStateError' });
    await assert.rejects(context.registerTool(/** @type {any} any: wrong */ (null)), TypeError);
    const broken = new Error('my getter');
    await assert.rejects(context.registerTool(Object.defineProperty(plain(), 'name', { get() { throw broken; } })), (error) => error === broken);
    assert.deepEqual(await context.getTools(), []);
  });

  test('options are passed on', async () => {
    const controller = new AbortController();
    await context.registerTool(plain(), { signal: controller.signal });
    controller.abort();
    assert.deepEqual(await context.getTools(), []);
  });
});

describe('the browser reads what the page gave', () => {
  const read = /** @type {string[]} */ ([]);
  /** @param {object} members */
  const logged = (members) => {
    read.length = 0;
    return new Proxy(members, { get: (_, name) => (read.push(String(name)), Reflect.get(members, name)) });
  };

  test('in its own order, once, and no further than it would', async () => {
    await context.registerTool(logged(plain()), logged({}));
    assert.deepEqual(read, ['name', 'description', 'execute', 'inputSchema', 'title', 'signal']);
    await assert.rejects(context.registerTool(logged({ ...plain(), name: 'b', get inputSchema() { throw new RangeError('mine'); } }), logged({})), RangeError);
    assert.deepEqual(read, ['name', 'description', 'execute', 'inputSchema']);
    assert.deepEqual(patch.all().map(({ name }) => name), ['a']);
  });

  test('a schema that was never read to its end has no tool', async () => {
    await assert.rejects(context.registerTool({ ...plain(), inputSchema: { toJSON() { throw new RangeError('mine'); } } }), RangeError);
    assert.equal(patch.tool('a'), undefined);
  });
});

describe('EVID-1: the member is declared where the tool is gated, or where nobody knows yet', () => {
  for (const [known, shown] of /** @type {const} */ ([[null, true], ['gated', true], ['unknown', true], ['public', false]])) {
    for (const inputSchema of [{ type: 'object', properties: {} }, undefined]) {
      test(`${known}, ${inputSchema ? 'with' : 'without'} a schema`, async () => {
        standing = known;
        await context.registerTool({ ...plain(), inputSchema });
        const [listed] = await context.getTools();
        if (shown) assert.deepEqual(Object.keys(JSON.parse(listed.inputSchema).properties), ['deputize_delegation']);
        else assert.equal(listed.inputSchema, JSON.stringify(inputSchema));
        assert.equal(await patch.tool('a')?.definition(), await argsS256({ description: 'A tool', inputSchema: inputSchema ?? null, name: 'a' }));
      });
    }
  }
});

describe('EVID-1: an in-page agent passes its evidence in the options', () => {
  const [input, deputize_delegation] = [{ x: 1 }, 'token~proof'];

  test('which the shim moves into the input, and nothing else', async () => {
    await context.registerTool(plain());
    const { signal } = new AbortController();
    const passed = { deputize_delegation, signal };
    assert.deepEqual(await context.executeTool({ name: 'a' }, input, passed), [{ x: 1, deputize_delegation }, 'client']);
    assert.equal(calls[0]?.signal, signal);
    assert.deepEqual([input, passed], [{ x: 1 }, { deputize_delegation, signal }]);
  });

  test('in place of what the input had, so that nobody is heard twice', async () => {
    await context.registerTool(plain());
    await context.executeTool({ name: 'a' }, { ...input, deputize_delegation: 'old' }, { deputize_delegation });
    assert.deepEqual(calls[0]?.input, { x: 1, deputize_delegation });
  });

  for (const none of [undefined, null, '']) {
    test(`${none === '' ? 'an empty one' : none} is none, and the input stays as it is`, async () => {
      await context.registerTool(plain());
      const carried = { ...input, deputize_delegation };
      await context.executeTool({ name: 'a' }, carried, { deputize_delegation: none });
      await context.executeTool({ name: 'a' }, carried);
      assert.deepEqual(calls.map((call) => call.input), [carried, carried]);
    });
  }

  test('bad evidence is moved as it is, for the gate to refuse', async () => {
    await context.registerTool(plain());
    await context.executeTool({ name: 'a' }, input, { deputize_delegation: 5 });
    assert.deepEqual(calls[0]?.input, { x: 1, deputize_delegation: 5 });
  });

  test('what is wrong with a call is told by the platform, as ever', async () => {
    const broken = {
      get deputize_delegation() {
        throw new TypeError('no');
      },
    };
    await assert.rejects(context.executeTool({ name: 'none' }, input, { deputize_delegation }), { name: 'NotFoundError' });
    await assert.rejects(context.executeTool({ name: 'a' }, input, broken), { name: 'TypeError' });
    assert.deepEqual([context.executeTool.name, context.executeTool.length], ['executeTool', 3]);
    assert.equal(Object.hasOwn(context.executeTool, 'prototype'), false);
  });

  test('a platform that has no executeTool needs none', () => {
    const { executeTool: _, getTools: __, ...others } = Object.getOwnPropertyDescriptors(MinimalContext.prototype);
    class Poorer extends EventTarget {}
    Object.defineProperties(Poorer.prototype, others);
    assert.equal('executeTool' in new Poorer(), false);
    new Patch(/** @type {ModelContext} */ (/** @type {unknown} */ (new Poorer())), gate);
    assert.equal('executeTool' in new Poorer(), false);
  });
});

describe('HASH-3: the definition', () => {
  test('is what the page registered, at that moment', async () => {
    const tool = plain();
    await context.registerTool(tool);
    Object.assign(tool.inputSchema, { type: 'changed' });
    assert.equal(await patch.tool('a')?.definition(), await argsS256({ description: 'A tool', inputSchema: { type: 'object' }, name: 'a' }));
    await context.registerTool({ ...plain(), name: 'b', inputSchema: undefined });
    assert.equal(await patch.tool('b')?.definition(), await argsS256({ description: 'A tool', inputSchema: null, name: 'b' }));
    assert.deepEqual(patch.all().map(({ says }) => says?.().name), ['a', 'b']);
  });

  test('is of what the context gets, though the schema says something else when it is read again', async () => {
    let reads = 0;
    const inputSchema = { type: 'object', get title() { return `read ${++reads} times`; } };
    await context.registerTool({ ...plain(), inputSchema });
    const [listed] = await context.getTools();
    const { properties, ...schema } = JSON.parse(listed.inputSchema);
    assert.deepEqual([schema, Object.keys(properties)], [{ type: 'object', title: 'read 1 times' }, ['deputize_delegation']]);
    assert.equal(await patch.tool('a')?.definition(), await argsS256({ description: 'A tool', inputSchema: schema, name: 'a' }));
  });

  const vectors = JSON.parse(readFileSync(new URL('../../../tests/vectors/definitions.json', import.meta.url), 'utf8'));

  for (const { name, tool, definition_s256 } of vectors.definitions) {
    test(`has the digest that Python computes: ${name}`, async () => assert.equal(await saying(tool).definition(), definition_s256));
  }

  for (const { name, tool } of vectors.refused) {
    test(`has none that is not JSON: ${name}`, async () => void (await assert.rejects(saying(tool).definition(), { name: 'JsonError' })));
  }
});

describe('SHIM-9: unguarded tools are reported', () => {
  test('those before the shim, those past it, and those that took a freed name', async () => {
    Object.defineProperty(MinimalContext.prototype, 'registerTool', original);
    const page = new MinimalContext();
    await page.registerTool({ ...plain(), name: 'early' });
    const patch = new Patch(/** @type {ModelContext} */ (page), gate);
    const controller = new AbortController();
    await page.registerTool(plain(), { signal: controller.signal });
    assert.deepEqual(await patch.unguarded(), ['early']);
    await Reflect.apply(/** @type {Function} */ (original.value), page, [{ ...plain(), name: 'past' }]);
    assert.deepEqual(await patch.unguarded(), ['early', 'past']);
    controller.abort();
    await Reflect.apply(/** @type {Function} */ (original.value), page, [plain()]);
    assert.deepEqual(await patch.unguarded(), ['early', 'past', 'a']);
  });

  test('React registers, aborts and registers again, and waits for nothing: the tool is gated', async () => {
    const [first, second] = [new AbortController(), new AbortController()];
    const one = context.registerTool(plain(), { signal: first.signal });
    first.abort();
    await context.registerTool(plain(), { signal: second.signal });
    await Promise.allSettled([one]);
    assert.deepEqual(await patch.unguarded(), []);
    second.abort();
    assert.equal(patch.tool('a'), undefined);
  });

  test('a page that keeps an abort from being heard frees the name all the same', async () => {
    const controller = new AbortController();
    controller.signal.addEventListener('abort', (event) => event.stopImmediatePropagation());
    await context.registerTool(plain(), { signal: controller.signal });
    controller.abort();
    assert.equal(patch.tool('a'), undefined);
  });

  test('a signal is read once, whatever its getter says the second time', async () => {
    const signals = [new AbortController(), new AbortController()];
    let reads = 0;
    const options = { get signal() { return signals[reads++]?.signal; } };
    await context.registerTool(plain(), options);
    assert.equal(reads, 1);
    signals[0]?.abort();
    assert.equal(patch.tool('a'), undefined);
    assert.deepEqual(await context.getTools(), []);
  });

  test('a refused registration does not pass for a guarded one, and a duplicate does not unguard the first', async () => {
    await context.registerTool(plain());
    await assert.rejects(context.registerTool(plain()), { name: 'InvalidStateError' });
    assert.deepEqual(await patch.unguarded(), []);
    assert.ok(patch.tool('a'));
    await assert.rejects(context.registerTool({ ...plain(), name: 'b', execute: null }));
    assert.equal(patch.tool('b'), undefined);
  });
});

describe('over @mcp-b/webmcp-polyfill', () => {
  /** @type {any} any: the polyfill's context, whose types are the page's business */
  let polyfilled;

  before(async () => {
    // What it needs of a page.
    class Document extends EventTarget {
      defaultView = globalThis;
      querySelectorAll() {
        return [];
      }
    }
    const stub = class extends EventTarget {};
    const document = new Document();
    Object.assign(globalThis, {
      window: globalThis, document, Document, Element: stub, HTMLFormElement: stub, ShadowRoot: stub, SubmitEvent: stub,
      MutationObserver: class { observe() {} disconnect() {} }, parent: globalThis, isSecureContext: true, location: new URL('https://bank.example/'),
    });
    Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true, writable: true });
    const { initializeWebMCPPolyfill } = await import('@mcp-b/webmcp-polyfill');
    initializeWebMCPPolyfill();
    polyfilled = Reflect.get(document, 'modelContext');
    assert.ok(polyfilled);
  });

  test('tools are gated, execute gets the client, and its own errors stay', async () => {
    const before = plain();
    await polyfilled.registerTool({ ...before, name: 'before' });
    const patch = new Patch(polyfilled, gate, false);
    await polyfilled.registerTool(plain());
    await assert.rejects(polyfilled.registerTool(plain()), { name: 'InvalidStateError' });
    await assert.rejects(polyfilled.registerTool({ ...plain(), name: '' }), { name: 'InvalidStateError' });
    const [tool, early] = await polyfilled.getTools();
    assert.equal(await polyfilled.executeTool(tool, '{"x":1}'), '[{"x":1},"client"]');
    assert.deepEqual(calls.map(({ tool, input }) => [tool.name, input]), [['a', { x: 1 }]]);
    await polyfilled.executeTool(tool, '{"x":1}', { deputize_delegation: 'token~proof' }); // EVID-1
    assert.deepEqual(calls[1]?.input, { x: 1, deputize_delegation: 'token~proof' });
    assert.deepEqual(await patch.unguarded(), []);
    // What it had before the shim is gated where it is called; a name that changes while it is read is read once.
    calls = [];
    let reads = 0;
    const shifty = { ...early, get name() { return reads++ === 0 ? 'before' : 'a'; } };
    assert.equal(await polyfilled.executeTool(shifty, '{"x":2}'), '[{"x":2}]');
    assert.deepEqual(calls.map(({ tool, input }) => [tool.name, input]), [['before', { x: 2 }]]);
    assert.equal(await calls[0]?.tool.definition(), await argsS256({ description: 'A tool', inputSchema: { type: 'object' }, name: 'before' }));
  });
});

describe('over a context of older drafts', () => {
  /** @type {Map<string, Tool>} */
  let tools;
  /** @type {any} any: what pages had */
  let older;
  /** @type {Patch} */
  let patch;

  beforeEach(() => {
    tools = new Map();
    older = {
      provideContext: (/** @type {{tools: Tool[]}} */ given) => void (tools = new Map(given.tools.map((tool) => [tool.name, tool]))),
      registerTool(/** @type {Tool} */ tool) {
        if (tools.has(tool.name)) throw new Error('already registered');
        tools.set(tool.name, tool);
        return { unregister: () => tools.delete(tool.name) };
      },
      unregisterTool: (/** @type {string} */ name) => void tools.delete(name),
      clearContext: () => tools.clear(),
    };
    patch = new Patch(older, gate, false);
  });
  const ran = (/** @type {string} */ name) => tools.get(name).execute({ x: 1 });

  test('it answers at once, and each way to register leads through the gate', async () => {
    const { unregister } = older.registerTool(plain());
    assert.deepEqual(await ran('a'), [{ x: 1 }, 'client']);
    assert.throws(() => older.registerTool(plain()), /already registered/);
    assert.ok(patch.tool('a'));
    unregister();
    assert.equal(patch.tool('a'), undefined);
    older.provideContext({ tools: [{ ...plain(), name: 'b' }, { ...plain(), name: 'c' }] });
    assert.deepEqual(await ran('b'), [{ x: 1 }, 'client']);
    older.unregisterTool('b');
    assert.deepEqual([patch.tool('b'), patch.tool('c')?.name], [undefined, 'c']);
    older.provideContext({ tools: [plain()] });
    assert.deepEqual([patch.tool('c'), patch.tool('a')?.name], [undefined, 'a']);
    older.clearContext();
    assert.equal(patch.tool('a'), undefined);
  });

  test('what a getter throws is thrown, and nothing is registered', () => {
    const broken = Object.defineProperty(plain(), 'execute', { get() { throw new RangeError('mine'); } });
    assert.throws(() => older.registerTool(broken), RangeError);
    assert.throws(() => older.provideContext({ tools: [broken] }), RangeError);
    assert.equal(tools.size, 0);
  });

  test('without a way to call its tools that could be closed, nor to list them, that is told', () => {
    assert.deepEqual([patch.closed, patch.tells], [false, false]);
  });
});
