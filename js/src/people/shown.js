/**
 * Text of strangers as people are shown it (APPR-2): nothing in it hides, moves its neighbours, or passes for the site's words.
 * The same at the authority (`protocol/shown.py`); both are held to `tests/vectors/shown-text.json`.
 *
 * Indexes, own members, operators and saved natives only: through a method of strings, lists or patterns, or through an iterator,
 * page script that runs later could say what a dialog shows.
 */

import { exec, hasOwn, push, RegExp, slice, sort } from '../platform/natives.js';
import { among } from '../platform/among.js';
import { FSI, PDI } from '../words/fluent.js';

const SPACE = '␣';
/** Canonical_Combining_Class=Virama, Unicode 17, which no regular expression of JavaScript knows. */
const VIRAMAS =
  '\\u094d\\u09cd\\u0a4d\\u0acd\\u0b4d\\u0bcd\\u0c4d\\u0ccd\\u0d3b\\u0d3c\\u0d4d\\u0dca\\u0e3a\\u0eba\\u0f84\\u1039\\u103a\\u1714\\u1715' +
  '\\u1734\\u17d2\\u1a60\\u1b44\\u1baa\\u1bab\\u1bf2\\u1bf3\\u2d7f\\ua806\\ua82c\\ua8c4\\ua953\\ua9c0\\uaaf6\\uabed\\u{10a3f}\\u{11046}' +
  '\\u{11070}\\u{1107f}\\u{110b9}\\u{11133}\\u{11134}\\u{111c0}\\u{11235}\\u{112ea}\\u{1134d}\\u{113ce}-\\u{113d0}\\u{11442}\\u{114c2}' +
  '\\u{115bf}\\u{1163f}\\u{116b6}\\u{1172b}\\u{11839}\\u{1193d}\\u{1193e}\\u{119e0}\\u{11a34}\\u{11a47}\\u{11a99}\\u{11c3f}\\u{11d44}' +
  '\\u{11d45}\\u{11d97}\\u{11f41}\\u{11f42}\\u{1612f}';
/** Arabic letters of Joining_Type D. */
const DUAL =
  '\\u0620\\u0626\\u0628\\u062a-\\u062e\\u0633-\\u063f\\u0641-\\u0647\\u0649\\u064a\\u066e\\u066f\\u0678-\\u0687\\u069a-\\u06bf\\u06c1' +
  '\\u06c2\\u06cc\\u06ce\\u06d0\\u06d1\\u06fa-\\u06fc\\u06ff\\u0750-\\u0758\\u075c-\\u076a\\u076d-\\u0770\\u0772\\u0775-\\u0777' +
  '\\u077a-\\u077f\\u0886\\u0889-\\u088d\\u088f\\u08a0-\\u08a9\\u08af\\u08b0\\u08b3-\\u08b8\\u08ba-\\u08c8\\u{10ec3}\\u{10ec4}\\u{10ec6}' +
  '\\u{10ec7}';
/** Arabic letters of Joining_Type R. */
const RIGHT =
  '\\u0622-\\u0625\\u0627\\u0629\\u062f-\\u0632\\u0648\\u0671-\\u0673\\u0675-\\u0677\\u0688-\\u0699\\u06c0\\u06c3-\\u06cb\\u06cd\\u06cf' +
  '\\u06d2\\u06d3\\u06d5\\u06ee\\u06ef\\u0759-\\u075b\\u076b\\u076c\\u0771\\u0773\\u0774\\u0778\\u0779\\u0870-\\u0882\\u088e\\u08aa-\\u08ac' +
  '\\u08ae\\u08b1\\u08b2\\u08b9\\u{10ec2}';

/** Control, format, private, unassigned; line separators; what shows as nothing though it is a letter or mark. */
const UNSEEN =
  /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800\u303f\u{1107f}\u{13441}\u{13442}\u{16fe4}\u{1d159}]/gu;
/** More marks on one letter than any word has (UTS #39 §5.4): they would reach into the lines around it. */
const PILED = /(?<=(?:[\p{Mn}\p{Me}][\u200c\u200d]?){4})[\p{Mn}\p{Me}]/gu;
/** Joiners where a script needs them: RFC 5892 A.1 and A.2, and emoji (UTS #51). */
const NEEDED = new RegExp(
  `(?<=[${VIRAMAS}])[\\u200c\\u200d]` +
    `|(?<=[${DUAL}]\\p{M}*)\\u200c(?=\\p{M}*[${DUAL}${RIGHT}])` +
    '|(?<=\\p{Extended_Pictographic}[\\ufe0f\\u{1f3fb}-\\u{1f3ff}]?)\\u200d(?=\\p{Extended_Pictographic})' +
    '|(?<=\\p{Extended_Pictographic})[\\ufe0e\\ufe0f]' +
    '|(?<=[0-9#*])\\ufe0f(?=\\u20e3)',
  'gu',
);
const RUN = /\p{Zs}{2,}|^\p{Zs}|\p{Zs}$|(?![ \u00a0\u202f])\p{Zs}/gu;
const WORD = /[\p{L}\p{M}\p{N}\u200c\u200d'’]+/gu;
/** UTS #39 §5.2, moderately restrictive: what one word may be made of, apart from a single script (ISO 15924). */
const SCRIPTS = [
  'Latn', 'Cyrl', 'Grek', 'Armn', 'Geor', 'Cher', 'Copt', 'Hebr', 'Arab', 'Syrc', 'Thaa', 'Deva', 'Beng',
  'Guru', 'Gujr', 'Orya', 'Taml', 'Telu', 'Knda', 'Mlym', 'Sinh', 'Thai', 'Laoo', 'Tibt', 'Mymr', 'Khmr',
  'Ethi', 'Mong', 'Hani', 'Hira', 'Kana', 'Bopo', 'Hang', 'Cans', 'Lisu', 'Tfng', 'Yiii', 'Nkoo', 'Vaii',
];
/** @type {Array<{name: string, pattern: RegExp}>} */
const BY_SCRIPT = [];
for (let i = 0; i < SCRIPTS.length; i++) {
  const name = SCRIPTS[i] ?? '';
  push(BY_SCRIPT, { name, pattern: new RegExp(`\\p{Script=${name}}`, 'u') });
}
const LETTER = /(?![\p{Script=Common}\p{Script=Inherited}])\p{L}/gu;
const TOGETHER = [['Latn', 'Hani', 'Hira', 'Kana'], ['Latn', 'Hani', 'Bopo'], ['Latn', 'Hani', 'Hang']];
const LOOK_ALIKE = ['Cyrl', 'Grek', 'Cher', 'Copt', 'Armn', 'Lisu', 'another'];

/**
 * Makes every character that could hide, cover or reorder others visible, but for joiners where they are needed.
 *
 * @param {string} text
 */
export function plain(text) {
  const needed = matches(NEEDED, text);
  let next = 0;
  const seen = replaced(text, UNSEEN, (found, index) => {
    while ((indexAt(needed, next) ?? index) < index) next++;
    return indexAt(needed, next) === index ? found : '\uFFFD';
  });
  return replaced(seen, PILED, () => '\uFFFD');
}

/**
 * The same, where runs of spaces, and spaces that do not look like one, are marks.
 *
 * @param {string} text
 */
export const visible = (text) => replaced(plain(text), RUN, marks);

/** @param {string} spaces */
function marks(spaces) {
  let text = '';
  for (let i = 0; i < spaces.length; i++) text += SPACE;
  return text;
}

/**
 * Finds a word that is made of alphabets that are not written together, and so may look like another.
 *
 * @param {string} text
 * @returns {string[]} these alphabets, as ISO 15924 has them; none if there is no such word
 */
export function mixed(text) {
  const words = matches(WORD, text);
  for (let i = 0; i < words.length; i++) {
    const scripts = scriptsOf(words[i]?.text ?? '');
    if (!goTogether(scripts)) return sort(scripts);
  }
  return [];
}

/**
 * Takes a text apart at its isolates: those within others stay as they are.
 *
 * @param {string} text
 * @returns {Array<{text: string, said: boolean}>} `said`: what was set apart
 */
export function partsOf(text) {
  /** @type {Array<{text: string, said: boolean}>} */
  const parts = [];
  let part = '';
  let depth = 0;
  /** @param {boolean} said */
  const end = (said) => {
    if (part !== '') push(parts, { text: part, said });
    part = '';
  };
  for (let i = 0; i < text.length; i++) {
    const unit = text[i];
    if (unit === FSI && depth++ === 0) end(false);
    else if (unit === PDI && depth > 0 && --depth === 0) end(true);
    else part += unit;
  }
  end(depth > 0);
  return parts;
}

/**
 * Finds what a pattern finds, from left to right. Only `exec` is asked, which goes by the pattern's own flags.
 *
 * @param {RegExp} pattern with `g`, never of nothing
 * @param {string} text
 */
function matches(pattern, text) {
  /** @type {Array<{text: string, index: number}>} */
  const all = [];
  pattern.lastIndex = 0;
  for (let found = exec(pattern, text); found; found = exec(pattern, text)) push(all, { text: found[0], index: found.index });
  return all;
}

/**
 * Replaces what a pattern finds.
 *
 * @param {string} text
 * @param {RegExp} pattern with `g`, never of nothing
 * @param {(found: string, index: number) => string} by
 */
function replaced(text, pattern, by) {
  const all = matches(pattern, text);
  let made = '';
  let from = 0;
  for (let i = 0; i < all.length; i++) {
    const found = /** @type {{text: string, index: number}} */ (all[i]);
    made += slice(text, from, found.index) + by(found.text, found.index);
    from = found.index + found.text.length;
  }
  return made + slice(text, from);
}

/**
 * @param {ReadonlyArray<{index: number}>} found
 * @param {number} place
 * @returns {number | undefined} nothing after the last, whatever a page has put on the prototype of lists
 */
const indexAt = (found, place) => (hasOwn(found, place) ? found[place]?.index : undefined);

/** @param {string} word @returns {string[]} each of its scripts once */
function scriptsOf(word) {
  const letters = matches(LETTER, word);
  /** @type {string[]} */
  const scripts = [];
  for (let i = 0; i < letters.length; i++) {
    const script = scriptOf(letters[i]?.text ?? '');
    if (!among(script, scripts)) push(scripts, script);
  }
  return scripts;
}

/** @param {string} letter */
function scriptOf(letter) {
  for (let i = 0; i < BY_SCRIPT.length; i++) {
    const script = BY_SCRIPT[i];
    if (script && exec(script.pattern, letter)) return script.name;
  }
  return 'another';
}

/** @param {readonly string[]} scripts */
function goTogether(scripts) {
  if (scripts.length <= 1) return true;
  for (let i = 0; i < TOGETHER.length; i++) {
    let inside = 0;
    for (let j = 0; j < scripts.length; j++) if (among(scripts[j], TOGETHER[i] ?? [])) inside++;
    if (inside === scripts.length) return true;
  }
  if (scripts.length !== 2 || !among('Latn', scripts)) return false;
  return !among(scripts[0], LOOK_ALIKE) && !among(scripts[1], LOOK_ALIKE);
}
