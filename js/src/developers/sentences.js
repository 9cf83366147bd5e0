/** The sentences of the catalogue for those who build the site: what is wrong, and the cure (PAGE-1). */

import { hasOwn, location } from '../platform/natives.js';
import { MESSAGES } from '../words/developers.js';
import { FSI, PDI, format } from '../words/fluent.js';

/** @import { Variables } from '../words/fluent.js' */
/** @import { Finding } from './findings.js' */

/**
 * @param {string} id of a message after `developer-`, or of one of its attributes
 * @param {Variables} [variables]
 * @returns {string}
 */
export function say(id, variables = {}) {
  const pattern = hasOwn(MESSAGES, `developer-${id}`) ? MESSAGES[`developer-${id}`] : id;
  return plain(format(MESSAGES, pattern ?? '', variables));
}

/**
 * @param {Finding} found
 * @param {string} issuer of the authority that the page uses
 * @returns {{what: string, cure: string}}
 */
export function sentences({ finding, name, where }, issuer) {
  const id = dashed(finding);
  const variables = {
    name: `“${name}”`,
    where: where ?? '?',
    origin: location.origin,
    issuer: finding === 'wrong_origin' ? (where ?? issuer) : issuer,
  };
  return { what: say(id, variables), cure: say(`${id}.cure`, variables) };
}

/** @param {string} code */
function dashed(code) {
  let id = '';
  for (let i = 0; i < code.length; i++) id += code[i] === '_' ? '-' : code[i];
  return id;
}

/** @param {string} text @returns {string} to be copied: without the marks that set variables apart, since all of it is from left to right */
function plain(text) {
  let bare = '';
  for (let i = 0; i < text.length; i++) if (text[i] !== FSI && text[i] !== PDI) bare += text[i];
  return bare;
}
