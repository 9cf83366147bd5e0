/** The method of approval `webauthn`: an assertion by a passkey (SEP-2672 §4.5). Enrolling one is not approving, but fails alike. */

import { textOf } from '../../platform/json.js';
import * as natives from '../../platform/natives.js';

/** @import { Bare } from '../../types.js' */
/** @import { Method } from './index.js' */

/**
 * @typedef {(options: Bare, signal?: AbortSignal) => Promise<unknown>} Passkey answers WebAuthn options, both in JSON
 */

const AGAIN = 'Please try again.';

/**
 * @param {Passkey} [get]
 * @returns {Method}
 */
export const webauthn = (get = assertByPasskey) => ({
  waiting: 'Waiting for your passkey…',
  challenge: (envelope) => textOf(optionsIn(envelope).challenge),
  // User verification is required, whatever the server says (CRED-1).
  answer: async (envelope, signal) => ({ response: await get({ __proto__: null, ...optionsIn(envelope), userVerification: 'required' }, signal) }),
  explain,
  again: AGAIN_BY_CODE,
});

/** @param {Bare} envelope */
const optionsIn = (envelope) => /** @type {Bare} */ (envelope.requestOptions ?? {});

/** Refusals after which another passkey, or the same once more, may do. */
export const AGAIN_BY_CODE = new Map([
  ['unknown_credential', 'That passkey does not belong to your account here. Please use another one.'],
  ['authenticator_class_mismatch', 'This needs another kind of passkey, such as a security key or your phone.'],
  ['signature_verification_failed', `That passkey could not be verified. ${AGAIN}`],
  ['signature_counter_regression', 'That passkey seems to have been copied, so it was not accepted. Please use another one.'],
  ['verification_failed', `That passkey could not be verified. ${AGAIN}`],
  ['missing_evidence', `The passkey gave no answer. ${AGAIN}`],
]);

/**
 * Says why a browser gave no answer.
 *
 * @param {unknown} error
 */
export function explain(error) {
  switch (nameOf(error)) {
    case 'NotAllowedError':
      return `The passkey was not used. ${AGAIN}`;
    case 'OperationError':
    case 'InvalidStateError':
      return 'Another passkey prompt is open. Please finish that one, then try again.';
    case 'SecurityError':
      return 'Passkeys of this site cannot be used on this page.';
    case 'TypeError':
      return 'This browser cannot use passkeys here.';
    default:
      return `The passkey could not be used. ${AGAIN}`;
  }
}

/** @param {unknown} error */
export const nameOf = (error) => (error instanceof Error || error instanceof DOMException ? error.name : '');

/** @type {Passkey} */
export async function assertByPasskey(options, signal) {
  const { credentialJson, getCredential, requestOptions } = natives;
  if (!getCredential || !requestOptions) throw new TypeError('no passkeys');
  const publicKey = requestOptions(/** @type {any} any: WebAuthn's own parser checks it */ (options));
  const credential = await getCredential(/** @type {CredentialRequestOptions} */ ({ __proto__: null, publicKey, signal }));
  if (!credential) throw new TypeError('no credential');
  return credentialJson(credential);
}

/** @type {Passkey} */
export async function createPasskey(options, signal) {
  const { createCredential, creationOptions, credentialJson } = natives;
  if (!createCredential || !creationOptions) throw new TypeError('no passkeys');
  const publicKey = creationOptions(/** @type {any} any: WebAuthn's own parser checks it */ (options));
  const credential = await createCredential(/** @type {CredentialCreationOptions} */ ({ __proto__: null, publicKey, signal }));
  if (!credential) throw new TypeError('no credential');
  return credentialJson(credential);
}
