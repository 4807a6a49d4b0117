import { type FoundProgram, findDebianProgram } from '../test/support/debian-package.js';

const NGINX = { name: 'nginx', file: 'usr/sbin/nginx', packages: [['nginx'], ['nginx-light'], ['nginx', 'libpcre2-8-0', 'libssl3']] };

/** The nginx on PATH, else a private copy of the distribution's own; null when this machine can have neither. */
export function findNginx(): FoundProgram | null {
  return findDebianProgram(NGINX);
}
