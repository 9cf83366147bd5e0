/** Contexts are found as they come, and what a hostile page makes of them stops nobody from finding the next (SHIM-1, SHIM-9, SHIM-13). */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';

/** A page, as far as the shim looks at it. */
class Node extends EventTarget {}
class Document extends Node {
  /** @type {Array<{id: string, getAttribute: () => string}>} */
  forms = [];
  querySelectorAll() {
    return this.forms;
  }
}
class Navigator {}
const [document, navigator] = [new Document(), new Navigator()];
/** @type {Array<() => void>} */
const intervals = [];
/** @type {Array<() => Promise<void>>} */
const timers = [];
const { setTimeout } = globalThis;
Object.assign(globalThis, {
  Document, Node, document,
  setInterval: (/** @type {() => void} */ work) => intervals.push(work),
  setTimeout: (/** @type {() => Promise<void>} */ work) => timers.push(work),
});
Object.defineProperty(globalThis, 'navigator', { value: navigator, configurable: true });
const natives = { defineProperty: Object.defineProperty, reflect: Reflect.defineProperty };

await import('../platform.js');
const { Contexts } = await import('../../src/page/contexts.js');
const { first } = await import('../../src/page/first.js');
Object.assign(globalThis, { setTimeout });

/** @type {string[]} */
let asked = [];
const gate = {
  /** @param {{name: string}} tool @param {Function} execute @param {unknown} input */
  async call(tool, execute, input) {
    asked.push(tool.name);
    return execute(input, 'client');
  },
  attempt: async () => assert.fail('there is no form here'),
  asking: async () => assert.fail('there is no form here'),
  loaded: () => null,
  standing: () => null,
  ask: async () => null,
};
const plain = (name = 'a') => ({ name, description: 'A tool', execute: () => 'ran' });

/** A context of a script's, of a class that nobody has changed. */
const unchanged = () => class Context {
  /** @type {Map<string, any>} any: tools */
  tools = new Map();
  /** @param {any} tool any: a tool */
  async registerTool(tool) {
    this.tools.set(tool.name, tool);
  }
  async getTools() {
    return [...this.tools.values()];
  }
  /** @param {{name: string}} tool @param {unknown} input */
  async executeTool(tool, input) {
    return this.tools.get(tool.name).execute(input);
  }
};
let Context = unchanged();

/** @type {import('../../src/page/contexts.js').Contexts} */
let contexts;
beforeEach(() => {
  Object.defineProperty = natives.defineProperty;
  Reflect.defineProperty = natives.reflect;
  Object.assign(globalThis, { window: Object.assign(new EventTarget(), { length: 0 }) });
  Context = unchanged();
  asked = [];
  for (const list of [document.forms, intervals, timers]) list.length = 0;
  for (const place of [document, navigator, Document.prototype]) Reflect.deleteProperty(place, 'modelContext');
  contexts = new Contexts(gate);
});
const defined = (/** @type {object} */ place, /** @type {unknown} */ value) =>
  Object.defineProperty(place, 'modelContext', { configurable: true, writable: true, value });
const ran = async (/** @type {InstanceType<typeof Context>} */ context, name = 'a') => [await context.executeTool({ name }, {}), asked.splice(0)];

describe('a context that comes after the shim', () => {
  for (const [where, place] of /** @type {const} */ ([['the document', document], ['the navigator', navigator]])) {
    test(`and is defined in ${where} is gated in the next line`, async () => {
      const context = new Context();
      defined(place, context);
      await context.registerTool(plain());
      assert.deepEqual(await ran(context), ['ran', ['a']]);
      assert.equal(contexts.tool('a')?.name, 'a');
      assert.deepEqual(await contexts.unguarded(), { context: 'polyfill', tools: [], frames: [] });
    });
  }

  test('and is assigned is found when the shim looks, and what it had by then is gated where it is called', async () => {
    const context = new Context();
    Object.assign(navigator, { modelContext: context });
    await context.registerTool(plain());
    for (const look of intervals) look();
    assert.deepEqual(await ran(context), ['ran', ['a']]);
    await context.registerTool(plain('b'));
    assert.deepEqual(await ran(context, 'b'), ['ran', ['b']]);
  });

  test('and is called without its object meets the gate, and so does one behind a Proxy', async () => {
    const context = new Context();
    const { tools } = context;
    const older = { registerTool() {}, executeTool: (/** @type {{name: string}} */ { name }) => tools.get(name).execute() };
    await context.registerTool(plain());
    Object.assign(navigator, { modelContext: older });
    contexts.look();
    const { executeTool } = older;
    assert.deepEqual([await executeTool({ name: 'a' }), asked.splice(0)], ['ran', ['a']]);
    assert.deepEqual([await new Proxy(older, {}).executeTool({ name: 'a' }), asked.splice(0)], ['ran', ['a']]);
  });

  test('and is given by a getter of the document is gated in the next line', async () => {
    const context = new Context();
    Object.defineProperty(document, 'modelContext', { configurable: true, get: () => context });
    await context.registerTool(plain());
    assert.deepEqual(await ran(context), ['ran', ['a']]);
  });

  test('and is assigned is found before anybody else hears a message', async () => {
    const context = new Context();
    await context.registerTool(plain());
    Object.assign(navigator, { modelContext: context });
    window.dispatchEvent(new Event('message'));
    assert.deepEqual(await ran(context), ['ran', ['a']]);
  });

  test('and is assigned is found before a message is heard, though the page was written anew meanwhile', async () => {
    Object.assign(globalThis, { window: Object.assign(new EventTarget(), { length: 0 }) }); // as `document.open()` leaves it: nobody listens
    for (const look of intervals) look();
    const context = new Context();
    await context.registerTool(plain());
    Object.assign(navigator, { modelContext: context });
    window.dispatchEvent(new Event('message'));
    assert.deepEqual(await ran(context), ['ran', ['a']]);
  });

  test('in the place of another is gated as well, and so is the other', async () => {
    const [one, two] = [new Context(), new Context()];
    for (const each of [one, two]) defined(document, each);
    for (const each of [one, two]) {
      await each.registerTool(plain());
      assert.deepEqual(await ran(each), ['ran', ['a']]);
    }
  });
});

describe('a server in the context\'s place, which calls tools for whoever sends a message', () => {
  const make = () =>
    Object.assign(new Context(), {
      __isBrowserMcpServer: true,
      /** @param {{name: string, arguments?: unknown}} params */
      async callTool({ name, arguments: input }) {
        return Reflect.get(this, 'tools').get(name).execute(input);
      },
      /** @param {{name: string}} tool @param {unknown} input */
      async executeTool({ name }, input) {
        return this.callTool({ name, arguments: input });
      },
    });

  for (const order of ['before', 'after']) {
    test(`is gated in its own methods, once for each call: registered ${order} the shim`, async () => {
      const server = make();
      if (order === 'before') await server.registerTool(plain());
      defined(document, server);
      if (order === 'after') await server.registerTool(plain());
      assert.deepEqual([await server.callTool({ name: 'a' }), asked.splice(0)], ['ran', ['a']]);
      assert.deepEqual(await ran(server), ['ran', ['a']]);
      assert.deepEqual((await contexts.unguarded()).tools, []);
    });
  }

  test('and is of no version that we know is not called gated', async () => {
    const server = Object.assign(new Context(), { __isBrowserMcpServer: true });
    await server.registerTool(plain());
    defined(document, server);
    assert.deepEqual((await contexts.unguarded()).tools, [{ name: 'a', why: 'not_gated', where: 'document.modelContext' }]);
  });
});

describe('a hostile page', () => {
  /** @type {Array<[string, () => unknown, string]>} */
  const unchangeable = [
    ['frozen', () => Object.freeze(Object.assign(Object.create(null), { registerTool() {}, getTools: async () => [plain()] })), 'unchangeable'],
    ['a Proxy that denies what it has', () => new Proxy({ registerTool() {} }, { getOwnPropertyDescriptor: () => undefined }), 'unchangeable'],
    ['a Proxy that takes no change', () => new Proxy({ registerTool() {} }, { defineProperty: () => false }), 'unchangeable'],
    ['one that tells nothing', () => ({ registerTool() {} }), 'untold'],
    ['one whose list throws', () => ({ registerTool() {}, getTools: async () => { throw new Error('no'); } }), 'untold'],
  ];
  for (const [what, make, why] of unchangeable) {
    test(`has a context that is ${what}: it is told, and never an empty list`, async (t) => {
      t.mock.method(console, 'error', () => {});
      t.mock.method(console, 'warn', () => {});
      defined(document, make());
      const { tools } = await contexts.unguarded();
      assert.deepEqual(tools, [{ name: null, why, where: 'document.modelContext' }]);
      const next = new Context();
      defined(navigator, next);
      await next.registerTool(plain());
      assert.deepEqual(await ran(next), ['ran', ['a']]);
    });
  }

  test('has a form or a frame of that name: they are no context, and hide none', async () => {
    const context = new Context();
    Reflect.set(Document.prototype, 'modelContext', context);
    const frame = new Proxy({}, { get() { throw new DOMException('other origin', 'SecurityError'); } });
    for (const named of [Object.assign(new Node(), { registerTool() {} }), frame]) {
      defined(document, named);
      await context.registerTool(plain());
      assert.deepEqual(await ran(context), ['ran', ['a']]);
      assert.deepEqual((await contexts.unguarded()).tools, []);
    }
  });

  test('has a getter that defines while it is read', async () => {
    const context = new Context();
    Object.defineProperty(navigator, 'modelContext', {
      configurable: true,
      get() {
        Object.defineProperty(this, 'modelContext', { configurable: true, value: context });
        return context;
      },
    });
    await context.registerTool(plain());
    assert.deepEqual(await ran(context), ['ran', ['a']]);
  });

  test('is told by a getter of its own that it is the browser: it is not', async () => {
    const context = new Context();
    const lie = { modelContext: () => context }.modelContext.bind(null);
    Object.defineProperty(lie, 'name', { value: 'get modelContext' });
    lie.toString = () => 'function get modelContext() { [native code] }';
    Object.defineProperty(Document.prototype, 'modelContext', { configurable: true, get: lie });
    assert.equal((await contexts.unguarded()).context, 'polyfill');
    await context.registerTool(plain());
    assert.deepEqual(await ran(context), ['ran', ['a']]);
  });
});

test('that the page has come to rest is heard once, and again when a context has come', () => {
  let rested = 0;
  new Contexts(gate, () => (rested += 1));
  for (const timer of timers.splice(0)) timer();
  assert.equal(rested, 1);
  defined(document, new Context());
  for (const timer of timers.splice(0)) timer();
  assert.equal(rested, 2);
});

test('the names of all tools are told, of what tells none those that are gated', async () => {
  defined(document, { registerTool: async () => {} });
  const listed = new Context();
  await listed.registerTool(plain('before'));
  defined(navigator, listed);
  await Reflect.get(document, 'modelContext').registerTool(plain('gated'));
  await listed.registerTool(plain('after'));
  assert.deepEqual((await contexts.names()).sort(), ['after', 'before', 'gated']);
});

test('no context is no context', async () => {
  assert.deepEqual(await contexts.unguarded(), { context: 'none', tools: [], frames: [] });
});

test('defining looks as before', () => {
  assert.deepEqual([Object.defineProperty.name, Object.defineProperty.length, 'prototype' in Object.defineProperty], ['defineProperty', 3, false]);
  assert.equal(Reflect.defineProperty({}, 'x', { value: 1 }), true);
  assert.throws(() => Object.defineProperty(Object.freeze({}), 'modelContext', { value: 1 }), TypeError);
});

test('SHIM-13: the first copy of the shim is the one', () => {
  const [one, two] = [{}, {}];
  assert.equal(first(one), one);
  assert.equal(first(two), one);
  assert.throws(() => Object.defineProperty(document, Symbol.for('deputize'), { value: two }), TypeError);
});
