/** What the dialogs say, made from what the authority says. Words only; `dialog.js` draws them. */

import { location, stringify, URL } from '../platform/natives.js';
import { numberOf, textOf } from '../platform/json.js';
import { isolated, visible, warning } from './shown.js';

/** @import { Arguments, Asker, Bare, Caller, View } from '../types.js' */

/**
 * The consent dialog (GRANT-1): it says what is signed, and nothing else.
 *
 * @param {Bare} shown
 * @param {number} now milliseconds since the epoch
 * @returns {View}
 */
export function consentView(shown, now) {
  const site = textOf(shown.site);
  const scopes = /** @type {Bare[]} */ (shown.scopes ?? []);
  const seconds = numberOf(shown.expires_in) ?? 0;
  return {
    kind: 'consent',
    site,
    host: location.host,
    user: textOf(shown.user),
    title: 'Let the agent in this browser act for you?',
    asker: '“The agent in this browser” is any agent, and any script of this site, that runs in this browser profile.',
    description: '',
    legend: '',
    scopes: scopes.map((scope) => visible(textOf(scope.title) || textOf(scope.scope))),
    until: `For ${duration(seconds)}, until ${moment(now + seconds * 1000, now)}. You can take it back at any time on your account page.`,
    values: [],
    approve: 'Allow with passkey',
    decline: 'Not now',
  };
}

/**
 * The approval dialog.
 *
 * @param {{site: string, user: string, description: string, args: Arguments, caller: Caller | null}} call `caller` is null for
 *   the user's own (CALL-7)
 * @returns {View}
 */
export function approvalView({ site, user, description, args, caller }) {
  return {
    kind: 'approval',
    site,
    host: location.host,
    user,
    title: caller ? 'May the agent do this for you?' : 'Do you want to do this?',
    asker: caller ? `Asked for by ${asker(caller)}.` : 'Asked for by this page. No agent says that it is behind it.',
    legend: `${caller ? 'The agent' : 'Whoever asked'} filled in what is ${isolated('marked')}. The rest is the site’s.`,
    description,
    scopes: [],
    until: '',
    values: Object.keys(args).map((name) => ({ name: visible(name), value: shown(args[name]) })),
    approve: 'Approve with passkey',
    decline: 'Decline',
  };
}

/**
 * The dialog for one more passkey.
 *
 * @param {{site: string, user: string}} of
 * @returns {View}
 */
export function enrollmentView({ site, user }) {
  return {
    kind: 'enrollment',
    site,
    host: location.host,
    user,
    title: 'Add a passkey?',
    asker: 'With a passkey you confirm what an agent wants to do for you here. Go on only if it was you who wanted to add one.',
    description: '',
    legend: '',
    scopes: [],
    until: '',
    values: [],
    approve: 'Add a passkey',
    decline: 'Not now',
  };
}

/**
 * @param {Asker} agent
 * @returns {string}
 */
function asker({ clientId, assurance, name, handedOnBy }) {
  if (assurance === 'opaque') return 'the agent in this browser';
  const told = assurance === 'registered' ? registered(clientId, name) : proved(clientId, name);
  return handedOnBy ? `${told}; this was handed on to it by ${asker(handedOnBy)}` : told;
}

/** @type {(clientId: string, name?: string) => string} */
const registered = (clientId, name) => `${name ? `${called(name)}, ` : ''}an agent that this site has registered as ${isolated(visible(clientId))}`;

/** @type {(clientId: string, name?: string) => string} */
const proved = (clientId, name) =>
  `an agent that has proved that it belongs to ${isolated(visible(new URL(clientId).origin))}${name ? ` and calls itself ${called(name)}` : ''}`;

/** @param {string} name */
const called = (name) => isolated(`“${visible(name)}”`) + warning(name);

/** @param {unknown} value */
function shown(value) {
  const text = typeof value === 'string' ? value : stringify(value);
  return text === '' ? '(empty)' : visible(text) + warning(text);
}

const UNITS = /** @type {const} */ ([['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]]);

/**
 * @param {number} seconds
 * @returns {string} as in "1 hour" or "90 minutes": the largest unit that divides it
 */
export function duration(seconds) {
  const [unit, size] = UNITS.find(([, length]) => seconds >= length && seconds % length === 0) ?? UNITS[3];
  const count = seconds / size;
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

/**
 * @param {number} time
 * @param {number} now
 */
export function moment(time, now) {
  const sameDay = new Date(time).toDateString() === new Date(now).toDateString();
  return new Intl.DateTimeFormat('en-GB', { timeStyle: 'short', ...(sameDay ? {} : { dateStyle: 'medium' }) }).format(time);
}

