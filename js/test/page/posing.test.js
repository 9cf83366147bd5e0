/** A page's script that stands for WebMCP hands tools on to the browser: what the browser gets is what the gate stands in (SHIM-1, SHIM-9). */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';

import { argsS256 } from '../../src/platform/canonical.js';
import { Patch } from '../../src/page/patch.js';

/** @typedef {any} Tool any: what a page passes */

/** As the browser's: it knows its own objects, reads a dictionary, and calls what it has past all methods. */
class Browser extends EventTarget {
  /** @type {Map<string, Tool>} */
  #tools = new Map();

  /** @param {Tool} tool @param {{signal?: AbortSignal}} [options] */
  async registerTool(tool, options) {
    const tools = this.#tools;
    const { description, execute, inputSchema, name } = tool;
    if (typeof execute !== 'function') throw new TypeError('execute is required');
    if (tools.has(name)) throw new DOMException('taken', 'InvalidStateError');
    tools.set(name, { name, description, inputSchema: JSON.stringify(inputSchema), execute });
    options?.signal?.addEventListener('abort', () => tools.delete(name));
  }

  async getTools() {
    return [...this.#tools.values()];
  }

  async executeTool() {}

  /** What an agent of the browser's does. @param {string} name */
  async call(name) {
    return Reflect.apply(this.#tools.get(name).execute, undefined, [{ x: 1 }, {}]);
  }
}
const clean = Object.getOwnPropertyDescriptors(Browser.prototype);

/** @type {string[]} the names of the calls that the gate has met */
let met = [];
/** @type {Tool[]} */
let tools = [];
const gate = /** @type {import('../../src/calls/gate.js').Gate} */ (
  /** @type {unknown} */ ({
    /** @param {Tool} tool @param {Function} execute @param {unknown} input */
    async call(tool, execute, input) {
      met.push(tool.name);
      tools.push(tool);
      return execute(input, 'client');
    },
    standing: () => null,
  })
);
/** @type {Browser} */
let browser;
/** @type {Patch} */
let below;
beforeEach(() => {
  [met, tools] = [[], []];
  browser = new Browser();
  below = new Patch(/** @type {any} any: a context */ (browser), gate);
});
afterEach(() => void Object.defineProperties(Browser.prototype, clean));

const plain = (name = 'a') => ({ name, description: 'A tool', inputSchema: { type: 'object' }, execute: (/** @type {unknown} */ _, /** @type {unknown} */ client) => client });
const evil = () => 'past the gate';

/**
 * A context of a script's.
 *
 * @param {(tool: Tool) => unknown} registerTool
 * @param {object} [more]
 */
function posing(registerTool, more) {
  const context = /** @type {any} any: a context */ ({ registerTool, ...more });
  new Patch(context, gate, false);
  return context;
}
/** @param {string} [name] */
const called = async (name = 'a') => [await browser.call(name), met.splice(0)];
const hash = async (/** @type {string} */ name, description = 'A tool') => await argsS256({ description, inputSchema: { type: 'object' }, name });

describe('what is handed on', () => {
  test('runs once, behind one gate, whatever function the context wraps around it', async () => {
    await posing((tool) => browser.registerTool({ ...tool, execute: async (/** @type {unknown} */ input) => tool.execute(input) })).registerTool(plain());
    assert.deepEqual(await called(), ['client', ['a']]);
    assert.deepEqual(await below.unguarded(), []);
  });

  /** @type {Record<string, (tool: Tool) => unknown>} */
  const others = {
    'with another function': (tool) => browser.registerTool({ ...tool, execute: evil }),
    'in the place of the one that it was given': (tool) => browser.registerTool(Object.assign(tool, { execute: evil })),
    'through a context between': (tool) => posing((given) => browser.registerTool({ ...given, execute: evil })).registerTool({ ...tool, execute: evil }),
    'when its name is read the second time': (tool) => {
      const names = [tool.name, 'b'];
      return browser.registerTool({ ...tool, execute: evil, get name() { return names.shift(); } });
    },
    'by a getter, while it is read': async (tool) => {
      await browser.registerTool({ ...tool, name: 'b', get description() { return void browser.registerTool({ ...tool, execute: evil }), 'B'; } });
    },
  };
  for (const [how, hand] of Object.entries(others)) {
    test(`is the page's own tool, though a context hands it on ${how}`, async () => {
      await posing(hand).registerTool(plain());
      assert.deepEqual(await called(), ['client', ['a']]);
      assert.deepEqual(await below.unguarded(), []);
    });
  }

  test('under another name is gated by that name', async () => {
    await posing((tool) => browser.registerTool({ ...tool, name: 'b', execute: evil })).registerTool(plain());
    assert.deepEqual(await called('b'), ['past the gate', ['b']]);
  });

  test('is gated by the name that it has there, though the function leads through the gate of another', async () => {
    /** @type {Tool} */
    let kept;
    await posing(async (tool) => void (kept = tool)).registerTool(plain('public'));
    await browser.registerTool({ ...plain('transfer'), execute: kept.execute });
    assert.deepEqual(await called('transfer'), ['client', ['transfer']]);
  });

  test('says what the page said of it, and that is what is hashed', async () => {
    await posing((tool) => browser.registerTool({ ...tool, description: 'Harmless', inputSchema: { type: 'object', title: 'mine' } })).registerTool(plain());
    const [{ description, inputSchema }] = await browser.getTools();
    assert.deepEqual([description, JSON.parse(inputSchema).title], ['A tool', undefined]);
    await called();
    assert.equal(await tools[0].definition(), await hash('a'));
  });

  test('later, with the gate in it, is hashed as the browser tells it', async () => {
    /** @type {Tool} */
    let kept;
    await posing(async (tool) => void (kept = tool)).registerTool(plain());
    await browser.registerTool({ ...plain(), description: 'Other', execute: kept.execute });
    assert.deepEqual(await called(), ['client', ['a']]);
    assert.equal(await tools[0].definition(), await hash('a', 'Other'));
  });

  test('of several that are provided at once is each the page\'s own', async () => {
    const older = posing(() => {}, {
      provideContext: (/** @type {{tools: Tool[]}} */ given) => given.tools.forEach((tool) => void browser.registerTool({ ...tool, execute: evil })),
    });
    older.provideContext({ tools: [plain(), plain('b')] });
    assert.deepEqual([await called(), await called('b')], [['client', ['a']], ['client', ['b']]]);
    assert.deepEqual(await below.unguarded(), []);
  });
});

test('a listener that registers while a context of a script\'s takes a tool has the gate in it as well', async () => {
  const heard = new EventTarget();
  heard.addEventListener('toolchange', () => void browser.registerTool({ ...plain(), execute: evil }));
  await posing(async () => void heard.dispatchEvent(new Event('toolchange'))).registerTool(plain());
  assert.deepEqual(await called(), ['client', ['a']]);
});

test('a context whose prototype is the browser\'s is gated once, and so is one behind a Proxy', async () => {
  class Mine extends Browser {}
  const mine = new Mine();
  new Patch(/** @type {any} any: a context */ (mine), gate, false);
  await mine.registerTool(plain());
  assert.deepEqual([await mine.call('a'), met.splice(0)], ['client', ['a']]);
  const bound = new Proxy(browser, { get: (target, name) => Reflect.get(target, name)?.bind(target) });
  new Patch(/** @type {any} any: a context */ (bound), gate, false);
  await bound.registerTool(plain());
  assert.deepEqual(await called(), ['client', ['a']]);
});

test('SHIM-9: what another context has by the method of this one is none of this one\'s tools', async () => {
  const frame = new Browser();
  await Reflect.apply(browser.registerTool, frame, [plain()]);
  assert.deepEqual([await frame.call('a'), met.splice(0)], ['client', ['a']]);
  await Reflect.apply(/** @type {Function} */ (clean.registerTool.value), browser, [{ ...plain(), execute: evil }]);
  assert.deepEqual(await below.unguarded(), ['a']);
});
