/**
 * What this browser profile keeps for each user of the site: the page's key, which cannot be exported (AGENT-1), and the
 * tokens bound to it. In IndexedDB; where that is blocked, in memory until the page is left.
 */

import { console, Error, exportKey, generateKey, indexedDB, inert, Map, Promise } from '../platform/natives.js';

/** @import { PageKey, Tokens } from '../types.js' */
/** @typedef {{key: PageKey, tokens: Tokens | null}} Holding */
/** @typedef {(stored: Holding | undefined) => Holding} Change */

/** Of one authority: what is held for each user. */
export class Keyring {
  #issuer;
  #change = indexedDB ? inDatabase : inMemory();
  /** @type {Map<string, PageKey>} */
  #keys = new Map();

  /** @param {string} issuer */
  constructor(issuer) {
    this.#issuer = issuer;
  }

  /**
   * The user's key; from memory after the first time, for it hardly ever changes.
   *
   * @param {string} user
   * @returns {Promise<PageKey>}
   */
  async key(user) {
    return inert(this.#keys.get(user) ?? (await this.of(user)).key);
  }

  /**
   * Reads what is held for the user; the first time, makes the key.
   *
   * @param {string} user
   * @returns {Promise<Holding>}
   */
  async of(user) {
    const held = await this.#update(user, null);
    if (held) return held;
    const fresh = { key: await makeKey(), tokens: null };
    // Another tab may have made one meanwhile; the first one stays.
    return /** @type {Holding} */ (await this.#update(user, (stored) => stored ?? fresh));
  }

  /**
   * Keeps the tokens, or forgets them.
   *
   * @param {string} user
   * @param {Tokens | null} tokens
   */
  async keep(user, tokens) {
    const key = await this.key(user);
    await this.#update(user, (stored) => ({ key: stored?.key ?? key, tokens }));
  }

  /**
   * Makes another key: the authority does not take this one any more, say because the user shut its agent out.
   *
   * @param {string} user
   * @param {PageKey} dead
   * @returns {Promise<Holding>}
   */
  async replace(user, dead) {
    const fresh = { key: await makeKey(), tokens: null };
    const change = (/** @type {Holding | undefined} */ stored) => (stored && stored.key.jwk.x !== dead.jwk.x ? stored : fresh);
    return /** @type {Holding} */ (await this.#update(user, change));
  }

  /**
   * @param {string} user
   * @param {Change | null} change null only reads
   * @returns {Promise<Holding | undefined>}
   */
  async #update(user, change) {
    const id = `${this.#issuer} ${user}`;
    let held;
    try {
      held = await this.#change(id, change);
    } catch (error) {
      console.warn('deputize: this browser keeps nothing for this site, so the agent must be deputized on each page.', error);
      if (this.#change === inDatabase) this.#change = inMemory();
      held = await this.#change(id, change);
    }
    if (held) this.#keys.set(user, held.key);
    return held;
  }
}

/** @returns {Promise<PageKey>} */
async function makeKey() {
  const pair = await generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']);
  const { crv, kty, x, y } = await exportKey('jwk', pair.publicKey);
  return inert({ privateKey: pair.privateKey, jwk: /** @type {PageKey['jwk']} */ ({ crv, kty, x, y }) });
}

/** @returns {(id: string, change: Change | null) => Promise<Holding | undefined>} */
function inMemory() {
  /** @type {Map<string, Holding>} */
  const held = new Map();
  return async (id, change) => {
    if (change) held.set(id, change(held.get(id)));
    return inert(held.get(id));
  };
}

const STORE = 'holding';
/** @type {Promise<IDBDatabase> | undefined} */
let database;

/** @returns {Promise<IDBDatabase>} */
function open() {
  return new Promise((resolve, reject) => {
    const request = /** @type {IDBFactory} */ (indexedDB).open('deputize', 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(inert(request.result));
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error('the database is blocked'));
  });
}

/**
 * Reads, and changes in the same transaction, so that two tabs cannot both make a key.
 *
 * @param {string} id
 * @param {Change | null} change
 * @returns {Promise<Holding | undefined>}
 */
async function inDatabase(id, change) {
  const db = await (database ??= open());
  return await new Promise((resolve, reject) => {
    const transaction = db.transaction(STORE, change ? 'readwrite' : 'readonly');
    const store = transaction.objectStore(STORE);
    const request = store.get(id);
    /** @type {Holding | undefined} */
    let held;
    request.onsuccess = () => {
      held = request.result;
      if (change) store.put((held = change(held)), id);
    };
    transaction.oncomplete = () => resolve(inert(held));
    transaction.onabort = transaction.onerror = () => reject(transaction.error);
  });
}
