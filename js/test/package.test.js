/**
 * The package as it is published, in a project that uses it: what is in it, what TypeScript sees, and what a bundler makes of it (an
 * import that is there for what it does stays, and one that does nothing goes).
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { publint } from 'publint';

const run = promisify(execFile);
const js = fileURLToPath(new URL('..', import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'deputize-'));
const consumer = join(folder, 'consumer');
const installed = join(consumer, 'node_modules/deputize');
/** @type {string[]} */
let packed;

before(async () => {
  // A checkout of its own, since packing builds, and other tests are using what is built here.
  for (const name of ['js', 'LICENSE', 'server/deputize/words']) {
    await cp(join(js, '..', name), join(folder, name), { recursive: true, filter: (path) => !/\/(node_modules|types)$/.test(path) });
  }
  await mkdir(join(folder, 'server/deputize/web/static'), { recursive: true });
  await symlink(join(js, 'node_modules'), join(folder, 'js/node_modules'));
  const { stdout } = await run('npm', ['pack', '--json', '--offline', '--foreground-scripts=false'], { cwd: join(folder, 'js') });
  const [{ filename, files }] = JSON.parse(stdout);
  packed = files.map((/** @type {{path: string}} */ { path }) => path);
  await mkdir(installed, { recursive: true });
  await run('tar', ['xzf', join(folder, 'js', filename), '--strip-components=1', '-C', installed]);
  for (const name of ['playwright-core', '@types']) await symlink(join(js, 'node_modules', name), join(consumer, 'node_modules', name));
  await writeFile(join(consumer, 'package.json'), '{"type": "module"}');
});
after(async () => await rm(folder, { recursive: true }));

/** What people import, by name. @returns {Promise<string[]>} */
const entries = async () => {
  const { exports } = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8'));
  return Object.keys(exports).map((entry) => entry.replace('.', 'deputize'));
};

/**
 * @param {string} contents of a consumer's script
 * @returns {Promise<{text: string, exports: string[]}>}
 */
async function bundled(contents) {
  /** @type {import('esbuild').BuildOptions} */
  const options = { stdin: { contents, resolveDir: consumer }, bundle: true, format: 'esm', write: false, logLevel: 'silent' };
  const { outputFiles, metafile } = await build({ ...options, external: ['node:*'], metafile: true });
  return { text: outputFiles?.[0]?.text ?? '', exports: Object.values(metafile?.outputs ?? {})[0]?.exports ?? [] };
}

test('what is packed is what is imported, its types, and what tells of it', async () => {
  assert.deepEqual(packed.filter((path) => !/^(src|types)\//.test(path)).sort(), ['LICENSE', 'README.md', 'package.json']);
  const modules = packed.filter((path) => path.startsWith('src/') && path.endsWith('.js'));
  const types = packed.filter((path) => path.startsWith('types/')).map((path) => path.replace(/^types(.*)\.d\.ts$/, 'src$1.js'));
  assert.deepEqual(types.sort(), modules.sort());
  for (const needed of ['src/words/english.js', 'src/people/style.js']) assert.ok(modules.includes(needed), 'it is built before');
  assert.deepEqual(modules.filter((path) => /polyfill|served/.test(path)), [], 'those of the bundles only');
});

test('publint finds nothing', async () => {
  const { messages } = await publint({ pkgDir: installed, pack: false, strict: true });
  assert.deepEqual(messages, []);
});

for (const [module, moduleResolution] of [['nodenext', 'nodenext'], ['esnext', 'bundler']]) {
  test(`TypeScript knows every export, with moduleResolution ${moduleResolution}`, async () => {
    const lines = [];
    for (const [i, entry] of (await entries()).entries()) {
      const { exports } = await bundled(`export * from '${entry}';`);
      lines.push(`import '${entry}';`);
      if (exports.length > 0) lines.push(`import { ${exports.map((name) => `${name} as ${name}${i}`)} } from '${entry}';`);
    }
    assert.ok(lines.length > (await entries()).length);
    await writeFile(
      join(consumer, `${moduleResolution}.ts`),
      `${lines.join('\n')}
import { install, type Client, type Report } from 'deputize';
import { guard } from 'deputize/guard';
import { agent, type ToolResult } from 'deputize/playwright';
import type { Page } from 'playwright-core';
export const balance = async (page: Page): Promise<ToolResult> => await agent(page).call('get_balance');
export const read = (client: Client): string | null => client.correlationId;
export const bare = ({ tools }: Report): boolean => tools.length > 0;
install({ issuer: 'https://bank.example/deputize' });
// @ts-expect-error an address is text
install({ issuer: 1 });
// @ts-expect-error a guard has an audience and a key
guard({ issuer: 'https://bank.example/deputize' });
`,
    );
    const options = `--noEmit --strict --target es2022 --types node --module ${module} --moduleResolution ${moduleResolution}`.split(' ');
    const tsc = run(join(js, 'node_modules/.bin/tsc'), [...options, `${moduleResolution}.ts`], { cwd: consumer });
    await tsc.catch((/** @type {{stdout: string}} */ { stdout }) => assert.fail(stdout));
  });
}

test('SHIM-13: deputize/auto gates by its import alone', async () => {
  const { text } = await bundled("import 'deputize/auto'; console.log('own script');");
  assert.ok(text.indexOf('new Contexts(') > 0);
  assert.ok(text.lastIndexOf('install();') < text.indexOf('own script'), 'before what is imported or run after it');
});

test('an import of nothing, or of what is not used, is nothing, and the module for MCP clients brings no shim', async () => {
  const all = (await entries()).filter((entry) => entry !== 'deputize/auto').map((entry) => `import '${entry}';`);
  assert.equal((await bundled(`${all.join('')} import { client } from 'deputize';`)).text, '');
  assert.doesNotMatch((await bundled("import * as mcp from 'deputize/mcp'; console.log(mcp);")).text, /new Contexts\(/);
});
