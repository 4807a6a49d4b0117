import { once } from 'node:events';
import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import type { FastifyInstance } from 'fastify';

/** Its owner and its group may connect. */
const MODE = 0o660;
const NOTHING_FOR_OTHERS = 0o007;

/** Listens on a Unix socket. One that a killed process left is replaced. @throws NodeJS.ErrnoException, e.g. EADDRINUSE where somebody listens */
export async function listenOnSocket(app: FastifyInstance, path: string): Promise<void> {
  if (isSocket(path) && !(await answers(path))) unlinkSync(path);
  await app.ready();
  // It must not be open to others even for the moment until its mode is set.
  const before = process.umask(NOTHING_FOR_OTHERS);
  try {
    await app.listen({ path });
  } finally {
    process.umask(before);
  }
  chmodSync(path, MODE);
}

const isSocket = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true;

/** False: nobody listens there any more. */
async function answers(path: string): Promise<boolean> {
  const socket = connect({ path });
  try {
    await once(socket, 'connect');
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ECONNREFUSED';
  } finally {
    socket.destroy();
  }
}
