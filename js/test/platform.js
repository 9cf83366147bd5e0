/** The platform that the shim takes when it loads, as far as Node lacks it, with a clock that can be set forward. */

const realNow = Date.now;
/** Milliseconds by which the clock is ahead of the machine's. */
export const clock = { ahead: 0 };
Date.now = () => realNow() + clock.ahead; // before the shim takes it

const { setTimeout } = globalThis;
// A dialog that a test leaves open, with its minute or ten, keeps no process alive.
Object.assign(globalThis, {
  setTimeout: (/** @type {() => void} */ work, /** @type {number} */ ms) => (ms >= 10_000 ? setTimeout(work, ms).unref() : setTimeout(work, ms)),
});
/** What the shim has told developers: of each authority that is not reached. @type {unknown[][]} */
export const noted = [];
console.debug = (...said) => void noted.push(said);

/** @type {Map<string, string>} */
export const stored = new Map();
Object.assign(globalThis, {
  location: new URL('https://bank.example/'),
  sessionStorage: {
    getItem: (/** @type {string} */ name) => stored.get(name) ?? null,
    setItem: (/** @type {string} */ name, /** @type {string} */ value) => void stored.set(name, value),
  },
});

const { english, messages } = await import('../catalogue.mjs');
const { speak } = await import('../src/words/words.js');

/** What an authority serves. */
export const ENGLISH = { language: 'en', direction: 'ltr', messages: messages(english) };
speak(ENGLISH);
/** The codes that have sentences of their own. */
export const CODES = Object.keys(ENGLISH.messages)
  .filter((id) => /^refusal-.*[.]human$/.test(id) && id !== 'refusal-other.human')
  .map((id) => id.slice('refusal-'.length, -'.human'.length).replaceAll('-', '_'));
await import('./traps.js'); // after the shim, as page script comes
