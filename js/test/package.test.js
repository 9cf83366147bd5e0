/** What a bundler makes of the package: an import that is there for what it does stays, and one that does nothing goes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** @param {string} contents */
async function bundled(contents) {
  const stdin = { contents, resolveDir: fileURLToPath(new URL('.', import.meta.url)) };
  const { outputFiles } = await build({ stdin, bundle: true, format: 'esm', write: false, logLevel: 'silent' });
  return outputFiles[0]?.text ?? '';
}

test('SHIM-13: deputize/auto gates by its import alone', async () => {
  const text = await bundled("import 'deputize/auto'; console.log('own script');");
  assert.ok(text.indexOf('new Contexts(') > 0);
  assert.ok(text.lastIndexOf('install();') < text.indexOf('own script'), 'before what is imported or run after it');
});

test('an import of nothing is nothing, and the module for MCP clients brings no shim', async () => {
  assert.equal(await bundled("import 'deputize'; import 'deputize/mcp';"), '');
  assert.doesNotMatch(await bundled("import * as mcp from 'deputize/mcp'; console.log(mcp);"), /new Contexts\(/);
});
