/**
 * Elements inside a closed shadow root. One node of it in the hands of page script gives away the whole root, so nodes pass
 * only through saved natives here: not through iterators, array methods or promises, which a page can replace, and no
 * getter of an event is read but the unforgeable `isTrusted`.
 */

import * as natives from '../platform/natives.js';
import { appendChild, document, setAttribute, setText } from '../platform/natives.js';
import { partsOf } from './shown.js';

const SVG = 'http://www.w3.org/2000/svg';
/** How what an agent has filled in is drawn. */
export const SAID = { class: 'said' };

/**
 * Makes a host for the page with a styled shadow root of its own.
 *
 * @param {string} name of the attribute that tells the host
 * @param {ShadowRootMode} mode
 * @param {string} css its sheet
 * @returns {{host: HTMLElement, root: ShadowRoot}}
 */
export function shadow(name, mode, css) {
  const host = element('div', { [name]: '' });
  const root = natives.attachShadow(host, /** @type {ShadowRootInit} */ ({ __proto__: null, mode }));
  const sheet = new natives.CSSStyleSheet();
  natives.replaceSync(sheet, css);
  natives.adoptStyleSheets(root, [sheet]);
  return { host, root };
}

/**
 * @param {string} name
 * @param {Record<string, string>} attributes
 * @param {string | readonly Node[]} [content]
 * @returns {HTMLElement}
 */
export function element(name, attributes, content = '') {
  const made = natives.createElement(document, name);
  for (const attribute in attributes) {
    if (natives.hasOwn(attributes, attribute)) setAttribute(made, attribute, /** @type {string} */ (attributes[attribute]));
  }
  if (typeof content === 'string') natives.setText(made, content);
  else for (let i = 0; i < content.length; i++) appendChild(made, /** @type {Node} */ (content[i]));
  return made;
}

/**
 * @param {string} path SVG path data
 * @returns {Element}
 */
export function icon(path) {
  const svg = natives.createElementNS(document, SVG, 'svg');
  const line = natives.createElementNS(document, SVG, 'path');
  setAttribute(svg, 'viewBox', '0 0 24 24');
  setAttribute(svg, 'aria-hidden', 'true');
  setAttribute(line, 'd', path);
  appendChild(svg, line);
  return svg;
}

/**
 * Writes what the authority says: what it has set apart is drawn apart.
 *
 * @param {HTMLElement} place
 * @param {string} text
 * @param {Record<string, string>} apart how
 * @returns {boolean} whether anything is set apart in it
 */
export function write(place, text, apart) {
  setText(place, '');
  let marked = false;
  const parts = partsOf(text);
  for (let i = 0; i < parts.length; i++) {
    const part = /** @type {{text: string, said: boolean}} */ (parts[i]);
    appendChild(place, element(part.said ? 'bdi' : 'span', part.said ? apart : {}, part.text));
    marked ||= part.said;
  }
  return marked;
}
