/**
 * Bundles the shim into the Python package: `shim.js`, a classic script for `<script src>` that defines the global
 * `deputize`, and `shim.mjs`, the same as one ES module. Run by `npm run build`, `make` and the Python build hook.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** @param {string} path relative to this file */
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const { version, license } = JSON.parse(await readFile(here('package.json'), 'utf8'));

/** @type {import('esbuild').BuildOptions} */
const shared = {
  absWorkingDir: here('.'),
  entryPoints: ['src/index.js'],
  bundle: true,
  minify: true,
  sourcemap: true,
  target: 'es2022',
  banner: { js: `/*! deputize ${version} | ${license}, with canonicalize | Apache-2.0 */` },
  logLevel: 'warning',
};

const out = here('../server/deputize/web/static/shim');
try {
  await build({ ...shared, outfile: `${out}.js`, format: 'iife', globalName: 'deputize' });
  await build({ ...shared, outfile: `${out}.mjs`, format: 'esm' });
} catch {
  process.exitCode = 1; // esbuild has already said what is wrong, and where
}
