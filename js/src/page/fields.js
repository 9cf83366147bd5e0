/**
 * The arguments that are in a form, by the names and types of the schema that browsers derive from it. What is left empty is left out,
 * and so is what an agent cannot fill in: hidden fields, files, buttons, what is disabled or read-only, and names that two fields share.
 */

import { elements } from '../platform/natives.js';

/** @typedef {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} Field */

const LEFT_OUT = /^(?:hidden|file|submit|image|reset|button)$/;
const NUMBERS = /^(?:number|range)$/;

/**
 * @param {HTMLFormElement} form
 * @returns {Record<string, unknown>} without a prototype
 */
export function valuesOf(form) {
  const values = /** @type {Record<string, unknown>} */ ({ __proto__: null });
  const named = /** @type {Record<string, Field[]>} */ (/** @type {unknown} */ ({ __proto__: null }));
  for (const field of fieldsOf(form)) (named[field.name.trim()] ??= []).push(field);
  for (const name in named) {
    const value = name && valueOf(named[name] ?? []);
    if (value !== undefined && value !== '') values[name] = value;
  }
  return values;
}

/**
 * @param {HTMLFormElement} form
 * @param {string} name of a field to be emptied
 */
export function clear(form, name) {
  for (const field of fieldsOf(form)) if (field.name === name) field.value = '';
}

/** @param {HTMLFormElement} form @returns {Field[]} */
const fieldsOf = (form) =>
  /** @type {Field[]} */ ([...elements(form)].filter((each) => /^(?:INPUT|SELECT|TEXTAREA)$/.test(each.tagName))).filter(
    (field) => !LEFT_OUT.test(field.type) && !field.matches(':disabled') && !('readOnly' in field && field.readOnly),
  );

/**
 * @param {Field[]} fields of one name
 * @returns {unknown} undefined where there is nothing to be told
 */
function valueOf(fields) {
  const [field] = /** @type {[Field]} */ (fields);
  const chosen = () => /** @type {HTMLInputElement[]} */ (fields).filter((each) => each.checked).map((each) => each.value);
  if (field.type === 'radio') return chosen()[0];
  if (field.type === 'checkbox') return fields.length > 1 ? some(chosen()) : /** @type {HTMLInputElement} */ (field).checked;
  if (fields.length > 1) return undefined;
  if (field.type === 'select-multiple') return some([.../** @type {HTMLSelectElement} */ (field).selectedOptions].map((option) => option.value));
  return NUMBERS.test(field.type) && field.value ? +field.value : field.value;
}

/** @param {string[]} values */
const some = (values) => (values.length > 0 ? values : undefined);
