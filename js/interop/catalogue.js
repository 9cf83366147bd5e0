/** Tells, as JSON, what the page says of one file of Fluent, which comes as text. */
import { text } from 'node:stream/consumers';

import { messages } from '../catalogue.mjs';

process.stdout.write(JSON.stringify(messages(await text(process.stdin))));
