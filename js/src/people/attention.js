/**
 * Since when a person can have meant what they press (SHIM-8): nobody approves blind, and nobody by a press that was meant for what lay
 * here before.
 */

import * as natives from '../platform/natives.js';

/** Milliseconds. Who decides again about what is new needs longer than that; who was about to press does not. */
const ARMING = 500;
/** Milliseconds between two looks at what lies over something, the least that browsers take (Intersection Observer v2). */
const LOOKS = 100;

/**
 * @typedef {object} Attention
 * @property {() => boolean} armed it has stood there as it is for half a second: in a page that is seen, in a window that has not just got the
 *   focus (the second click of two may have been meant for a window that lay over this one), with nothing over it as far as the browser tells
 * @property {() => boolean} read besides, its end has been in view
 * @property {() => boolean} unread it has not, and that is all that is missing
 * @property {(reworded?: boolean) => void} again it means something else from now on; `reworded`: there is something else to read, too
 * @property {() => void} end
 */

/**
 * Watches over what is asked.
 *
 * @param {Element} end what stands below the last line that is to be read
 * @param {() => void} changed it may be another answer from now on
 * @param {Element} [whole] what nothing must lie over
 * @returns {Attention}
 */
export function attention(end, changed, whole) {
  let armed = false;
  /** @type {boolean | null} null until the browser has looked */
  let read = null;
  let covered = false;
  let over = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const arm = () => {
    natives.clearTimeout(timer);
    if (over) return;
    armed = false;
    changed();
    if (covered) return;
    timer = natives.setTimeout(() => {
      armed = true;
      changed();
    }, ARMING);
  };
  /** @param {Element} target @param {(seen: boolean) => void} tell */
  const watch = (target, tell) => {
    const options = /** @type {IntersectionObserverInit} */ ({ __proto__: null, trackVisibility: true, delay: LOOKS });
    const look = (/** @type {IntersectionObserverEntry[]} */ entries) => tell(natives.isInView(/** @type {IntersectionObserverEntry} */ (entries[entries.length - 1])));
    natives.observeView(new natives.IntersectionObserver(look, options), target);
  };
  let version = 0;
  const reread = () => {
    const mine = ++version;
    read = null;
    watch(end, (seen) => {
      if (read || over || mine !== version) return;
      read = seen;
      changed();
    });
  };

  natives.listen(natives.window, 'focus', arm);
  natives.listen(natives.document, 'visibilitychange', arm);
  if (whole) {
    watch(whole, (seen) => {
      if (covered !== !seen) {
        covered = !seen;
        arm();
      }
    });
  }
  reread();
  arm();
  return {
    armed: () => armed,
    read: () => armed && read === true,
    unread: () => armed && read === false,
    again: (reworded) => {
      if (reworded) reread();
      arm();
    },
    end: () => {
      over = true;
      natives.clearTimeout(timer);
      natives.unlisten(natives.window, 'focus', arm);
      natives.unlisten(natives.document, 'visibilitychange', arm);
    },
  };
}
