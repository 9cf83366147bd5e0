/**
 * Lines at the edge of the page that tell the human what became of their answers, and go away by themselves.
 *
 * What lies outside of a page's topmost modal dialog is inert, even above it in the top layer: it is seen, but its link cannot be used, and
 * no screen reader hears of it (HTML, "blocked by the modal document"). So notices are put into that dialog, where the browser tells which
 * it is. While it is one of ours they wait: they would lie over what it asks, and could be taken for a part of it.
 */

import { element, shadow, write } from './dom.js';
import { css } from './style.js';
import { among } from '../platform/among.js';
import * as natives from '../platform/natives.js';
import { say, tongue } from '../words/words.js';

/** @import { Look } from './look.js' */
/** @import { View } from '../types.js' */

/** Milliseconds in which it can be read. */
const TIME = 10_000;
const TIME_TO_GO = 30_000;
/** Between two looks whether something else is modal by now. */
const LOOKS = 250;
/** Shadow roots in one another that are looked into. */
const DEEPEST = 16;
/** Notices that there are at most: the account page has all that became of anything. */
const MOST = 5;

/**
 * @typedef {object} Notice
 * @property {string} text
 * @property {string} account where a link to the account page leads; empty where there is none
 * @property {string} about the question that it is about; empty where it is about none
 * @property {string} language of that
 * @property {number} left milliseconds, while it is shown
 * @property {HTMLElement | null} line while it is shown
 */

/**
 * @callback Tell
 * @param {string} text
 * @param {string} [account] a link to the account page follows
 * @param {View} [view] of the question that it is about
 * @returns {void}
 */

/**
 * Makes the function that shows notices.
 *
 * @param {ShadowRootMode} mode
 * @param {() => Look} look
 * @returns {Tell}
 */
export function notices(mode, look) {
  /** @type {Notice[]} */
  let told = [];
  /** @type {{host: HTMLElement, list: HTMLElement} | null} where they are, while there are any */
  let box = null;
  /** @type {Element | null} */
  let place = null;

  const draw = () => {
    box ??= boxOf(mode, look());
    const now = placeNow();
    if (now !== place || (now && !natives.isConnected(box.host))) {
      place = now;
      if (now) {
        natives.appendChild(now, box.host); // a dialog that is gone has taken it along
        natives.showPopover(box.list); // over whatever the page has in the top layer
      } else {
        natives.remove(box.host);
        natives.setText(box.list, '');
        for (let i = 0; i < told.length; i++) /** @type {Notice} */ (told[i]).line = null;
      }
    }
    for (let i = 0; place && i < told.length; i++) {
      const one = /** @type {Notice} */ (told[i]);
      if (one.line) continue;
      one.left = timeOf(one);
      one.line = lineOf(one);
      natives.appendChild(box.list, one.line); // after the list is in the page, so that a screen reader hears of it
    }
  };
  const pass = () => {
    if (place) keep((one) => (one.left -= LOOKS) > 0);
    if (told.length > 0) {
      draw();
      natives.setTimeout(pass, LOOKS);
    } else {
      if (box) natives.remove(box.host);
      box = place = null;
    }
  };
  /** @param {(one: Notice) => boolean} wanted */
  const keep = (wanted) => {
    /** @type {Notice[]} */
    const kept = [];
    for (let i = 0; i < told.length; i++) {
      const one = /** @type {Notice} */ (told[i]);
      if (wanted(one)) natives.push(kept, one);
      else if (one.line) natives.remove(one.line);
    }
    told = kept;
  };

  return (text, account = '', view) => {
    const about = headlineOf(view);
    const running = told.length > 0;
    keep((one) => one.text !== text || one.about !== about); // what is said again is heard again
    if (told.length >= MOST) {
      const oldest = told[0];
      keep((one) => one !== oldest);
    }
    natives.push(told, { text, account, about, language: view?.language ?? '', left: 0, line: null });
    draw();
    if (!running) natives.setTimeout(pass, LOOKS);
  };
}

/** @param {Notice} notice */
const timeOf = ({ account }) => (account ? TIME_TO_GO : TIME);

/**
 * @param {ShadowRootMode} mode
 * @param {Look} look
 */
function boxOf(mode, look) {
  const { host, root } = shadow('data-deputize-notice', mode, css + look.css);
  // What is added is announced, and nothing twice.
  const list = element('div', { class: 'notices', role: 'status', 'aria-atomic': 'false', popover: 'manual', ...tongue() });
  natives.appendChild(root, list);
  return { host, list };
}

/** @param {Notice} notice @returns {HTMLElement} */
function lineOf({ text, account, about, language }) {
  const line = element('div', { class: 'notice' });
  if (about) {
    const question = element('p', { class: 'about', lang: language, dir: 'auto' });
    write(question, about, {});
    natives.appendChild(line, question);
  }
  natives.appendChild(line, element('p', {}, text));
  if (account) natives.appendChild(line, element('a', { href: account, target: '_blank', rel: 'noopener' }, say('script-account-link')));
  return line;
}

/** @param {View | undefined} view @returns {string} what it asks, in short */
function headlineOf(view) {
  const lines = view?.lines ?? [];
  for (let i = 0; i < lines.length; i++) {
    const { part, line } = /** @type {View['lines'][number]} */ (lines[i]);
    if (among(part, ['headline', 'title'])) return line;
  }
  return '';
}

/**
 * The topmost modal dialog of the page, and where there is none, the page: what is inert is not hit, and the backdrop counts as its dialog.
 *
 * @returns {Element | null} null while it is a dialog of ours
 */
function placeNow() {
  /** @type {Element} */
  let place = natives.documentElement(natives.document);
  let hit = natives.elementAt(natives.document, 0, 0);
  for (let i = 0; hit && i < DEEPEST; i++) {
    if (natives.getAttribute(hit, 'data-deputize') !== null) return null;
    place = natives.closest(hit, 'dialog:modal') ?? place;
    const root = natives.shadowRoot(hit);
    hit = root && natives.elementIn(root, 0, 0);
  }
  return place;
}
