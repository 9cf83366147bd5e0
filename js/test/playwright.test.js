/** What `deputize/playwright` refuses before it starts a browser; e2e/test_playwright_js.py drives one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { launch } from 'deputize/playwright';
import { chromium } from 'playwright-core';

test('a Chromium with features of somebody else is not started: it would have no WebMCP, or not those', async () => {
  await assert.rejects(launch(chromium, { args: ['--enable-features=Other'], executablePath: '/none' }), TypeError);
});
