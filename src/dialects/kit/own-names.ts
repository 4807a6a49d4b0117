import { WeirError } from '../../kernel/errors.js';
import { Unsupported } from './unsupported.js';

/** Fields by their names in chat → by those in another format of clients. */
export type FieldNames = Readonly<Record<string, string>>;

/** A sentence with the fields that it quotes, named as the client's format does. */
export const inNamesOf = (names: FieldNames, sentence: string): string =>
  sentence.replace(/"([\w.]+)"/g, (quoted, name: string) => (names[name] === undefined ? quoted : `"${names[name]}"`));

/** Runs what refuses fields by their names in chat. @throws WeirError the same refusal, in the names of the client's format. */
export function refusingInNamesOf<Result>(names: FieldNames, run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof WeirError) || error.param === null) throw error;
    const param = names[error.param] ?? error.param;
    const message = inNamesOf(names, error.message);
    if (error instanceof Unsupported) throw new Unsupported(param, message, error.isAble, error.code);
    throw new WeirError(error.code, { param, message, ...(error.fields && { fields: error.fields }), cause: error.cause });
  }
}
