/**
 * A bundle in two files. The second is one function, which is handed what it uses of the first by number, and in which no name is from
 * outside: so its text is all that it is, and the first file knows the digest of that (SHIM-8).
 */
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, transform } from 'esbuild';

/**
 * @typedef {{module: string, name: string}} Handed a name that the first file hands on
 * @typedef {{address: string, s256: string, handed: Handed[]}} Second
 */

/** Of these there is one only, which the first file has: what they keep was taken when the page began. */
const KEPT = ['./src/platform/natives.js', './src/words/words.js', './src/calls/client.js', './src/calls/running.js'];
/** One that is no member of anything: after three dots it is none. */
const NAME = /(?<![\w$#]|(?<!\.\.)\.)[A-Za-z_$][\w$]*/g;
const WORDS =
  /^(async|await|break|case|catch|class|const|constructor|continue|debugger|default|delete|do|else|export|extends|false|finally|for|from|function|get|if|import|in|instanceof|let|new|null|of|return|set|static|super|switch|this|throw|true|try|typeof|var|void|while|with|yield)$/;

/**
 * Makes the second file.
 *
 * @param {import('esbuild').BuildOptions} options
 * @param {string} outfile
 * @param {string} banner
 * @param {string} entry which exports `second`
 * @returns {Promise<Second>}
 * @throws {Error} where it uses a name that is its own or the first file's nowhere
 */
export async function second(options, outfile, banner, entry) {
  const all = await exported(KEPT);
  /** @param {Handed[]} handed */
  const made = async (handed) => {
    const { outputFiles = [] } = await build({
      ...options,
      stdin: { contents: `import { second } from './${entry}';\ngive(second);`, resolveDir: fileURLToPath(new URL('.', import.meta.url)), sourcefile: 'second' },
      outfile,
      format: 'iife',
      banner: { js: `${banner}\nexport default function(take,give){"use strict";` },
      footer: { js: '}' },
      plugins: [taking(all, handed)],
      write: false,
    });
    return outputFiles;
  };
  const first = textIn(await made(all));
  const used = new Set([...first.matchAll(/\btake\[(\d+)\]/g)].map(([, index]) => Number(index)));
  const handed = all.filter((_, index) => used.has(index));
  const files = await made(handed);
  const text = textIn(files);
  const its = text.slice(text.indexOf('function(take'), text.lastIndexOf('}') + 1);
  await enclosed(its, entry);
  const s256 = createHash('sha256').update(its).digest('base64url');
  // The first line says which it is to whoever serves it.
  for (const file of files) await writeFile(file.path, file.path === outfile ? file.text.replace(' */', ` | ${s256} */`) : file.contents);
  return { address: `./parts/${basename(outfile, '.mjs')}.${s256}.mjs`, s256, handed };
}

/**
 * @param {string[]} modules
 * @returns {Promise<Handed[]>} the names that they export
 * @throws {Error} where one is that of the list by which they are handed on, which it would stand before
 */
export async function exported(modules) {
  /** @type {Handed[]} */
  const all = [];
  for (const module of modules) for (const name of Object.keys(await import(module))) all.push({ module, name });
  const taken = all.find(({ name }) => name === 'take');
  if (taken) throw new Error(`${taken.module} exports \`take\`, which in the second file is what it is handed: name it otherwise`);
  return all;
}

/** @param {import('esbuild').OutputFile[]} files */
const textIn = (files) => files.find(({ path }) => path.endsWith('.mjs'))?.text ?? '';

/**
 * Puts what is handed in the place of modules that there is one of only.
 *
 * @param {Handed[]} all
 * @param {Handed[]} handed those of them that are
 * @returns {import('esbuild').Plugin}
 */
const taking = (all, handed) => ({
  name: 'taking',
  setup({ onLoad }) {
    for (const module of KEPT) {
      onLoad({ filter: exactly(module) }, () => ({
        contents: all.map((each) => (each.module === module ? `export const ${each.name} = ${taken(handed.indexOf(each))};\n` : '')).join(''),
      }));
    }
  },
});

/** @param {number} index without effect, so that what nothing uses is left out */
const taken = (index) => (index < 0 ? 'undefined' : `/* @__PURE__ */ (() => take[${index}])()`);

/**
 * Puts the way to these second files in the place of `src/second.js`.
 *
 * @param {Record<string, Second>} seconds by the name under which it exports them
 * @returns {import('esbuild').Plugin}
 */
export const firstOf = (seconds) => ({
  name: 'first',
  setup({ onLoad }) {
    onLoad({ filter: exactly('./src/second.js') }, () => ({
      contents: `import { served } from './served.js';
${KEPT.map((module, index) => `import * as kept${index} from '${module.replace('src/', '')}';\n`).join('')}
export const BEFOREHAND = false;
${Object.entries(seconds)
  .map(([name, { address, s256, handed }]) => {
    const members = handed.map((each) => `kept${KEPT.indexOf(each.module)}.${each.name}`);
    return `export const ${name} = (failed) => served((address) => import(address), '${address}', failed, '${s256}', [${members.join(', ')}]);\n`;
  })
  .join('')}`,
    }));
  },
});

/** @param {string} module */
const exactly = (module) => new RegExp(`${fileURLToPath(new URL(module, import.meta.url)).replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`);

/**
 * Holds a function to having no name from outside: esbuild puts another one in the place of those only.
 *
 * @param {string} text of it
 * @param {string} what
 */
export async function enclosed(text, what) {
  const names = new Set([...text.matchAll(NAME)].map(([name]) => name).filter((name) => !WORDS.test(name)));
  const define = Object.fromEntries([...names].map((name) => [name, `outside_${name}`]));
  const { code } = await transform(`export default ${text}`, { define, logLevel: 'silent' });
  const outside = [...new Set([...code.matchAll(/\boutside_([\w$]+)/g)].map(([, name]) => name))];
  if (outside.length > 0) throw new Error(`${what} has names from outside, which a page may have changed: ${outside.join(', ')}`);
}
