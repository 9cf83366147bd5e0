/** What the tests of the gate stand on: a page with everything behind its gate, and a human who answers dialogs. */

import './platform.js';

const { askingBy } = await import('../src/asking.js');
const { Authority } = await import('../src/authority/authority.js');
const { argsS256 } = await import('../src/platform/canonical.js');
const { Gate } = await import('../src/calls/gate.js');
const { partsFor } = await import('../src/grants/grants.js');
const { Keyring } = await import('../src/authority/keyring.js');
const { Prompts } = await import('../src/people/prompt.js');
const { linesIn } = await import('../src/people/view.js');
const { method: webauthn } = await import('../src/people/methods/webauthn.js');

/** @import { TestAuthority } from './authority.js' */
/** @import { Choice, Dialog, Tool, View } from '../src/types.js' */

/** @param {View | undefined} view @returns {string[]} what a consent asks for */
export const scopesIn = (view) => (view?.lines ?? []).filter(({ part }) => part === 'scope').map(({ line }) => line);

/** Somebody who looks at the dialogs, and a passkey that signs whatever it is given. */
export class Human {
  /** @type {Array<{view: View, texts: string[], closed: boolean, left: boolean, choose: (choice: Choice) => void}>} */
  dialogs = []; // `left`: nobody closes it once it has told why its question is over
  #waiting = () => {};
  signed = 0;
  /** @type {string[]} what was told after a dialog */
  told = [];
  /** @type {Array<string | undefined>} where each of these leads to */
  led = [];
  /** @type {Array<string | undefined>} what each of these is about */
  about = [];
  tell = (/** @type {string} */ text, /** @type {string | undefined} */ account, /** @type {View | undefined} */ view) => {
    this.told.push(text);
    this.led.push(account);
    this.about.push(view && linesIn(view));
    this.#waiting();
  };
  /** What is typed where a method asks for something. */
  types = '';
  /** @type {(options: any, signal: AbortSignal) => Promise<unknown>} any: WebAuthn's options */
  assert = async (options) => {
    this.signed += 1;
    return { signed: options.challenge };
  };
  /** @type {(options: any, signal: AbortSignal) => Promise<unknown>} any: WebAuthn's options */
  create = async (options) => ({ made: options.challenge });
  passkeys = {
    methods: { webauthn: webauthn((/** @type {any} */ options, /** @type {any} */ signal) => this.assert(options, signal)) },
    create: (/** @type {any} */ options, /** @type {any} */ signal) => this.create(options, signal),
  };

  /** @type {(view: View) => Dialog} */
  open = (view) => {
    /** @type {(choice: Choice) => void} */
    let decide = () => {};
    /** @type {Promise<Choice> | null} */
    let choice = null;
    const seen = { view, texts: /** @type {string[]} */ ([]), closed: false, left: false, choose: (/** @type {Choice} */ made) => decide(made) };
    this.dialogs.push(seen);
    const note = (/** @type {string} */ text) => {
      seen.texts.push(text);
      this.#waiting();
    };
    return {
      choice: () => {
        choice ??= new Promise((resolve) => {
          decide = (made) => {
            choice = null;
            resolve(made);
          };
        });
        this.#waiting();
        return choice;
      },
      busy: note,
      again: (text, sent) => note(sent ? `${text} (sent)` : text),
      ask: async (label) => {
        note(`ask: ${label}`);
        return this.types;
      },
      offer: (text, approve, decline) => note(`${text} [${approve} | ${decline}]`),
      reword: (lines, language) => {
        seen.view = { ...view, lines, language };
        note(`now: ${linesIn({ lines })}`);
      },
      queue: (text) => note(text),
      phone: ({ uri, digits }) => note(`phone: ${uri} ${digits}`),
      end: (text, account) => {
        seen.closed = true;
        this.tell(text, account, undefined);
      },
      lead: (address) => note(`at: ${address}`),
      close: () => {
        seen.closed = true;
        this.#waiting();
        return seen.left;
      },
    };
  };

  /**
   * Waits until something is so, looking whenever a dialog changes.
   *
   * @param {() => unknown} so
   */
  async until(so) {
    while (!so()) await new Promise((resolve) => (this.#waiting = () => resolve(null)));
  }

  /**
   * Waits for the dialog with this number, and answers it.
   *
   * @param {number} index
   * @param {Choice} choice
   */
  async answer(index, choice) {
    await this.until(() => this.dialogs[index]);
    this.dialogs[index]?.choose(choice);
  }
}

/**
 * A page: the gate with everything behind it.
 *
 * @param {TestAuthority} server
 * @param {{patience?: number | null, keyring?: import('../src/authority/keyring.js').Keyring, tools?: Tool[]}} [options]
 */
export function page(server, { patience = null, keyring = new Keyring(server.issuer), tools = [] } = {}) {
  const human = new Human();
  const authority = new Authority(server.issuer);
  const prompts = new Prompts(human.open, human.tell, human.passkeys);
  /** @type {Array<{name: string, execute: (input: unknown) => Promise<any>}>} any: an agent's answer */
  const offered = [];
  const asking = askingBy(partsFor(authority, prompts, keyring), () => tools, patience, (tool) => void offered.push(tool));
  const gate = new Gate(authority, async () => asking);
  return { human, gate, asking, offered, ...asking.parts };
}

/**
 * @param {string} name
 * @returns {import('../src/types.js').Tool}
 */
export const registered = (name) => ({ name, definition: () => argsS256({ name }) });
