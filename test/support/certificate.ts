import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** Makes a self-signed certificate of a day, with openssl. @param altName e.g. `DNS:provider.example`. Answers the paths of its files. */
export function selfSigned(directory: string, name: string, altName: string, kind = 'rsa:2048'): { cert: string; key: string } {
  const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
  const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=${altName}`];
  execFileSync('openssl', ['req', '-x509', '-newkey', kind, '-nodes', '-days', '1', ...subject, '-keyout', key, '-out', cert], {
    stdio: 'ignore',
  });
  return { cert, key };
}
