/** An answer as it is kept for repeats. */
export interface KeptAnswer {
  /** As they were sent. */
  headers: Record<string, string>;
  body: Buffer;
}

const LENGTH_BYTES = 4;

/** `length of the head | head as JSON | body` */
export function encodeAnswer({ headers, body }: KeptAnswer): Buffer {
  const head = Buffer.from(JSON.stringify(headers));
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(head.length);
  return Buffer.concat([length, head, body]);
}

export function decodeAnswer(bytes: Buffer): KeptAnswer {
  const end = LENGTH_BYTES + bytes.readUInt32BE();
  return { headers: JSON.parse(bytes.toString('utf8', LENGTH_BYTES, end)), body: bytes.subarray(end) };
}
