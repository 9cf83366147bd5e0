// Forms that are tools.

/** A form with what is in it, once it is listed; it is gone when the case is over. */
async function declared(name, html, attributes = {}) {
  const form = document.createElement('form');
  for (const [key, value] of Object.entries({ toolname: name, tooldescription: `The form ${name}.`, action: '/blank', target: 'hidden', ...attributes })) {
    form.setAttribute(key, value);
  }
  form.innerHTML = html;
  const frame = Object.assign(document.createElement('iframe'), { name: 'hidden', hidden: true });
  document.body.append(frame, form);
  cleaning.push({ abort: () => (form.remove(), frame.remove()) });
  await until(() => find(name));
  return form;
}

/** One that the browser submits by itself once it is filled in. */
const submitting = (name, html) => declared(name, html, { toolautosubmit: '' });

/** Whether a form and its button look as if a tool ran. */
const active = (...forms) =>
  forms.map((form) => [form.matches(':tool-form-active'), form.querySelector('button')?.matches(':tool-submit-active')]);

const called = async (name, ...args) => context.executeTool(await find(name), ...args);

Object.assign(cases, {
  'a form’s call that is aborted': async () => {
    const forms = [await declared('search', '<button>Search</button>'), await declared('other', '<button>Other</button>')];
    const log = [active(...forms)];
    const unnoted = noting(log, () => active(...forms));
    const controller = new AbortController();
    const call = called('search', {}, { signal: controller.signal });
    await until(() => log.some(([type]) => type === 'toolactivated'));
    await turn();
    controller.abort();
    await call.catch((error) => log.push(said(error)));
    await until(() => log.some(([type]) => type === 'toolcancel'));
    await turn();
    unnoted();
    return [...log, active(...forms)];
  },
  'a form while it is submitted': async () => {
    const form = await submitting('search', '<input name="q"><button>Search</button>');
    const style = document.head.appendChild(document.createElement('style'));
    style.textContent = 'form:tool-form-active { color: rgb(1, 2, 3) } button:tool-submit-active { color: rgb(4, 5, 6) }';
    const [q, button] = form.elements;
    const its = () =>
      [form, q, button].map((each) => [each.matches(':tool-form-active'), each.matches(':tool-submit-active'), getComputedStyle(each).color]);
    const log = [its()];
    form.addEventListener('submit', (event) => {
      log.push(its(), event.agentInvoked);
      event.preventDefault();
      event.respondWith(Promise.resolve('found'));
    });
    log.push(await ends(() => called('search', { q: 'a' })), its());
    style.remove();
    return log;
  },
  'a form is filled in before that is told': async () => {
    const form = await submitting('search', '<input name="q" value="before">');
    const log = [];
    const unnoted = noting(log, () => form.elements.q.value);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      event.respondWith('found');
    });
    log.push(await ends(() => called('search', { q: 'a' })));
    unnoted();
    return log;
  },
  'the fields of a form tell that they are changed': async () => {
    const form = await submitting(
      'search',
      `<input name="text"><input name="number" type="number"><input name="check" type="checkbox" value="c">
       <input name="radio" type="radio" value="r1"><input name="radio" type="radio" value="r2"><textarea name="area"></textarea>
       <select name="choice"><option value="o1">One</option><option value="o2">Two</option></select>`,
    );
    const log = [];
    for (const type of ['input', 'change']) form.addEventListener(type, ({ target }) => log.push([type, target.name, target.value, target.checked]));
    log.push(await ends(() => called('search', { text: 'a b', number: 7, check: true, radio: 'r2', area: 'c\nd', choice: 'o2' })));
    return [log, [...form.elements].map(({ name, value, checked }) => [name, value, checked])];
  },
  'a list of which several are chosen, and the same again': async () => {
    const form = await submitting(
      'search',
      '<select name="choices" multiple><option value="a">A</option><option value="b">B</option><option value="c">C</option></select><input type="submit">',
    );
    const log = [];
    const chosen = () => [...form.elements.choices.options].map(({ selected }) => selected);
    for (const type of ['input', 'change']) form.elements.choices.addEventListener(type, () => log.push([type, chosen()]));
    for (let i = 0; i < 2; i++) log.push(await ends(() => called('search', { choices: ['a', 'c'] })), chosen());
    return log;
  },
  'a form whose listener submits it itself': async () => {
    const form = await submitting('search', '');
    const log = [];
    form.addEventListener('submit', (event) => {
      log.push('submit');
      event.preventDefault();
      form.submit();
    });
    log.push(await ends(() => called('search')));
    return log;
  },
  'a form that is taken away while it is submitted': async () => {
    const form = await submitting('search', '<input name="q">');
    const log = [];
    form.addEventListener('submit', (event) => {
      log.push('submit');
      event.preventDefault();
      event.respondWith(Promise.resolve());
      form.remove();
    });
    log.push(await ends(() => called('search', {})));
    return log;
  },
  'a form as it is listed': async () => {
    await declared('search', '<input name="q" required toolparamdescription="What to look for"><select name="n"><option value="1">One</option></select>');
    const { window: its, ...tool } = await find();
    return [its === window, tool];
  },
});
