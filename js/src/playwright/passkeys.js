/**
 * Passkeys without hands: Chromium's virtual authenticators, over the DevTools protocol. They make and use real keys by the browser's
 * own WebAuthn code.
 */

/** @import { Page } from 'playwright-core' */

/**
 * @typedef {'internal' | 'usb' | 'nfc' | 'ble' | 'hybrid'} Transport
 *
 * @typedef {object} Authenticator one virtual authenticator: this device's own (`internal`), or a security key or phone
 * @property {() => Promise<Array<{credentialId: string, rpId: string, userName: string, signCount: number}>>} passkeys what is in it
 * @property {(yes: boolean) => Promise<void>} verifiesUser user verification succeeds from now on, or fails, as for somebody else's finger
 * @property {(yes: boolean) => Promise<void>} present it is touched whenever it is asked, or not at all
 * @property {() => Promise<void>} remove takes it away with all that is in it
 *
 * @typedef {object} Passkeys
 * @property {(transport?: Transport) => Promise<Authenticator>} add adds an authenticator that keeps discoverable passkeys; Chromium takes
 *   one `internal` at most
 */

/**
 * Puts virtual authenticators in the place of real ones for a page: none yet, so that every prompt finds nothing.
 *
 * @param {Page} page
 * @returns {Promise<Passkeys>}
 */
export async function passkeys(page) {
  // Never detached: when a page loses any session, Chromium drops its virtual authenticators.
  const session = await page.context().newCDPSession(page);
  await session.send('WebAuthn.enable', { enableUI: false });
  return {
    add: async (transport = 'internal') => {
      const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', {
        options: {
          protocol: 'ctap2',
          transport: transport === 'hybrid' ? 'cable' : transport,
          hasResidentKey: true,
          hasUserVerification: true,
          isUserVerified: true,
          automaticPresenceSimulation: true,
        },
      });
      return {
        passkeys: async () => {
          const { credentials } = await session.send('WebAuthn.getCredentials', { authenticatorId });
          return credentials.map(({ credentialId, rpId = '', userName = '', signCount }) => ({
            credentialId: Buffer.from(credentialId, 'base64').toString('base64url'),
            rpId,
            userName,
            signCount,
          }));
        },
        verifiesUser: async (yes) => void (await session.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: yes })),
        present: async (yes) => void (await session.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId, enabled: yes })),
        remove: async () => void (await session.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId })),
      };
    },
  };
}
