// What the pages of e2e/test_contexts.py are made of: tools, those who register them, and those who call them.

/** The tools that have run, and whether both ways to learn of the caller said the same. */
const ran = [];
let told;
let answer;

const tool = (name = 'sell') => ({
  name,
  description: 'Sells what the user has.',
  inputSchema: { type: 'object', properties: { n: { type: 'number' } } },
  async execute({ n }, client) {
    ran.push(name);
    const known = Boolean(deputize.client()?.correlationId);
    told = { known, given: known && deputize.client() === client };
    return { content: [{ type: 'text', text: `sold ${n}` }] };
  },
});

const context = () => document.modelContext ?? navigator.modelContext;

let registered;
let atFirst;

/** The context arrives, and a tool is registered in the next line. */
function begin() {
  arrive();
  atFirst = context()?.registerTool;
  registered = Promise.resolve(registrars[wanted]()).catch(console.error);
}

/** The drafts that had `provideContext`, as pages brought them along: by assignment, answering at once, called by name. */
function olderDraft() {
  const [provided, dynamic] = [new Map(), new Map()];
  const all = () => [...provided.values(), ...dynamic.values()];
  navigator.modelContext = {
    provideContext({ tools }) {
      provided.clear();
      for (const each of tools) provided.set(each.name, each);
    },
    registerTool(each) {
      if (dynamic.has(each.name)) throw new Error('already registered');
      dynamic.set(each.name, each);
      return { unregister: () => dynamic.delete(each.name) };
    },
    unregisterTool: (name) => void (provided.delete(name) || dynamic.delete(name)),
    clearContext: () => [provided, dynamic].forEach((each) => each.clear()),
    listTools: () => all().map(({ execute, ...shown }) => shown),
    executeTool: async (name, args) => all().find((each) => each.name === name).execute(args),
  };
}

/** In the browser's place, as @mcp-b/global is, but what it hands on to the browser has another function. */
function posing() {
  const native = document.modelContext;
  const execute = ({ n }) => {
    ran.push('sell');
    return { content: [{ type: 'text', text: `sold ${n}` }] };
  };
  const value = {
    registerTool: (given, options) => native.registerTool({ ...given, execute }, options),
    getTools: () => native.getTools(),
    executeTool: (...call) => native.executeTool(...call),
  };
  Object.defineProperty(document, 'modelContext', { configurable: true, value });
}

const registrars = {
  script: () => context()?.registerTool(tool()),
  provide: () => context().provideContext({ tools: [tool()] }),
  /** Past the context, with the server that @mcp-b/global puts in its place. */
  server: () => context().mcpServer.registerTool('sell', { description: 'Sells.' }, () => tool().execute({})),
  again() {
    const { unregister } = context().registerTool(tool());
    unregister();
    context().registerTool(tool());
    context().unregisterTool('sell');
    context().provideContext({ tools: [tool()] });
  },
  async react() {
    // What an effect does under StrictMode: registered, cleaned up and registered again, nothing awaited. React itself is
    // in e2e/test_vite_react.py.
    const [first, second] = [new AbortController(), new AbortController()];
    context().registerTool(tool(), { signal: first.signal }).catch(() => {});
    first.abort();
    await context().registerTool(tool(), { signal: second.signal });
  },
  form() {
    const form = document.createElement('form');
    const attributes = { toolname: 'sell', tooldescription: 'Sells.', toolautosubmit: '' };
    for (const [name, value] of Object.entries(attributes)) form.setAttribute(name, value);
    form.append(Object.assign(document.createElement('input'), { name: 'n', type: 'number' }));
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      ran.push('sell');
      event.respondWith?.(Promise.resolve('sold'));
    });
    document.body.append(form);
  },
  async rewritten() {
    document.open(); // which takes the listeners of all who came before
    document.write('<p>Shop');
    document.close();
    registrars.form();
    await deputize.unguarded(); // as it looks by itself, now and then
  },
  /** Not among those that `frames` has. */
  async 'hidden frame'() {
    const frame = document.createElement('iframe');
    document.body.appendChild(document.createElement('div')).attachShadow({ mode: 'closed' }).append(frame);
    const inner = frame.contentDocument.createElement('iframe');
    frame.contentDocument.body.attachShadow({ mode: 'closed' }).append(inner);
    await inner.contentDocument.modelContext.registerTool(tool('framed'));
  },
  frame: () => framed('/frame'),
  'gated frame': () => framed('/frame?gated'),
  'other origin': () => framed(`${location.origin.replace('localhost', '127.0.0.1')}/frame`),
  prototype() {
    const frame = document.createElement('iframe');
    document.body.append(frame);
    const clean = Object.getPrototypeOf(frame.contentDocument.modelContext).registerTool;
    return clean.call(document.modelContext, tool());
  },
};

function framed(src) {
  const frame = Object.assign(document.createElement('iframe'), { src });
  const loaded = new Promise((resolve) => frame.addEventListener('load', resolve));
  document.body.append(frame);
  return loaded;
}

/** Speaks MCP with @mcp-b's server in a window, over its transport; any origin may. */
async function overMessages(target, channel, name) {
  const send = (payload) => target.postMessage({ channel, type: 'mcp', direction: 'client-to-server', payload }, '*');
  const heard = (wanted) =>
    new Promise((resolve) => {
      addEventListener('message', function listen({ data }) {
        if (data?.channel !== channel || data.direction !== 'server-to-client' || !wanted(data.payload)) return;
        removeEventListener('message', listen);
        resolve(data.payload);
      });
    });
  const ask = async (id, method, params) => {
    const answer = heard((payload) => payload.id === id);
    send({ jsonrpc: '2.0', id, method, params });
    return (await answer).result;
  };
  const ready = heard((payload) => payload === 'mcp-server-ready');
  send('mcp-check-ready');
  await ready;
  await ask(1, 'initialize', { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'agent', version: '1' } });
  send({ jsonrpc: '2.0', method: 'notifications/initialized' });
  for (let id = 2; ; id += 2) {
    const { tools } = await ask(id, 'tools/list');
    if (tools.some((each) => each.name === name)) return ask(id + 1, 'tools/call', { name, arguments: { n: 1 } });
  }
}

const callers = {
  async executeTool() {
    if (!context()?.getTools) return context()?.executeTool('sell', { n: 1 });
    const found = (await context().getTools()).find((each) => each.name === 'sell');
    // Browsers take an object, others its text.
    return context().executeTool(found, hasNative ? { n: 1 } : '{"n":1}');
  },
  testing: () => navigator.modelContextTesting.executeTool('sell', '{"n":1}'),
  tab: () => overMessages(window, 'mcp-default', 'sell'),
};
