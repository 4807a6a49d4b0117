import { WeirError } from '../../kernel/errors.js';

export const invalid = (param: string, message: string): WeirError => new WeirError('invalid_request', { param, message });

export const invalidMessages = (message: string): WeirError => invalid('messages', message);

/** Fields of a JSON object that a client sent. What is not of its kind is refused by its path; absent and null are the same. */
export class Fields {
  private constructor(
    readonly values: Record<string, unknown>,
    /** Where it stands in the request, e.g. `messages[0].content[1]`; empty: the request itself. */
    private readonly path: string,
  ) {}

  /** @throws WeirError invalid_request when it is no object. */
  static of(value: unknown, path: string): Fields {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return new Fields(value as Record<string, unknown>, path);
    throw path === '' ? invalid('body', 'The request body must be a JSON object.') : invalid(path, `"${path}" must be an object.`);
  }

  param(name: string): string {
    return this.path === '' ? name : `${this.path}.${name}`;
  }

  has(name: string): boolean {
    return this.values[name] !== undefined && this.values[name] !== null;
  }

  text(name: string): string {
    const value = this.textOrNull(name);
    if (value === null) throw this.refuse(name, 'must be a string');
    return value;
  }

  textOrNull(name: string): string | null {
    return this.read(name, 'a string', (value) => typeof value === 'string');
  }

  /** Its text; null when there is none or it is empty. */
  written(name: string): string | null {
    return this.textOrNull(name) || null;
  }

  numberOrNull(name: string): number | null {
    return this.read(name, 'a number', (value) => typeof value === 'number' && Number.isFinite(value));
  }

  wholeOrNull(name: string): number | null {
    return this.read(name, 'a whole number', Number.isSafeInteger);
  }

  booleanOrNull(name: string): boolean | null {
    return this.read(name, 'true or false', (value) => typeof value === 'boolean');
  }

  listOrNull(name: string): unknown[] | null {
    return this.read(name, 'a list', Array.isArray);
  }

  list(name: string): unknown[] {
    const value = this.listOrNull(name);
    if (value === null) throw this.refuse(name, 'must be a list');
    return value;
  }

  /** The entries of a list of objects; none when it is absent. */
  entries(name: string): Fields[] {
    return (this.listOrNull(name) ?? []).map((value, index) => Fields.of(value, `${this.param(name)}[${index}]`));
  }

  objectOrNull(name: string): Fields | null {
    return this.has(name) ? Fields.of(this.values[name], this.param(name)) : null;
  }

  object(name: string): Fields {
    return Fields.of(this.values[name], this.param(name));
  }

  oneOf<Word extends string>(name: string, words: readonly Word[]): Word | null {
    const value = this.textOrNull(name);
    if (value === null) return null;
    if (!words.includes(value as Word)) throw this.refuse(name, `must be one of ${words.join(', ')}`);
    return value as Word;
  }

  /** @param must e.g. `must be a string`. */
  refuse(name: string, must: string): WeirError {
    const param = this.param(name);
    return invalid(param, `"${param}" ${must}.`);
  }

  private read<Value>(name: string, kind: string, fits: (value: unknown) => boolean): Value | null {
    if (!this.has(name)) return null;
    const value = this.values[name];
    if (!fits(value)) throw this.refuse(name, `must be ${kind}`);
    return value as Value;
  }
}
