/** Empty: pg's own errors have none when a connection ends. */
const codeOf = (error: unknown): string => String((error as { code?: unknown } | null)?.code ?? '');

/** Classes of SQLSTATE: data, constraint, syntax or type, program limit, PL/pgSQL. The same statement fails again. */
const LASTING = /^(22|23|42|54|P0)/;
/** The same, internal errors, which a full disk may bring too, and canceled. */
const OF_ONE_CALL = /^(22|23|42|54|P0|XX)|^57014$/;

/** One call of a batch may have made the statement fail for all of them. */
export const mayBeOfOneCall = (error: unknown): boolean => OF_ONE_CALL.test(codeOf(error));

/** Postgres will refuse the statement again: what it says is at fault, not the server and not the connection. */
export const isLasting = (error: unknown): boolean => LASTING.test(codeOf(error));

/** Another transaction kept a row for longer than the statement waits. */
export const isLocked = (error: unknown): boolean => codeOf(error) === '55P03';

/** A connection that ended, in pg's words, the server's (08, 53, 57 but for a canceled statement) or the system's, and a lost race (40). */
const TRANSIENT = /^$|^(?:08|40|53|57(?!014$))|^E[A-Z]+$/;

/** Worth another try of the same statement. */
export const isTransient = (error: unknown): boolean => TRANSIENT.test(codeOf(error));
