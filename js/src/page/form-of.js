/** The forms of a page that are tools, as they stand in it. */

import { document } from '../platform/natives.js';

/**
 * @param {string} name
 * @returns {string | null} the form of this page that declares it
 */
export function formOf(name) {
  for (const form of document.querySelectorAll('form[toolname]')) {
    if (form.getAttribute('toolname') === name) return form.id ? `form#${form.id}` : 'form';
  }
  return null;
}
