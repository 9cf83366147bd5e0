/** A Chromium in which WebMCP is switched on. */

/** @import { Browser, BrowserType, LaunchOptions } from 'playwright-core' */

const FEATURES = '--enable-features=';

/** What Chromium has to be started with, be it by `launch` or by `launchOptions.args` of another runner. */
export const ARGUMENTS = Object.freeze([`${FEATURES}WebMCP`]);

/**
 * Starts a Chromium with WebMCP.
 *
 * @param {BrowserType} chromium Playwright's `chromium`
 * @param {LaunchOptions} [options] Playwright's own: `executablePath` or `channel` where its own download is too old
 * @returns {Promise<Browser>}
 * @throws {TypeError} for `args` with features of their own: Chromium heeds the last such switch only, Playwright looks for exactly ours
 */
export async function launch(chromium, options = {}) {
  const { args = [] } = options;
  if (args.some((each) => each.startsWith(FEATURES))) throw new TypeError(`deputize: launch() takes no ${FEATURES} in args, it sets its own`);
  return await chromium.launch({ ...options, args: [...args, ...ARGUMENTS] });
}
