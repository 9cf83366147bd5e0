/**
 * Whether a list has something, whatever a page has put in the place of the methods of lists and sets.
 *
 * @template T
 * @param {T} one
 * @param {readonly T[]} list
 */
export function among(one, list) {
  for (let i = 0; i < list.length; i++) if (list[i] === one) return true;
  return false;
}
