/** What the authority's own pages need of this: the words for people (SHIM-10), and how a human answers (APPR-9). */

export { RECOVERY_OVER, wordsFor } from './words.js';
export { evidenceOf } from './methods/index.js';
