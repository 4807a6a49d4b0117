import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { ConfigError } from './config-error.js';

/** A certificate and its key, in PEM; null: there are none. @throws ConfigError */
export function readTls(certPath: string | undefined, keyPath: string | undefined, directory: string) {
  if (certPath === undefined && keyPath === undefined) return null;
  if (certPath === undefined || keyPath === undefined) throw new ConfigError(['WEIR_TLS_CERT and WEIR_TLS_KEY must be set together']);
  const pair = { cert: readPem('WEIR_TLS_CERT', resolve(directory, certPath)), key: readPem('WEIR_TLS_KEY', resolve(directory, keyPath)) };
  checkPair(pair, certPath, keyPath);
  return pair;
}

function checkPair(pair: { cert: Buffer; key: Buffer }, certPath: string, keyPath: string): void {
  const certificate = orFault(() => new X509Certificate(pair.cert), `WEIR_TLS_CERT is no certificate in PEM: ${certPath}`);
  const key = orFault(() => createPrivateKey(pair.key), `WEIR_TLS_KEY is no private key in PEM without a passphrase: ${keyPath}`);
  if (!certificate.checkPrivateKey(key))
    throw new ConfigError([`WEIR_TLS_KEY is not the key of the certificate that WEIR_TLS_CERT names: ${keyPath}`]);
}

function orFault<T>(read: () => T, fault: string): T {
  try {
    return read();
  } catch {
    throw new ConfigError([fault]);
  }
}

function readPem(name: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    throw new ConfigError([`${name} names a file that cannot be read: ${path}`]);
  }
}
