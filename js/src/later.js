/** What comes when it is needed, or expected: once for all who ask. If it does not come, each who asks later has it tried again. */

import { problem } from './authority/authority.js';
import { first } from './platform/concurrency.js';
import * as natives from './platform/natives.js';

/** @import { Problem } from './types.js' */

const TIMEOUT = 20_000;

/**
 * @template {object} T
 * @param {(times: number) => Promise<T>} load `times` that it has failed
 * @returns {() => Promise<T | Problem>} never rejects, and is answered in 20 seconds
 */
export function later(load) {
  let failed = 0;
  /** @type {Promise<T | Problem> | null} */
  let coming = null;
  const attempt = async () => {
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const late = new natives.Promise((_, reject) => {
      timer = natives.setTimeout(() => reject(new natives.TypeError('it did not come in 20 seconds')), TIMEOUT);
    });
    try {
      return natives.inert(/** @type {T} */ (await first(load(failed), late)));
    } catch (error) {
      failed += 1;
      coming = null;
      natives.console.error('deputize: the part that asks people did not load. Does the page’s script-src allow it, and is the page as new as the site?', error);
      return problem('part_unavailable');
    } finally {
      natives.clearTimeout(timer);
    }
  };
  return async () => await (coming ??= attempt());
}
