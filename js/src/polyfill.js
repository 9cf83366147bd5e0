/** Brings WebMCP along, where there is none. */

import { initializeWebMCPPolyfill } from '@mcp-b/webmcp-polyfill';
import { apply, stringify } from './platform/natives.js';

const own = Reflect.get(document, 'modelContext');
initializeWebMCPPolyfill();
const brought = Reflect.get(document, 'modelContext');
if (brought && brought !== own) {
  const prototype = Object.getPrototypeOf(brought);
  const { executeTool } = prototype;
  // Browsers take what a tool is called with as an object; the polyfill takes JSON.
  prototype.executeTool = async function (/** @type {unknown} */ tool, /** @type {unknown} */ input, /** @type {unknown} */ options) {
    return await apply(executeTool, this, [tool, typeof input === 'string' ? input : stringify(input), options]);
  };
}
