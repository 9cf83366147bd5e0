/** LOOK-1: what is told of the site's look is taken as far as it is what it should be. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import '../harness.js';

const { lookOf } = await import('../../src/people/look.js');
const { bare } = await import('../../src/platform/json.js');

/** @param {object} look */
const of = (look) => lookOf(bare({ look: bare(look) }));

test('a look is a sheet and the address of a logo', () => {
  const { css, logo } = of({ accent: '#0d5f83', accent_dark: '#7ccbe9', radius: 18, logo: 'data:image/png;base64,AA==' });
  assert.equal(css, ':host{--accent:light-dark(#0d5f83,#7ccbe9) !important;--radius:18px !important;}');
  assert.equal(logo, 'data:image/png;base64,AA==');
});

for (const site of [undefined, null, bare({}), bare({ look: null })]) {
  test(`without one there is none: ${JSON.stringify(site)}`, () => assert.deepEqual(lookOf(site), { css: '', logo: '' }));
}

test('a sheet takes no words of others, and a logo comes from nowhere else', () => {
  for (const accent of ['red', '#fff', '#0d5f83;}*{display:none', '#0d5f83\n', 7]) assert.equal(of({ accent, accent_dark: '#7ccbe9' }).css, '');
  for (const radius of [-1, 33, '1px', NaN]) assert.equal(of({ radius }).css, '');
  for (const logo of ['https://x.example/a.png', '//x.example/a.png', '/\\x.example/a.png', 'javascript:alert(1)', 'data:text/html,x']) {
    assert.equal(of({ logo }).logo, '');
  }
});
