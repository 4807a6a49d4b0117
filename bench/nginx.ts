import { mkdirSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../test/support/free-port.js';
import { type Cores, childrenOf } from './machine.js';
import { findNginx } from './nginx-binary.js';
import { type Running, startProxy } from './processes.js';

const START_MS = 5_000;

export interface Nginx extends Running {
  port: number;
  /** The process that does the work. */
  worker: number;
}

/** nginx as a plain proxy with one worker: no log, no limits, connections kept on both sides. Null when this machine has none. */
export async function startNginx(directory: string, upstreamPort: number, cores: Cores | null): Promise<Nginx | null> {
  const program = findNginx();
  if (!program) return null;
  const home = join(directory, 'nginx');
  const port = await freePort();
  mkdirSync(home);
  writeFileSync(join(home, 'nginx.conf'), configuration(port, upstreamPort));
  const log = join(home, 'stderr.log');
  const { pid, stop } = startProxy(
    cores,
    program.command,
    ['-p', home, '-c', join(home, 'nginx.conf'), '-e', 'stderr'],
    program.env,
    home,
    log,
  );
  await answers(port);
  return { pid, stop, port, worker: childrenOf(pid)[0] ?? pid };
}

function configuration(port: number, upstreamPort: number): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path temp;`).join(' ');
  return `
    daemon off; worker_processes 1; pid nginx.pid; ${process.getuid?.() === 0 ? 'user root;' : ''}
    events { worker_connections 4096; }
    http {
      access_log off; ${temporary}
      upstream provider { server 127.0.0.1:${upstreamPort}; keepalive 1024; keepalive_requests 1000000000; }
      server {
        listen 127.0.0.1:${port}; keepalive_requests 1000000000;
        location / { proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection ""; }
      }
    }`;
}

async function answers(port: number): Promise<void> {
  const deadline = Date.now() + START_MS;
  while (!(await connects(port))) {
    if (Date.now() > deadline) throw new Error('nginx does not listen');
    await delay(20);
  }
}

function connects(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' });
    const finish = (open: boolean) => {
      socket.destroy();
      resolve(open);
    };
    socket.on('connect', () => finish(true)).on('error', () => finish(false));
  });
}
