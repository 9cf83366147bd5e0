/** The method of approval `webauthn`: an assertion by a passkey (SEP-2672 §4.5). Enrolling one is not approving, but fails alike. */

import { among } from '../../platform/among.js';
import { textOf } from '../../platform/json.js';
import * as natives from '../../platform/natives.js';
import { say, wordsFor } from '../../words/words.js';

/** @import { Bare } from '../../types.js' */
/** @import { Method } from './index.js' */

/**
 * @typedef {(options: Bare, signal?: AbortSignal) => Promise<unknown>} Passkey answers WebAuthn options, both in JSON
 */

/**
 * @param {Passkey} [get]
 * @returns {Method}
 */
export const method = (get = assertByPasskey) => ({
  waiting: () => say('script-busy-passkey'),
  challenge: (envelope) => textOf(optionsIn(envelope).challenge),
  // User verification is required, whatever the server says (CRED-1).
  answer: async (envelope, _ask, signal) => {
    const response = await get({ __proto__: null, ...optionsIn(envelope), userVerification: 'required' }, signal);
    return natives.inert({ response });
  },
  explain,
  again,
});

/** @param {Bare} envelope */
const optionsIn = (envelope) => /** @type {Bare} */ (envelope.requestOptions ?? {});

/** Refusals after which another passkey, or the same once more, may do. */
const AGAIN = [
  'unknown_credential',
  'authenticator_class_mismatch',
  'signature_verification_failed',
  'signature_counter_regression',
  'verification_failed',
  'missing_evidence',
];

/** @param {string} code */
export const again = (code) => (among(code, AGAIN) ? wordsFor(code).retry : '');

/**
 * Says why a browser gave no answer.
 *
 * @param {unknown} error
 */
export function explain(error) {
  switch (nameOf(error)) {
    case 'NotAllowedError':
      return say('script-passkey-not-used');
    case 'OperationError':
    case 'InvalidStateError':
      return say('script-passkey-elsewhere');
    case 'SecurityError':
      return say('script-passkey-not-here');
    case 'TypeError':
      return say('script-passkey-unsupported');
    default:
      return say('script-passkey-failed');
  }
}

/** @param {unknown} error */
export const nameOf = (error) => (error instanceof natives.Error || error instanceof natives.DOMException ? error.name : '');

/** @type {Passkey} */
export const assertByPasskey = (options, signal) => answered(natives.getCredential, natives.requestOptions, options, signal);

/** @type {Passkey} */
export const createPasskey = (options, signal) => answered(natives.createCredential, natives.creationOptions, options, signal);

/**
 * @param {((options: any) => Promise<Credential | null>) | undefined} ceremony any: of two kinds, and so are the next
 * @param {((json: any) => unknown) | undefined} read WebAuthn's own parser, which checks what it is given
 * @param {Bare} options
 * @param {AbortSignal | undefined} signal
 */
async function answered(ceremony, read, options, signal) {
  if (!ceremony || !read) throw new natives.TypeError('no passkeys');
  const credential = await ceremony({ __proto__: null, publicKey: read(options), signal });
  if (!credential) throw new natives.TypeError('no credential');
  return natives.inert(natives.credentialJson(credential));
}
