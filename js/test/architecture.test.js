/** The folders of js/src know those above them in the table of js/src/README.md, and no others. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const SRC = new URL('../src/', import.meta.url);
/** @param {string} path */
const read = (path) => readFileSync(new URL(path, SRC), 'utf8');
/** @type {Array<[string, string[]]>} */
const table = [...read('README.md').matchAll(/^\| `(\w+)\/` \|.*\|(.*)\|$/gm)].map(([, folder = '', may = '']) => [
  folder,
  [...may.matchAll(/`(\w+)`/g)].map(([, name = '']) => name),
]);
const folders = readdirSync(SRC, { withFileTypes: true }).filter((entry) => entry.isDirectory());

/**
 * @param {string} folder
 * @returns {Set<string>} the folders that its modules import from, be it for a type
 */
function known(folder) {
  const names = readdirSync(new URL(folder, SRC), { recursive: true }).map(String).filter((name) => name.endsWith('.js'));
  assert.ok(names.length > 0);
  const found = names.flatMap((name) => {
    const path = new URL(`${folder}/${name}`, SRC);
    const imported = readFileSync(path, 'utf8').matchAll(/(?:from|import\() ?'(\.[^']+)'/g);
    return [...imported].map(([, to = '']) => new URL(to, path).href.slice(SRC.href.length).split('/'));
  });
  return new Set(found.map(([first = '', ...rest]) => (rest.length > 0 ? first : '')).filter((other) => other && other !== folder));
}

test('each folder has its line', () => {
  assert.deepEqual(table.map(([folder]) => folder).sort(), folders.map(({ name }) => name).sort());
});

for (const [index, [folder, may]] of table.entries()) {
  test(`${folder} imports from nothing but what its line names`, () => {
    assert.deepEqual([...known(folder)].filter((name) => !may.includes(name)), []);
  });

  test(`${folder} is named below all that it may import from`, () => {
    const above = new Set(table.slice(0, index).map(([name]) => name));
    assert.deepEqual(may.filter((name) => !above.has(name)), []);
  });
}
