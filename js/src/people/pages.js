/** What the authority's own pages need of this: what is said (SHIM-10, SHIM-12), how a human answers (APPR-9), and from when on (SHIM-8). */

export { say, speak, wordsFor } from '../words/words.js';
export { evidenceOf, Unanswered } from './methods/index.js';
export { attention } from './attention.js';
