/** A line at the edge of the page that tells the human what became of their answer, and goes away by itself. */

import { element, shadow } from './dom.js';
import { css } from './style.js';
import * as natives from '../platform/natives.js';
import { say, tongue } from '../words/words.js';

/** @import { Look } from './look.js' */

const TIME = 10_000;
const TIME_TO_GO = 30_000;

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
  natives.appendChild(natives.documentElement(natives.document), host);
  natives.showPopover(line); // over whatever the page has in the top layer
  natives.setText(line, text); // after it is in the page, so that a screen reader hears of it
  if (account) {
    natives.appendChild(line, element('br', {}));
    natives.appendChild(line, element('a', { href: account, target: '_blank', rel: 'noopener' }, say('script-account-link')));
  }
  natives.setTimeout(() => natives.remove(host), account ? TIME_TO_GO : TIME);
};
