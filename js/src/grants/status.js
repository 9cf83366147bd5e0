/** Who is signed in, and what the agent in this browser may do for them. */

import { Date, inert } from '../platform/natives.js';

/** @import { Parts, Problem, Status } from '../types.js' */

/**
 * @param {Pick<Parts, 'authority' | 'grants'>} parts
 * @returns {Promise<Status | Problem>}
 */
export async function statusOf({ authority, grants }) {
  const { issuer } = authority;
  const config = await authority.config(true);
  if ('code' in config) return inert(config);
  const { user } = config;
  const tokens = user && (await grants.tokens.current(user.id)).tokens;
  if (!tokens) return inert({ issuer, user, agent: null, grant: null });
  const { clientId, assurance, grantId, scopes, grantExpiresAt } = tokens;
  const expiresAt = grantExpiresAt === null ? null : new Date(grantExpiresAt);
  return inert({ issuer, user, agent: { clientId, assurance }, grant: { id: grantId, scopes, expiresAt } });
}
