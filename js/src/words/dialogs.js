/** What only dialogs say: times, and the names of alphabets. */

import * as natives from '../platform/natives.js';
import { say, tongue } from './words.js';

/**
 * A time, by the clock and the calendar of whoever reads: without the day, if that is today.
 *
 * @param {number} time milliseconds since the epoch
 * @returns {string}
 */
export function when(time) {
  const today = timeIn({ dateStyle: 'short' }, time) === timeIn({ dateStyle: 'short' }, natives.now());
  return timeIn(today ? { timeStyle: 'short' } : { timeStyle: 'short', dateStyle: 'medium' }, time);
}

/**
 * @param {Intl.DateTimeFormatOptions} style
 * @param {number} time
 */
const timeIn = (style, time) =>
  natives.formatOf(new natives.DateTimeFormat(say('script-region'), /** @type {Intl.DateTimeFormatOptions} */ ({ __proto__: null, ...style })))(time);

/**
 * The name of an alphabet.
 *
 * @param {string} script its code (ISO 15924), or `another`
 */
export const alphabet = (script) =>
  script === 'another'
    ? say('script-alphabet-other')
    : natives.nameOf(new natives.DisplayNames(tongue().lang, /** @type {Intl.DisplayNamesOptions} */ ({ __proto__: null, type: 'script' })), script);
