/** The frames of this page, each with a context of its own, of which the shim in this window sees only what the browser lets it (SHIM-9). */

import { inert } from '../platform/natives.js';
import { SHIM } from './first.js';

/** @import { Frame, Report } from './contexts.js' */

/**
 * @param {Window} parent
 * @param {Window[]} told those of which the browser tells that they have tools: frames in a shadow root are not counted among the parent's
 * @returns {Promise<Frame[]>} those whose tools no shim gates, or of which nothing is known
 */
export async function framesOf(parent, told) {
  /** @type {Set<Window>} */
  const frames = new Set();
  for (let i = 0; i < parent.length; i++) frames.add(/** @type {Window} */ (parent[i]));
  for (const each of told) {
    /** @type {Window | null | undefined} none above a frame that was removed meanwhile */
    let child = each;
    while (child && child.parent !== parent && child.parent !== child) child = child.parent;
    if (child?.parent === parent && child !== parent) frames.add(child);
  }
  /** @type {Frame[]} */
  const found = [];
  for (const frame of frames) found.push(...(await look(frame, told)));
  return inert(found);
}

/** @param {Window} frame @param {Window[]} told @returns {Promise<Frame[]>} */
async function look(frame, told) {
  let document;
  try {
    document = frame.document;
  } catch {
    return inert([{ where: null, why: 'other_origin', tools: null }]);
  }
  const where = document.URL;
  try {
    const shim = Reflect.get(document, SHIM);
    if (shim) {
      const /** @type {Report} */ { tools, frames } = await shim.unguarded();
      const names = tools.map(({ name }) => name ?? '?');
      return inert([...(names.length > 0 ? [{ where, why: /** @type {const} */ ('unguarded'), tools: names }] : []), ...frames]);
    }
    const context = Reflect.get(document, 'modelContext');
    const tools = (await context?.getTools?.()) ?? (context ? null : []);
    const own = tools && tools.filter((/** @type {{window?: unknown}} */ tool) => tool.window === undefined || tool.window === frame);
    const names = own && own.map((/** @type {{name: string}} */ { name }) => name);
    return inert([{ where, why: 'no_shim', tools: names }, ...(await framesOf(frame, told))]);
  } catch {
    return inert([{ where, why: 'no_shim', tools: null }]);
  }
}
