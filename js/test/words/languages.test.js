/** A language is one file (SHIM-12): what is said is in it, and page script has no say in that. */
import assert from 'node:assert/strict';
import { after, afterEach, beforeEach, describe, test } from 'node:test';
import { FluentBundle, FluentResource } from '@fluent/bundle';

import { english, messages } from '../../catalogue.mjs';
import { TestAuthority } from '../authority.js';
import { CODES, ENGLISH } from '../platform.js';
import { page, registered } from '../harness.js';

const { bare } = await import('../../src/platform/json.js');
const { refusal } = await import('../../src/calls/refusal.js');
const { problem } = await import('../../src/authority/authority.js');
const { FEW } = await import('../../src/words/english.js');
const { alphabet, when } = await import('../../src/words/dialogs.js');
const { say, speak, tongue, wished, wordsFor } = await import('../../src/words/words.js');
const { approvalView, detailsOf, enrollmentView } = await import('../../src/people/view.js');

/** English in letters of mathematics: whoever reads others reads what was not translated. @param {string} text */
const spelled = (text) => text.replace(/[A-Za-z]/g, (letter) => String.fromCodePoint((letter.codePointAt(0) ?? 0) + (letter < 'a' ? 0x1d5d4 - 65 : 0x1d5ee - 97)));
const pseudo = english.replace(/^([a-z0-9-]+ = | {4}[.](?:human|model|retry) = | +\*?\[[a-z0-9-]+\] )(.*)$/gm, (line, head, text) =>
  head === 'script-region = ' || text.startsWith('{ $kind ->')
    ? line
    : head + text.replace(/\{[^{}]*\}|[^{}]+/g, (/** @type {string} */ part) => (part[0] === '{' ? part.replace(/"[^"]*"/, spelled) : spelled(part))));
const PSEUDO = { language: 'ar', direction: 'rtl', messages: messages(pseudo) };
const LATIN = /[A-Za-z]+/g;

const server = await new TestAuthority().start();
after(() => server.stop());
beforeEach(() => Object.assign(server, { words: PSEUDO, text: {} }));
afterEach(() => speak(ENGLISH));

/** @param {unknown} said @param {string} [others] what is not the catalogue's */
const isPseudo = (said, others = '') => {
  const known = new Set(others.match(LATIN));
  assert.deepEqual([...(JSON.stringify(said).match(LATIN) ?? [])].filter((word) => !known.has(word)), []);
};

describe('in another language', () => {
  test('are dialogs, notices, and what models and people read of each code', async () => {
    const opened = page(server);
    const asked = opened.gate.call(registered('transfer_money'), () => 'sent', { amount: 1 }, undefined);
    await opened.human.answer(0, 'approve');
    await opened.human.answer(1, 'decline');
    isPseudo(/** @type {any} any: a result of MCP */ (await asked).content[0].text);
    for (const { view, texts } of opened.human.dialogs) {
      isPseudo([view.legend, view.approve, view.decline]);
      isPseudo(texts);
      assert.equal(view.language, 'ar');
    }
    assert.deepEqual(tongue(), { lang: 'ar', dir: 'rtl' });
    for (const code of [...CODES, 'code_of_a_later_version']) {
      isPseudo(refusal(problem(code)).content, 'type text sign_in_uri');
      isPseudo([wordsFor(code).human, wordsFor(code).retry]);
      assert.equal(wordsFor(code).again, `refusal-${code.replaceAll('_', '-')}.again` in ENGLISH.messages, 'is not for translators to say');
    }
  });

  test('are the views', () => {
    speak(PSEUDO);
    for (const agent of [true, false]) {
      const { legend, approve, decline } = approvalView({ site: '', user: '', language: '', lines: [], details: [], kind: '', agent });
      isPseudo([legend, approve, decline]);
    }
    const [empty, mixed] = detailsOf({ a: '', b: 'Shоpper' }); // with a letter that is not Latin
    isPseudo([empty?.values, mixed?.values], 'Sh pper');
    assert.ok(mixed?.values[0]?.includes(spelled('mixed alphabets')));
    const { lines, approve, decline } = enrollmentView({ site: '', user: '' });
    isPseudo([lines.map(({ line }) => line), approve, decline]);
    assert.notEqual(alphabet('Cyrl'), 'Cyrillic');
  });

  test('everything is asked for, once it is found', async () => {
    server.requests.length = 0;
    const opened = page(server);
    await opened.gate.call(registered('unknown'), () => null, {}, undefined);
    const sent = server.requests.map(({ headers }) => headers['accept-language'] ?? '');
    assert.equal(sent[0], wished() || '*', 'Node sends what any reads');
    await opened.authority.config(true);
    assert.equal(server.requests.at(-1)?.headers['accept-language'], 'ar');
  });
});

describe('without words', () => {
  for (const words of [null, {}, [], { language: 'de' }, { language: 'de', messages: null }]) {
    test(`${JSON.stringify(words)}: nothing runs that is gated, nobody is asked, and that is said`, async () => {
      Object.assign(server, { words });
      const opened = page(server);
      const result = await opened.gate.call(registered('transfer_money'), () => assert.fail('it ran'), { amount: 1 }, undefined);
      assert.equal(/** @type {any} */ (result).structuredContent.code, 'authority_unavailable');
      assert.equal(opened.human.dialogs.length, 0);
    });
  }

  test('the bundle has those sentences, and no others', () => {
    speak(FEW);
    assert.equal(wordsFor('authority_unavailable').human, ENGLISH.messages['refusal-authority-unavailable.human']);
    assert.equal(wordsFor('declined').human, ENGLISH.messages['refusal-other.human']);
    assert.ok(Object.keys(FEW.messages).length < 30);
  });
});

test('GRANT-2: nobody consents to other words than those that are shown', async () => {
  for (const text of [{ language: 'en' }, { lines: [{ part: 'title', line: 'Something else' }] }, { lines: [] }]) {
    Object.assign(server, { text });
    const opened = page(server);
    const result = await opened.gate.call(registered('transfer_money'), () => assert.fail('it ran'), { amount: 1 }, undefined);
    assert.equal(/** @type {any} */ (result).structuredContent.code, 'server_error');
    assert.equal(opened.human.dialogs.length, 0);
  }
});

test('each message is what the library makes of it', () => {
  const bundle = new FluentBundle('en');
  bundle.addResource(new FluentResource(english));
  const variables = Object.fromEntries([...english.matchAll(/\$([a-z]+)/g)].map(([, name]) => [name, `<${name}>`]));
  for (const kind of ['browser', 'registered-named', 'proved', 'nothing of these']) {
    for (const id in ENGLISH.messages) {
      const [name = '', attribute] = id.split('.');
      const found = bundle.getMessage(name);
      const pattern = attribute ? found?.attributes[attribute] : found?.value;
      assert.equal(say(id, { ...variables, kind }), bundle.formatPattern(pattern ?? '', { ...variables, kind }), id);
    }
  }
  const inner = { ...ENGLISH, messages: messages('script-a = { script-b } and { script-c.d }\nscript-b = b\nscript-c =\n    .d = { "x" }') };
  speak(inner);
  assert.equal(say('script-a'), '\u2068b\u2069 and \u2068x\u2069');
});

test('page script that comes later has no say in what is said', () => {
  speak(bare(structuredClone(ENGLISH)));
  const told = () => [say('script-signed-in', { host: 'bank.example', user: 'Ada' }), wordsFor('call_state').human, when(Date.UTC(2026, 0, 5, 12))];
  const before = told();
  const { prototype: strings } = String;
  const { prototype: arrays } = Array;
  const kept = { replaceAll: strings.replaceAll, at: strings.at, join: arrays.join, iterator: arrays[Symbol.iterator], DateTimeFormat: Intl.DateTimeFormat, map: arrays.map };
  const lie = () => assert.fail('the page was asked');
  try {
    Object.assign(strings, { replaceAll: lie, at: lie });
    Object.assign(arrays, { join: lie, map: lie, [Symbol.iterator]: lie });
    Object.assign(Intl, { DateTimeFormat: lie });
    Object.assign(Object.prototype, { human: 'A lie.', 'refusal-other.human': 'A lie.', timeZone: 'Asia/Tokyo', user: 'Mallory' });
    const later = told();
    for (let i = 0; i < before.length; i++) if (later[i] !== before[i]) throw new Error(`changed: ${later[i]}`);
  } finally {
    Object.assign(strings, { replaceAll: kept.replaceAll, at: kept.at });
    Object.assign(arrays, { join: kept.join, map: kept.map, [Symbol.iterator]: kept.iterator });
    Object.assign(Intl, { DateTimeFormat: kept.DateTimeFormat });
    for (const name of ['human', 'refusal-other.human', 'timeZone', 'user']) Reflect.deleteProperty(Object.prototype, name);
  }
});

test('the languages that are asked for are those of the human, and of these the page’s first', () => {
  const languages = ['en-US', 'de-CH', 'fr', 'de'];
  assert.equal(wished(languages, ''), 'en-US, de-CH, fr, de');
  assert.equal(wished(languages, 'de-AT'), 'de-CH, de, en-US, fr');
  assert.equal(wished(languages, 'th'), 'en-US, de-CH, fr, de', 'not what the human cannot read');
  assert.equal(wished([], 'de'), '');
  assert.equal(wished(Array.from({ length: 99 }, () => 'en'), '').length, 'en, '.length * 8 - 2);
});
