/**
 * The human before the screen, who reads the dialogs and answers them by mouse. A dialog lies in a closed shadow root, which page script
 * and Playwright's locators cannot enter; the DevTools protocol can, and reads it in a world of its own.
 */

/** @import { CDPSession, Page } from 'playwright-core' */

/** Milliseconds. */
const PATIENCE = 10_000;
const STEP = 20;

/** The dialog did not take the approval. The message is what it says of that. */
export class NotApproved extends Error {
  name = 'NotApproved';
}

/**
 * @typedef {object} Dialog a dialog as it was when it was looked at
 * @property {string} text all that can be read in it, a line for each paragraph
 * @property {string} complaint what it says is wrong, empty if nothing is
 * @property {string[]} buttons their labels
 *
 * @typedef {{timeout?: number}} Patience milliseconds, 10 000 unless said otherwise; an Error that tells what is seen instead comes after
 *
 * @typedef {object} Human
 * @property {() => Promise<Dialog | null>} sees the dialog that is open now
 * @property {(options?: Patience) => Promise<Dialog>} dialog waits for one that takes an answer
 * @property {(options?: Patience) => Promise<Dialog>} approve presses its button and waits for its end; resolves with what was approved,
 *   rejects with NotApproved if the dialog complains instead of closing
 * @property {(options?: Patience) => Promise<Dialog>} decline resolves with what was declined
 */

/**
 * @typedef {Dialog & {ready: boolean, over: boolean, offer: boolean, node: number}} Seen `offer`: its buttons ask about an answer that got
 *   lost; `over`: it only says why the question is over
 */

/**
 * The person before a page.
 *
 * @param {Page} page
 * @returns {Promise<Human>}
 */
export async function human(page) {
  const session = await page.context().newCDPSession(page);

  /** @returns {Promise<Seen | null>} */
  const see = async () => {
    const node = await opened(session);
    const seen = node === null ? null : await inside(session, node, READ);
    return seen && { ...seen, node };
  };
  /** @type {(timeout?: number) => Promise<Seen>} */
  const ready = async (timeout) =>
    await until(async () => {
      const seen = await see();
      return seen?.ready ? seen : null;
    }, 'a dialog that takes an answer', see, timeout);
  /** @type {(seen: Seen, button: string) => Promise<void>} */
  const press = async ({ node }, button) => {
    const look = () => inside(session, node, PLACE, button);
    const place = await until(look, 'a button that can be pressed', see);
    await page.mouse.click(place.x, place.y);
  };
  /** @type {(dialog: Seen, complains: (now: Seen) => boolean, timeout?: number) => Promise<string>} what it complains of, if it does */
  const ended = async ({ node }, complains, timeout) => {
    const end = async () => {
      const now = await see();
      if (now?.node !== node || (now.over && !complains(now))) return { complaint: '' };
      return complains(now) ? now : null;
    };
    return (await until(end, 'an end of the dialog', see, timeout)).complaint;
  };

  return {
    sees: async () => told(await see()),
    dialog: async ({ timeout } = {}) => told(await ready(timeout)),
    approve: async ({ timeout } = {}) => {
      const dialog = await ready(timeout);
      if (dialog.offer) throw new NotApproved(dialog.complaint);
      await press(dialog, '.approve');
      const complaint = await ended(dialog, (now) => now.complaint !== '', timeout);
      if (complaint) throw new NotApproved(complaint);
      return told(dialog);
    },
    decline: async ({ timeout } = {}) => {
      const dialog = await ready(timeout);
      await press(dialog, 'button:not(.approve, .block)');
      await ended(dialog, () => false, timeout);
      return told(dialog);
    },
  };
}

/**
 * @template {Seen | null} S
 * @param {S} seen
 * @returns {S extends null ? null : Dialog}
 */
const told = (seen) => /** @type {any} */ (seen && { text: seen.text, complaint: seen.complaint, buttons: seen.buttons });

/** What it says, without the marks that isolate the words of others (APPR-2), which nobody sees. Runs in the browser. */
const READ = `function () {
  const read = (element) => element.innerText.replace(/[\\u2068\\u2069]/g, '').trim();
  const alert = this.querySelector('[role=alert]');
  return {
    text: read(this),
    complaint: read(alert),
    offer: alert.classList.contains('offer'),
    buttons: [...this.querySelectorAll('button')].map(read).filter(Boolean),
    ready: this.dataset.state === 'ready',
    over: this.querySelector('.approve').textContent === '',
  };
}`;

/** Where a button is once it can be pressed, for which one may have to read to the end. Runs in the browser. */
const PLACE = `function (selector) {
  const button = this.querySelector(selector);
  if (button.ariaDisabled === 'true') {
    if (this.dataset.state === 'ready') this.querySelector('[data-end]').scrollIntoView();
    return null;
  }
  button.scrollIntoView({ block: 'nearest' });
  const { x, y, width, height } = button.getBoundingClientRect();
  return { x: x + width / 2, y: y + height / 2 };
}`;

/**
 * @param {CDPSession} session
 * @returns {Promise<number | null>} the node of the shim's open dialog
 */
async function opened(session) {
  try {
    const { root } = await session.send('DOM.getDocument', { depth: 0 });
    const { nodeIds } = await session.send('DOM.querySelectorAll', { nodeId: root.nodeId, selector: '[data-deputize]' });
    for (const nodeId of nodeIds) {
      const { node } = await session.send('DOM.describeNode', { nodeId, depth: 2, pierce: true });
      for (const shadow of node.shadowRoots ?? []) {
        const dialog = shadow.children?.find(({ nodeName }) => nodeName === 'DIALOG');
        if (dialog) return dialog.backendNodeId;
      }
    }
  } catch {
    // It, or the page, went away meanwhile.
  }
  return null;
}

/**
 * Runs a function in the browser, in a world that shares nothing with the page's script.
 *
 * @param {CDPSession} session
 * @param {number} node its `this`
 * @param {string} functionDeclaration
 * @param {...string} values
 * @returns {Promise<any>} null if the page went away meanwhile
 */
async function inside(session, node, functionDeclaration, ...values) {
  try {
    const { frameTree } = await session.send('Page.getFrameTree');
    const world = { frameId: frameTree.frame.id, worldName: 'deputize' };
    const { executionContextId } = await session.send('Page.createIsolatedWorld', world);
    const { object } = await session.send('DOM.resolveNode', { backendNodeId: node, executionContextId });
    const call = { objectId: String(object.objectId), functionDeclaration, arguments: values.map((value) => ({ value })), returnByValue: true };
    const { result, exceptionDetails } = await session.send('Runtime.callFunctionOn', call);
    return exceptionDetails ? null : (result.value ?? null);
  } catch {
    return null;
  }
}

/**
 * @template T
 * @param {() => Promise<T | null>} look
 * @param {string} what
 * @param {() => Promise<unknown>} instead
 * @param {number} [timeout] milliseconds
 * @returns {Promise<T>}
 */
async function until(look, what, instead, timeout = PATIENCE) {
  const deadline = Date.now() + timeout;
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (Date.now() >= deadline) throw new Error(`deputize: ${what}: not within ${timeout} ms. Seen: ${JSON.stringify(await instead())}`);
    await new Promise((resolve) => setTimeout(resolve, STEP));
  }
}
