/**
 * The dialog that a human sees (SHIM-8): a modal `<dialog>` in a closed shadow root, drawn without anything that a strict
 * CSP with Trusted Types forbids. It knows nothing of calls; it says what the human did.
 */

import { element, icon, shadow } from './dom.js';
import { css } from './style.js';
import * as natives from '../platform/natives.js';
import { appendChild, document, isConnected, listen, setAttribute, setText } from '../platform/natives.js';
import { partsOf } from './shown.js';
import { say, tongue } from '../words/words.js';

/** @import { Choice, Dialog, View } from '../types.js' */

const SHIELD = 'M12 3l7 3v5.5c0 4.5-3 7.9-7 9.5-4-1.6-7-5-7-9.5V6zM12 8.5a2 2 0 1 1 0 4 2 2 0 0 1 0-4zM12 12.5v3.5';
const CHECK = 'M5 12.5l4.5 4.5L19 7.5';
const BAR = 'M6 12h12';
/** Where a dialog begins: what is read first, and a stray Enter presses nothing. */
const TITLE = { id: 'title', tabindex: '-1', autofocus: '' };

/** Characters that still look good in large type. */
const LONG = 160;
/** Milliseconds. A click that was meant for what lay here before the dialog opened is not meant for the dialog. */
const ARMING = 500;

/**
 * Makes the function that opens dialogs.
 *
 * @param {ShadowRootMode} mode open only for tests
 * @returns {(view: View) => Dialog}
 */
export const dialogs = (mode) => (view) => show(view, mode);

/**
 * @param {View} view
 * @param {ShadowRootMode} mode
 * @returns {Dialog}
 */
function show(view, mode) {
  const { host, root } = shadow('data-deputize', mode, css);
  const size = view.description.length > LONG ? 'description long' : 'description';
  const description = element('p', { class: size, id: 'description', dir: 'auto' });
  const legend = element('p', { class: 'legend', id: 'legend' });
  /** @param {string} text */
  const describe = (text) => {
    write(legend, write(description, text) ? view.legend : ''); // of marks, where there are any
  };
  describe(view.description);
  const status = element('p', { class: 'note', role: 'status' });
  const alert = element('p', { class: 'note', role: 'alert' });
  const field = element('form', { class: 'field' });
  const approve = element('button', { type: 'button', class: 'approve', 'aria-disabled': 'true' }, view.approve);
  const decline = element('button', { type: 'button', 'aria-disabled': 'true' }, view.decline);
  const block = element('button', { type: 'button', class: 'block', 'aria-disabled': 'true' }, view.block);
  const next = element('p', { class: 'next', id: 'next' });
  const dialog = element(
    'dialog',
    { ...tongue(), 'aria-labelledby': 'site title', 'aria-describedby': heardOf(view), 'data-state': 'opening' },
    [
      element('div', { class: 'sheet' }, [
        headerOf(view),
        bodyOf(view, description, legend),
        element('footer', {}, [next, status, alert, field, element('div', { class: 'buttons' }, [decline, approve]), block]),
      ]),
    ],
  );

  /** @type {(choice: Choice) => void} */
  let decide;
  /** @type {Promise<Choice> | null} */
  let choice = null;
  let over = false;
  /** @param {Choice} made */
  const choose = (made) => {
    if (!over) decide?.(made);
  };
  /** @param {Event} event */
  const meant = (event) => event.isTrusted && natives.getAttribute(dialog, 'data-state') !== 'opening';

  /** What is done once something was typed. */
  let typed = () => {};
  listen(approve, 'click', (event) => {
    if (!meant(event)) return;
    const state = natives.getAttribute(dialog, 'data-state');
    if (state === 'ready') choose('approve');
    else if (state === 'asking') typed();
  });
  listen(field, 'submit', (event) => {
    natives.preventDefault(event);
    if (meant(event) && natives.getAttribute(dialog, 'data-state') === 'asking') typed();
  });
  listen(decline, 'click', (event) => {
    if (meant(event)) choose('decline');
  });
  listen(block, 'click', (event) => {
    if (meant(event) && natives.getAttribute(dialog, 'data-state') === 'ready') choose('block');
  });
  listen(dialog, 'cancel', (event) => {
    if (!event.isTrusted) return;
    natives.preventDefault(event);
    choose('decline');
  });
  listen(dialog, 'close', () => choose('decline'));
  const observer = new natives.MutationObserver(() => {
    if (!isConnected(host)) choose('removed');
  });

  /**
   * @param {'ready' | 'busy' | 'asking'} state
   * @param {string} progress
   * @param {string} complaint
   * @param {string} tone
   */
  const become = (state, progress, complaint, tone = 'note') => {
    setAttribute(dialog, 'data-state', state);
    setAttribute(approve, 'aria-disabled', state === 'busy' ? 'true' : 'false');
    setAttribute(decline, 'aria-disabled', 'false');
    setAttribute(block, 'aria-disabled', state === 'ready' ? 'false' : 'true');
    setText(status, progress);
    setAttribute(alert, 'class', tone);
    setText(alert, complaint);
  };

  /** @type {(yes: string, no: string) => void} */
  const label = (yes, no) => {
    setText(approve, yes);
    setText(decline, no);
  };

  appendChild(root, dialog);
  const page = natives.documentElement(document);
  natives.observe(observer, page, { childList: true });
  natives.observe(observer, document, { childList: true });
  appendChild(page, host);
  natives.showModal(dialog);
  natives.setTimeout(() => {
    if (natives.getAttribute(dialog, 'data-state') === 'opening') become('ready', '', '');
  }, ARMING);

  return {
    choice: () =>
      (choice ??= new natives.Promise((resolve) => {
        decide = (made) => {
          choice = null;
          resolve(made);
        };
      })),
    busy: (text) => become('busy', text, ''),
    ask: (label) =>
      new natives.Promise((resolve) => {
        const input = element('input', { id: 'typed', autocomplete: 'one-time-code', spellcheck: 'false', dir: 'auto' });
        setText(field, '');
        appendChild(field, element('label', { for: 'typed' }, label));
        appendChild(field, input);
        become('asking', '', '');
        natives.focus(input);
        typed = () => {
          become('busy', say('script-busy'), '');
          resolve(natives.valueOf(input));
        };
      }),
    again: (text, sent) => {
      label(view.approve, view.decline);
      setText(block, sent ? '' : view.block); // what was sent may have come to more than a question
      become('ready', '', text);
    },
    offer: (text, yes, no) => {
      label(yes, no);
      setText(block, ''); // it would not be what it says any more
      become('ready', '', text, 'note offer'); // a choice, not a fault
    },
    describe,
    queue: (text) => setText(next, text),
    close: () => {
      over = true;
      natives.disconnect(observer);
      natives.closeDialog(dialog);
      natives.remove(host);
    },
  };
}

/**
 * Writes what the authority says: what it has set apart is drawn apart, and in a description as no words of the site's (APPR-2).
 *
 * @param {HTMLElement} place
 * @param {string} text
 * @param {Record<string, string>} [apart] how
 * @returns {boolean} whether anything is set apart in it
 */
function write(place, text, apart = { class: 'said' }) {
  setText(place, '');
  let marked = false;
  const parts = partsOf(text);
  for (let i = 0; i < parts.length; i++) {
    const part = /** @type {{text: string, said: boolean}} */ (parts[i]);
    appendChild(place, element(part.said ? 'bdi' : 'span', part.said ? apart : {}, part.text));
    marked ||= part.said;
  }
  return marked;
}

/** @param {View} view */
const headerOf = ({ site, host, user }) =>
  element('header', {}, [
    icon(SHIELD),
    element('div', {}, [
      element('p', { class: 'site', id: 'site' }, [element('bdi', {}, site)]),
      element('p', { class: 'host' }, user ? say('script-signed-in', { host, user }) : host),
    ]),
  ]);

/**
 * @param {View} view
 * @param {HTMLElement} description
 * @param {HTMLElement} legend
 */
function bodyOf(view, description, legend) {
  switch (view.kind) {
    case 'consent':
      return linesOf(view);
    case 'approval':
      return element('div', {}, [titleOf(view), actionOf(view, description, legend)]);
    case 'enrollment':
      return titleOf(view);
  }
}

/** @param {View} view */
const titleOf = ({ title, asker }) => element('div', {}, [element('h2', TITLE, title), element('p', { class: 'asker', id: 'asker' }, asker)]);

/**
 * What a screen reader says when a dialog opens: who asks, what for, and for how long, which stands below the last list.
 *
 * @param {View} view
 */
function heardOf({ lines }) {
  let ids = '';
  for (let i = lines.length - 1; i >= 0 && lines[i]?.part !== 'scope' && lines[i]?.part !== 'limit'; i--) ids = ` line${i}${ids}`;
  return `asker description legend${ids} next`;
}

/**
 * Draws each line as what it is (GRANT-2).
 *
 * @param {View} view
 */
function linesOf({ language, lines }) {
  const drawn = element('div', { lang: language });
  /** @type {HTMLElement | null} */
  let items = null;
  for (let i = 0; i < lines.length; i++) {
    const { part, line } = /** @type {View['lines'][number]} */ (lines[i]);
    if (part === 'scope' || part === 'limit') {
      if (!items) appendChild(drawn, (items = element('ul', { class: part, 'aria-labelledby': `line${i - 1}` })));
      const said = element('span', {});
      write(said, line, {});
      appendChild(items, element('li', {}, [icon(part === 'scope' ? CHECK : BAR), said]));
    } else {
      items = null;
      const said = part === 'title' ? element('h2', TITLE) : element('p', { class: part, id: part === 'asker' ? part : `line${i}` });
      write(said, line, {});
      appendChild(drawn, said);
    }
  }
  return drawn;
}

/**
 * @param {View} view
 * @param {HTMLElement} description
 * @param {HTMLElement} legend
 */
function actionOf({ values }, description, legend) {
  const exactly = element('dl', {});
  for (let i = 0; i < values.length; i++) {
    const name = element('dt', { dir: 'auto' }, values[i]?.name);
    appendChild(exactly, element('div', {}, [name, element('dd', { dir: 'auto' }, values[i]?.value)]));
  }
  return element('div', {}, [description, legend, element('details', {}, [element('summary', {}, say('script-approval-values')), exactly])]);
}
