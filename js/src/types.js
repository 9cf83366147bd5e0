/** The shapes that the shim's modules hand to each other, by where they come from. Types only: nothing here runs. */

/** @import { Authority } from './authority/authority.js' */
/** @import { Keyring } from './authority/keyring.js' */
/** @import { Grants } from './grants/grants.js' */
/** @import { Gate } from './calls/gate.js' */
/** @import { Held } from './page/submission.js' */
/** @import { Prompts } from './people/prompt.js' */
/** @import { Sharing } from './calls/sharing.js' */
/** @import { ApprovedCall, Line, Row, Said, User } from './wire.js' */

/**
 * @typedef {{authority: Authority, keyring: Keyring, prompts: Prompts, grants: Grants}} Parts what all that is done here is done with
 *
 * @typedef {object} Asking what a call needs once there is one, in a file of its own
 * @property {Parts} parts
 * @property {Sharing} sharing
 * @property {() => Promise<Status | Problem>} status
 * @property {(gate: Pick<Gate, 'attempt'>, held: Held) => Promise<unknown>} decideForm
 * @property {(form: HTMLFormElement) => string} spelled
 *
 * @typedef {() => Promise<Asking | Problem>} Ask brings it; a problem if it cannot be had
 *
 * @typedef {object} Status
 * @property {string} issuer
 * @property {{id: string, name: string} | null} user who is signed in
 * @property {{clientId: string, assurance: string} | null} agent the agent in this browser, once the user deputized it
 * @property {{id: string, scopes: readonly string[], expiresAt: Date | null} | null} grant what it may do, and until when
 */

/**
 * What the authority says, as it is read. (What it writes is PROTOCOL's.)
 *
 * @typedef {Readonly<Record<string, unknown>>} Bare a JSON object of the authority's, without a prototype
 *
 * @typedef {object} Problem why not (PROTOCOL §8), from the authority or from the shim itself
 * @property {string} code
 * @property {string} detail one sentence, may be empty
 * @property {string | null} callId
 * @property {readonly string[]} scopes the scopes that are missing, where that is the reason
 * @property {string} [said] what a human is told of it, where that says more than the code
 * @property {boolean} [told] whether a human has been told of it
 *
 * @typedef {Reply<Bare>} Answer
 *
 * @typedef {object} Rule what the policy says of one tool (SHIM-3)
 * @property {readonly string[]} scopes
 * @property {boolean} public
 * @property {boolean} page whether the effect happens in the page, so that the shim redeems
 * @property {boolean} opaque whether the browser's own agent may have it at all (AGENT-3)
 * @property {readonly string[]} pinned the definitions by which pages may register it; none are any (PIN-1)
 * @property {string} approval `never`, `always` or `when`
 * @property {boolean} safe whether a call can never need an approval and writes nothing (CALL-6)
 *
 * @typedef {object} Config the shim's configuration (SHIM-3)
 * @property {string} issuer
 * @property {string} site
 * @property {unknown} told all that is said of the site
 * @property {User | null} user
 * @property {number} patience milliseconds that an agent waits while a human is asked
 * @property {ReadonlySet<string>} apiOrigins
 * @property {string} signInUri
 * @property {ReadonlyMap<string, Rule>} tools
 *
 * @typedef {object} Tokens one token response (GRANT-3), as it is kept
 * @property {string} access
 * @property {string | null} refresh
 * @property {number} expiresAt milliseconds since the epoch
 * @property {string} clientId
 * @property {string} assurance
 * @property {string} grantId
 * @property {readonly string[]} scopes
 * @property {number | null} grantExpiresAt milliseconds since the epoch
 */

/**
 * @template T
 * @typedef {{ok: true, body: T} | {ok: false, problem: Problem, now?: unknown}} Reply what a request came to; `now` is the authority's
 *   time in seconds since the epoch, told where it is why the proof was refused
 */

/**
 * What a call on a page consists of, and how it ends.
 *
 * @typedef {{privateKey: CryptoKey, jwk: {crv: string, kty: string, x: string, y: string}}} PageKey
 *
 * @typedef {object} Agent
 * @property {string} clientId
 * @property {string} assurance
 *
 * @typedef {object} Client what a tool learns of its caller, the second argument of `execute` (SHIM-4)
 * @property {AbortSignal} signal aborted when nobody waits for the result any more
 * @property {Agent | null} agent null when the user calls directly, and for public tools
 * @property {readonly string[]} scopes what the user lets the agent do
 * @property {string | null} correlationId the call's id, the same in the record
 * @property {(input: RequestInfo | URL, init?: RequestInit) => Promise<Response>} fetch
 * @property {<T>(callback: () => T | Promise<T>) => Promise<T>} requestUserInteraction
 *
 * @typedef {Readonly<Record<string, unknown>>} Arguments a frozen JSON object
 * @typedef {(input: Arguments, client: Client) => unknown} Execute the page's own callback
 *
 * @typedef {object} Tool as it was registered
 * @property {string} name
 * @property {() => Promise<string>} definition its `definition_s256` (HASH-3)
 * @property {() => Definition} [says] what that is the digest of
 *
 * @typedef {{name: string, description: string, inputSchema: unknown}} Definition what a tool says of itself
 *
 * @typedef {object} Call one call, as it is sent
 * @property {Tool} tool
 * @property {Execute} callback
 * @property {AbortSignal | undefined} signal the agent's
 * @property {string} definition
 * @property {string} text canonical arguments
 * @property {Arguments} args
 * @property {Rule | undefined} rule
 * @property {Config} config
 * @property {User} user
 * @property {boolean} direct the user's own (CALL-7)
 * @property {Approved} [judged] the authority's decision, where it was asked already because the agent brought evidence (EVID-3)
 *
 * @typedef {{clientId: string, assurance: string, name?: string, handedOnBy?: Asker}} Asker an agent, under the name by which the
 *   user consented to it; one that the grant was handed on to has none, but who did that
 *
 * @typedef {Asker & {scopes: readonly string[], access?: string}} Caller the agent that calls; `access` is the delegation token of
 *   the browser's own
 *
 * @typedef {{callId: string, body: Said<ApprovedCall>, caller: Caller | null, outcome?: undefined}} Approved a call that may run, or may once a
 *   human approves it, and the answer that says so; `caller` is null for the user's own
 *
 * @typedef {{outcome: Outcome, callId?: undefined} | Approved} Decision
 *
 * @typedef {{kind: 'result', value: unknown, callId?: string}
 *   | {kind: 'thrown', error: unknown, callId?: string}
 *   | {kind: 'refused', problem: Problem}
 *   | {kind: 'stale', problem: Problem}
 *   | {kind: 'left'}} Outcome how a call ended; `stale`: the configuration is out of date; `left`: nobody waited any more
 */

/**
 * What a human is asked, and what comes of it.
 *
 * @typedef {{kind: 'approved', body: Bare, told?: string}
 *   | {kind: 'declined' | 'cancelled' | 'expired', settled?: boolean, block?: boolean, taken?: boolean}
 *   | {kind: 'refused', problem: Problem}} Verdict what came of asking the human; an approval that arrived though its answer did
 *   not, or that was given elsewhere, has an empty body; `told`: what the human is told then; `settled`: the authority has confirmed it; `block`: who asks is to be
 *   blocked as well; `taken`: whoever asked has taken it back while it was shown
 *
 * @typedef {Verdict | {kind: 'again', text: string} | {kind: 'unheard'}} Step `unheard`: sent, and what became of it is not known
 *
 * @typedef {{kind: 'open'} | {kind: 'arrived', until: number} | {kind: 'over', code: string} | {kind: 'unknown'}} Standing how a
 *   question stands at the authority; `until` in milliseconds since the epoch
 *
 * @typedef {object} Unheard an answer that was sent
 * @property {() => Promise<Standing>} look
 * @property {(reason: 'declined' | 'cancelled') => Promise<Standing>} end
 * @property {{open: string, arrived: (until: number) => string, unknown: string, goOn: string, end: string, code: string}} words
 *
 * @typedef {object} View what a dialog says
 * @property {'consent' | 'approval' | 'enrollment'} kind
 * @property {string} site
 * @property {string} host
 * @property {string} user who is signed in; empty where that is not known
 * @property {string} language of the lines (BCP 47); empty where it is not known
 * @property {ReadonlyArray<Line & {language?: string}>} lines what is asked, and signed, in the authority's own words, with what it was
 *   told set apart; `part` says how a line is drawn (GRANT-2, APPR-2), `language` that it is in another
 * @property {string} legend what is said of what is set apart in them
 * @property {ReadonlyArray<Row>} details the arguments that the lines leave out
 * @property {string} approve
 * @property {string} decline
 * @property {string} block of the button that blocks who asks as well; empty where there is none
 * @property {string} phone of the button that puts the question on the human's phone; empty where it cannot be answered there
 *
 * @typedef {object} OnPhone a question that is put on the human's phone
 * @property {string} uri where it stands
 * @property {string} user who has to sign in there
 * @property {boolean} here whether it can be answered in the page, too
 * @property {string} digits that are typed there
 * @property {number} size of the code: how many modules it is wide; 0 if there is none
 * @property {string} modules row by row, `1` where one is dark
 *
 * @typedef {object} Dialog
 * @property {() => Promise<Choice>} choice the next thing that the human does; the same promise until it happened
 * @property {(text: string) => void} busy
 * @property {(text: string, sent: boolean) => void} again `sent`: an answer was, and what became of it is not known
 * @property {(label: string) => Promise<string>} ask lets the human type something; busy once they have
 * @property {(text: string, approve: string, decline: string) => void} offer other answers than before
 * @property {(address: string) => void} lead has it answered at this address only, where a link leads
 * @property {(lines: View['lines'], language: string) => void} reword shows other lines, in this language
 * @property {(text: string) => void} queue what waits after this one
 * @property {(question: OnPhone) => void} phone shows what is done on the human's phone, beside the answers that can be given here
 * @property {(text: string, account?: string) => void} end says why the question is over, and lets the human close it; `account`: a link to
 *   the account page follows
 * @property {() => boolean} close tells whether it was still open
 *
 * @typedef {'approve' | 'decline' | 'block' | 'phone' | 'removed'} Choice
 */

export {};
