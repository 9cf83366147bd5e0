/** The site's own look, of dialogs and notices (LOOK-1). */

import { numberOf, textOf } from '../platform/json.js';
import { exec, location } from '../platform/natives.js';

/** @import { Bare } from '../types.js' */

const COLOUR = /^#[0-9a-f]{6}$/;
const PATH = /^\/[^/\\]/;
const IMAGE = /^data:image\//;

/**
 * @typedef {object} Look
 * @property {string} css what is said beside the sheet
 * @property {string} logo its address; empty where there is none
 */

/**
 * What the authority says of it, taken as far as it is what it should be: a sheet takes no words of others.
 *
 * @param {unknown} site as SHIM-3 has it
 * @returns {Look}
 */
export function lookOf(site) {
  const look = /** @type {Bare} */ (/** @type {Bare | undefined} */ (site)?.look ?? { __proto__: null });
  const accent = textOf(look.accent);
  const dark = textOf(look.accent_dark);
  const radius = numberOf(look.radius);
  const told = textOf(look.logo);
  let css = '';
  if (exec(COLOUR, accent) && exec(COLOUR, dark)) css += `--accent:light-dark(${accent},${dark}) !important;`;
  if (radius !== null && radius >= 0 && radius <= 32) css += `--radius:${radius}px !important;`;
  // Of this origin, whatever `<base>` says.
  const logo = exec(PATH, told) ? location.origin + told : exec(IMAGE, told) ? told : '';
  return { css: css && `:host{${css}}`, logo };
}
