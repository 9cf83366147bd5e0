/** Why a call must not run, and how that is answered (ERR-1, ERR-2). */

import { STATUS_CODES } from 'node:http';

/** Those of a guard's own; what the authority says comes with its status. */
const STATUS = /** @type {Record<string, number>} */ ({
  invalid_request: 400,
  invalid_arguments: 400,
  missing_call_token: 401,
  invalid_call_token: 401,
  call_wrong_tool: 403,
  argument_hash_mismatch: 403,
  request_timeout: 408,
  payload_too_large: 413,
  unsupported_media_type: 415,
  authority_unavailable: 503,
});

/** A call that must not run. `code` is a reason code of PROTOCOL §8. */
export class Refused extends Error {
  /**
   * @param {string} code
   * @param {string} detail one sentence, for who develops
   * @param {{status?: number, facts?: Record<string, string | number | null>}} [more] where the authority has said so
   */
  constructor(code, detail, { status = STATUS[code] ?? 403, facts = {} } = {}) {
    super(detail);
    this.name = 'Refused';
    this.code = code;
    this.status = status;
    this.facts = facts;
  }

  /** The body of the answer (RFC 9457). */
  get problem() {
    const { status, code, message: detail } = this;
    return { ...this.facts, type: 'about:blank', title: STATUS_CODES[status] ?? '', status, detail, code };
  }

  /** @returns {Record<string, string>} the headers of the answer */
  get headers() {
    const { code, facts } = this;
    return {
      'Cache-Control': 'no-store',
      'Content-Type': 'application/problem+json',
      ...(this.status === 401 && { 'WWW-Authenticate': code === 'missing_call_token' ? 'DPoP algs="ES256"' : `DPoP error="${code}", algs="ES256"` }),
      ...(typeof facts.retry_after === 'number' && { 'Retry-After': String(facts.retry_after) }),
    };
  }
}
