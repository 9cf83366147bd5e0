/** What tells those who build the site what is wrong with a page of it: a part that few pages need. */

import { panel } from './developers/panel.js';
import { sentences } from './developers/sentences.js';

/** What is given to the first file. @type {import('./developers/watching.js').Second} */
export const second = { panel, sentences };
/** A promise that brings this module asks for it. */
export const then = undefined;
