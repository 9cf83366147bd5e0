/**
 * The dialog that a human sees (SHIM-8): a modal `<dialog>` in a closed shadow root, drawn without anything that a strict
 * CSP with Trusted Types forbids. It knows nothing of calls; it says what the human did.
 */

import { attention } from './attention.js';
import { element, icon, SAID, shadow, write } from './dom.js';
import { phonePanel } from './phone.js';
import { css } from './style.js';
import * as natives from '../platform/natives.js';
import { appendChild, document, isConnected, listen, setAttribute, setText } from '../platform/natives.js';
import { say, tongue } from '../words/words.js';

/** @import { Look } from './look.js' */
/** @import { Choice, Dialog, View } from '../types.js' */

const SHIELD = 'M12 3l7 3v5.5c0 4.5-3 7.9-7 9.5-4-1.6-7-5-7-9.5V6zM12 8.5a2 2 0 1 1 0 4 2 2 0 0 1 0-4zM12 12.5v3.5';
const CHECK = 'M5 12.5l4.5 4.5L19 7.5';
const BAR = 'M6 12h12';
/** Where a dialog begins: what is read first, and a stray Enter presses nothing. */
const TITLE = { id: 'title', tabindex: '-1', autofocus: '' };

/** Pixels by which the text moves where one presses the button that wants it read: less than is ever seen of it at a time. */
const FURTHER = 120;
/** Characters that still look good in large type. */
const LONG = 160;

/**
 * Makes the function that opens dialogs.
 *
 * @param {ShadowRootMode} mode open only for tests
 * @param {() => Look} look
 * @returns {(view: View) => Dialog}
 */
export const dialogs = (mode, look) => (view) => show(view, mode, look());

/**
 * @param {View} view
 * @param {ShadowRootMode} mode
 * @param {Look} look
 * @returns {Dialog}
 */
function show(view, mode, look) {
  const { host, root } = shadow('data-deputize', mode, css + look.css);
  const title = element('h2', { ...TITLE, dir: 'auto' });
  const text = element('div', { id: 'text' });
  const legend = element('p', { class: 'legend', id: 'legend' });
  /** @param {View['lines']} lines @param {string} language of them */
  const reword = (lines, language) => {
    setAttribute(title, 'lang', language);
    setAttribute(text, 'lang', language);
    const marked = draw(title, text, lines);
    write(legend, marked || view.details.length > 0 ? view.legend : '', SAID);
  };
  reword(view.lines, view.language);
  const status = element('p', { class: 'note', role: 'status' });
  const alert = element('p', { class: 'note', role: 'alert', id: 'alert' });
  const field = element('form', { class: 'field' });
  const unread = element('p', { class: 'next', id: 'unread' });
  const approve = element('button', { type: 'button', class: 'approve', 'aria-describedby': 'unread' }, view.approve);
  const decline = element('button', { type: 'button' }, view.decline);
  const block = element('button', { type: 'button', class: 'block' }, view.block);
  const phone = element('button', { type: 'button', class: 'block' }, view.phone);
  const onPhone = element('div', {});
  const next = element('p', { class: 'next', id: 'next' });
  /** Where it is answered elsewhere only. @type {HTMLElement | null} */
  let link = null;
  const there = element('p', { class: 'next', id: 'there' });
  const buttons = element('div', { class: 'buttons' }, [decline, approve]);
  const asked = element('div', { id: 'asked' }, [title, text, legend, detailsOf(view)]);
  const end = element('div', { class: 'end', 'data-end': '' });
  const sheet = element('div', { class: 'sheet', tabindex: '-1' }, [headerOf(view, look), asked, end, onPhone]);
  const footer = element('div', { class: 'footer' }, [next, status, alert, field, there, unread, buttons, phone, block]);
  // It takes the focus where what had it goes away, and where people click beside everything.
  const dialog = element('dialog', { ...tongue(), 'aria-labelledby': 'site title', 'aria-describedby': 'asked next there', tabindex: '-1' }, [sheet, footer]);

  /** @type {(choice: Choice) => void} */
  let decide;
  /** @type {Promise<Choice> | null} */
  let choice = null;
  /** @type {'ready' | 'busy' | 'asking' | 'over'} */
  let state = 'ready';
  let gone = false;
  /** @type {import('./attention.js').Attention | undefined} */
  let seen;

  /** Says which buttons take an answer now. One that does not stays where it is for the keyboard, and says why. */
  const refresh = () => {
    const armed = !!seen?.armed();
    const read = !!seen?.read();
    const waits = state === 'ready' && !!seen?.unread();
    setAttribute(dialog, 'data-state', armed || state === 'busy' ? state : 'opening');
    setAttribute(approve, 'aria-disabled', `${!read || state === 'busy'}`);
    setAttribute(decline, 'aria-disabled', `${!armed}`);
    setAttribute(block, 'aria-disabled', `${!armed || state !== 'ready'}`);
    setAttribute(phone, 'aria-disabled', `${!armed || state !== 'ready'}`);
    setText(unread, waits && !link ? say('script-unread') : ''); // a link is read where it leads
    if (waits) setAttribute(sheet, 'tabindex', '0'); // from now on, so that the keyboard can scroll it
  };
  const close = () => {
    const open = !gone;
    gone = true;
    seen?.end();
    natives.disconnect(observer);
    natives.closeDialog(dialog);
    natives.remove(host);
    return open;
  };
  /** @param {Choice} made */
  const choose = (made) => {
    if (gone) return;
    if (state === 'over') close();
    else decide?.(made);
  };
  /** @param {Event} event */
  const meant = (event) => event.isTrusted && !!seen?.armed();

  /** What is done once something was typed. */
  let typed = () => {};
  listen(approve, 'click', (event) => {
    if (!meant(event)) return;
    if (state === 'asking') typed();
    else if (state === 'ready' && seen?.read()) choose('approve');
    else if (state === 'ready') natives.scrollBy(sheet, 0, FURTHER);
  });
  listen(field, 'submit', (event) => {
    natives.preventDefault(event);
    if (meant(event) && state === 'asking') typed();
  });
  listen(decline, 'click', (event) => {
    if (meant(event)) choose('decline');
  });
  listen(block, 'click', (event) => {
    if (meant(event) && state === 'ready') choose('block');
  });
  listen(phone, 'click', (event) => {
    if (meant(event) && state === 'ready') choose('phone');
  });
  listen(dialog, 'cancel', (event) => {
    if (!event.isTrusted) return;
    natives.preventDefault(event);
    if (seen?.armed()) choose('decline');
  });
  listen(dialog, 'close', () => {
    if (gone) return;
    if (seen?.armed()) choose('decline');
    else if (isConnected(host)) open(); // browsers let nobody prevent that twice, and this key was meant for the page
  });
  const observer = new natives.MutationObserver(() => {
    if (!isConnected(host)) choose('removed');
  });
  const open = () => {
    natives.showModal(dialog);
    seen?.again();
  };

  /**
   * @param {'ready' | 'busy' | 'asking' | 'over'} now
   * @param {string} progress
   * @param {string} complaint
   * @param {string} tone
   */
  const become = (now, progress, complaint, tone = 'note') => {
    state = now;
    setText(status, progress);
    setAttribute(alert, 'class', tone);
    setText(alert, complaint);
    if (now === 'ready' || now === 'over') seen?.again(); // the buttons may mean something else now
    else refresh();
  };

  /** @type {(yes: string, no: string) => void} */
  const label = (yes, no) => {
    setText(approve, yes);
    setText(decline, no);
  };
  let onOther = false;
  listen(block, 'focus', () => (onOther = true));
  listen(block, 'blur', () => (onOther = false));
  listen(phone, 'focus', () => (onOther = true));
  listen(phone, 'blur', () => (onOther = false));
  const unblock = () => {
    if (onOther) natives.focus(decline);
    setText(block, '');
    setText(phone, '');
  };

  appendChild(root, dialog);
  const page = natives.documentElement(document);
  natives.observe(observer, page, { childList: true });
  natives.observe(observer, document, { childList: true });
  appendChild(page, host);
  open();
  seen = attention(end, refresh, dialog);

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
        appendChild(field, element('label', { for: 'typed' }, label));
        appendChild(field, input);
        become('asking', '', '');
        natives.focus(input);
        typed = () => {
          natives.focus(approve);
          setText(field, '');
          become('busy', say('script-busy'), '');
          resolve(natives.valueOf(input));
        };
      }),
    again: (text, sent) => {
      label(view.approve, view.decline);
      if (sent) unblock(); // what was sent may have come to more than a question
      become('ready', '', text);
    },
    offer: (text, yes, no) => {
      label(yes, no);
      unblock(); // it would not be what it says any more
      become('ready', '', text, 'note offer'); // a choice, not a fault
    },
    lead: (address) => {
      link = element('a', { class: 'approve', href: address, target: '_blank', rel: 'noopener noreferrer' });
      setText(link, say('script-answer-at', { host: natives.urlHost(new natives.URL(address)) }));
      listen(link, 'click', (event) => {
        if (!meant(event)) natives.preventDefault(event);
      });
      natives.remove(approve);
      appendChild(buttons, link);
      if (state === 'busy') natives.focus(link); // it was pressed, and the keyboard goes on in its place
      setText(there, say('script-answer-there'));
      refresh();
    },
    reword: (lines, language) => {
      reword(lines, language);
      seen?.again(true);
    },
    queue: (text) => setText(next, text),
    phone: (question) => {
      const title = element('h3', { id: 'phone', tabindex: '-1' }, say('script-phone-title'));
      setText(onPhone, '');
      const { panel, both } = phonePanel(question, title);
      appendChild(onPhone, panel);
      natives.focus(title);
      natives.scrollIntoView(both, /** @type {object} */ ({ __proto__: null, block: 'nearest' })); // on a small screen it is the title that goes
      setText(phone, ''); // what it does is done
    },
    end: (text, account) => {
      if (link) natives.remove(link);
      setText(there, '');
      label('', say('script-close'));
      unblock();
      setText(field, '');
      become('over', '', text);
      if (account) appendChild(alert, element('a', { href: account, target: '_blank', rel: 'noopener' }, say('script-account-link')));
      natives.focus(decline);
    },
    close,
  };
}

/**
 * @param {View} view
 * @param {Look} look
 */
const headerOf = ({ site, host, user }, { logo }) =>
  element('div', { class: 'header' }, [
    logo ? logoOf(logo) : icon(SHIELD),
    element('div', {}, [
      element('p', { class: 'site', id: 'site' }, [element('bdi', {}, site)]),
      element('p', { class: 'host' }, user ? say('script-signed-in', { host, user }) : host),
    ]),
  ]);

/**
 * As an image only, in which no script runs; where it does not come, as by a Content-Security-Policy, there is the shield as ever.
 *
 * @param {string} src
 */
function logoOf(src) {
  const logo = element('img', { alt: '', src });
  const place = element('span', { class: 'logo' }, [logo, icon(SHIELD)]);
  listen(logo, 'error', () => natives.remove(logo));
  return place;
}

/**
 * Draws each line as what it is (GRANT-2, APPR-2).
 *
 * @param {HTMLElement} title is given the first
 * @param {HTMLElement} text is given the others
 * @param {View['lines']} lines
 * @returns {boolean} whether an agent has filled in anything
 */
function draw(title, text, lines) {
  setText(text, '');
  let marked = false;
  /** What neighbouring lines share: a list, or rows, and in these the row; who asks. @type {HTMLElement | null} */
  let list = null;
  /** @type {HTMLElement | null} */
  let row = null;
  /** @type {HTMLElement | null} */
  let asker = null;
  /** @type {HTMLElement | null} */
  let item = null;
  for (let i = 0; i < lines.length; i++) {
    const one = /** @type {View['lines'][number]} */ (lines[i]);
    const { part, line } = one;
    const filledIn = part === 'headline' || part === 'row' || part === 'value';
    /** @param {HTMLElement} place */
    const put = (place) => {
      marked = write(place, line, filledIn ? SAID : {}) && filledIn || marked;
      if (natives.hasOwn(one, 'language')) setAttribute(place, 'lang', one.language ?? '');
      return place;
    };
    if (part === 'title' || part === 'headline') {
      setAttribute(title, 'class', part === 'headline' && line.length > LONG ? 'headline long' : part);
      put(title);
    } else if (part === 'scope' || part === 'limit') {
      if (!list) appendChild(text, (list = element('ul', { class: part, 'aria-labelledby': `line${i - 1}` })));
      item = put(element('span', {}));
      appendChild(list, element('li', {}, [icon(part === 'scope' ? CHECK : BAR), item]));
    } else if (item && part === 'new') {
      appendChild(item, element('span', {}, ' '));
      appendChild(item, put(element('span', { class: 'new' })));
    } else if (part === 'row') {
      if (!list) appendChild(text, (list = element('dl', { class: 'rows' })));
      appendChild(list, (row = element('div', {}, [put(element('dt', { dir: 'auto' }))])));
    } else if (row && part === 'value') appendChild(row, put(element('dd', { dir: 'auto' })));
    else if (part === 'asker') {
      asker = element(row ? 'dd' : 'p', { class: 'asker' }, [put(element('strong', {}))]);
      appendChild(row ?? text, asker);
    } else if (asker && part === 'claim') {
      appendChild(asker, element('span', {}, ' · '));
      appendChild(asker, put(element('span', { class: 'claim' })));
    } else {
      list = row = asker = item = null;
      appendChild(text, put(element('p', { class: part, id: `line${i}` })));
    }
  }
  return marked;
}

/** @param {View} view the arguments that its lines leave out */
function detailsOf({ details }) {
  const rows = element('dl', {});
  for (let i = 0; i < details.length; i++) {
    const { title, values } = /** @type {View['details'][number]} */ (details[i]);
    const name = element('dt', { dir: 'auto' });
    write(name, title, SAID);
    const row = element('div', {}, [name]);
    for (let j = 0; j < values.length; j++) {
      const value = element('dd', { dir: 'auto' });
      write(value, values[j] ?? '', SAID);
      appendChild(row, value);
    }
    appendChild(rows, row);
  }
  return details.length > 0 ? element('details', {}, [element('summary', {}, say('script-approval-values')), rows]) : element('div', {});
}
