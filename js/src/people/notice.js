/**
 * A line at the edge of the page that tells the human what became of their answer, and goes away by itself.
 *
 * What lies outside of a page's topmost modal dialog is inert, even above it in the top layer: it is seen, but its link cannot be used, and
 * no screen reader hears of it (HTML, "blocked by the modal document"). So a notice is put into that dialog, where the browser tells which
 * it is. It does not of one in a closed shadow root. In ours it never lies: until that is gone, a notice can only be seen.
 */

import { element, shadow } from './dom.js';
import { css } from './style.js';
import * as natives from '../platform/natives.js';
import { say, tongue } from '../words/words.js';

/** @import { Look } from './look.js' */

const TIME = 10_000;
const TIME_TO_GO = 30_000;
/** Between two looks whether something else is modal by now. */
const LOOKS = 250;
/** Shadow roots in one another that are looked into. */
const DEEPEST = 16;

/**
 * Makes the function that shows notices.
 *
 * @param {ShadowRootMode} mode
 * @param {() => Look} look
 * @returns {(text: string, account?: string) => void} with `account`, a link to the account page follows
 */
export const notices = (mode, look) => (text, account) => {
  const { host, root } = shadow('data-deputize-notice', mode, css + look().css);
  const line = element('p', { class: 'notice', role: 'status', popover: 'manual', ...tongue() });
  natives.appendChild(root, line);
  let place = placeNow();
  const show = () => {
    natives.appendChild(place, host);
    natives.showPopover(line); // over whatever the page has in the top layer
  };
  show();
  natives.setText(line, text); // after it is in the page, so that a screen reader hears of it
  if (account) {
    natives.appendChild(line, element('br', {}));
    natives.appendChild(line, element('a', { href: account, target: '_blank', rel: 'noopener' }, say('script-account-link')));
  }
  /** @param {number} left */
  const stay = (left) => {
    if (left <= 0) return natives.remove(host);
    const now = placeNow(place);
    if (now !== place) {
      place = now;
      show(); // a dialog that is gone has taken it along
    }
    natives.setTimeout(() => stay(left - LOOKS), LOOKS);
  };
  stay(account ? TIME_TO_GO : TIME);
};

/**
 * The topmost modal dialog of the page, and where there is none, the page: what is inert is not hit, and the backdrop counts as its dialog.
 *
 * @param {Element} [before] where to stay while a dialog of ours is modal
 */
function placeNow(before = natives.documentElement(natives.document)) {
  /** @type {Element} */
  let place = natives.documentElement(natives.document);
  let hit = natives.elementAt(natives.document, 0, 0);
  for (let i = 0; hit && i < DEEPEST; i++) {
    place = natives.closest(hit, 'dialog:modal') ?? place;
    if (natives.getAttribute(hit, 'data-deputize') !== null) return before; // while something lies over it, no dialog of ours takes an answer
    const root = natives.shadowRoot(hit);
    hit = root && natives.elementIn(root, 0, 0);
  }
  return place;
}
