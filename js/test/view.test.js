/** The words of the dialogs (SHIM-8, GRANT-1, APPR-2). */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import './platform.js';

const { bare } = await import('../src/platform/json.js');
const { visible } = await import('../src/people/shown.js');
const { approvalView, consentView, duration } = await import('../src/people/view.js');

const noon = new Date(2026, 0, 1, 12, 0).getTime();
const shown = bare({
  agent: { client_id: 'agt_1', assurance: 'opaque' },
  expires_in: 3600,
  grant_id: 'grt_1',
  scopes: [{ scope: 'account:read', title: 'See your accounts' }, { scope: 'payments:write', title: '' }],
  site: 'Harbor',
  user: 'Ada',
});

test('GRANT-1: consent shows the site, who is signed in, who asks, every scope and until when', () => {
  const view = consentView(shown, noon);
  assert.equal(view.site, 'Harbor');
  assert.equal(view.user, 'Ada');
  assert.equal(view.host, 'bank.example');
  assert.deepEqual(view.scopes, ['See your accounts', 'payments:write']);
  assert.match(view.until, /^For 1 hour, until 13:00\./);
  assert.match(view.asker, /any agent.+any script of this site.+this browser profile/);
  assert.deepEqual([view.approve, view.decline], ['Allow with passkey', 'Not now']);
});

test('a consent that lasts beyond today names the day', () => {
  assert.match(consentView(bare({ ...shown, expires_in: 86400 * 30 }), noon).until, /^For 30 days, until 31 Jan 2026/);
});

test('SHIM-8: approval shows the description as it came, and exactly the values', () => {
  const args = { amount: 250, name: 'Ada', nested: { list: [1, 'x'] }, none: null, empty: '' };
  const view = approvalView({ site: 'Harbor', user: 'Ada', description: 'Send 250.00 EUR\nto Ada', args, caller: { clientId: 'agt_1', assurance: 'opaque', scopes: [] } });
  assert.equal(view.description, 'Send 250.00 EUR\nto Ada');
  assert.deepEqual(view.values, [
    { name: 'amount', value: '250' },
    { name: 'name', value: 'Ada' },
    { name: 'nested', value: '{"list":[1,"x"]}' },
    { name: 'none', value: 'null' },
    { name: 'empty', value: '(empty)' },
  ]);
  assert.match(view.asker, /agent/);
  assert.doesNotMatch(approvalView({ site: 'Harbor', user: 'Ada', description: '', args, caller: null }).asker, /by (the|an) agent/);
});

test('OAUTH-4: an attested agent is told by what is proven first, and what it calls itself stays in quotation marks', () => {
  const clientId = 'https://agent.example/agent.json';
  const asker = (/** @type {string} */ assurance) =>
    approvalView({ site: 'Harbor', user: 'Ada', description: '', args: {}, caller: { clientId, assurance, name: 'Shop\u202Eper', scopes: [] } }).asker;
  assert.equal(
    asker('origin'),
    'Asked for by an agent that has proved that it belongs to \u2068https://agent.example\u2069 and calls itself \u2068“Shop\uFFFDper”\u2069.',
  );
  assert.equal(asker('registered'), `Asked for by \u2068“Shop\uFFFDper”\u2069, an agent that this site has registered as \u2068${clientId}\u2069.`);
  const child = { clientId: 'https://child.example/agent.json', assurance: 'origin', scopes: [], handedOnBy: { clientId, assurance: 'registered', name: 'Shopper' } };
  assert.equal(
    approvalView({ site: 'Harbor', user: 'Ada', description: '', args: {}, caller: child }).asker,
    'Asked for by an agent that has proved that it belongs to \u2068https://child.example\u2069; this was handed on to it by \u2068“Shopper”\u2069, ' +
      `an agent that this site has registered as \u2068${clientId}\u2069.`,
  );
});

test('APPR-2: what would not be seen in a value is', () => {
  assert.equal(visible('a\u202Eb\u200Bc\u0000d\u2066e\uFEFFf\u00ADg\u2028h\u3164i'), 'a\uFFFDb\uFFFDc\uFFFDd\uFFFDe\uFFFDf\uFFFDg\uFFFDh\uFFFDi');
  assert.equal(visible('a\u{E0100}b\u2800c\u180Bd'), 'a\uFFFDb\uFFFDc\uFFFDd');
  assert.equal(visible('Grüße, 東京, עברית, 👩'), 'Grüße, 東京, עברית, 👩');
});

test('durations in the largest unit that divides them', () => {
  const said = [1, 90, 60, 5400, 3600, 7200, 86400, 90000, 2592000].map(duration);
  assert.deepEqual(said, ['1 second', '90 seconds', '1 minute', '90 minutes', '1 hour', '2 hours', '1 day', '25 hours', '30 days']);
});
