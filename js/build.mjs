/**
 * Bundles the browser's half into the Python package: `shim.js`, a classic script for `<script src>` that defines the global
 * `deputize`, `shim-polyfill.js`, the same with a WebMCP for browsers that have none, `shim.mjs`, the same as one ES module, `mcp.mjs`,
 * the module for MCP clients, `asking.mjs`, `developers.mjs` and `mcp-asking.mjs`, the second files of these, and `words.mjs`, how the
 * authority's own pages speak and how people answer there. Run by `npm run build`, `make` and the Python build hook.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { DEVELOPERS, english, messages } from './catalogue.mjs';
import { firstOf, second } from './two-files.mjs';

/** @param {string} path relative to this file */
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const { version, license } = JSON.parse(await readFile(here('package.json'), 'utf8'));

/** What a page has to say of an authority that gives it no words: it does not answer, does not fit it, or turns it away at the door (PROTOCOL §1a). */
const FEW = /^refusal-(authority-unavailable|part-unavailable|misconfigured|headers-too-large|other|record-unavailable|request-timeout|server-error|too-many-requests|user-blocked)[.](?!retry)/;

const all = Object.entries(messages(english));
/** @param {Array<[string, unknown]>} chosen */
const spoken = (chosen) => JSON.stringify({ language: 'en', direction: 'ltr', messages: Object.fromEntries(chosen) });
await writeFile(
  here('src/words/english.js'),
  `/** Made by build.mjs of the catalogue. */
/** @type {import('./words.js').Spoken} what is said where the authority gives no words */
export const FEW = ${spoken(all.filter(([id]) => FEW.test(id)))};
/** @type {import('./words.js').Spoken} */
export const ALL = ${spoken(all)};
`,
);

await writeFile(
  here('src/words/developers.js'),
  `/** Made by build.mjs of the catalogue. */
/** @type {import('./fluent.js').Messages} */
export const MESSAGES = ${JSON.stringify(messages(english, DEVELOPERS))};
`,
);

/** The page's methods of approval: what lies in their folder. */
const methods = (await readdir(here('src/people/methods')))
  .filter((name) => name.endsWith('.js') && !['index.js', 'registered.js'].includes(name))
  .sort();
await writeFile(
  here('src/people/methods/registered.js'),
  `/** Made by build.mjs of the modules beside it. */
${methods.map((name, i) => `import { method as method${i} } from './${name}';\n`).join('')}
/** @type {import('./index.js').Methods} */
export const METHODS = /** @type {any} any: the type is of an object with a prototype */ ({
  __proto__: null,
${methods.map((name, i) => `  '${name.slice(0, -'.js'.length)}': method${i}(),\n`).join('')}});
`,
);

for (const [sheet, module] of [['people/style.css', 'people/style.js'], ['developers/panel.css', 'developers/style.js']]) {
  const { outputFiles } = await build({ entryPoints: [here(`src/${sheet}`)], bundle: true, minify: true, write: false, logLevel: 'warning' });
  await writeFile(
    here(`src/${module}`),
    `/** Made by build.mjs of the sheet beside it. */
export const css = ${JSON.stringify(outputFiles[0]?.text.trim())};
`,
  );
}

/** @type {import('esbuild').BuildOptions} */
const shared = {
  absWorkingDir: here('.'),
  bundle: true,
  minify: true,
  sourcemap: true,
  target: 'es2022',
  logLevel: 'warning',
};
const banner = `/*! deputize ${version} | ${license} */`;

/**
 * Makes a classic script that defines the global `deputize`. What a bundler does for live bindings, which these have no use for, would be
 * one percent of it.
 *
 * @param {import('esbuild').BuildOptions} options
 * @param {string} entry
 * @param {string} outfile
 */
async function classic(options, entry, outfile) {
  const around = { banner: { js: `${banner}\nvar deputize=(()=>{"use strict";` }, footer: { js: '})();' } };
  const { outputFiles = [] } = await build({ ...options, ...around, entryPoints: [entry], outfile, format: 'esm', write: false });
  for (const { path, text } of outputFiles) {
    await writeFile(path, path === outfile ? text.replace(/export\{([^}]*)\};?(?=\n\}\)\(\);)/, (_, names) => `return Object.freeze({${handed(names)}});`) : text);
  }
}

/** @param {string} names as an export has them @returns {string} as an object has them */
const handed = (names) => names.replace(/([\w$]+) as ([\w$]+)/g, '$2:$1');

const out = here('../server/deputize/web/static/');
await mkdir(out, { recursive: true });
try {
  const asking = await second(shared, `${out}asking.mjs`, banner, 'src/asking.js');
  const mcpAsking = await second(shared, `${out}mcp-asking.mjs`, banner, 'src/mcp-asking.js');
  const developers = await second(shared, `${out}developers.mjs`, banner, 'src/developers.js');
  const first = { ...shared, banner: { js: banner }, plugins: [firstOf({ ofPages: asking, ofDevelopers: developers, ofMcp: mcpAsking })] };
  await classic(first, 'src/index.js', `${out}shim.js`);
  await classic(first, 'src/polyfilled.js', `${out}shim-polyfill.js`);
  await build({ ...first, entryPoints: ['src/index.js'], outfile: `${out}shim.mjs`, format: 'esm' });
  await build({ ...first, entryPoints: ['src/mcp.js'], outfile: `${out}mcp.mjs`, format: 'esm' });
  await build({ ...first, entryPoints: ['src/people/pages.js'], outfile: `${out}words.mjs`, format: 'esm' });
} catch (error) {
  process.exitCode = 1; // esbuild has already said what is wrong, and where
  if (!(error instanceof Error && 'errors' in error)) throw error;
}
