/** How the command ends. */
export const EXIT = { ok: 0, error: 1, usage: 2, notFound: 3, auth: 4, refused: 5, conflict: 6, unavailable: 7 } as const;
export type Exit = (typeof EXIT)[keyof typeof EXIT];

/** What went wrong, and the next command, for a person to read. Has no secret. */
export class Failure extends Error {
  constructor(
    message: string,
    readonly exit: Exit,
    readonly next: string | null = null,
    /** What Weir answered. */
    readonly answer: Readonly<Record<string, unknown>> | null = null,
  ) {
    super(message);
  }
}

export class UsageFailure extends Failure {
  constructor(message: string, next: string | null = null) {
    super(message, EXIT.usage, next);
  }
}

const POLICY = /^(platform_rule|egress_|tenant_suspended)/;

/** By the status and the code that the admin REST answered. */
export function exitOf(status: number, code: string): Exit {
  if (POLICY.test(code) || status === 402) return EXIT.refused;
  if (status === 401 || status === 403) return EXIT.auth;
  if (status === 404) return EXIT.notFound;
  if (status === 409 || status === 412) return EXIT.conflict;
  if (status === 429 || status >= 500) return status === 500 ? EXIT.error : EXIT.unavailable;
  return EXIT.usage;
}
