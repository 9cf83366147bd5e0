// Tools that a script registers and calls.

const cyclic = {};
cyclic.self = cyclic;

Object.assign(cases, {
  'the methods': () =>
    ['registerTool', 'getTools', 'executeTool'].map((name) => {
      const { value, ...rest } = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(context), name);
      return [name, value.name, value.length, 'prototype' in value, rest];
    }),
  'registering for another object': () => ends(() => context.registerTool.call({}, { name: 'search', description: 'x', execute() {} })),
  'registering nothing': () => ends(() => context.registerTool()),
  'registering null': () => ends(() => context.registerTool(null)),
  'registering text': () => ends(() => context.registerTool('search')),
  'registering without a name': () => ends(() => register({ name: undefined })),
  'registering an empty name': () => ends(() => register({ name: '' })),
  'registering a name with a space': () => ends(() => register({ name: 'a b' })),
  'registering a name with a line': () => ends(() => register({ name: 'a\nb' })),
  'registering a name with dot, dash and underscore': async () => [await ends(() => register({ name: 'a.b-c_d' })), await names()],
  'registering a name of 128': () => ends(() => register({ name: 'a'.repeat(128) })),
  'registering a name of 129': () => ends(() => register({ name: 'a'.repeat(129) })),
  'registering a number as a name': async () => [await ends(() => register({ name: 5 })), await names()],
  'registering a symbol as a name': () => ends(() => register({ name: Symbol('search') })),
  'registering without a description': () => ends(() => register({ description: undefined })),
  'registering an empty description': () => ends(() => register({ description: '' })),
  'registering without execute': () => ends(() => register({ execute: undefined })),
  'registering execute that is not callable': () => ends(() => register({ execute: {} })),
  'registering a schema that is text': () => ends(() => register({ inputSchema: '{}' })),
  'registering a schema that is null': () => ends(() => register({ inputSchema: null })),
  'registering a schema in a circle': () => ends(() => register({ inputSchema: cyclic })),
  'registering a schema that is undefined in JSON': () => ends(() => register({ inputSchema: { toJSON: () => undefined } })),
  'registering a schema that throws': () =>
    ends(() => register({ inputSchema: { toJSON() { throw new RangeError('mine'); } } })),
  ...Object.fromEntries(
    Object.entries({
      'a reference': { properties: { a: { $ref: '#/b' } } },
      'a format': { properties: { a: { type: 'string', format: 'email' } } },
      'any other members': { properties: { a: { type: 'string' } }, additionalProperties: true },
      'other members of a kind': { properties: { a: { type: 'string' } }, additionalProperties: { type: 'string' } },
      'nothing unevaluated': { properties: { a: { type: 'string' } }, unevaluatedProperties: false },
      'a member that asks for another': { properties: { a: { type: 'string' } }, dependentRequired: { a: ['b'] } },
      'definitions inside': { properties: { a: { type: 'string', $defs: {} } } },
      'an encoding': { properties: { a: { type: 'string', contentEncoding: 'base64' } } },
      'text of no pattern': { type: 'string', pattern: '[' },
    }).map(([what, schema]) => [`registering a schema with ${what}`, () => ends(() => register({ inputSchema: { type: 'object', ...schema } }))]),
  ),
  ...Object.fromEntries(
    Object.entries({
      'lacks a member': [{ properties: { q: { type: 'string' } }, required: ['q'] }, {}],
      'has a value that is not listed': [{ properties: { q: { type: 'string', enum: ['a', 'b'] } }, required: ['q'] }, { q: 'c' }],
      'has a value that is listed': [{ properties: { q: { type: 'string', enum: ['a', 'b'] } } }, { q: 'a' }],
      'has a value of another pattern': [{ properties: { q: { type: 'string', pattern: '^[a-z]+$' } }, required: ['q'] }, { q: 'A1' }],
      'has all that a long schema asks for': [
        {
          properties: {
            n: { type: 'integer', minimum: 1, maximum: 9 },
            q: { type: 'string', minLength: 1, maxLength: 9 },
            list: { type: 'array', prefixItems: [{ type: 'string' }], items: { type: 'string' } },
            how: { type: 'string', enum: ['a', 'b'] },
          },
          required: ['n', 'q', 'list'],
          additionalProperties: false,
        },
        { n: 5, q: 'a', list: ['b', 'c'], how: 'b' },
      ],
      'has a value of another type, and then a right one': [{ properties: { n: { type: 'integer', minimum: 0 } }, required: ['n'] }, { n: 'a' }, { n: 3 }],
    }).map(([what, [schema, ...inputs]]) => [
      `an input that ${what}`,
      async () => {
        const ran = [];
        await register({ inputSchema: { type: 'object', ...schema }, execute: (input) => (ran.push(input), input) });
        const tool = await find();
        const told = [];
        for (const input of inputs) told.push(await ends(() => context.executeTool(tool, input)));
        return [ran, told];
      },
    ]),
  ),
  'registering twice': async () => [await ends(() => register()), await ends(() => register()), await names()],
  'registering twice in one turn': async () => [...(await Promise.all([ends(() => register()), ends(() => register())])), await names()],
  'registering with an aborted signal': async () => [await ends(() => register({}, { signal: AbortSignal.abort('mine') })), await names()],
  'registering with what is no signal': () => ends(() => register({}, { signal: {} })),
  'registering with options that are none': () => ends(() => context.registerTool({ name: 'search', description: 'x', execute() {} }, 5)),
  'registering for a bad origin': () => ends(() => register({}, { exposedTo: ['nowhere'] })),
  'registering for an insecure origin': () => ends(() => register({}, { exposedTo: ['http://other.example'] })),
  'members are read in this order': () => reads(),
  'a hint that throws': () => reads({}, { readOnlyHint: new RangeError('mine') }),
  'a description that throws': () => reads({ description: new RangeError('mine') }),
  'a name that throws as text': () => reads({ name: { toString() { throw new RangeError('mine'); } } }),
  'a title that throws': () => reads({ title: new RangeError('mine') }),
  'a schema that throws': () => reads({ inputSchema: new RangeError('mine') }),
  'execute that is missing, and what is read then': () => reads({ execute: undefined }),
  'a tool of a class': async () => {
    class Tool {
      get name() { return 'search'; }
      get description() { return 'Searches.'; }
      get annotations() { return new (class { get readOnlyHint() { return true; } })(); }
      execute() { return String(this === undefined || this === globalThis); }
    }
    await context.registerTool(new Tool(), { signal: (cleaning.push(new AbortController()), cleaning.at(-1).signal) });
    const tool = await find();
    return [tool.annotations, await ends(() => context.executeTool(tool))];
  },
  'what is listed': async () => {
    await register({ title: 'Search', annotations: { readOnlyHint: true }, inputSchema: { type: 'object', properties: { q: { type: 'string' } } } });
    await register({ name: 'other' });
    return (await listed()).map(({ window: its, ...tool }) => [Object.keys(tool), its === window, tool]);
  },
  'the page’s objects stay as they are': async () => {
    const given = Object.freeze({ name: 'search', description: 'x', execute() {}, inputSchema: Object.freeze({ type: 'object' }) });
    const controller = new AbortController();
    cleaning.push(controller);
    await context.registerTool(given, Object.freeze({ signal: controller.signal }));
    return [Object.keys(given), JSON.stringify(given.inputSchema)];
  },
  'a change is told': () => changes(async () => void (await register())),
  'two changes in one turn': () => changes(async () => void (await Promise.all([register(), register({ name: 'other' })]))),
  'a registration that fails changes nothing': () => changes(async () => void (await ends(() => register({ name: '' })))),
  'unregistering': () =>
    changes(async (log) => {
      const controller = new AbortController();
      await register({}, { signal: controller.signal });
      await turn();
      log.push('abort');
      controller.abort();
      log.push(...(await names()));
    }),
  'registering what was just unregistered': () =>
    changes(async () => {
      const controller = new AbortController();
      const first = ends(() => register({}, { signal: controller.signal }));
      controller.abort();
      return [await ends(() => register()), await first]; // which may come before or after an event is heard
    }),
  'a result that is text': () => answered(() => 'found'),
  'a result that is empty': () => answered(() => ''),
  'a result that is an object': () => answered(() => ({ b: 1, a: [null, undefined], gone: undefined })),
  'a result that is a list': () => answered(async () => [1, 'a']),
  'a result that is a number': () => answered(() => 5),
  'a result that is false': () => answered(() => false),
  'a result that is null': () => answered(() => null),
  'a result that is undefined': () => answered(() => {}),
  'a result that is a function': () => answered(() => () => {}),
  'a result that is a BigInt': () => answered(() => 5n),
  'a result in a circle': () => answered(() => cyclic),
  'a result with toJSON': () => answered(() => ({ toJSON: () => ({ a: 1 }) })),
  'a result that is thenable': () => answered(() => ({ then: (resolve) => resolve('found') })),
  'an Error that is thrown': () => answered(() => { throw new RangeError('mine'); }),
  'text that is thrown': () => answered(() => { throw 'mine'; }),
  'a rejection': () => answered(async () => { throw new DOMException('mine', 'NotFoundError'); }),
  'an argument is handed on': () => answered((input) => input, { q: 'ä', deep: { a: [1] } }),
  'arguments left out': () => answered((input) => [input, Object.getPrototypeOf(input) === Object.prototype, Object.isFrozen(input)]),
  'undefined arguments': () => answered((input) => input, undefined),
  'a list of arguments': () => answered((input) => [Array.isArray(input), input], [1, 2]),
  'an argument named __proto__': () => answered((input) => [Object.keys(input), input], JSON.parse('{"__proto__": {"a": 1}, "b": 2}')),
  'null arguments': () => answered((input) => input, null),
  'text arguments': () => answered((input) => input, '{"q":1}'),
  'a number of arguments': () => answered((input) => input, 5),
  'a truth as arguments': () => answered((input) => input, true),
  'text that is no JSON as arguments': () => answered((input) => input, 'no JSON'),
  'arguments that are undefined in JSON': () => answered((input) => input, { toJSON: () => undefined }),
  'arguments in a circle': () => answered((input) => input, cyclic),
  'what execute is told': () =>
    answered(function (...all) {
      return [this === undefined || this === globalThis, all.length, all[1].signal instanceof AbortSignal, all[1].signal.aborted];
    }),
  'execute runs later': async () => {
    const log = [];
    await register({ execute: () => void log.push('runs') });
    const tool = await find();
    const call = context.executeTool(tool);
    log.push('called');
    await Promise.resolve();
    log.push('a microtask');
    await call;
    return log;
  },
  'calling nothing': () => ends(() => context.executeTool()),
  'calling by a name': () => ends(() => context.executeTool('search')),
  'calling what is not there': () => ends(() => context.executeTool({ name: 'nowhere', description: '', window, origin })),
  'calling without an origin': async () => {
    await register();
    const { name, description } = await find();
    return ends(() => context.executeTool({ name, description, window }));
  },
  'calling at another origin': async () => {
    await register();
    const { name, description } = await find();
    return ends(() => context.executeTool({ name, description, window, origin: 'https://other.example' }));
  },
  'calling with what is no signal': () => answered(() => 'found', {}, { signal: 5 }),
  'calling with null options': () => answered(() => 'found', {}, null),
  'calling with options that are none': () => answered(() => 'found', {}, 5),
  'how a tool is read that is called': async () => {
    const log = [];
    await register();
    const { name, description, origin: its } = await find();
    const tool = logged(log, { window, title: '', origin: its, name: text(log, 'name', name), inputSchema: '', description });
    const options = logged(log, { signal: undefined }, 'options.');
    return [log, await ends(() => context.executeTool(tool, logged(log, { q: 1 }, 'input.'), options))];
  },
  'a call aborted before': () => answered(() => 'found', {}, { signal: AbortSignal.abort('mine') }),
  'a call aborted before, without a reason': () => answered(() => 'found', {}, { signal: AbortSignal.abort() }),
  'a call aborted at once': async () => {
    const controller = new AbortController();
    await register({ execute: abortable });
    const tool = await find();
    return ends(() => {
      const call = context.executeTool(tool, {}, { signal: controller.signal });
      controller.abort('mine');
      return call;
    });
  },
  'a call aborted while it runs': async () => {
    const log = [];
    const controller = new AbortController();
    let started;
    let heard;
    const running = new Promise((resolve) => (started = resolve));
    const hearing = new Promise((resolve) => (heard = resolve));
    const unnoted = noting(log);
    await register({
      execute(_, { signal }) {
        log.push('runs');
        signal.addEventListener('abort', () => {
          log.push(`told: ${said(signal.reason)}`);
          heard();
        });
        started();
        return abortable();
      },
    });
    const tool = await find();
    const call = context.executeTool(tool, {}, { signal: controller.signal });
    await running;
    await turn();
    controller.abort('mine');
    await Promise.all([hearing, call.catch((error) => log.push(`rejected: ${said(error)}`))]);
    await turn();
    unnoted();
    return log;
  },
  'a result after the abort': async () => {
    const controller = new AbortController();
    let finish;
    await register({ execute: () => new Promise((resolve) => (finish = resolve)) });
    const tool = await find();
    const call = context.executeTool(tool, {}, { signal: controller.signal });
    while (!finish) await turn();
    controller.abort();
    finish('late');
    return ends(() => call);
  },
  'two calls, of which one is aborted': async () => {
    const signals = [];
    const finish = [];
    const controller = new AbortController();
    await register({
      execute(_, { signal }) {
        signals.push(signal);
        return new Promise((resolve) => finish.push(resolve));
      },
    });
    const tool = await find();
    const first = ends(() => context.executeTool(tool, {}, { signal: controller.signal }));
    const second = ends(() => context.executeTool(tool, {}, { signal: new AbortController().signal }));
    while (finish.length < 2) await turn();
    controller.abort('mine');
    const one = await first;
    while (!signals[0].aborted) await turn();
    finish[1]('second');
    return [one, await second, signals[1].aborted];
  },
  'a tool that unregisters itself': async () => {
    const controller = new AbortController();
    await register({ execute: async () => (controller.abort(), { done: true }) }, { signal: controller.signal });
    const tool = await find();
    return [await ends(() => context.executeTool(tool)), await names()];
  },
  'a tool that unregisters another': async () => {
    const controller = new AbortController();
    await register({ name: 'other' }, { signal: controller.signal });
    await register({ execute: async () => (controller.abort(), 'done') });
    const tool = await find();
    return [await ends(() => context.executeTool(tool)), await names()];
  },
  'a tool that is gone when it is called': async () => {
    const controller = new AbortController();
    await register({}, { signal: controller.signal });
    const tool = await find();
    controller.abort();
    return ends(() => context.executeTool(tool));
  },
  'a failure of which nobody hears, and one that is heard of': async () => {
    const log = [];
    const note = (event) => {
      event.preventDefault();
      log.push([event.type, event.reason?.name]);
    };
    for (const type of ['unhandledrejection', 'rejectionhandled']) window.addEventListener(type, note);
    void register({ name: '' });
    await until(() => log.length > 0);
    log.push(await ends(() => register({ name: '' })));
    await turn();
    await turn();
    for (const type of ['unhandledrejection', 'rejectionhandled']) window.removeEventListener(type, note);
    return log;
  },
});
