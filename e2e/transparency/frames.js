// Tools of a page and of frames in it, and to whom they are exposed.

/** Another origin, of the same server. */
const ELSEWHERE = location.origin.replace('localhost', '127.0.0.1');

/** A frame that does what it is asked for; it is gone when the case is over. */
async function framed(where = '', allow = '') {
  const frame = document.createElement('iframe');
  frame.allow = allow;
  frame.src = `${where}${location.pathname.replace(/\/$/, '')}/frame`;
  const loaded = new Promise((resolve) => (frame.onload = resolve));
  document.body.append(frame);
  cleaning.push({ abort: () => frame.remove() });
  await loaded;
  let last = 0;
  const ask = (work, ...args) => {
    const id = ++last;
    const answered = new Promise((resolve) => {
      window.addEventListener('message', function hear({ source, data }) {
        if (source !== frame.contentWindow || data.id !== id) return;
        window.removeEventListener('message', hear);
        resolve(data.answer);
      });
    });
    frame.contentWindow.postMessage({ id, work, args }, '*');
    return answered;
  };
  await ask('list'); // by then its own process has met the browser's context
  return { frame, ask, heard: async () => (await ask('heard'))[1] };
}

const other = (where = ELSEWHERE) => framed(where, 'tools *');
const schema = { type: 'object', properties: { q: { type: 'string' } } };
const given = { inputSchema: schema, execute: (input) => ['in the page', input] };
const plainly = (tools) => tools.map(({ window: _, ...tool }) => tool);

/** How often the page hears that tools have changed. */
function hearing() {
  let heard = 0;
  const note = () => (heard += 1);
  context.addEventListener('toolchange', note);
  cleaning.push({ abort: () => context.removeEventListener('toolchange', note) });
  return () => heard;
}

/** Waits until what is done has been heard of. */
async function told(heard, work) {
  const before = await heard();
  await work();
  await until(async () => (await heard()) > before);
}

/** A tool of the page, as a frame meets it. */
async function met({ ask, heard }, options, from) {
  const controller = new AbortController();
  const log = [];
  await told(heard, () => register({ ...given, annotations: { readOnlyHint: true, untrustedContentHint: false } }, { ...options, signal: controller.signal }));
  log.push(await ask('list', from), await ask('call', 'search', from));
  await told(heard, () => controller.abort());
  log.push(await ask('list', from), await ask('call', 'search', from));
  return log;
}

/** A tool of a frame, as the page meets it. */
async function meets({ ask }, options, from) {
  const log = [];
  const heard = hearing();
  const others = async () => (await context.getTools(from)).filter(({ name }) => name === 'other');
  await told(heard, async () => log.push(await ask('register', { name: 'other', description: 'In a frame.', inputSchema: schema }, options)));
  const tools = await others();
  log.push(plainly(tools), await ends(() => context.executeTool(tools[0], { q: 1 })));
  await told(heard, () => ask('drop'));
  log.push(plainly(await others()));
  return log;
}

Object.assign(cases, {
  'a tool of the page in a frame of this origin': async () => met(await framed(), {}),
  'a tool of the page that is exposed to nobody else, in a frame of this origin': async () => met(await framed(), { exposedTo: [] }),
  'a tool of a frame of this origin': async () => meets(await framed(), {}),
  'a tool of a frame of this origin that is exposed to nobody else': async () => meets(await framed(), { exposedTo: [] }),
  'a call of a frame’s tool is told in that frame': async () => {
    const frame = document.body.appendChild(document.createElement('iframe'));
    cleaning.push({ abort: () => frame.remove() });
    const its = frame.contentDocument.modelContext;
    await its.registerTool({ name: 'other', description: 'x', execute: (input) => ['in the frame', input] });
    const log = [];
    const unnoted = noting(log);
    its.addEventListener('toolactivated', ({ toolName, target }) => log.push(['there', toolName, target === its]));
    const tool = await find('other');
    const end = await ends(() => context.executeTool(tool, { q: 1 }));
    unnoted();
    return [log, tool.window === frame.contentWindow, end];
  },
  'a tool that is exposed to a frame of another origin': async () =>
    met(await other(), { exposedTo: [ELSEWHERE] }, { fromOrigins: [location.origin] }),
  'a tool that a frame of another origin exposes': async () =>
    meets(await other(), { exposedTo: [location.origin] }, { fromOrigins: [ELSEWHERE] }),
  'a tool that is exposed to a third origin': async () => {
    const { ask, heard } = await other();
    await register(given, { exposedTo: ['https://third.example'] });
    const log = [await ask('list', { fromOrigins: [location.origin] })];
    await register({ ...given, name: 'other' }, { exposedTo: [ELSEWHERE] });
    await until(async () => (await heard()) > 0); // of this one; of the first it would have heard before
    return [...log, await heard(), await ask('list', { fromOrigins: [location.origin] })];
  },
  'a tool that a frame of another origin exposes to a third': async () => {
    const { ask } = await other();
    await turn(); // what the last case left behind is told
    const heard = hearing();
    await ask('register', { name: 'other', description: 'In a frame.' }, { exposedTo: ['https://third.example'] });
    const from = { fromOrigins: [ELSEWHERE] };
    const log = [plainly(await context.getTools(from))];
    await ask('drop');
    await ask('register', { name: 'search', description: 'In a frame.' }, { exposedTo: [location.origin] });
    await until(() => heard() > 0);
    return [...log, heard(), plainly(await context.getTools(from))];
  },
  'a tool that is exposed to a frame that may have none': async () => {
    const [without, having] = [await framed(ELSEWHERE), await other()];
    await register(given, { exposedTo: [ELSEWHERE] });
    await until(async () => (await having.heard()) > 0);
    return [await without.heard(), await without.ask('list', { fromOrigins: [location.origin] }), await having.heard()];
  },
});
