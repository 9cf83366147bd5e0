/**
 * What a dialog shows of a question that is put on the human's phone (PHONE-4): the code to scan, its address, and the digits that
 * are typed there. In the page these are nowhere but in the closed shadow root of the dialog.
 */

import { element } from './dom.js';
import { bare, numberOf, textOf } from '../platform/json.js';
import * as natives from '../platform/natives.js';
import { appendChild, document, exec, setAttribute } from '../platform/natives.js';
import { say } from '../words/words.js';

/** @import { Bare, OnPhone } from '../types.js' */

const SVG = 'http://www.w3.org/2000/svg';
/** Light modules around a code (ISO/IEC 18004). */
const QUIET = 4;
/** Pixels: of a usual code, and of a module of a large one. */
const WIDTH = 208;
const NARROWEST = 2.5;
/** RFC 6761 §6.3; another address of the loopback has no passkeys. */
const LOOPBACK = /(?:^|\.)localhost(?::\d+)?$/;

/**
 * Reads what the authority answers.
 *
 * @param {Bare} body
 * @param {string} user who has to sign in there
 * @param {boolean} here whether it can be answered in the page, too
 * @returns {OnPhone}
 */
export function onPhone(body, user, here) {
  const code = /** @type {Bare} */ (body.code ?? bare({}));
  const modules = textOf(code.modules);
  const size = numberOf(code.size) ?? 0;
  return natives.inert({ uri: textOf(body.uri), user, here, digits: textOf(body.digits), size: modules.length === size * size ? size : 0, modules });
}

/**
 * Whether an address leads each device to itself, so that none can open it on another.
 *
 * @param {string} uri
 */
export const unreachable = (uri) => exec(LOOPBACK, natives.urlHost(new natives.URL(uri))) !== null;

/**
 * Draws it.
 *
 * @param {OnPhone} question
 * @param {HTMLElement} title
 * @returns {{panel: HTMLElement, both: HTMLElement}} `both`: the code and the digits in it
 */
export function phonePanel({ uri, user, here, digits, size, modules }, title) {
  const host = natives.urlHost(new natives.URL(uri));
  const address = element('p', { class: 'address', dir: 'ltr' }, uri);
  const typed = element('div', {}, [element('p', {}, say('script-phone-type')), digitsOf(digits)]);
  const both = element('div', { class: 'both' });
  const panel = element('section', { class: 'phone', 'aria-labelledby': 'phone' }, [title]);
  if (size > 0) {
    appendChild(panel, element('p', {}, say('script-phone-scan', { host, user })));
    appendChild(both, drawn(size, modules));
  } else {
    appendChild(panel, element('p', {}, say('script-phone-open', { host, user })));
    appendChild(panel, address);
  }
  if (unreachable(uri)) appendChild(panel, element('p', { class: 'warning' }, say('script-phone-unreachable')));
  appendChild(both, typed);
  appendChild(panel, both);
  if (size > 0) {
    appendChild(panel, element('p', { class: 'soft' }, say('script-phone-address')));
    appendChild(panel, address);
  }
  appendChild(panel, element('p', { class: 'soft' }, `${say('script-phone-once')}${here ? ` ${say('script-phone-here')}` : ''}`));
  return { panel, both };
}

/** Each by itself, as it is typed and is to be heard. @param {string} digits */
function digitsOf(digits) {
  const shown = element('p', { class: 'digits', dir: 'ltr' });
  for (let i = 0; i < digits.length; i++) appendChild(shown, element('span', {}, (i > 0 ? ' ' : '') + digits[i]));
  return shown;
}

/**
 * @param {number} size
 * @param {string} modules
 * @returns {Element} dark on light, whatever the page's colours: not every camera reads it the other way round
 */
function drawn(size, modules) {
  let path = '';
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      if (modules[y * size + x] === '1') path += `M${x + QUIET} ${y + QUIET}h1v1h-1z`;
    }
  }
  const whole = size + 2 * QUIET;
  const svg = natives.createElementNS(document, SVG, 'svg');
  const dark = natives.createElementNS(document, SVG, 'path');
  setAttribute(svg, 'class', 'code');
  setAttribute(svg, 'role', 'img');
  setAttribute(svg, 'aria-label', say('script-phone-code'));
  setAttribute(svg, 'viewBox', `0 0 ${whole} ${whole}`);
  setAttribute(svg, 'width', `${whole * NARROWEST > WIDTH ? whole * NARROWEST : WIDTH}`);
  setAttribute(dark, 'd', path);
  appendChild(svg, dark);
  return svg;
}
