/** What agents are shown of a tool's schema: the page's, and where the tool is gated, that evidence may come with its input (EVID-1). */

import { declareEvidence } from '../authority/evidence.js';

/** @import { Gating } from './patch.js' */

/**
 * The tools that were public when this file was served: the authority writes their names here. A site's own bundle has none. It decides
 * nothing but what is shown.
 */
const SERVED = ['deputize:public'];

/**
 * @param {Gating} gate
 * @param {string} name
 * @param {unknown} schema as the page gave it
 * @returns {unknown} the same where the tool is public, as far as this page knows: nobody takes evidence there
 */
export function shown(gate, name, schema) {
  const standing = gate.standing(name);
  return (standing ? standing === 'public' : SERVED.includes(name)) ? schema : declareEvidence(schema);
}
