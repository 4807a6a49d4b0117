/** The vendor says no: only the person can go on, by a new login. `reason` is a word such as `access_denied`, never a secret. */
export class LoginRefused extends Error {
  constructor(readonly reason: string) {
    super(reason);
  }
}

/** The vendor could not be asked, or not understood: later it may do. */
export class LoginFailed extends Error {
  constructor(
    readonly reason: string,
    cause?: unknown,
  ) {
    super(reason, { cause });
  }
}
