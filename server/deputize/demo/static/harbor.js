// @ts-check
'use strict';
/**
 * Harbor's page: the tools that it offers to agents, and the form for people. The shim was loaded before this, so every
 * tool that is registered here asks deputize first; `client` says who calls, and its `fetch` carries the call token that
 * the API's guard wants to see.
 *
 * @typedef {object} Client
 * @property {AbortSignal} signal
 * @property {{clientId: string, assurance: string} | null} agent null when the user does it, in the form
 * @property {readonly string[]} scopes
 * @property {string | null} correlationId
 * @property {typeof fetch} fetch
 *
 * @typedef {{id: number, date: string, amount: number, name: string, iban: string | null}} Transaction
 * @typedef {{iban: string, balance: number, closed: boolean, transaction?: Transaction}} Account
 * @typedef {(input: any, client: Client) => Promise<[text: string, data: object]>} Work
 */

{
  const NUMBERS = new Intl.NumberFormat('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const DAYS = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });

  /** @param {number} amount */
  const euros = (amount) => `${NUMBERS.format(amount).replace('-', '−')} EUR`;
  /** @param {string} iban */
  const grouped = (iban) => iban.replace(/(.{4})(?=.)/g, '$1 ');
  /** @param {string} id */
  const at = (id) => document.getElementById(id);

  // --- Harbor's API -------------------------------------------------------------------------------------------------

  /**
   * @param {Client} client
   * @param {string} path
   * @param {object} [body] makes it a POST
   * @returns {Promise<any>} what the API answered; an Error with its words if it refused, and its code if the guard did
   */
  async function ask(client, path, body) {
    const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    let response, answer;
    try {
      response = await client.fetch(path, body ? { ...post, signal: client.signal } : { signal: client.signal });
      answer = await response.json();
    } catch {
      const lost = 'No answer came, so it is not known whether this was done. Look at the transactions before you try again.';
      throw new Error(body ? lost : 'No answer came. Try again in a moment.');
    }
    const { detail = 'Harbor could not do this.', code } = answer;
    if (!response.ok) throw Object.assign(new Error(detail), { code });
    return answer;
  }

  /** @type {(order: {amount: number, iban: string, name: string}, client: Client) => Promise<Account>} */
  async function sendMoney(order, client) {
    const account = await ask(client, '/api/transfers', order);
    show(account);
    return account;
  }

  // --- the tools ----------------------------------------------------------------------------------------------------

  /**
   * Makes a tool's `execute`: a result as MCP has it, also of what went wrong.
   *
   * @param {string} did what the customer reads about it
   * @param {Work} work
   */
  const executes = (did, work) => async (/** @type {any} */ input, /** @type {Client} */ client) => {
    try {
      const [text, data] = await work(input, client);
      tellActivity(did, client);
      const { agent, scopes, correlationId } = client;
      return { content: [{ type: 'text', text }], structuredContent: data, _meta: { agent, scopes, correlationId } };
    } catch (error) {
      const { message, code } = /** @type {Error & {code?: string}} */ (error);
      return { isError: true, content: [{ type: 'text', text: message }], structuredContent: { code } };
    }
  };

  const NOTHING = { type: 'object', properties: {}, additionalProperties: false };

  const getBalance = {
    name: 'get_balance',
    description: 'Tells the balance of the customer’s account, in euros.',
    inputSchema: NOTHING,
    annotations: { readOnlyHint: true },
    execute: executes('looked at your balance', async (_, client) => {
      const account = await ask(client, '/api/balance');
      return [`The balance is ${euros(account.balance)}.`, account];
    }),
  };

  const listTransactions = {
    name: 'list_transactions',
    description: 'Lists what moved on the customer’s account, newest first. Negative amounts went out.',
    inputSchema: {
      type: 'object',
      properties: { limit: { type: 'integer', minimum: 1, maximum: 100, description: 'How many at most; 20 if left out.' } },
      additionalProperties: false,
    },
    annotations: { readOnlyHint: true },
    execute: executes('looked at your transactions', async ({ limit }, client) => {
      const answer = await ask(client, `/api/transactions${limit === undefined ? '' : `?limit=${limit}`}`);
      const lines = answer.transactions.map((/** @type {Transaction} */ each) => `${each.date}  ${euros(each.amount)}  ${each.name}`);
      return [lines.join('\n'), answer];
    }),
  };

  const transferMoney = {
    name: 'transfer_money',
    description: 'Sends money from the customer’s account. The customer has to approve it with a passkey, which may take a while.',
    inputSchema: {
      type: 'object',
      required: ['amount', 'iban', 'name'],
      properties: {
        amount: { type: 'number', minimum: 0.01, maximum: 1000000, description: 'In euros, with at most two decimals.' },
        iban: { type: 'string', pattern: '^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$', description: 'Without spaces.' },
        name: { type: 'string', minLength: 1, maxLength: 70, description: 'Who gets the money.' },
      },
      additionalProperties: false,
    },
    execute: executes('sent money for you', async (order, client) => {
      const account = await sendMoney(order, client);
      return [`${euros(order.amount)} went to ${order.name}. The balance is ${euros(account.balance)}.`, account];
    }),
  };

  const closeAccount = {
    name: 'close_account',
    description: 'Closes the customer’s account for good. The customer has to approve it with a security key or a phone.',
    inputSchema: NOTHING,
    execute: executes('closed your account', async (_, client) => {
      const account = await ask(client, '/api/close-account', {});
      show(account);
      return ['The account is closed, and what was in it is paid out.', account];
    }),
  };

  const searchHelp = {
    name: 'search_help',
    description: 'Finds answers in Harbor’s help.',
    inputSchema: {
      type: 'object',
      required: ['query'],
      properties: { query: { type: 'string', description: 'A few words.' } },
      additionalProperties: false,
    },
    annotations: { readOnlyHint: true },
    async execute(/** @type {{query: string}} */ { query }) {
      const words = query.toLowerCase().match(/\w{3,}/g) ?? [];
      const articles = [...document.querySelectorAll('#help details')].map((each) => each.textContent?.trim() ?? '');
      const found = articles.filter((article) => words.some((word) => article.toLowerCase().includes(word)));
      return { content: [{ type: 'text', text: found.join('\n\n') || 'Harbor’s help says nothing about that.' }] };
    },
  };

  /** Harbor's policy does not know this one, as happens to a tool that somebody adds in a hurry: so it never runs. */
  const exportContacts = {
    name: 'export_contacts',
    description: 'Lists everybody whom the customer ever sent money to.',
    inputSchema: NOTHING,
    execute: executes('read your contacts', async () => {
      const contacts = [...document.querySelectorAll('#transactions .name')].map((each) => each.textContent);
      return [contacts.join('\n'), { contacts }];
    }),
  };

  const { modelContext } = /** @type {{modelContext: {registerTool(tool: object): Promise<void>}}} */ (/** @type {unknown} */ (document));
  const tools = [getBalance, transferMoney, closeAccount, searchHelp, exportContacts];
  for (const tool of tools) modelContext.registerTool(tool);
  // The name that WebMCP had before: pages and libraries that still use it go through the shim as well.
  /** @type {any} */ (navigator).modelContext.registerTool(listTransactions);

  // --- the page -----------------------------------------------------------------------------------------------------

  /** @param {Account} account */
  function show({ balance, closed, transaction }) {
    const sum = at('balance');
    if (sum) sum.textContent = euros(balance);
    at('closed')?.toggleAttribute('hidden', !closed);
    form?.toggleAttribute('hidden', closed);
    if (transaction) at('transactions')?.prepend(rowOf(transaction));
  }

  /** @param {Transaction} transaction */
  function rowOf({ name, iban, amount, date }) {
    const template = /** @type {HTMLTemplateElement} */ (at('transaction'));
    const row = /** @type {DocumentFragment} */ (template.content.cloneNode(true));
    /** @param {string} selector @param {string} text */
    const fill = (selector, text) => {
      const place = /** @type {Element} */ (row.querySelector(selector));
      place.textContent = text;
      return place;
    };
    fill('.name', name);
    fill('.iban', iban ? grouped(iban) : '');
    fill('.amount', euros(amount)).classList.toggle('in', amount > 0);
    fill('time', DAYS.format(new Date(date))).setAttribute('datetime', date);
    return row;
  }

  /**
   * @param {string} did
   * @param {Client} client
   */
  function tellActivity(did, { agent }) {
    if (!agent) return;
    const item = document.createElement('li');
    const who = agent.assurance === 'opaque' ? 'in this browser' : agent.clientId;
    item.textContent = `The agent ${who} ${did}.`;
    const time = document.createElement('time');
    time.textContent = new Date().toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
    item.append(time);
    at('activity')?.prepend(item);
  }

  /** What a customer reads when the approval did not come about; the other reasons come in words of their own. */
  const WORDS = /** @type {Record<string, string>} */ ({
    declined: 'You did not approve this. No money was sent.',
    cancelled: 'The approval was cut off. No money was sent.',
    expired: 'This was not approved in time. No money was sent.',
    already_executed: 'Exactly this was sent a moment ago. To send it once more, wait two minutes.',
    login_required: 'You are signed out. Sign in again, then send it.',
    no_eligible_credential: 'You have no passkey that may approve this. Add one under “Passkeys and agents”.',
  });

  const form = /** @type {HTMLFormElement | null} */ (at('transfer'));
  let busy = false;

  /** @param {string | undefined} text */
  const bare = (text = '') => text.replace(/\s/g, '').toUpperCase();

  /**
   * Tells whether the check digits are right (ISO 7064, MOD 97-10).
   *
   * @param {string} iban
   */
  function isIban(iban) {
    const digits = [...iban.slice(4), ...iban.slice(0, 4)].map((letter) => parseInt(letter, 36)).join('');
    return /^[0-9]+$/.test(digits) && BigInt(digits) % 97n === 1n;
  }

  // A slip of the finger is told before the passkey is asked for.
  at('iban')?.addEventListener('input', ({ target }) => {
    const input = /** @type {HTMLInputElement} */ (target);
    input.setCustomValidity(isIban(bare(input.value)) ? '' : 'This is not a valid IBAN. Please check it.');
  });

  form?.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (busy) return;
    working(true, 'Waiting for your approval…');
    const { name, iban, amount } = /** @type {Record<string, string>} */ (Object.fromEntries(new FormData(form)));
    const order = {
      amount: Number(amount?.replace(',', '.')),
      iban: bare(iban),
      name: name?.trim(),
    };
    try {
      await /** @type {any} */ (window).deputize.perform('transfer_money', order, sendMoney, { event });
      form.reset();
      working(false, `${euros(order.amount)} went to ${order.name}.`);
    } catch (error) {
      const { code, message } = /** @type {Error & {code?: string}} */ (error);
      working(false, WORDS[code ?? ''] ?? message, true);
    }
  });

  /**
   * @param {boolean} isBusy
   * @param {string} text
   * @param {boolean} [bad]
   */
  function working(isBusy, text, bad = false) {
    busy = isBusy;
    form?.querySelector('button')?.setAttribute('aria-disabled', String(isBusy));
    const status = /** @type {HTMLElement} */ (at('status'));
    status.textContent = text;
    status.classList.toggle('bad', bad);
  }
}
