/**
 * Gates the tools of this page from the first import on: `import 'deputize/auto'` stands before all other imports.
 *
 * The authority is at `/deputize` of this origin, unless `install({ issuer })` names another one before the first call.
 *
 * @module deputize/auto
 */

import { install } from './index.js';

install();
