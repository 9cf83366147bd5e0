/** A line at the edge of the page that tells the human what became of their answer, and goes away by itself. */

import { element, shadow } from './dom.js';
import * as natives from './natives.js';

const TIME = 10_000;

/**
 * Makes the function that shows notices.
 *
 * @param {ShadowRootMode} mode
 * @returns {(text: string) => void}
 */
export const notices = (mode) => (text) => {
  const { host, root } = shadow('data-deputize-notice', mode);
  const line = element('p', { class: 'notice', role: 'status', lang: 'en' });
  natives.appendChild(root, line);
  natives.appendChild(natives.documentElement(natives.document), host);
  natives.setText(line, text); // after it is in the page, so that a screen reader hears of it
  natives.setTimeout(() => natives.remove(host), TIME);
};
