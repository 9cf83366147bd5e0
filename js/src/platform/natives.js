/**
 * The platform as it was when the shim loaded.
 *
 * Page script that runs later can replace any of these. What it must not get that way: the closed shadow root of a
 * dialog (through `attachShadow`, or through any method that is handed a node inside, see `dom.js`), a say in what is shown,
 * signed, hashed and sent, and the tokens. So everything on those paths is taken from here, options are objects without
 * a prototype, promises are only awaited, never chained, and what is async returns primitives, or what is `inert`, but no promise.
 * What it can always do is register a tool past the shim;
 * the boundary is the authority and the API's guard.
 *
 * Where the platform lacks something (Node, old browsers) the value is undefined, or throws when it is used.
 */

const { getOwnPropertyDescriptor } = Object;

/**
 * `method` as a function of its receiver and arguments, out of reach of a patched `call` or `apply`.
 *
 * @type {(method: Function) => any} any: the type stands at each use, TypeScript has none for a DOM method's receiver
 */
const uncurry = Function.prototype.bind.bind(Function.prototype.call);

/**
 * @param {string} owner the name of an interface
 * @param {string} name of a method, or of an attribute
 * @param {'set'} [part] instead of what reads the attribute
 */
function native(owner, name, part) {
  let prototype = Reflect.get(globalThis, owner)?.prototype;
  /** @type {PropertyDescriptor | undefined} */
  let found;
  while (prototype && !(found = getOwnPropertyDescriptor(prototype, name))) prototype = Object.getPrototypeOf(prototype);
  const method = found && (part ? found.set : (found.value ?? found.get));
  if (method) return uncurry(method);
  return () => {
    throw new TypeError(`no ${owner}.${name}`);
  };
}

/**
 * @template T
 * @param {() => T} read
 * @returns {T | undefined} undefined where the browser refuses, as it does with storage when cookies are blocked
 */
function allowed(read) {
  try {
    return read();
  } catch {
    return undefined;
  }
}

export const { AbortController, Date, DOMException, Error, Map, Proxy, RegExp, Request, String, TypeError, URL, URLSearchParams, TextDecoder, TextEncoder, Uint8Array, MutationObserver, IntersectionObserver, CSSStyleSheet } = globalThis;
export const { document, navigator, location, console, window } = globalThis;
export const sessionStorage = allowed(() => globalThis.sessionStorage);
export const indexedDB = allowed(() => globalThis.indexedDB);
export const { apply, construct, get, ownKeys } = Reflect;
export const { freeze, hasOwn, keys, defineProperty, getPrototypeOf, setPrototypeOf } = Object;
export { getOwnPropertyDescriptor };
export const { parse, stringify } = JSON;
export const { now } = Date;
export const { isArray } = Array;
export const { fromCharCode } = String;
export const { DateTimeFormat, DisplayNames } = Intl;
/** Milliseconds since the epoch at which this page began. */
export const { timeOrigin } = performance;

export const atob = globalThis.atob.bind(globalThis);
export const btoa = globalThis.btoa.bind(globalThis);
export const structuredClone = globalThis.structuredClone.bind(globalThis);
export const fetch = globalThis.fetch.bind(globalThis);
export const setTimeout = globalThis.setTimeout.bind(globalThis);
/** Does something when the page has nothing better to do. @type {(work: () => void) => unknown} */
export const whenIdle = (globalThis.requestIdleCallback ?? globalThis.setTimeout).bind(globalThis);
export const setInterval = globalThis.setInterval.bind(globalThis);
export const clearTimeout = globalThis.clearTimeout.bind(globalThis);
export const timeout = AbortSignal.timeout.bind(AbortSignal);
export const randomUUID = globalThis.crypto?.randomUUID?.bind(globalThis.crypto);

const subtle = globalThis.crypto?.subtle;
export const digest = subtle?.digest.bind(subtle);
export const sign = subtle?.sign.bind(subtle);
export const generateKey = subtle?.generateKey.bind(subtle);
export const exportKey = subtle?.exportKey.bind(subtle);

/** @type {(method: Function) => string} its source, or that it is native */
export const functionText = uncurry(Function.prototype.toString);
/** @type {(method: Function) => Function} */
const bound = uncurry(Function.prototype.bind);
const Plain = Object;
/**
 * Whether a function's own `{}`, `async` and `await` are those of this realm: in that of a frame they ask what the page has put there. What
 * is made for a function without a `prototype` gets that of its realm (ECMA-262, GetFunctionRealm), and nothing else of it tells.
 *
 * @param {Function} constructor no proxy, which could be another realm's
 */
export const isOfThisRealm = (constructor) => {
  const own = { __proto__: null, value: undefined };
  return getPrototypeOf(construct(Plain, [], defineProperty(bound(constructor), 'prototype', own))) === Plain.prototype;
};
/** @type {(pattern: RegExp, text: string) => RegExpExecArray | null} */
export const exec = uncurry(RegExp.prototype.exec);
/** @type {(text: string, from: number, to?: number) => string} */
export const slice = uncurry(String.prototype.slice);

/** @type {(text: string) => boolean} */
export const isWellFormed = uncurry(String.prototype.isWellFormed);
/** @type {(text: string, index: number) => number} */
export const charCodeAt = uncurry(String.prototype.charCodeAt);
/** @type {(encoder: TextEncoder, text: string) => Uint8Array<ArrayBuffer>} */
export const utf8Of = uncurry(TextEncoder.prototype.encode);
/** @type {(names: string[]) => string[]} */
export const sort = uncurry(Array.prototype.sort);


/**
 * Adds to the end of a list, past any setter that a page has put on an index.
 *
 * @template T
 * @param {T[]} list
 * @param {T} value
 */
export const push = (list, value) => {
  defineProperty(list, list.length, /** @type {PropertyDescriptor} */ ({ __proto__: null, value, writable: true, enumerable: true, configurable: true }));
};

/**
 * What async functions return, whatever stands at its name. `await` asks a promise for its `constructor`, and hands it to its `then`, which
 * a page can replace, if that is another one. So it stays; subclasses and single promises can have their own, as before.
 */
const promises = getPrototypeOf((async () => {})());
/** @type {PromiseConstructor} */
export const Promise = promises.constructor;

/** @type {PropertyDescriptor} */
const NO_THEN = freeze(/** @type {PropertyDescriptor} */ ({ __proto__: null, value: undefined }));

// A server that renders pages runs nobody else's script, and keeps what it has.
if (location) {
  Reflect.defineProperty(promises, 'constructor', {
    configurable: false,
    get: () => Promise,
    set(value) {
      Reflect.defineProperty(this, 'constructor', { value, writable: true, enumerable: true, configurable: true });
    },
  });
  // The browser resolves promises with these: what a digest is, what the authority says, what a passkey has signed.
  for (const name of ['ArrayBuffer', 'Response', 'PublicKeyCredential']) {
    const { prototype } = Reflect.get(globalThis, name) ?? {};
    if (prototype) Reflect.defineProperty(prototype, 'then', NO_THEN);
  }
}

/**
 * Whatever a promise is resolved with is asked for a `then`, be it by `return` in an async function, and a page can put one on
 * Object.prototype: it would meet the value, and say what the promise brings instead. An inert value answers for itself.
 *
 * @template T
 * @param {T} value no primitive but null and undefined, not frozen, and no promise: that one is awaited first
 * @returns {T} the same
 */
export const inert = (value) => (value ? defineProperty(value, 'then', NO_THEN) : value);

/** What the human has told the browser that they read, the best first. */
export const languages = navigator?.languages;
/** @type {(format: Intl.DateTimeFormat) => (time: number) => string} */
export const formatOf = uncurry(/** @type {Function} */ (getOwnPropertyDescriptor(DateTimeFormat.prototype, 'format')?.get));
/** @type {(names: Intl.DisplayNames, code: string) => string} */
export const nameOf = uncurry(DisplayNames.prototype.of);
/** @type {(url: URL) => string} */
export const urlOrigin = native('URL', 'origin');
/** @type {(url: URL) => string} */
export const urlHost = native('URL', 'host');

/** @type {((name: string, work: () => Promise<unknown>) => Promise<unknown>) | undefined} */
export const lock = navigator?.locks?.request.bind(navigator.locks);

/** @type {((options: CredentialRequestOptions) => Promise<Credential | null>) | undefined} */
export const getCredential = navigator?.credentials?.get.bind(navigator.credentials);
/** @type {((options: CredentialCreationOptions) => Promise<Credential | null>) | undefined} */
export const createCredential = navigator?.credentials?.create.bind(navigator.credentials);
const { PublicKeyCredential } = globalThis;
/** @type {((json: PublicKeyCredentialRequestOptionsJSON) => PublicKeyCredentialRequestOptions) | undefined} */
export const requestOptions = PublicKeyCredential?.parseRequestOptionsFromJSON?.bind(PublicKeyCredential);
/** @type {((json: PublicKeyCredentialCreationOptionsJSON) => PublicKeyCredentialCreationOptions) | undefined} */
export const creationOptions = PublicKeyCredential?.parseCreationOptionsFromJSON?.bind(PublicKeyCredential);
/** @type {(credential: Credential) => unknown} */
export const credentialJson = native('PublicKeyCredential', 'toJSON');

/** @type {(controller: AbortController, reason?: unknown) => void} */
export const abort = native('AbortController', 'abort');
/** @type {(controller: AbortController) => AbortSignal} */
export const signalOf = native('AbortController', 'signal');
/** @type {(signal: AbortSignal) => boolean} */
export const isAborted = native('AbortSignal', 'aborted');
/** @type {(target: EventTarget, type: string, listener: (event: Event) => void, capture?: boolean) => void} */
export const listen = native('EventTarget', 'addEventListener');
/** @type {(target: EventTarget, type: string, listener: (event: Event) => void) => void} */
export const unlisten = native('EventTarget', 'removeEventListener');
/** @type {(event: Event) => void} */
export const preventDefault = native('Event', 'preventDefault');
/** @type {(event: Event) => void} */
export const stopImmediatePropagation = native('Event', 'stopImmediatePropagation');
/** @type {(form: HTMLFormElement, submitter: HTMLElement | null) => void} */
export const requestSubmit = native('HTMLFormElement', 'requestSubmit');
/** The fields of a form, whatever names they have. @type {(form: HTMLFormElement) => HTMLFormControlsCollection} */
export const elements = native('HTMLFormElement', 'elements');

/** @type {(violation: Event) => string} */
export const blockedUri = native('SecurityPolicyViolationEvent', 'blockedURI');
/** @type {(violation: Event) => string} */
export const directiveOf = native('SecurityPolicyViolationEvent', 'effectiveDirective');
/** @type {(violation: Event) => string} */
export const dispositionOf = native('SecurityPolicyViolationEvent', 'disposition');

/** @type {(request: Request) => string} */
export const requestUrl = native('Request', 'url');
/** @type {(request: Request) => string} */
export const requestMethod = native('Request', 'method');
/** @type {(request: Request) => Headers} */
export const requestHeaders = native('Request', 'headers');
/** @type {(headers: Headers, name: string, value: string) => void} */
export const setHeader = native('Headers', 'set');
/** @type {(response: Response) => number} */
export const responseStatus = native('Response', 'status');
/** @type {(response: Response) => Promise<string>} */
export const responseText = native('Response', 'text');
/** @type {(response: Response) => Response} */
export const cloneResponse = native('Response', 'clone');

/** @type {(document: Document, name: string) => HTMLElement} */
export const createElement = native('Document', 'createElement');
/** @type {(document: Document, namespace: string, name: string) => Element} */
export const createElementNS = native('Document', 'createElementNS');
/** @type {(document: Document) => HTMLElement} */
export const documentElement = native('Document', 'documentElement');
/** @type {(document: Document) => Element | null} */
export const currentScript = native('Document', 'currentScript');
/** @type {(document: Document, x: number, y: number) => Element | null} */
export const elementAt = native('Document', 'elementFromPoint');
/** @type {(root: ShadowRoot, x: number, y: number) => Element | null} */
export const elementIn = native('ShadowRoot', 'elementFromPoint');
/** @type {(element: Element, selector: string) => Element | null} */
export const closest = native('Element', 'closest');
/** One that is open. @type {(host: Element) => ShadowRoot | null} */
export const shadowRoot = native('Element', 'shadowRoot');
/** @type {(host: Element, init: ShadowRootInit) => ShadowRoot} */
export const attachShadow = native('Element', 'attachShadow');
/** @type {(root: ShadowRoot, sheets: CSSStyleSheet[]) => void} */
export const adoptStyleSheets = native('ShadowRoot', 'adoptedStyleSheets', 'set');
/** @type {(sheet: CSSStyleSheet, css: string) => void} */
export const replaceSync = native('CSSStyleSheet', 'replaceSync');
/** @type {(parent: Node, child: Node) => void} */
export const appendChild = native('Node', 'appendChild');
/** @type {(node: Node, text: string) => void} */
export const setText = native('Node', 'textContent', 'set');
/** @type {(element: Element, name: string, value: string) => void} */
export const setAttribute = native('Element', 'setAttribute');
/** @type {(element: Element, name: string) => string | null} */
export const getAttribute = native('Element', 'getAttribute');
/** @type {(element: Element) => void} */
export const remove = native('Element', 'remove');
/** @type {(node: Node) => boolean} */
export const isConnected = native('Node', 'isConnected');
/** @type {(input: HTMLElement) => string} */
export const valueOf = native('HTMLInputElement', 'value');
/** @type {(element: HTMLElement) => void} */
export const focus = native('HTMLElement', 'focus');
/** @type {(dialog: HTMLElement) => void} */
export const showModal = native('HTMLDialogElement', 'showModal');
/** @type {(dialog: HTMLElement) => void} */
export const closeDialog = native('HTMLDialogElement', 'close');
/** @type {(observer: MutationObserver, target: Node, options: MutationObserverInit) => void} */
export const observe = native('MutationObserver', 'observe');
/** @type {(observer: MutationObserver) => void} */
export const disconnect = native('MutationObserver', 'disconnect');

/** @type {(observer: IntersectionObserver, target: Element) => void} */
export const observeView = native('IntersectionObserver', 'observe');
/** Whether it can be seen; that nothing lies over it either, where the browser tells. @type {(entry: IntersectionObserverEntry) => boolean} */
export const isInView = native('IntersectionObserverEntry', 'isVisible' in (globalThis.IntersectionObserverEntry?.prototype ?? {}) ? 'isVisible' : 'isIntersecting');
/** @type {(element: Element, x: number, y: number) => void} */
export const scrollBy = native('Element', 'scrollBy');
/** @type {(element: Element, options: ScrollIntoViewOptions) => void} */
export const scrollIntoView = native('Element', 'scrollIntoView');
/** @type {(element: HTMLElement) => void} */
export const showPopover = native('HTMLElement', 'showPopover');

/** The page's owner opts in with `<html data-deputize-test="open">`; what script adds after the shim comes too late. */
export const openForTests = allowed(() => getAttribute(documentElement(document), 'data-deputize-test') === 'open') ?? false;
