// What pages and agents can tell of WebMCP by its own means. Each case is done in a page with the shim and in one without, and tells
// what it met: nothing else may differ but what e2e/test_transparency.py says. The cases stand beside this file.

const context = document.modelContext;

/** How a promise ends, and in which of the first microtasks that is known. */
async function ends(begin) {
  let promise;
  try {
    promise = begin();
  } catch (error) {
    return ['thrown', said(error)];
  }
  let at = 0;
  const seen = promise.then(
    (value) => ['fulfilled', value, at],
    (error) => ['rejected', said(error), at],
  );
  while (at < 9) {
    await null;
    at += 1;
  }
  at = 'later';
  return seen;
}

const said = (error) => (error instanceof Error || error instanceof DOMException ? `${error.name}: ${error.message}` : error);

/** What was registered is gone when the case is over. */
const cleaning = [];
function register(tool = {}, options = {}) {
  const controller = new AbortController();
  cleaning.push(controller);
  return context.registerTool({ name: 'search', description: 'Searches.', execute: () => 'found', ...tool }, { signal: controller.signal, ...options });
}

const listed = async () => (await context.getTools()).filter(({ name }) => name !== 'deputize.call_status');
const find = async (name = 'search') => (await listed()).find((tool) => tool.name === name);
const names = async () => (await listed()).map(({ name }) => name);

/** Runs a tool that answers so. */
async function answered(execute, ...args) {
  await register({ execute });
  const tool = await find();
  return ends(() => context.executeTool(tool, ...args));
}

const abortable = () => new Promise(() => {});
const turn = () => new Promise((resolve) => setTimeout(resolve));

/** Waits until something is so: at most as long as a case may take. */
async function until(so) {
  while (!(await so())) await turn();
}

/** Tells of the events of a call, at the window and at the context, with how things are then; until the function that is answered is called. */
function noting(log, state = () => {}) {
  const controller = new AbortController();
  for (const type of ['toolactivated', 'toolcancel']) {
    for (const [where, at] of Object.entries({ window, context })) {
      const note = (event) => {
        const { toolName, bubbles, cancelable, composed, isTrusted, target, constructor } = event;
        log.push([type, where, constructor.name, toolName, { bubbles, cancelable, composed, isTrusted }, target === at, state()]);
      };
      at.addEventListener(type, note, { signal: controller.signal });
    }
  }
  return () => controller.abort();
}

/** An object whose getters log that they are read, and what in it does. */
function logged(log, members, at = '') {
  const object = {};
  for (const [name, value] of Object.entries(members)) {
    const get = () => {
      log.push(at + name);
      if (value instanceof Error) throw value;
      return value;
    };
    Object.defineProperty(object, name, { enumerable: true, get });
  }
  return object;
}

const text = (log, name, value) => ({
  toString() {
    log.push(`${name} as text`);
    return value;
  },
});

function observed(log, changed = {}, hints = {}) {
  return logged(log, {
    title: text(log, 'title', 'Search'),
    name: text(log, 'name', 'search'),
    inputSchema: logged(log, { type: 'object' }, 'inputSchema.'),
    execute: () => 'found',
    description: text(log, 'description', 'Searches.'),
    annotations: logged(log, { untrustedContentHint: true, readOnlyHint: true, consequentialHint: false, ...hints }, 'annotations.'),
    ...changed,
  });
}

async function reads(changed, hints) {
  const log = [];
  const controller = new AbortController();
  const { signal } = controller;
  cleaning.push(controller);
  const end = await ends(() => context.registerTool(observed(log, changed, hints), logged(log, { signal, exposedTo: [] }, 'options.')));
  return [log, end];
}

/** The state of a signal's tool changes, and what is told of it. */
async function changes(work) {
  const log = [];
  const note = (event) => log.push(`${event.type} at ${event.target === context}`);
  context.addEventListener('toolchange', note);
  const told = await work(log);
  await turn();
  await listed();
  await turn();
  context.removeEventListener('toolchange', note);
  return [log, await names(), ...(told ?? [])];
}

/** What is told, by the name of the case. */
const cases = {};

/** @returns {Promise<string>} what each case met, as JSON */
async function all() {
  if (globalThis.deputize) await deputize.status(); // from then on the page knows what is public
  const met = {};
  for (const [name, work] of Object.entries(cases)) {
    const late = new Promise((_, reject) => setTimeout(() => reject(new Error(`${name}: not within 10 s`)), 10_000));
    const done = async () => {
      met[name] = await work();
      for (const controller of cleaning.splice(0)) controller.abort();
      while ((await listed()).length > 0) await turn();
      await turn(); // its last change is told
    };
    await Promise.race([done(), late]);
  }
  return JSON.stringify(met, (_, value) => (value === undefined ? 'undefined' : value));
}
