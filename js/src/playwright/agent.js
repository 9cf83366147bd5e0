/** The agent: Playwright's own WebMCP client, which passes through nothing that the page or the shim has patched. */

/** @import { Page } from 'playwright-core' */

/** Milliseconds that an agent waits for a tool. */
const PATIENCE = 30_000;

/**
 * @typedef {object} ToolResult what an agent got
 * @property {any} value as the tool returned it
 * @property {boolean} refused whether `isError` is true in it
 * @property {string | null} code the reason code of a refusal (PROTOCOL §8), null for a success
 * @property {string | null} correlationId under which record and log have a refused call, null if it has none
 * @property {Record<string, unknown>} structured `structuredContent`, empty if there is none
 * @property {string} text what a model would read: the text parts of `content`, or the value as JSON
 *
 * @typedef {object} Agent
 * @property {() => Promise<string[]>} tools the names of the page's tools
 * @property {(tool: string, input?: Record<string, any>, options?: {timeout?: number}) => Promise<ToolResult>} call calls a tool and waits
 *   for its result, 30 seconds unless `timeout` says how many milliseconds; rejects with Playwright's `TimeoutError`, or with its `Error`
 *   if the tool threw or is not registered. A refusal is a result
 */

/**
 * Whoever calls tools of a page.
 *
 * @param {Page} page its main frame is acted on
 * @returns {Agent}
 */
export function agent(page) {
  return {
    tools: async () => (await page.webmcp.tools()).map(({ name }) => name),
    call: async (tool, input = {}, { timeout = PATIENCE } = {}) => read(await page.webmcp.callTool(tool, input, { timeout })),
  };
}

/**
 * @param {any} value
 * @returns {ToolResult}
 */
function read(value) {
  const structured = value?.structuredContent ?? {};
  const refused = value?.isError === true;
  return {
    value,
    refused,
    code: refused ? String(structured.code) : null,
    correlationId: typeof structured.correlation_id === 'string' ? structured.correlation_id : null,
    structured,
    text: textOf(value),
  };
}

/** @param {any} value */
function textOf(value) {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value?.content)) return JSON.stringify(value) ?? '';
  return value.content.flatMap((/** @type {any} */ part) => (part?.type === 'text' ? [part.text] : [])).join('\n');
}
