/**
 * `@mcp-b/global` puts an MCP server of its own in the place of `document.modelContext`. It hands tools on to the context below, and
 * calls them itself for whoever sends messages: past that context, and with `execute` as it was given.
 */

import { apply, console, keys, listen } from '../platform/natives.js';
import { replace } from './replace.js';
import { saying } from './tool.js';

/** @import { ModelContext, Patch } from './patch.js' */

/**
 * @typedef {{item: {name: string}, execute: Function, exposedTo?: string[], abortSignal?: AbortSignal}} Entry
 * @typedef {{_registeredTools?: Record<string, object>}} McpServer
 * @typedef {ModelContext & McpServer & {
 *   native?: object, mcpServer?: McpServer, tools?: Map<string, Entry>, nativeBackfilledTools?: Map<string, unknown>,
 *   removeTool: (name: string) => void, registerTool: (tool: object, options: object) => Promise<void>,
 * }} Bridge versions 2 to 4 are an McpServer, version 5 has one
 */

/**
 * @param {object} context
 * @returns {context is Bridge}
 */
export const isBridge = (context) => Reflect.get(context, '__isBrowserMcpServer') === true;

/**
 * Gates what the server calls, whoever registered it and when, and registers anew what it had handed on to a browser before.
 *
 * @param {Bridge} server
 * @param {Patch} patch of it
 * @returns {boolean} false where it is none that we know: what it had before is called as it was
 */
export function bridge(server, patch) {
  const { mcpServer = server, tools, nativeBackfilledTools: found } = server;
  const caught = replace(mcpServer, 'executeToolHandler', (original, self, args) => {
    const [tool, input, context] = args;
    const { _registeredTools: all = {} } = mcpServer;
    const name = keys(all).find((each) => all[each] === tool) ?? '';
    // It is gated in itself, or called by the context below, which the gate stands before.
    if (patch.passes(name) || (found?.has(name) && patch.below?.closed)) return apply(original, self, args);
    const { mcpReq, signal } = /** @type {{mcpReq?: {signal: AbortSignal}, signal?: AbortSignal}} */ (context);
    const run = (/** @type {unknown} */ open) => apply(original, self, [tool, open, context]);
    return patch.lead(told(name, tool), run, input, mcpReq?.signal ?? signal);
  });
  // Version 4 calls by this method, whether it was sent a message or not.
  const older = replace(server, 'callTool', (original, self, args) => {
    const { name, arguments: input = {} } = /** @type {{name: string, arguments?: unknown}} */ (args[0]);
    if (patch.passes(name)) return apply(original, self, args);
    const run = (/** @type {unknown} */ open) => apply(original, self, [{ name, arguments: open }]);
    return patch.lead(told(name), run, input, undefined);
  });

  const renew = () => {
    if (caught && patch.below?.closed) return; // nobody else calls them
    for (const [name, { item, execute, exposedTo, abortSignal }] of [...(tools ?? [])]) {
      if (patch.tool(name) || found?.has(name)) continue;
      const run = (/** @type {unknown} */ input, /** @type {{signal: AbortSignal}} */ { signal }) => execute(input, signal);
      server.removeTool(name);
      server
        .registerTool({ ...item, execute: run }, { ...(abortSignal && { signal: abortSignal }), ...(exposedTo && { exposedTo }) })
        .catch((error) => console.error(`deputize: "${name}" came before the shim and cannot be gated, so it is taken away.`, error));
    }
  };
  // One that was being registered when the shim came shows then.
  if (found) {
    listen(server, 'toolchange', renew);
    renew();
  }
  return caught || older;
}

/**
 * @param {string} name
 * @param {unknown} [tool] as the server holds it
 */
const told = (name, tool) => saying({ .../** @type {object | undefined} */ (tool), name });
