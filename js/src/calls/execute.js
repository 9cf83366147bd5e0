/** The page's own callback, run by a call token: redeemed before and reported after, where the effect is in the page (GUARD-3, GUARD-5). */

import { textOf } from '../platform/json.js';
import { inert, stringify } from '../platform/natives.js';
import { makeClient, run } from './client.js';
import { refused, ruled } from './outcome.js';
import { begin, UNSENT } from './running.js';

/** @import { SharedCall } from './shared.js' */
/** @import { Approved, Call, Outcome, Parts } from '../types.js' */

/**
 * Runs the callback, if anybody still waits: what is approved after that waits too, and expires.
 *
 * @param {Parts} parts
 * @param {SharedCall} shared
 * @param {Call} call
 * @param {Approved} approved
 * @returns {Promise<Outcome>} `refused` or `stale` if it could not be redeemed, and so was not run
 */
export async function execute({ authority, keyring }, shared, { tool, rule, args, text, config, user }, { callId, body, caller }) {
  if (!shared.wanted) return inert({ kind: 'left' });
  shared.run();
  const token = textOf(body.call_token);
  const key = rule?.page ? await keyring.key(user.id) : undefined;
  if (key) {
    const answer = await authority.post(`/calls/${callId}/redemption`, stringify({ call_token: token }), { key, wants: 'state' });
    if (!answer.ok) return ruled({ ...answer.problem, callId });
  }
  const { apiOrigins } = config;
  const client = makeClient({ signal: shared.signal, agent: caller, scopes: caller?.scopes, callId, token, apiOrigins });
  const end = begin({ name: tool.name, args, text, client });
  /** @type {Outcome} */
  let outcome;
  try {
    outcome = { kind: 'result', value: await run(shared.execute, args, client) };
  } catch (error) {
    outcome = error === UNSENT ? refused('form_changed', callId) : { kind: 'thrown', error };
  } finally {
    end();
  }
  if (key) {
    const told = stringify({ outcome: succeeded(outcome) ? 'succeeded' : 'failed' });
    const reported = authority.post(`/calls/${callId}/outcome`, told, { key, keepalive: true });
    if (!rule?.safe) await reported; // else an equal call that comes sooner would be refused (CALL-6)
  }
  return inert(outcome);
}

/** @param {Outcome} outcome */
export function succeeded(outcome) {
  if (outcome.kind !== 'result') return false;
  const { value } = outcome;
  return !(typeof value === 'object' && value !== null && 'isError' in value && value.isError === true);
}
