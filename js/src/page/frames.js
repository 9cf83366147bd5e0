/** The frames of this page, each with a context of its own, of which the shim in this window sees only what the browser lets it (SHIM-9). */

import { inert } from '../platform/natives.js';
import { SHIM } from './first.js';

/** @import { Frame, Report } from './contexts.js' */

/**
 * @param {Window} [parent]
 * @returns {Promise<Frame[]>} those whose tools no shim gates, or of which nothing is known
 */
export async function framesOf(parent = window) {
  /** @type {Frame[]} */
  const found = [];
  for (let i = 0; i < parent.length; i++) {
    const frame = /** @type {Window} */ (parent[i]);
    found.push(...(await look(frame)));
  }
  return inert(found);
}

/** @param {Window} frame @returns {Promise<Frame[]>} */
async function look(frame) {
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
    return inert([{ where, why: 'no_shim', tools: names }, ...(await framesOf(frame))]);
  } catch {
    return inert([{ where, why: 'no_shim', tools: null }]);
  }
}
