/**
 * Answers to inputs of tools: each line that comes is the JSON text of one in hexadecimal, each line that goes the arguments
 * that are left of it, in hexadecimal, and what evidence there was: "none", "bad", or the text itself. An input that is refused
 * is answered with the reason. Whatever else is thrown ends this process.
 */
import { createInterface } from 'node:readline';

import { canonicalize, JsonError } from '../src/platform/canonical.js';
import { declareEvidence, MEMBER, moveEvidence, scopeOf, takeEvidence, withoutEvidence } from '../src/authority/evidence.js';
import { bare, numberOf, scopesOf, textOf } from '../src/platform/json.js';

/**
 * @param {string} hex
 * @returns {string}
 */
function answer(hex) {
  const text = Buffer.from(hex, 'hex').toString();
  moveEvidence(text, { [MEMBER]: 'a' });
  let input;
  try {
    input = JSON.parse(text);
  } catch {
    return 'not_json';
  }
  for (const look of [withoutEvidence, declareEvidence, scopesOf, textOf, numberOf]) look(input);
  moveEvidence(input, { [MEMBER]: 'a' });
  try {
    const taken = takeEvidence(input);
    if (!taken) return canonicalize(input) && 'not_json'; // which says why, where it is no JSON
    const { args, evidence, bad } = taken;
    if (evidence) scopesThatCanBeRead(evidence.token);
    const said = bad ? 'bad' : evidence ? `${evidence.token}~${evidence.proof}` : 'none';
    return `${Buffer.from(args.text).toString('hex')} ${said}`;
  } catch (error) {
    if (error instanceof JsonError) return error.reason;
    throw error;
  } finally {
    bare(input);
  }
}

/** @param {string} token one that the authority has not judged, so it may hold anything */
function scopesThatCanBeRead(token) {
  try {
    scopeOf(token);
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
  }
}

for await (const line of createInterface({ input: process.stdin })) process.stdout.write(`${answer(line)}\n`);
