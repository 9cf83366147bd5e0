// @ts-check
/**
 * An agent that lives in the page: it finds the page's tools and calls them as any script here could, by `document.modelContext`,
 * and knows of deputize no more than what comes back.
 *
 * @typedef {object} Got what came of a call
 * @property {string} text what a model would read
 * @property {string | null} code why it was refused, null if it was not
 * @property {string | null} callId under which the record has it, null if it has no entry
 *
 * @typedef {{name: string}} Listed
 * @typedef {object} ModelContext
 * @property {() => Promise<Listed[]>} getTools
 * @property {(tool: Listed, input: unknown) => Promise<unknown>} executeTool
 */

/**
 * Calls a tool.
 *
 * @param {string} name
 * @param {object} input
 * @returns {Promise<Got>}
 */
export async function call(name, input) {
  const { modelContext } = /** @type {{modelContext: ModelContext}} */ (/** @type {unknown} */ (document));
  try {
    const tool = (await modelContext.getTools()).find((each) => each.name === name);
    if (!tool) return { text: `This page has no tool “${name}”. Load it again.`, code: 'no_such_tool', callId: null };
    // Browsers take an object, polyfills its text; all answer with text.
    const answer = await modelContext.executeTool(tool, (await isNative()) ? input : JSON.stringify(input));
    return read(typeof answer === 'string' ? JSON.parse(answer) : answer);
  } catch (error) {
    return { text: `The call broke off: ${/** @type {Error} */ (error).message}`, code: 'no_answer', callId: null };
  }
}

/** @type {Promise<{context: string}> | undefined} */
let told;

/** Tells whether WebMCP is the browser's own, or was brought along by this page. */
export async function isNative() {
  told ??= /** @type {any} */ (window).deputize.unguarded();
  return (await told)?.context === 'native';
}

/**
 * @param {any} result as MCP has it
 * @returns {Got}
 */
function read({ isError = false, content = [], structuredContent = {}, _meta = {} }) {
  const text = content.map((/** @type {{text?: string}} */ part) => part.text ?? '').join('\n');
  const { code = 'failed', correlation_id } = structuredContent;
  return { text, code: isError ? code : null, callId: correlation_id ?? _meta.correlationId ?? null };
}
