const MARK = Buffer.from('\ufeff');

/** A text without the mark that some programs put before UTF-8. It says nothing, and JSON has no place for it. */
export const withoutMark = (bytes: Buffer): Buffer => (bytes.subarray(0, MARK.length).equals(MARK) ? bytes.subarray(MARK.length) : bytes);
