/** What the page's own Content-Security-Policy keeps the shim from, as the browser tells it (CSP3 §5.3). */

import { blockedUri, directiveOf, dispositionOf, document, listen, slice } from '../platform/natives.js';

/**
 * @param {() => string} issuer of the authority
 * @param {(directive: string) => unknown} heard that this directive has forbidden something of the authority's
 */
export function onForbidden(issuer, heard) {
  listen(document, 'securitypolicyviolation', (event) => {
    if (!event.isTrusted || dispositionOf(event) !== 'enforce') return;
    const below = `${issuer()}/`;
    if (slice(blockedUri(event), 0, below.length) === below) heard(directiveOf(event));
  });
}
