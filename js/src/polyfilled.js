/**
 * The shim with a WebMCP for browsers that have none: `<script src="/deputize/shim-polyfill.js"></script>`. Where the browser has its
 * own, that one stays.
 */

import './polyfill.js';

export * from './index.js';
