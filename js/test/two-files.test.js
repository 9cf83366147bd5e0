/** A second file has no name from outside: else page script, which may have replaced it, would have a say in there (SHIM-14). */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { enclosed, exported } from '../two-files.mjs';

for (const inside of ['const Map = take[0]; return new Map();', 'return { Map: take.Map };', 'return (({ Map }) => Map)(take[0]);', 'return `${take} Map`;', 'return [...take.Map, take?.Map];']) {
  test(`it may say: ${inside}`, async () => {
    await enclosed(`function(take,give){${inside}}`, 'it');
  });
}

for (const [name, outside] of Object.entries({ Map: 'return new Map();', document: 'return take[document.title];', natives: 'give(`${natives.x}`);', $1: 'give($1);', frames: 'give([...frames]);', top: 'give({...top});', self: 'return ((...all) => all)(...self);' })) {
  test(`it may not say: ${outside}`, async () => {
    await assert.rejects(enclosed(`function(take,give){${outside}}`, 'it'), { message: `it has names from outside, which a page may have changed: ${name}` });
  });
}

test('what is handed on by a name has none that would stand before the list of it', async () => {
  const module = (/** @type {string} */ text) => `data:text/javascript,${encodeURIComponent(text)}`;
  assert.deepEqual((await exported([module('export const took = 1, give = 2;')])).map(({ name }) => name).sort(), ['give', 'took']);
  await assert.rejects(exported([module('export const took = 1;'), module('export function take() {}')]), /exports `take`/);
});
