/** Proofs by the page's key, checked with Node's own crypto (PROOF-1, PROOF-3). */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { checkProof } from '../authority.js';

const { clock } = await import('../platform.js');
const { Authority } = await import('../../src/authority/authority.js');
const { Prover } = await import('../../src/authority/prover.js');
const { Keyring } = await import('../../src/authority/keyring.js');
const { prove } = await import('../../src/authority/dpop.js');

const url = 'https://bank.example/deputize/calls';
const now = Math.floor(Date.now() / 1000);
const { key } = await new Keyring('https://bank.example/deputize').of('usr_ada');

test('PROOF-1, PROOF-3: a proof by the page is for this request, without ath', async () => {
  const { header, claims } = checkProof(await prove(key, { method: 'POST', url, iat: now }), { method: 'POST', url });
  assert.deepEqual(header, { typ: 'dpop+jwt', alg: 'ES256', jwk: key.jwk });
  assert.deepEqual(Object.keys(claims).sort(), ['htm', 'htu', 'iat', 'jti']);
  assert.equal(claims.iat, now);
});

test('PROOF-1: with a token it carries its hash', async () => {
  const proof = await prove(key, { method: 'POST', url, token: 'a.b.c', iat: now });
  checkProof(proof, { method: 'POST', url, token: 'a.b.c' });
  assert.throws(() => checkProof(proof, { method: 'POST', url, token: 'a.b.d' }), /ath/);
});

test('PROOF-1: so it does when tokens take turns, or come at the same time', async () => {
  const proofOf = async (/** @type {string} */ token) => checkProof(await prove(key, { method: 'POST', url, token, iat: now }), { method: 'POST', url, token });
  await Promise.all(['a.b.c', 'd.e.f', 'a.b.c', 'd.e.f'].map(proofOf));
  for (const token of ['a.b.c', 'd.e.f']) await proofOf(token);
});

test('PROOF-1: htu has neither query nor fragment', async () => {
  const proof = await prove(key, { method: 'GET', url: `${url}?a=b#c`, iat: now });
  checkProof(proof, { method: 'GET', url });
});

test('PROOF-2: no two proofs have the same jti', async () => {
  const made = await Promise.all(Array.from({ length: 50 }, () => prove(key, { method: 'POST', url, iat: now })));
  assert.equal(new Set(made.map((proof) => checkProof(proof, { method: 'POST', url }).claims.jti)).size, 50);
});

test('AGENT-1: the key cannot be exported, and is the same again', async () => {
  const keyring = new Keyring('https://bank.example/deputize');
  const { key } = await keyring.of('usr_ada');
  await assert.rejects(crypto.subtle.exportKey('jwk', key.privateKey));
  assert.equal(key.privateKey.extractable, false);
  const all = await Promise.all([keyring.of('usr_bob'), keyring.of('usr_bob'), keyring.of('usr_bob')]);
  assert.equal(new Set(all.map((holding) => holding.key.jwk.x)).size, 1, 'a race makes one key');
  assert.notEqual(all[0]?.key.jwk.x, key.jwk.x, 'each user has another');
});

/** One that has a proof ready for `AGAIN`, which was made a second ago or longer. */
async function readyAuthority() {
  for (let tries = 0; tries < 1000; tries++) {
    const authority = new Authority('https://bank.example/deputize');
    authority.prover = new Prover(authority);
    await authority.prover.prove(key, AGAIN);
    await new Promise((resolve) => setTimeout(resolve, tries));
    clock.ahead += 1000;
    const { claims } = checkProof(await authority.prover.prove(key, AGAIN), { ...AGAIN, now: seconds() });
    if (claims.iat === seconds()) continue; // it was not there yet
    await new Promise((resolve) => setTimeout(resolve, tries)); // the next one is, after as long
    clock.ahead += 1000;
    return { authority, used: claims };
  }
  throw new Error('no proof is made ahead');
}
const AGAIN = { method: 'POST', url, token: 'a.b.c' };
const seconds = () => Math.floor(Date.now() / 1000);

test('PROOF-2: the next proof is made ahead, for the same request by the same key, and used once', async () => {
  const { authority, used } = await readyAuthority();
  const proofs = await Promise.all(Array.from({ length: 5 }, () => authority.prover.prove(key, AGAIN)));
  const jtis = proofs.map((proof) => checkProof(proof, { ...AGAIN, now: seconds() }).claims.jti);
  assert.equal(new Set([used.jti, ...jtis]).size, 6);
});

const { key: another } = await new Keyring('https://bank.example/deputize').of('usr_bob');
/** @type {Array<[string, typeof key, typeof AGAIN]>} */
const others = [
  ['key', another, AGAIN],
  ['method', key, { ...AGAIN, method: 'GET' }],
  ['address', key, { ...AGAIN, url: `${url}/cal_1` }],
  ['token', key, { ...AGAIN, token: 'd.e.f' }],
];
for (const [name, of, request] of others) {
  test(`PROOF-1: a proof that was made ahead is not used with another ${name}`, async () => {
    const { authority } = await readyAuthority();
    const { header, claims } = checkProof(await authority.prover.prove(of, request), { ...request, now: seconds() });
    assert.deepEqual(header.jwk, of.jwk);
    assert.equal(claims.iat, seconds());
  });
}

test('PROOF-1: a proof that was made ahead is not used when it is old, or made by another clock', async () => {
  for (const later of [10, 3600, -3600]) {
    const { authority } = await readyAuthority();
    clock.ahead += later * 1000;
    const { claims } = checkProof(await authority.prover.prove(key, AGAIN), { ...AGAIN, now: seconds() });
    assert.ok(seconds() - claims.iat <= 1, `${later}`);
    clock.ahead -= later * 1000;
  }
  for (const skew of [60, -60]) {
    const { authority } = await readyAuthority();
    authority.setClock(seconds() + skew);
    const { claims } = checkProof(await authority.prover.prove(key, AGAIN), { ...AGAIN, now: seconds() + skew });
    assert.ok(Math.abs(claims.iat - skew - seconds()) <= 1);
  }
});
